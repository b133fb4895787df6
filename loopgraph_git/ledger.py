"""The ledger: a record goes into git first, and only then into the index.

What other processes and other clones wrote is read back in the same order: refs and
notes are the truth, and the index follows them.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from loopgraph_git.errors import LineUnreadError
from loopgraph_git.git import archive, commits, refs
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.telling import Telling
from loopgraph_git.records import Kind, Oid
from loopgraph_git.researchfs.together import Part
from loopgraph_git.twin import twin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Commit, Record, Result
    from loopgraph_git.researchfs.store import Store

_T = TypeVar("_T")
_Made = TypeVar("_Made")
_NOTES = (refs.NOTES, refs.REMOTE_NOTES)
_READ = (*_NOTES, refs.KEEP, refs.REMOTE_KEEP)
_BATCH = 1000
_MANY = 2000
"""Commits and notes from which on a twin is worth its while, which takes 30 ms."""
_ONE_BY_ONE = 3
"""Commits about which lines are asked for by themselves, which git has to look for."""
_ITS = tuple("89abcdef")
"""What commits begin with that a twin reads, and the records about them."""


class _Share(NamedTuple):
    """What one process reads: commits that are kept, and lines of notes."""

    kept: set[Oid]
    lines: Iterator[bytes]


class Ledger:
    """The records of one repository, in its notes and in its index."""

    def __init__(self, repo: Repo, store: Store, begun: Telling | None = None) -> None:
        self.repo = repo
        self.store = store
        self.notes = Notes(repo)
        self._begun = begun
        self._asked = 0

    def new(self, kind: Kind, commit: Oid, body: Mapping[str, object]) -> Record:
        """Write a new record of this writer."""
        known = self.store.experiment(commit)
        tree = known.tree if known else None
        record = self.notes.make(kind, commit, body, tree=tree)
        self.write(record)
        return record

    def write(self, record: Record, *, fresh: bool = True) -> None:
        """Write a record that was made before; with `fresh=False`, at most once."""
        self.notes.append(record, fresh=fresh)
        with self.store.transaction():
            asked = record.kind is Kind.RETRIEVAL
            if not asked and not self.store.knows(record.commit):
                self.store.put_commits(commits.read_commits(self.repo, [record.commit]))
            self.store.put_records([record])

    def catch_up(self) -> None:
        """Index what refs and notes hold that the index has not seen yet."""
        # one process for all of them: this is most of what a question costs
        found = self.repo.refs(*_READ, refs.PINS)
        pinned = {refs.pinned(ref) for ref in found if ref.startswith(refs.PINS)}
        # what is not ASCII is no name of a writer, nor a text that an index can hold
        tips = {
            ref: tip
            for ref, tip in found.items()
            if ref.startswith(_READ) and ref.isascii()
        }
        seen = self.store.ref_tips()
        fresh = [ref for ref, tip in tips.items() if seen.get(ref) != tip]
        if not fresh and seen == tips and pinned <= self.store.known(pinned):
            return
        moved = {ref: seen.get(ref, "") for ref in fresh if ref.startswith(_NOTES)}
        unseen = {ref: tips[ref] for ref, tip in moved.items() if not tip}
        with self._telling(unseen) as telling:
            kept = archive.archived(self.repo, [x for x in fresh if x not in moved])
            own, *others = self._shares(moved, telling, pinned | kept)
            with self._beside(others) as rest, self.store.transaction():
                self.store.put_together(chain([self._read(own)], rest))
                self.store.set_ref_tips(tips)

    def _telling(self, unseen: Mapping[str, str]) -> Telling:
        """Have git tell the lines of all notes of refs, unless it was asked before."""
        begun, self._begun = self._begun, None
        if begun and begun.tips == unseen:
            return begun
        return Telling(self.repo, unseen)

    def _shares(
        self, moved: Mapping[str, str], telling: Telling, kept: set[Oid]
    ) -> list[_Share]:
        """Return what is to be read, here and by a twin: all of it here if it is little.

        `moved` are the refs of notes, with the tips that were read last.
        """
        rest = {ref: tip for ref, tip in moved.items() if tip}
        changed = self.notes.changed(rest).values()
        blobs = {blob: name for of in changed for blob, name in of.items()}
        untold, read = self._untold(telling), self.notes.lines
        if len(kept) + len(blobs) < _MANY:
            return [_Share(kept, chain(telling.lines(), untold, read(blobs)))]
        others = {oid for oid in kept if oid.startswith(_ITS)}
        theirs = [blob for blob, name in blobs.items() if name.startswith(_ITS)]
        own = telling.share(_ITS, its=False), untold, read(blobs.keys() - theirs)
        its = telling.share(_ITS, its=True), read(theirs)
        return [_Share(kept - others, chain(*own)), _Share(others, chain(*its))]

    def _read(self, share: _Share, *, asking: bool = True) -> Part:
        """Read commits that are kept, and records with the commits that they are about.

        Without `asking`, commits that the index knows are read as well.
        """

        def unknown(oids: set[str]) -> Iterator[Commit]:
            known = self.store.known(oids) if asking else set[str]()
            return commits.read_commits(self.repo, oids - known)

        kept = set[str](share.kept)
        told = self.store.told(unknown(kept))
        said = self.store.gather(share.lines)
        told += self.store.told(unknown(said.about - kept))
        return Part(told, said)

    def _untold(self, telling: Telling) -> Iterator[bytes]:
        """Read the lines one by one where git could not tell them at once.

        A stranger may have let a ref point to something else than a commit.
        """
        if not telling.is_whole():
            found = self.notes.changed(dict.fromkeys(telling.tips, "")).values()
            yield from self.notes.lines(blob for of in found for blob in of)

    @contextmanager
    def _beside(self, shares: list[_Share]) -> Iterator[Iterator[Part | Path]]:
        """Have a twin read a share, if there is one; lends what comes of it, to wait for."""

        def work(path: Path) -> None:
            # a twin cannot ask the index
            self.store.put_aside(path, self._read(shares[0], asking=False))

        with twin(work) if shares else nullcontext() as made:
            yield ((made and made.result()) or self._read(share) for share in shares)

    def records_of(self, commit: Oid) -> list[Record]:
        """Return every record about a commit; see Store.records_of."""
        return self._with_lines(lambda: self.store.records_of(commit), commit)

    def results_of(self, commit: Oid) -> list[Result]:
        """Return the runs of a commit that count; see Store.results_of."""
        return self._with_lines(lambda: self.store.results_of(commit), commit)

    def results(self, *, protocol: str, platform: str) -> list[tuple[Oid, Result]]:
        """Return the runs of one protocol; see Store.results."""
        return self._with_lines(
            lambda: self.store.results(protocol=protocol, platform=platform)
        )

    def _with_lines(self, ask: Callable[[], _Made], commit: Oid | None = None) -> _Made:
        """Ask, and once more with the lines of what is asked about read from git."""
        try:
            return ask()
        except LineUnreadError:
            self._asked += 1
            self.read_lines(commit if self._asked <= _ONE_BY_ONE else None)
            return ask()

    def read_lines(self, commit: Oid | None = None) -> None:
        """Index the lines of records, about one commit or all, that are in git alone.

        They are half of an index, and lists and tables do not need them.
        """
        about = f'"commit":"{commit}"' if commit else "{"
        with Telling(self.repo, self.notes.refs(), about) as telling:
            self.store.put_lines(chain(telling.lines(), self._untold(telling)))

    def read_texts(self) -> None:
        """Index messages and changes of commits, where they were not read yet.

        Git takes longest to tell those, and lists and tables do not need them.
        """
        unread = self.store.unread()
        starts = range(0, len(unread), _BATCH)
        batches = [unread[start : start + _BATCH] for start in starts]
        for oids, found in _one_ahead(self._whole, batches):
            self.store.put_texts(oids, found)
        if len(unread) >= _MANY:
            self.store.optimise()

    def _whole(self, oids: list[str]) -> list[Commit]:
        return list(commits.read_whole(self.repo, oids))


def _one_ahead(
    work: Callable[[_T], _Made], items: Sequence[_T]
) -> Iterator[tuple[_T, _Made]]:
    """Yield each item with what work makes of it, while the next one is worked on.

    It should wait for another process most of the time: Python does one thing at once.
    """
    if len(items) < 2:  # noqa: PLR2004  there is nothing to be ahead of
        yield from ((item, work(item)) for item in items)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  5 ms

    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(work, items[0])
        for item, following in zip_longest(items, items[1:]):
            made = begun.result()
            if following is not None:
                begun = pool.submit(work, following)
            yield item, made
