"""The ledger: a record goes into git first, and only then into the index.

What other processes and other clones wrote is read back in the same order: refs and
notes are the truth, and the index follows them.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TypeVar

from loopgraph_git.git import archive, commits, refs
from loopgraph_git.git.notes import Notes
from loopgraph_git.records import Kind, Oid
from loopgraph_git.researchfs.together import Beside
from loopgraph_git.twin import twin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Commit, Record
    from loopgraph_git.researchfs.commits import Told
    from loopgraph_git.researchfs.outcomes import Said
    from loopgraph_git.researchfs.store import Store

    _Lines = Callable[[], Iterable[bytes]]

_T = TypeVar("_T")
_Made = TypeVar("_Made")
_NOTES = (refs.NOTES, refs.REMOTE_NOTES)
_READ = (*_NOTES, refs.KEEP, refs.REMOTE_KEEP)
_BATCH = 1000
_MANY = 2000
"""Notes from which on a twin is worth its while, which takes 30 ms to begin and to end."""
_ITS = "01"
"""What commits begin with whose notes a twin reads, beside the commits themselves."""


class Ledger:
    """The records of one repository, in its notes and in its index."""

    def __init__(self, repo: Repo, store: Store) -> None:
        self.repo = repo
        self.store = store
        self.notes = Notes(repo)

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
        archives = [ref for ref in fresh if ref not in moved]
        changed = self.notes.changed(moved)
        shares = self._shares(changed, whole=not any(moved.values()))
        names = {name for of in changed.values() for name in of.values()}
        said, unknown = self._read(shares, names, archives, pinned)
        with self.store.transaction():
            self.store.put_together(unknown, said)
            self.store.set_ref_tips(tips)

    def _shares(
        self, changed: Mapping[str, Mapping[str, str]], *, whole: bool
    ) -> list[_Lines]:
        """Return how notes are read (ref → blob → whose): here, and by a twin.

        `whole` says that these are all the notes of the refs.
        """
        blobs = [blob for of in changed.values() for blob in of]
        if len(blobs) < _MANY:
            return [partial(self.notes.lines, blobs)]
        if not whole:
            cut = len(blobs) * len(_ITS) // 16
            parts = (blobs[cut:], blobs[:cut])
            return [partial(self.notes.lines, part) for part in parts]
        read = partial(self.notes.all_lines, [ref for ref, of in changed.items() if of])
        return [partial(read, _ITS, but=True), partial(read, _ITS)]

    def _read(
        self,
        shares: list[_Lines],
        names: Iterable[str],
        archives: list[str],
        pinned: set[Oid],
    ) -> tuple[Said, list[Told]]:
        """Read records, and the commits that they are of, and those of archives and pins.

        `names` are what notes seem to be of. If there is a second share, a twin reads it,
        and the commits, meanwhile: what a commit says is a third of what its records say,
        and has to be handed over.
        """
        own, *others = shares
        named = {*pinned, *filter(Oid.fits, names)}

        def beside(known: Callable[[set[str]], set[str]]) -> Beside:
            kept = pinned | archive.archived(self.repo, archives)
            asked = kept | named
            found = commits.read_commits(self.repo, asked - known(asked))
            said = self.store.gather(chain.from_iterable(read() for read in others))
            return Beside(
                kept={*map(str, kept)}, told=self.store.told(found), said=said
            )

        # a twin cannot ask the index
        known = self.store.known(named) if others else set[str]()

        def share() -> bytes:
            return beside(lambda _asked: known).packed()

        with twin(share) if others else nullcontext() as made:
            said = self.store.gather(own())
            packed = made.result() if made else None
        rest = beside(self.store.known) if packed is None else Beside.unpacked(packed)
        said.merge(rest.said)
        meant = rest.kept | said.about
        found = [item for item in rest.told if item.oid in meant]
        late = said.about - rest.kept - named
        late -= self.store.known(late)
        return said, found + self.store.told(commits.read_commits(self.repo, late))

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
