"""Mending: what `git lg doctor --fix` does by itself, because nothing can be lost by it.

Only what is ours and can be made again is touched: pins are added, never taken away,
a damaged index is built anew from git, a session's dead worktree is let go of. The
user's configuration, branches and files are left to the user.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from loopgraph_git.errors import (
    GitError,
    LockedError,
    LoopGraphError,
    StoreError,
    StoreKeptError,
)
from loopgraph_git.git import commits, refs, worktree
from loopgraph_git.git import hooks as git_hooks
from loopgraph_git.git.lock import locked
from loopgraph_git.git.notes import Notes
from loopgraph_git.health import index, records
from loopgraph_git.health.finding import Finding, some
from loopgraph_git.health.settings import read_settings
from loopgraph_git.health.survey import Survey, at_risk, survey
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records.texts import counted
from loopgraph_git.researchfs.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.git.repo import Repo


def mend(repo: Repo) -> list[Finding]:
    """Mend what is safe to mend; returns what was done, and what was tried in vain."""
    done = list(_notes(repo, survey(repo)))
    done += _writer(repo, survey(repo))
    done += _pins(repo, survey(repo))
    done += _hooks(repo)
    done += _worktrees(repo)
    done += _index(repo)
    return done


def _fixed(subject: str, words: str) -> Finding:
    return Finding(subject, words, fixed=True)


def _notes(repo: Repo, seen: Survey) -> Iterator[Finding]:
    """Bring back our own notes where they are gone and a remote has them."""
    for ref, tracking in records.lost_notes(seen).items():
        tip = repo.refs(tracking)[tracking]
        with locked(repo.home / "lock"):
            repo.update_refs((ref, str(tip), repo.zero))
        yield _fixed(ref, f"brought back from {tracking}")


def _writer(repo: Repo, seen: Survey) -> Iterator[Finding]:
    """Take up the id that this clone had; a new one only where none can be found."""
    path = repo.home / "writer"
    if not seen.writer:
        lost = records.lost_writer(repo, seen)
        with locked(repo.home / "lock"):
            unusable = path.exists()
            path.unlink(missing_ok=True)
            if lost:
                path.write_text(f"{lost}\n")
        if lost:
            yield _fixed("writer", f"took up {lost} again: its notes are here")
        elif unusable:
            yield _fixed("writer", f"made a new id, {Notes(repo).writer()}")
    yield from _seq(repo)


def _seq(repo: Repo) -> Iterator[Finding]:
    """Go on with the numbers where they ended: an old backup may have brought less."""
    seen = survey(repo)
    ref, path = refs.notes(seen.writer), repo.home / "seq"
    if ref not in seen.notes:
        return
    with locked(repo.home / "lock"):
        own = Notes(repo).records({ref: ""})
        last = max((x.seq for x in own if x.writer == seen.writer), default=0)
        try:
            said = int(path.read_text())
        except (OSError, ValueError):
            said = -1
        if said >= last:
            return
        path.write_text(f"{last}\n")
    yield _fixed("writer", f"records are numbered from {last} again")


def _pins(repo: Repo, seen: Survey) -> Iterator[Finding]:
    risky = at_risk(repo, seen)
    if risky:
        commits.pin(repo, *risky)
        names = some([oid.short for oid in risky])
        words = f"pinned {counted(len(risky), 'commit')} that a gc would have taken"
        yield _fixed("pins", f"{words} ({names})")


def _hooks(repo: Repo) -> Iterator[Finding]:
    """Bring our hooks up to date where git runs them; never put them in anew."""
    config = read_settings(repo).config
    if config is None:
        return
    try:
        there = git_hooks.status(repo, config.branches)
        if any(hook.runs and not hook.current for hook in there):
            for words in git_hooks.install(repo, config.branches):
                yield _fixed("hooks", words)
    except (GitError, OSError) as error:
        yield Finding("hooks", f"were not brought up to date: {error}", ok=False)
    with suppress(OSError):
        # only where it is empty
        (repo.home / "hooks").rmdir()


def _worktrees(repo: Repo) -> Iterator[Finding]:
    for entry in worktree.dead(repo):
        name = entry.folder.name
        try:
            with locked(repo.home / "journal" / f"{name}.lock", seconds=0):
                # it may have been made again meanwhile
                if entry in worktree.dead(repo):
                    worktree.forget(entry)
                    yield _fixed("worktrees", f"let go of {entry.folder}")
        except LockedError:
            continue


def _index(repo: Repo) -> Iterator[Finding]:
    """Build the search index anew, or all of a database that is ours and damaged."""
    try:
        with Store.open(index.path_of(repo)) as store:
            if not store.check():
                return
            store.repair()
            if not store.check():
                yield _fixed("index", "built the search index anew")
                return
    except StoreKeptError:
        # busy, newer or somebody else's
        return
    except StoreError:
        pass
    try:
        counts = _rebuilt(repo)
    except LoopGraphError as error:
        yield Finding("index", f"was not built anew: {error}", ok=False)
    else:
        yield _fixed(
            "index", f"built anew from git: {counted(counts['records'], 'record')}"
        )


def _rebuilt(repo: Repo) -> dict[str, int]:
    try:
        with LoopGraph.open(repo.root, fresh=True) as lab:
            return lab.reindex()
    except StoreKeptError:
        raise
    except StoreError:
        # it opens, and yet not all of it can be written over
        Store.discard(index.path_of(repo))
        with LoopGraph.open(repo.root) as lab:
            return lab.reindex()
