"""The index: whether SQLite can read it, and whether it says what git says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.client import ResearchFSClient
from loopgraph_git.config import Config
from loopgraph_git.errors import GitError, LockedError, PackError, StoreError
from loopgraph_git.health.finding import Finding
from loopgraph_git.ledger import Ledger
from loopgraph_git.reconcile import reconcile
from loopgraph_git.records.texts import counted, tallied
from loopgraph_git.researchfs.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loopgraph_git.git.repo import Repo


def path_of(repo: Repo) -> Path:
    """Return where the index is."""
    return repo.home / "researchfs.db"


class Indexed(NamedTuple):
    """What was found in the index; how many records, where it could be read."""

    findings: list[Finding]
    records: int | None = None


def examine(repo: Repo, config: Config | None) -> Indexed:
    """Open the index, check every part of it and bring it up to date."""
    try:
        with Store.open(path_of(repo)) as store:
            problems = store.check()
            if problems:
                return _bad(problems)
            reconcile(Ledger(repo, store), (config or Config()).branches)
            packs = list(_packs(repo, config))
            counts = store.counts()
    except StoreError as error:
        return _bad([str(error)])
    except (GitError, LockedError) as error:
        return _bad([f"cannot catch up with git: {error}"])
    words = f"sound, {tallied(counts)}"
    return Indexed([*packs, Finding("index", words)], counts["records"])


def _packs(repo: Repo, config: Config | None) -> Iterator[Finding]:
    """Load the method packs, as every command does."""
    if config is None:
        return
    folders = [] if repo.bare else [repo.root / config.packs]
    try:
        ResearchFSClient(path_of(repo), packs=folders).close()
    except PackError as error:
        yield Finding("packs", str(error), ok=False)


def _bad(problems: list[str]) -> Indexed:
    return Indexed([Finding("index", words, ok=False) for words in problems])


def compared(indexed: Indexed, known: int) -> Iterator[Finding]:
    """Compare the number of records in the index with that in the notes."""
    if indexed.records is None:
        return
    more = indexed.records - known
    if more > 0:
        words = f"{counted(more, 'record')} in it that no note holds any more"
        step = "`git lg doctor --dump` shows them, `git lg reindex` forgets them"
        yield Finding("index", f"{words}: {step}", ok=False)
    elif more < 0:
        words = f"{counted(-more, 'record')} in notes that say nothing it can hold"
        yield Finding("index", words)
