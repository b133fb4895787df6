"""The index of a repository: opened, and built anew from git."""

from __future__ import annotations

import gc
import os
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.client import ResearchFSClient
from loopgraph_git.config import CONFIG_NAME, Config, load_config
from loopgraph_git.errors import StoreError, StoreKeptError
from loopgraph_git.git.repo import Repo
from loopgraph_git.ledger import Ledger
from loopgraph_git.reconcile import reconcile
from loopgraph_git.unseen import Unseen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Opened(NamedTuple):
    """A repository, its index, and its settings where it has some.

    `read_only` says that nothing can be kept: the index is one in memory.
    """

    repo: Repo
    client: ResearchFSClient
    config: Config | None
    read_only: bool


def open_index(folder: Path | str = ".", *, fresh: bool = False) -> Opened:
    """Open the repository that a folder is in, and its index.

    With `fresh` an index that cannot be read is thrown away; it is derived. One
    that is busy, newer or something else's is not. Where the repository cannot be
    written, the index is copied into memory, or built there.
    Raises NotARepositoryError, ConfigError or StoreError.
    """
    repo = Repo(Path(folder))
    config = None
    if not repo.bare and (repo.root / CONFIG_NAME).exists():
        config = load_config(repo.root)
    packs = [] if repo.bare else [repo.root / (config or Config()).packs]
    path = repo.home / "researchfs.db"
    if not _writable(repo.home):
        return Opened(repo, _in_memory(path, packs), config, read_only=True)
    try:
        client = ResearchFSClient(path, packs=packs)
    except StoreError as error:
        if not fresh or isinstance(error, StoreKeptError):
            raise
        ResearchFSClient.discard(path)
        client = ResearchFSClient(path, packs=packs)
    return Opened(repo, client, config, client.read_only)


def _writable(folder: Path) -> bool:
    """Say whether a folder can be written, or made."""
    there = next(x for x in (folder, *folder.parents) if x.exists())
    return os.access(there, os.W_OK)


def _in_memory(path: Path, packs: Sequence[Path]) -> ResearchFSClient:
    """Return a copy of an index that cannot be written, or an empty one.

    What a damaged or older index lacks is read from git again.
    """
    if path.is_file():
        with suppress(StoreError):
            return ResearchFSClient(path, packs=packs)
    return ResearchFSClient(":memory:", packs=packs, library=path.with_name("library"))


def rebuild(
    repo: Repo, client: ResearchFSClient, patterns: Sequence[str]
) -> dict[str, int]:
    """Build an index anew from refs, notes, packs and papers; returns what it holds.

    `patterns` name the experiment branches. Readers see all of it or nothing.
    """
    with _uncollected(), Unseen(repo, {}) as unseen, ExitStack() as last:
        # there is much to read, and the packs are taken over meanwhile
        unseen.begin()
        with client.in_memory() as built:
            ledger = Ledger(repo, built.store)
            ledger.put(unseen)
            reconcile(ledger, patterns)
            last.enter_context(client.store.db.becoming(built.store.db))
            # they are the same, and need not be read from the disk here
            return built.store.counts()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector away: a million small values that all stay cost it a fifth.

    What was there before is set aside, or it would be looked through at the end.
    """
    was_on, own = gc.isenabled(), gc.get_freeze_count() == 0
    gc.disable()
    if own:
        gc.freeze()
    try:
        yield
    finally:
        if own:
            gc.unfreeze()
        if was_on:
            gc.enable()
