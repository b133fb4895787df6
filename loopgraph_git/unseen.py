"""What git holds that an index has not seen yet, read on two processors if it is much.

    refs ─▶ commits that are kept ─┬─▶ Part, read here
      └───▶ git grep: lines ───────┴─▶ a database, made by a twin of this process

Either reads about half of the commits, and the records about them.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.git import archive, refs
from loopgraph_git.git.commits import read_commits
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.telling import Telling
from loopgraph_git.researchfs.commits import told
from loopgraph_git.researchfs.together import Part, gather, put_aside
from loopgraph_git.resources import Closing
from loopgraph_git.twin import twin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Commit, Oid

    _Known = Callable[[set[str]], set[str]]

_NOTES = (refs.NOTES, refs.REMOTE_NOTES)
_READ = (*_NOTES, refs.KEEP, refs.REMOTE_KEEP)
_MANY = 2000
"""Commits and notes from which on a twin is worth its while, which takes 30 ms."""
_ITS = tuple("89abcdef")
"""What commits begin with that a twin reads, and the records about them."""


class _Share(NamedTuple):
    """What one process reads: commits that are kept, and lines of notes."""

    kept: set[Oid]
    lines: Iterator[bytes]


class Unseen(Closing):
    """What refs hold beyond the tips that an index has seen: ref → tip.

    `tips` are where they point now. Use it in a `with` statement, or close it.
    """

    def __init__(self, repo: Repo, seen: Mapping[str, str]) -> None:
        self._repo = repo
        self._notes = Notes(repo)
        # one process for all of them: this is most of what a question costs
        found = repo.refs(*_READ, refs.PINS)
        self._pinned = {refs.pinned(ref) for ref in found if ref.startswith(refs.PINS)}
        self.tips = {
            ref: tip
            for ref, tip in found.items()
            if ref.startswith(_READ) and refs.is_readable(ref)
        }
        self._is_same = seen == self.tips
        fresh = [ref for ref, tip in self.tips.items() if seen.get(ref) != tip]
        self._archives = [ref for ref in fresh if not ref.startswith(_NOTES)]
        self._notes_seen = {
            ref: seen.get(ref, "") for ref in fresh if ref.startswith(_NOTES)
        }
        self._open = ExitStack()
        self._telling: Telling | None = None

    def close(self) -> None:
        """End git and the twin, if they are still at it; closing twice is fine."""
        self._open.close()

    def is_nothing(self, known: _Known) -> bool:
        """Say whether there is nothing new, and no commit pinned that is not `known`."""
        return self._is_same and self._pinned <= known({*self._pinned})

    def begin(self) -> Telling:
        """Put git to work, which `parts` does if nobody did."""
        if self._telling is None:
            refs = {
                ref: self.tips[ref] for ref, tip in self._notes_seen.items() if not tip
            }
            self._telling = self._open.enter_context(Telling(self._repo, refs))
        return self._telling

    def parts(self, known: _Known) -> Iterator[Part | Path]:
        """Yield what was read, for `Store.put_together`: here, and by a twin.

        `known` says which of some commits need not be read.
        """
        own, *others = self._shares(self.begin())
        made = None
        if others:
            work = partial(self._put_aside, others[0])
            made = self._open.enter_context(twin(work))
        yield self._read(own, known)
        for share in others:
            yield (made and made.result()) or self._read(share, known)

    def _shares(self, telling: Telling) -> list[_Share]:
        """Return what is to be read, here and by a twin: all of it here if it is little."""
        kept = self._pinned | archive.archived(self._repo, self._archives)
        changed = self._notes.changed(
            {ref: t for ref, t in self._notes_seen.items() if t}
        )
        blobs = {blob: name for of in changed.values() for blob, name in of.items()}
        untold, read = telling.untold(), self._notes.lines
        if len(kept) + len(blobs) < _MANY:
            return [_Share(kept, chain(telling.lines(), untold, read(blobs)))]
        others = {oid for oid in kept if oid.startswith(_ITS)}
        theirs = [blob for blob, name in blobs.items() if name.startswith(_ITS)]
        own = telling.share(_ITS, its=False), untold, read(blobs.keys() - theirs)
        its = telling.share(_ITS, its=True), read(theirs)
        return [_Share(kept - others, chain(*own)), _Share(others, chain(*its))]

    def _read(self, share: _Share, known: _Known) -> Part:
        """Read commits that are kept, and records with the commits that they are about."""

        def unknown(oids: set[str]) -> Iterator[Commit]:
            return read_commits(self._repo, oids - known(oids))

        kept = set[str](share.kept)
        found = list(map(told, unknown(kept)))
        said = gather(share.lines)
        found += map(told, unknown(said.about - kept))
        return Part(found, said)

    def _put_aside(self, share: _Share, path: Path) -> None:
        # a twin cannot ask the index
        put_aside(path, self._read(share, lambda _oids: set()))
