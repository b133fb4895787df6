"""Records in git notes: one ref per writer, lines only ever appended.

Two clones never write the same ref, so pushing is always a fast-forward; two
processes of one clone take a lock, and what was written is read back, because git
reports success for notes that it lost.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import GitError, RecordError
from loopgraph_git.git import refs
from loopgraph_git.git.lock import locked
from loopgraph_git.records import Kind, Oid, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.git.repo import Repo

NOTE_LIMIT_BYTES = 64 * 1024 * 1024


class Notes:
    """This clone's own notes ref, and everybody's to read."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._lock = repo.home / "lock"

    def writer(self) -> str:
        """Return the random id of this clone, made on first use."""
        path = self._repo.home / "writer"
        if not path.exists():
            with locked(self._lock):
                if not path.exists():
                    # at once: a reader without the lock must not find it half made
                    fresh = path.with_name("writer.new")
                    fresh.write_text(secrets.token_hex(6) + "\n")
                    fresh.replace(path)
        return path.read_text().strip()

    def make(
        self,
        kind: Kind,
        commit: Oid,
        body: Mapping[str, Any],
        *,
        tree: Oid | None = None,
    ) -> Record:
        """Return a new record of this writer, numbered but not yet written.

        `tree` saves asking git for the commit's tree. A caller that may be killed keeps it and appends it again: the same record
        is written once.
        """
        writer = self.writer()
        with locked(self._lock):
            seq = self._next_seq(writer)
        return Record(
            kind=kind,
            commit=commit,
            tree=tree or self._repo.tree(commit),
            writer=writer,
            seq=seq,
            ts=time.time_ns() // 1_000_000,
            body=body,
        )

    def _next_seq(self, writer: str) -> int:
        path = self._repo.home / "seq"
        try:
            seq = int(path.read_text()) + 1
        except (FileNotFoundError, ValueError):
            # lost or torn: the notes themselves know the last number
            own = self.records({refs.notes(writer): ""})
            seq = max((record.seq for record in own), default=0) + 1
        path.write_text(f"{seq}\n")
        return seq

    def append(self, record: Record, *, fresh: bool = True) -> None:
        """Write a record as a line of its commit's note and read it back.

        With `fresh=False` a line that is already there is left alone. Raises
        GitError when git lost the line.
        """
        line = record.encode()
        ref = refs.notes(record.writer)
        with locked(self._lock):
            if not fresh and self._holds(ref, record.commit, line):
                return
            self._repo.run(
                "notes", f"--ref={ref}", "append", "-F", "-", record.commit,
                stdin=line.encode(),
                env=self._repo.identity,
            )  # fmt: skip
            if not self._holds(ref, record.commit, line):
                raise GitError(
                    f"git lost the record {record.id} on {record.commit.short}: is "
                    "something else writing to refs/notes/loopgraph?"
                )

    def _holds(self, ref: str, commit: Oid, line: str) -> bool:
        note = self._repo.maybe("notes", f"--ref={ref}", "show", commit)
        return note is not None and line in note

    def annotated(self) -> list[str]:
        """Return the commits that this writer has said anything of."""
        listing = self._repo.maybe(
            "notes", f"--ref={refs.notes(self.writer())}", "list"
        )
        return [row.split()[1] for row in (listing or "").splitlines()]

    def refs(self) -> dict[str, Oid]:
        """Return every notes ref that holds records: ours and the fetched ones."""
        found = self._repo.refs(refs.NOTES, refs.REMOTE_NOTES)
        return {ref: tip for ref, tip in found.items() if refs.is_readable(ref)}

    def records(self, since: Mapping[str, str]) -> Iterator[Record]:
        """Read the records of refs in bulk: ref → the tip read last, or "".

        Only notes that changed since that tip are read. Lines that are not records are
        passed over: another program, or another version, wrote them.
        """
        blobs = chain.from_iterable(self.changed(since).values())
        for line in self.lines(blobs):
            with suppress(RecordError):
                yield Record.decode(line.decode("utf-8", "replace"))

    def all_lines(self, refs: Iterable[str]) -> Iterator[bytes]:
        """Read the lines of all notes of refs, one note after the other."""
        found = self.changed(dict.fromkeys(refs, "")).values()
        return self.lines(blob for of in found for blob in of)

    def lines(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """Read the lines of some notes, records or not."""
        for _, kind, content in self._repo.objects(blobs):
            if kind == "blob":
                for line in content[:NOTE_LIMIT_BYTES].split(b"\n"):
                    # git separates appended lines by an empty one; some editors add
                    # the \r
                    if text := line.rstrip(b"\r"):
                        yield text

    def changed(self, since: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return the notes of refs that changed since the tips read last.

        Ref → blob → what it seems to be a note of, which its records may contradict.
        """
        return {ref: dict(self._changed(ref, tip)) for ref, tip in since.items()}

    def _changed(self, ref: str, tip: str) -> Iterator[tuple[str, str]]:
        if not tip or self._repo.find(tip) is None:
            # a stranger may have pushed a ref that holds no notes at all
            listing = self._repo.maybe("notes", f"--ref={ref}", "list") or ""
            for row in listing.splitlines():
                blob, name = row.split(" ", 1)
                yield blob, name
            return
        listing = self._repo.text("diff-tree", "-r", "--no-renames", tip, ref, "--")
        for row in listing.splitlines():
            told, path = row.split("\t", 1)
            blob = told.split()[3]
            if not blob.startswith("00000000"):
                # many notes stand in folders, by the first digits of the name
                yield blob, path.replace("/", "")
