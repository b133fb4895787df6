"""What a memory holds besides experiments: methods of packs, papers of the shelf.

Both are files, and the index follows them: they are read again where they have changed.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from loopgraph_git.errors import UsageError
from loopgraph_git.library.cited import chunks_of, papers_of
from loopgraph_git.records import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Unpack

    from loopgraph_git.ingest.taken import Ingested
    from loopgraph_git.library.arxiv import Arxiv
    from loopgraph_git.library.fetch import Fetcher
    from loopgraph_git.library.likeness import Likeness
    from loopgraph_git.library.shelf import Shelf
    from loopgraph_git.records import Method
    from loopgraph_git.researchfs.store import Store

ARXIV_URL = "LOOPGRAPH_ARXIV_URL"
"""The variable that names another address for arXiv; no repository can set it."""

PAUSE = "LOOPGRAPH_ARXIV_PAUSE"
"""The variable with the seconds between two requests to that address."""

_PAUSE = 3.0
_LIBRARY = Path(__file__).parents[1] / "library"
_READERS = ("packs.py", "operations.py", "yaml_tree.py")


class Wishes(TypedDict, total=False):
    """How to ingest: the options of `git lg ingest`, and who fetches."""

    limit: int
    refresh: bool
    dry_run: bool
    root: Path
    arxiv_url: str
    fetcher: Fetcher
    say: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """The packs in some folders, ours first, and the shelf in another, if any."""

    store: Store
    folders: Sequence[Path]
    library: Path | None

    def load(self, *, like: Store | None = None) -> None:
        """Bring the index up to packs and shelf; raises PackError, LibraryError.

        Another index may have read the same packs before; see `load_packs`.
        """
        self.load_packs(like=like)
        self.load_library()

    def load_packs(self, *, force: bool = False, like: Store | None = None) -> None:
        """Load the method packs where they have changed; raises PackError.

        What the index `like` holds of the same packs is taken over, if nothing has
        touched it since they were read.
        """
        digest = self._digest()
        if self.store.packs() == digest and not force:
            return
        methods = like.methods_of_packs(digest) if like else None
        if methods is None:
            methods = self._read_packs()
        with self.store.transaction():
            self.store.put_packs(papers_of(methods), chunks_of(methods), methods)
            self.store.set_packs(digest)

    def _read_packs(self) -> list[Method]:
        # 40 ms that a list of experiments does not need
        from loopgraph_git.library.packs import load_packs  # noqa: PLC0415

        packs = load_packs([folder for folder in self.folders if folder.is_dir()])
        methods = {method.id: method for pack in packs for method in pack.methods}
        return [methods[name] for name in sorted(methods)]

    def _digest(self) -> str:
        """Return a digest of the pack files and of the code that reads them.

        Reading them is the slow part, and another version may do it otherwise.
        """
        made = hashlib.sha256()
        for name in _READERS:
            made.update((_LIBRARY / name).read_bytes())
        for folder in self.folders:
            for path in sorted(folder.glob("*.y*ml")):
                made.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return made.hexdigest()

    def load_library(self) -> None:
        """Index what is on the shelf where that has changed, or the packs have."""
        state = self._state()
        if (self.store.shelf_state() or "") == state:
            return
        from loopgraph_git.ingest.indexing import index_shelf  # noqa: PLC0415

        shelf = self.shelf
        if index_shelf(self.store, shelf, state):
            # packs may name what has left the shelf, in their own words
            self.load_packs(force=True)
            index_shelf(self.store, shelf, state)

    def _state(self) -> str:
        # most have no library, and pay no import for it
        if self.library is None or not self.library.is_dir():
            return ""
        return self.shelf.state()

    @cached_property
    def shelf(self) -> Shelf:
        """The shelf; raises UsageError where the memory has none."""
        from loopgraph_git.library.shelf import Shelf  # noqa: PLC0415

        if self.library is None:
            raise UsageError(
                "a memory without a file keeps no papers: give `library=folder`"
            )
        return Shelf(self.library)

    def ingest(self, *texts: str, **wishes: Unpack[Wishes]) -> Iterator[Ingested]:
        """Take targets in, one after the other; yields what came of each.

        What a target led to is indexed before the next is begun.
        """
        from loopgraph_git.ingest.indexing import choose  # noqa: PLC0415
        from loopgraph_git.ingest.taking import Intake  # noqa: PLC0415

        shelf = self.shelf
        say = wishes.get("say", lambda _text: None)
        intake = Intake(
            shelf=shelf,
            arxiv=_arxiv(wishes, say),
            root=wishes.get("root", shelf.folder.parent),
            packs=self.folders,
            limit=wishes.get("limit", 10),
            refresh=wishes.get("refresh", False),
            dry_run=wishes.get("dry_run", False),
            say=say,
        )
        for text in texts:
            came = list(intake.take(text))
            self.load()
            repeats = choose(shelf.entries()).repeats
            for item in came:
                yield self._indexed(item, repeats) if item.passages else item

    def shelved(self) -> Found[Ingested]:
        """Return what is on the shelf, as `ingest` told it, older versions too."""
        from loopgraph_git.ingest.indexing import choose  # noqa: PLC0415
        from loopgraph_git.ingest.taken import Came, Ingested  # noqa: PLC0415

        entries = self.shelf.entries()
        repeats = choose(entries).repeats
        return Found(
            self._indexed(Ingested.of(entry.target, Came.KNOWN, entry), repeats)
            for entry in sorted(entries, key=lambda x: (x.paper.key, x.age))
        )

    def _indexed(self, item: Ingested, repeats: Mapping[str, Likeness]) -> Ingested:
        return item.indexed(self.store.mentioned(item.key), repeats.get(item.key))


def _arxiv(wishes: Wishes, say: Callable[[str], None]) -> Arxiv:
    from loopgraph_git.library.arxiv import BASE, Arxiv  # noqa: PLC0415
    from loopgraph_git.library.fetch import Fetcher  # noqa: PLC0415

    base = wishes.get("arxiv_url") or os.environ.get(ARXIV_URL) or BASE
    fetcher = wishes.get("fetcher")
    if fetcher is None:
        pause = _PAUSE if base == BASE else _mirror_pause()
        fetcher = Fetcher(say=say, interval=pause)
    return Arxiv(fetcher=fetcher, base=base)


def _mirror_pause() -> float:
    """Return the pause between requests to a mirror, where its owner allows another."""
    try:
        return max(float(os.environ.get(PAUSE, _PAUSE)), 0.0)
    except ValueError as error:
        raise UsageError(f"{PAUSE}: {os.environ[PAUSE]!r} is no number of seconds") from error  # fmt: skip
