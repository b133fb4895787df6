"""Writing and asking for hundreds of things at once, with one process for all.

What `commits` and `notes` do one by one takes several processes each; an import of a
long log would take minutes that way.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import GitError
from loopgraph_git.git import refs
from loopgraph_git.git.lock import locked
from loopgraph_git.git.notes import Notes
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Record

# the same commits in every clone, whoever imports the log
_NOBODY = "loopgraph <loopgraph@localhost>"


def find_commits(repo: Repo, prefixes: Iterable[str]) -> dict[str, Oid]:
    """Return the commits that prefixes of oids name; others are left out.

    A commit is found on whatever ref it is, and on none. A prefix that two commits
    share names neither.
    """
    found = _checked(repo, prefixes, "{}^{{commit}}")
    # a branch may be named like the start of another commit
    return {name: oid for name, oid in found.items() if oid.startswith(name)}


def trees(repo: Repo, commits: Iterable[Oid]) -> dict[str, Oid]:
    """Return the trees of commits."""
    return _checked(repo, commits, "{}^{{tree}}")


def _checked(repo: Repo, names: Iterable[str], pattern: str) -> dict[str, Oid]:
    wanted = sorted(set(names))
    if not wanted:
        return {}
    stdin = "".join(pattern.format(name) + "\n" for name in wanted)
    out = repo.text(
        "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=stdin.encode()
    )
    pairs = zip(wanted, (line.split() for line in out.splitlines()), strict=True)
    return {
        name: Oid(words[0])
        for name, words in pairs
        if words[-1] in ("commit", "tree") and not words[0].endswith("}")
    }


def blob_sizes(repo: Repo, names: Iterable[str]) -> dict[str, int]:
    """Return the sizes of blobs; names of anything else are left out."""
    wanted = [name for name in dict.fromkeys(names) if "\n" not in name]
    if not wanted:
        return {}
    out = repo.text(
        "cat-file", "--batch-check=%(objecttype) %(objectsize)",
        stdin="".join(f"{name}\n" for name in wanted).encode("utf-8", "surrogateescape"),
    )  # fmt: skip
    pairs = zip(wanted, (line.split() for line in out.split("\n")), strict=True)
    return {name: int(words[1]) for name, words in pairs if words[0] == "blob"}


def rootless_commits(
    repo: Repo, messages: Sequence[tuple[str, int]], *, write: bool
) -> list[Oid]:
    """Make commits of nothing from (message, timestamp), without tree or parent.

    The same message and time make the same commit, in every clone. Without `write`
    only their names are found out.
    """
    with tempfile.TemporaryDirectory(prefix="loopgraph-") as folder:
        (Path(folder) / "tree").write_bytes(b"")
        empty = _hashed(repo, "tree", [Path(folder) / "tree"], write=write)[0]
        paths = []
        for number, (message, stamp) in enumerate(messages):
            who = f"{_NOBODY} {stamp} +0000"
            head = f"tree {empty}\nauthor {who}\ncommitter {who}\n\n"
            paths.append(Path(folder) / str(number))
            paths[-1].write_bytes((head + message).encode("utf-8", "replace"))
        return _hashed(repo, "commit", paths, write=write)


def _hashed(repo: Repo, kind: str, paths: list[Path], *, write: bool) -> list[Oid]:
    if not paths:
        return []
    stdin = b"".join(os.fsencode(path) + b"\n" for path in paths)
    writing = ["-w"] if write else []
    out = repo.text(
        "hash-object", "-t", kind, *writing, "--no-filters", "--stdin-paths",
        stdin=stdin,
    )  # fmt: skip
    return [Oid(line) for line in out.splitlines()]


def append_records(repo: Repo, records: Sequence[Record]) -> None:
    """Write records as one commit of this clone's notes ref.

    All of them are written or none. Raises GitError when git lost a line.
    """
    if not records:
        return
    ref = refs.notes(Notes(repo).writer())
    lines: dict[str, list[str]] = {}
    for record in records:
        lines.setdefault(record.commit, []).append(record.encode())
    who = repo.text("var", "GIT_COMMITTER_IDENT", env=repo.identity)
    notes = Notes(repo)
    with locked(repo.home / "lock"):
        tip = repo.refs(ref).get(ref, "")
        before = _notes_of(repo, ref, lines) if tip else {}
        stream = _stream(ref, tip, who, lines, before)
        repo.run("fast-import", "--quiet", "--done", stdin=stream)
        written = {record.id for record in notes.records({ref: tip})}
    lost = [record for record in records if record.id not in written]
    if lost:
        raise GitError(
            f"git lost {len(lost)} records ({lost[0].id} on {lost[0].commit.short}, "
            "…): is something else writing to refs/notes/loopgraph?"
        )


def _notes_of(repo: Repo, ref: str, commits: Iterable[str]) -> dict[str, bytes]:
    """Return the notes that commits have already."""
    listing = repo.text("notes", f"--ref={ref}", "list")
    pairs = (row.split() for row in listing.splitlines())
    blobs = {commit: blob for blob, commit in pairs}
    wanted = {commit: blobs[commit] for commit in commits if commit in blobs}
    found = {name: content for name, _, content in repo.objects(wanted.values())}
    return {commit: found[blob] for commit, blob in wanted.items()}


def _stream(
    ref: str,
    tip: str,
    who: str,
    lines: Mapping[str, list[str]],
    before: Mapping[str, bytes],
) -> bytes:
    """Return what `git fast-import` reads: one commit that appends to many notes."""
    message = f"Append {sum(map(len, lines.values()))} records\n".encode()
    parts = [f"commit {ref}\ncommitter {who}\n".encode(), _data(message)]
    parts += [f"from {tip}\n".encode()] if tip else []
    for commit, added in lines.items():
        old = before.get(commit, b"").rstrip(b"\n")
        note = b"\n".join([*([old] if old else []), *(x.encode() for x in added)])
        parts += [f"N inline {commit}\n".encode(), _data(note + b"\n")]
    return b"".join([*parts, b"done\n"])


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content + b"\n"
