"""What nothing needs any more: worktrees, logs and journals of sessions that are over.

    worktree   goes when its session is over, unless it holds something of the user's
    log        goes when it is old, and its session not one of the newest
    journal    goes with the worktree; one with something under way stays
    temporary  goes: what a killed process left half written
    visited    goes: a copy of a repository that was taken in, and is in the library

Records, pins, archives and experiments are never touched: all of them are in git. A
session's own lock is held while anything of it is removed.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError, LockedError, LoopGraphError
from loopgraph_git.git import worktree
from loopgraph_git.git.lock import locked
from loopgraph_git.ingest.visiting import VISITED
from loopgraph_git.loop.journal import Journal
from loopgraph_git.loop.scratch import abandoned
from loopgraph_git.records import Kind
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.lab import Lab

LOG_DAYS = 30.0
LOG_SESSIONS = 3
_HOUR = 3600
_NAMED = 3
_SHORT = 7
# what Python leaves wherever it runs
_CACHES = ("__pycache__",)


class Limits(NamedTuple):
    """Which logs stay: the younger ones, and those of the newest sessions."""

    days: float = LOG_DAYS
    sessions: int = LOG_SESSIONS


class Leftover(NamedTuple):
    """Something that nothing needs, and what it takes on the disk."""

    kind: str
    path: Path
    size: int


class Kept(NamedTuple):
    """Something that stays, and why."""

    name: str
    why: str


class Swept(NamedTuple):
    """What was removed, or would be, and what stays for a reason."""

    removed: tuple[Leftover, ...]
    kept: tuple[Kept, ...]


def sweep(lab: Lab, limits: Limits, *, dry_run: bool = False) -> Swept:
    """Remove what nothing needs; with `dry_run` only say what that would be.

    Safe beside running experiments: what a session that runs, or has something under
    way, may need is left alone.
    """
    began = time.time()
    removed: list[Leftover] = []
    kept: list[Kept] = []
    busy: set[str] = set()
    for name in sessions(lab.repo):
        try:
            with _held(lab.repo, name, dry_run=dry_run):
                removed += _session(lab, name, dry_run=dry_run)
        except LockedError:
            busy.add(name)
            kept.append(Kept(name, "is running"))
        except _NeededError as needed:
            busy |= {name} if needed.unfinished else set()
            kept.append(Kept(name, str(needed)))
    old = [*_logs(lab, limits, busy, began), *_temporary(lab.repo, began)]
    folders = [*_visited(lab, began), *_scratch()]
    if not dry_run:
        for item in old:
            item.path.unlink(missing_ok=True)
        for item in folders:
            shutil.rmtree(item.path, ignore_errors=True)
    return Swept((*removed, *old, *folders), tuple(kept))


class _NeededError(Exception):
    """A session's worktree or journal is needed; says why."""

    def __init__(self, why: str, *, unfinished: bool = False) -> None:
        super().__init__(why)
        self.unfinished = unfinished


def sessions(repo: Repo) -> list[str]:
    """Return the names of all sessions that left a journal or a worktree."""
    journals = (repo.home / "journal").glob("*.json")
    trees = worktree.home(repo).glob("*")
    dead = (entry.folder for entry in worktree.dead(repo))
    return sorted({path.stem for path in journals} | {x.name for x in (*trees, *dead)})


@contextmanager
def _held(repo: Repo, name: str, *, dry_run: bool) -> Iterator[None]:
    """Hold the lock that a session holds while it runs."""
    lock = repo.home / "journal" / f"{name}.lock"
    if dry_run and not lock.exists():
        # nobody holds it, and looking must not make files
        yield
        return
    with locked(lock, seconds=0):
        yield


def _session(lab: Lab, name: str, *, dry_run: bool) -> list[Leftover]:
    """Remove what is left of a session; raises _NeededError."""
    path = lab.repo.home / "journal" / f"{name}.json"
    _refuse_unfinished(path, name)
    removed = _worktree(lab, name, dry_run=dry_run)
    # only now: it tells when the session was over
    journals = [file for file in (path, path.with_suffix(".new")) if file.exists()]
    removed += [Leftover("journal", file, size_of(file)) for file in journals]
    if not dry_run:
        for file in journals:
            file.unlink()
        for entry in worktree.dead(lab.repo):
            if entry.folder.name == name:
                worktree.forget(entry)
    return removed


def _refuse_unfinished(path: Path, name: str) -> None:
    try:
        journal = Journal(path)
    except LoopGraphError as error:
        raise _NeededError(str(error), unfinished=True) from error
    if journal.entry or journal.plan:
        raise _NeededError(under_way(name, journal), unfinished=True)


def under_way(name: str, journal: Journal) -> str:
    """Say what a session that does not run has begun, and how it is finished."""
    again = f"`git lg experiment --session {name}`"
    if journal.entry:
        return f"“{journal.entry.subject}” is under way: {again} finishes it"
    done = journal.plan.done if journal.plan else 0
    return f"was cut off after {counted(done, 'experiment')}: {again} goes on"


def _worktree(lab: Lab, name: str, *, dry_run: bool) -> list[Leftover]:
    folder = worktree.home(lab.repo) / name
    if not folder.is_dir():
        return []
    found = Leftover("worktree", folder, size_of(folder))
    if not any(folder.iterdir()):
        if not dry_run:
            folder.rmdir()
        return [found]
    tree = worktree.opened(lab.repo, folder)
    if tree is None:
        raise _NeededError(
            f"{folder} is no worktree of this repository: `rm -r` it if you need "
            "nothing in it"
        )
    _refuse_needed(lab, tree, name)
    if not dry_run:
        try:
            worktree.remove(lab.repo, tree)
        except GitError as error:
            raise _NeededError(str(error)) from error
    return [found]


def _refuse_needed(lab: Lab, tree: Repo, name: str) -> None:
    """Raise _NeededError where a worktree holds something that is not ours to lose."""
    if worktree.is_locked(tree.git_dir):
        raise _NeededError(f"you locked it: `git worktree unlock {tree.root}`")
    pids = processes_in(tree.root)
    if pids:
        raise _NeededError(f"process {pids[0]} works in {tree.root}")
    if worktree.is_under_way(tree):
        raise _NeededError(f"a rebase or a merge has stopped halfway in {tree.root}")
    if worktree.is_only_here(lab.repo, tree):
        head = tree.oid("HEAD")
        raise _NeededError(
            f"its commit {head.short} is on no branch: "
            f"`git branch NAME {head.short}` keeps it"
        )
    changed = _of_the_user(lab, tree, name)
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise _NeededError(
            f"{tree.root} has files of yours ({', '.join(changed[:_NAMED])}{more}): "
            "take out what you need, then `git worktree remove --force` it"
        )


def _of_the_user(lab: Lab, tree: Repo, name: str) -> list[str]:
    """Return the files that came after the last run: a run did not make them.

    What came before was made by runs: each begins with a clean worktree.
    """
    over = _over(lab, tree, name)
    return [
        path
        for path in worktree.changed(tree)
        if not any(part in _CACHES for part in Path(path).parts)
        and _changed_after(tree.root / path, over)
    ]


def _over(lab: Lab, tree: Repo, name: str) -> float:
    """Return when the harness was last at work in a worktree, or 0."""
    journal = lab.repo.home / "journal" / f"{name}.json"
    known = [
        record.ts / 1000
        for record in lab.records_of(tree.oid("HEAD"))
        if record.kind is Kind.RESULT and record.writer == lab.notes.writer()
    ]
    return max([*known, journal.stat().st_mtime if journal.exists() else 0.0])


def _changed_after(path: Path, moment: float) -> bool:
    try:
        status = path.lstat()
    except OSError:
        # deleted: there is nothing to lose
        return False
    # not the time of the content, which a copy keeps
    return path.is_dir() or status.st_ctime > moment


def processes_in(folder: Path) -> list[int]:
    """Return the processes that work in a folder, where the system shows them."""
    place = os.path.realpath(folder)
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = str((path / "cwd").readlink())
        except OSError:
            continue
        if f"{here}/".startswith(f"{place}/"):
            found.append(int(path.name))
    return found


def _logs(lab: Lab, limits: Limits, busy: set[str], began: float) -> Iterator[Leftover]:
    """Yield the logs that are old; digests and excerpts are in the records.

    A log that no session is known of may be a running one's, so it waits.
    """
    paths = sorted((lab.repo.home / "logs").glob("*.log"))
    owners = _owners(lab)
    owner = {path: owners.get(_commit_of(path.name), "") for path in paths}
    here = {name for name in owner.values() if name}
    newest = [name for name in dict.fromkeys(owners.values()) if name in here]
    fixed = busy | set(newest[: limits.sessions])
    latest = began - timedelta(days=limits.days).total_seconds()
    for path in paths:
        waits = owner[path] in fixed if owner[path] else bool(busy)
        status = path.lstat()
        if not waits and status.st_mtime < latest:
            yield Leftover("log", path, status.st_size)


def _commit_of(name: str) -> str:
    """Return the start of the commit that a log is named after."""
    return name.removeprefix("run-").split("-", 1)[0][:_SHORT]


def _owners(lab: Lab) -> dict[str, str]:
    """Return the sessions of commits and their baselines, the newest first."""
    found = [item for item in lab.experiments() if item.session]
    owners = {item.commit[:_SHORT]: item.session for item in found}
    for item in found:
        if item.parent:
            owners.setdefault(item.parent[:_SHORT], item.session)
    return owners


def _temporary(repo: Repo, began: float) -> Iterator[Leftover]:
    """Yield what killed processes left half written, and copies of older indexes."""
    folders = {repo.home, repo.home / "hooks", repo.common_dir / "hooks"}
    found = {path for folder in folders for path in folder.glob(".loopgraph-*")}
    found |= {*repo.home.glob("*.new"), *repo.home.glob("researchfs.db.v*")}
    for path in sorted(found):
        if path.is_file() and path.lstat().st_mtime < began - _HOUR:
            yield Leftover("temporary", path, size_of(path))


def _visited(lab: Lab, began: float) -> Iterator[Leftover]:
    """Yield the copies of repositories of others: the next visit fetches a new one."""
    library = lab.client.holdings.library
    for path in sorted((library / VISITED).glob("*.git")) if library else []:
        # one that was touched just now may be read by an ingest
        if (
            path.is_dir()
            and not path.is_symlink()
            and path.lstat().st_mtime < began - _HOUR
        ):
            yield Leftover("visited", path, size_of(path))


def _scratch() -> Iterator[Leftover]:
    """Yield the folders for temporary files of runs that were killed, of any clone."""
    for path in abandoned():
        yield Leftover("scratch", path, size_of(path))


def size_of(path: Path) -> int:
    """Return the bytes that a file or a folder takes, links not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if path.is_symlink() or path.exists() else 0
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                # somebody else was quicker
                continue
    return total
