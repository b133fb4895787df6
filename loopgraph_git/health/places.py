"""Places: what sessions, killed processes and the years leave in the git directory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loopgraph_git.errors import LibraryError, LockedError, LoopGraphError
from loopgraph_git.git import refs, worktree
from loopgraph_git.git.lock import locked
from loopgraph_git.health.finding import Finding, some
from loopgraph_git.library.shelf import Shelf
from loopgraph_git.loop import leftovers
from loopgraph_git.loop.journal import Journal
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.git.repo import Repo

_STALE_SECONDS = 60
_MIB = 1 << 20
_PARTS = ("worktrees", "logs", "library")


def findings(repo: Repo) -> Iterator[Finding]:
    """Look at sessions, worktrees, locks and the disk."""
    yield from _sessions(repo)
    yield from _worktrees(repo)
    yield from _locks(repo)
    yield from _library(repo)
    yield Finding("disk", _disk(repo))


def _sessions(repo: Repo) -> Iterator[Finding]:
    for path in sorted((repo.home / "journal").glob("*.json")):
        name = path.stem
        if is_running(repo, name):
            yield Finding(f"session {name}", "is running")
            continue
        try:
            journal = Journal(path)
        except LoopGraphError as error:
            yield Finding(f"session {name}", str(error), ok=False)
        else:
            if journal.entry or journal.plan:
                words = leftovers.under_way(name, journal)
                yield Finding(f"session {name}", words)


def is_running(repo: Repo, name: str) -> bool:
    """Say whether a process holds the lock of a session."""
    lock = repo.home / "journal" / f"{name}.lock"
    if not lock.exists():
        return False
    try:
        with locked(lock, seconds=0):
            return False
    except LockedError:
        return True
    except OSError:
        # a repository that cannot be written to runs nothing
        return False


def _worktrees(repo: Repo) -> Iterator[Finding]:
    folders = [path for path in worktree.home(repo).glob("*") if path.is_dir()]
    foreign = [str(path) for path in folders if worktree.opened(repo, path) is None]
    dead = [entry.folder for entry in worktree.dead(repo)]
    copied = [path for path in dead if path.exists()]
    if copied:
        words = (
            f"this repository is a copy of {copied[0].parents[2]}, whose worktrees it "
            "names: `git lg doctor --fix` lets go of them. Both have one writer id; "
            "`git lg sync` gives a new one where both send"
        )
        yield Finding("worktrees", words, ok=False)
    gone = sorted(path.name for path in dead if not path.exists())
    if gone:
        words = f"git has registered {some(gone)}, gone since: `git lg doctor --fix`"
        yield Finding("worktrees", words, ok=False)
    if foreign:
        words = f"not of this repository: {some(foreign)}"
        yield Finding("worktrees", f"{words}; the next experiment makes it anew")


def _locks(repo: Repo) -> Iterator[Finding]:
    """Look for locks of git on refs of ours, which a killed git leaves behind."""
    now = time.time()
    names = (refs.SESSIONS, "refs/loopgraph/", refs.NOTES, refs.REMOTE_NOTES)
    paths = [
        path for name in names for path in (repo.common_dir / name).rglob("*.lock")
    ]
    for path in [*paths, repo.common_dir / "packed-refs.lock"]:
        try:
            age = now - path.stat().st_mtime
        except OSError:
            continue
        if age > _STALE_SECONDS:
            words = f"{path} is {age / 60:.0f} min old: where no git runs, `rm` it"
            yield Finding("locks", words, ok=False)


def _library(repo: Repo) -> Iterator[Finding]:
    """Look at what was ingested; it is nowhere else but where it came from."""
    shelf = Shelf(repo.home / "library")
    try:
        damaged, entries = shelf.damaged(), shelf.entries()
        for entry in entries:
            shelf.document(entry)
    except LibraryError as error:
        yield Finding("library", str(error), ok=False)
        return
    if damaged:
        words = f"cannot read {some(damaged)} in {shelf.folder}"
        step = "delete it, and ingest it again"
        yield Finding("library", f"{words}: {step}", ok=False)
    elif entries:
        yield Finding(
            "library", f"{counted(len(entries), 'source')} kept, all readable"
        )


def _disk(repo: Repo) -> str:
    sizes = {name: leftovers.size_of(repo.home / name) for name in _PARTS}
    index = repo.home.glob("researchfs.db*")
    sizes["index"] = sum(leftovers.size_of(path) for path in index)
    words = ", ".join(f"{name} {size / _MIB:.1f} MiB" for name, size in sizes.items())
    return f"{words}; `git lg gc` removes what nothing needs"
