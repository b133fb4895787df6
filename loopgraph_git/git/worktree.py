"""A session's own worktree: the user's HEAD, index and files are never touched.

It lives under the repository's common directory. Untracked things that a run needs
(a virtual environment, data) are linked in from the user's checkout.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from loopgraph_git.errors import ConfigError, GitError, UsageError
from loopgraph_git.git import refs
from loopgraph_git.git.repo import Repo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from loopgraph_git.records import Oid


def open_session(repo: Repo, session: str, *, baseline: Oid) -> Repo:
    """Return the worktree of a session, made on its branch when it is new.

    A folder that was removed by hand is made again at the branch's tip. Raises
    UsageError when the branch is checked out somewhere else.
    """
    branch = refs.session_branch(session)
    if repo.find(branch) is None:
        _check_free(repo, branch)
        repo.update_refs((branch, str(baseline), ""))
    return _open(repo, repo.home / "worktrees" / session, branch.split("/", 2)[2])


def open_detached(repo: Repo, name: str, commit: Oid) -> Repo:
    """Return a worktree of ours with HEAD detached at a commit."""
    tree = _open(repo, repo.home / "worktrees" / name, str(commit))
    move(tree, commit)
    return tree


def _check_free(repo: Repo, branch: str) -> None:
    """Refuse where a branch `lg` makes every `lg/<session>` impossible."""
    if repo.find("refs/heads/lg") is not None:
        raise UsageError(
            "the branch `lg` stands in the way of `lg/…`: rename it "
            "(`git branch -m lg old-lg`)"
        )
    if not repo.ok("check-ref-format", branch):
        raise UsageError(f"git refuses {branch!r} as the name of a branch")


def _open(repo: Repo, folder: Path, target: str) -> Repo:
    if (folder / ".git").exists():
        try:
            return Repo(folder)
        except GitError:
            shutil.rmtree(folder)
    repo.run("worktree", "prune")
    folder.parent.mkdir(parents=True, exist_ok=True)
    kind = ["--detach"] if len(target) in (40, 64) else []
    try:
        repo.run("worktree", "add", "--quiet", *kind, str(folder), target)
    except GitError as error:
        if "already" in str(error):
            raise UsageError(f"{error}: leave that branch there first") from error
        raise
    return Repo(folder)


def move(tree: Repo, commit: Oid) -> None:
    """Put the worktree, its index and its branch at a commit, whatever it held.

    Only ever called on a worktree of ours.
    """
    _drop_stale_lock(tree)
    tree.run("reset", "--hard", "--quiet", commit)
    tree.run("clean", "-ffdq")


def _drop_stale_lock(tree: Repo) -> None:
    """Remove the index lock a killed process left; we hold the session's own lock."""
    (tree.git_dir / "index.lock").unlink(missing_ok=True)


def link(repo: Repo, tree: Repo, paths: Iterable[str]) -> None:
    """Link untracked things of the user's checkout into a worktree.

    Raises ConfigError when one is not there: a run would fail for its lack.
    """
    for path in paths:
        source, target = repo.root / path, tree.root / path
        if not source.exists():
            raise ConfigError(
                f"link: {path!r} is not in {repo.root}: make it, or take it out of "
                ".loopgraph.yml"
            )
        if target.is_symlink():
            target.unlink()
        if target.exists():
            raise ConfigError(f"link: {path!r} is tracked by git; nothing to link")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
