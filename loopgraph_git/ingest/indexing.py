"""From the shelf to the index: which entry of each paper is read, and what it mentions.

All of it follows from the entries and the packs, so that an index that is built anew is
the same to the byte.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import LibraryError
from loopgraph_git.library.chunk import chunks_of_document
from loopgraph_git.library.likeness import Known, Likeness, Sketch
from loopgraph_git.library.mentions import Mentions
from loopgraph_git.researchfs import shelved
from loopgraph_git.researchfs.shelved import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.library.shelf import Shelf, Shelved
    from loopgraph_git.researchfs.store import Store

_ARXIV = "arxiv:"


class Chosen(NamedTuple):
    """The entries that are searched, by paper, and the papers that repeat another."""

    entries: Mapping[str, Shelved]
    repeats: Mapping[str, Likeness]


def choose(entries: Iterable[Shelved]) -> Chosen:
    """Return the newest version of every paper, without what repeats another paper.

    A paper of arXiv is itself, whatever it is like: methods cite it by its id. Of
    others the one that came first stays.
    """
    newest: dict[str, Shelved] = {}
    for entry in sorted(entries, key=lambda entry: entry.age):
        newest[entry.paper.key] = entry
    known, repeats = Known(), {}
    for key, entry in sorted(newest.items(), key=_rank):
        sketch = _sketch(entry)
        if sketch is None:
            continue
        like = None if key.startswith(_ARXIV) else known.like(sketch)
        if like is not None:
            repeats[key] = like
        else:
            known.add(key, sketch)
    kept = {key: entry for key, entry in newest.items() if key not in repeats}
    return Chosen(kept, repeats)


def _rank(item: tuple[str, Shelved]) -> tuple[bool, int, str]:
    key, entry = item
    return not key.startswith(_ARXIV), entry.fetched, key


def _sketch(entry: Shelved) -> Sketch | None:
    try:
        return Sketch.from_text(entry.sketch)
    except ValueError:
        return None


def index_shelf(store: Store, shelf: Shelf, state: str) -> list[str]:
    """Bring the index up to the shelf, which is in a `state`; returns who left it.

    An entry whose text cannot be read is passed over: `git lg doctor` names it.
    """
    wanted = choose(shelf.entries()).entries
    here = shelved.entries(store.db)
    fresh = [entry for key, entry in wanted.items() if here.get(key) != entry.name]
    gone = sorted(here.keys() - wanted.keys())
    items = list(_read(shelf, fresh))
    with store.transaction():
        # new packs have forgotten the stamp, and all that was mentioned
        again = shelved.stamp(store.db) is None
        store.forget_shelved(gone)
        store.put_shelved(items)
        _mention(store, None if again else [item.paper.key for item in items])
        shelved.set_stamp(store.db, state)
    return gone


def _read(shelf: Shelf, entries: Iterable[Shelved]) -> Iterator[Ingest]:
    for entry in entries:
        with suppress(LibraryError):
            document = shelf.document(entry)
            chunks = chunks_of_document(document, entry.paper.key)
            yield Ingest(entry.paper, entry.name, entry.how, chunks)


def _mention(store: Store, keys: list[str] | None) -> None:
    texts = shelved.passages(store.db, keys)
    if not texts:
        return
    finder = Mentions(store.methods())
    shelved.put_mentions(store.db, ((row, finder.find(text)) for row, text in texts))
