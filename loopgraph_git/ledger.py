"""The ledger: a record goes into git first, and only then into the index.

What other processes and other clones wrote is read back in the same order: refs and
notes are the truth, and the index follows them.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TypeVar

from loopgraph_git.errors import LineUnreadError
from loopgraph_git.git import commits
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.telling import Telling
from loopgraph_git.records import Kind, Oid
from loopgraph_git.unseen import Unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Commit, Record, Result
    from loopgraph_git.researchfs.store import Store

_T = TypeVar("_T")
_Made = TypeVar("_Made")
_BATCH = 1000
_MANY = 2000
"""Changes from which on it is worth a while to put the search index in order."""
_ONE_BY_ONE = 3
"""Commits about which lines are asked for by themselves, which git has to look for."""


class Ledger:
    """The records of one repository, in its notes and in its index."""

    def __init__(self, repo: Repo, store: Store) -> None:
        self.repo = repo
        self.store = store
        self.notes = Notes(repo)
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
        with Unseen(self.repo, self.store.ref_tips()) as unseen:
            if not unseen.is_nothing(self.store.known):
                self.put(unseen)

    def put(self, unseen: Unseen) -> None:
        """Index what refs and notes hold, and remember that they were seen."""
        parts = unseen.parts(self.store.known)
        # before the transaction: other processes would wait while this one reads
        first = next(parts)
        with self.store.transaction():
            self.store.put_together(chain([first], parts))
            self.store.set_ref_tips(unseen.tips)

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
            # waited for before the store is held
            telling.is_whole()
            self.store.put_lines(chain(telling.lines(), telling.untold()))

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
