"""A session's own worktree: the user's HEAD, index and files are never touched.

It lives under the repository's common directory. Untracked things that a run needs
(a virtual environment, data) are linked in from the user's checkout.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import ConfigError, GitError, UsageError
from loopgraph_git.git import refs
from loopgraph_git.git.repo import Repo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loopgraph_git.records import Oid

# what git writes into a lock of its own while it makes a worktree
_MAKING = "initializing"
_UNDER_WAY = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD",
              "REVERT_HEAD", "BISECT_LOG")  # fmt: skip


class Entry(NamedTuple):
    """A worktree of ours as git has registered it: its folder, and git's own."""

    folder: Path
    admin: Path


def open_session(repo: Repo, session: str, *, baseline: Oid) -> Repo:
    """Return the worktree of a session, made on its branch when it is new.

    A folder that was removed by hand is made again at the branch's tip. Raises
    UsageError when the branch is checked out somewhere else.
    """
    branch = refs.session_branch(session)
    if repo.find(branch) is None:
        _check_free(repo, branch)
        repo.update_refs((branch, str(baseline), ""))
    return _open(repo, session, branch.removeprefix("refs/heads/"))


def open_detached(repo: Repo, name: str, commit: Oid) -> Repo:
    """Return a worktree of ours with HEAD detached at a commit."""
    tree = _open(repo, name, "--detach", str(commit))
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


def _open(repo: Repo, name: str, *target: str) -> Repo:
    """Return the worktree of that name, made anew where it is not one of ours.

    The caller holds the session's lock.
    """
    folder = home(repo) / name
    if (folder / ".git").exists():
        tree = opened(repo, folder)
        if tree is not None:
            return tree
        shutil.rmtree(folder)
    for entry in dead(repo):
        if entry.folder.name == name:
            forget(entry)
    folder.parent.mkdir(parents=True, exist_ok=True)
    options, rev = target[:-1], target[-1]
    try:
        repo.run("worktree", "add", "--quiet", *options, str(folder), rev)
    except GitError as error:
        if "already" in str(error):
            raise UsageError(f"{error}: leave that branch there first") from error
        raise
    return Repo(folder)


def home(repo: Repo) -> Path:
    """Return the folder of our worktrees."""
    return repo.home / "worktrees"


def opened(repo: Repo, folder: Path) -> Repo | None:
    """Return a worktree that is there, or None where it is none of this repository.

    Where a whole repository was copied, its worktrees still belong to the original.
    """
    if not (folder / ".git").is_file():
        return None
    try:
        tree = Repo(folder)
    except GitError:
        return None
    same = os.path.realpath(tree.common_dir) == os.path.realpath(repo.common_dir)
    return tree if same else None


def dead(repo: Repo) -> list[Entry]:
    """Return what git has registered of worktrees of ours that are not there.

    Others are not looked at: a worktree on a disk that is not mounted is the user's.
    """
    return [entry for entry in _entries(repo) if not _belongs(entry)]


def forget(entry: Entry) -> None:
    """Delete what git has registered of a dead worktree, as `git worktree prune` does.

    The caller holds the session's lock.
    """
    shutil.rmtree(entry.admin)


def _entries(repo: Repo) -> Iterator[Entry]:
    ours = (repo.common_dir.name, "loopgraph", "worktrees")
    for path in sorted((repo.common_dir / "worktrees").glob("*/gitdir")):
        admin = path.parent
        # a repository that was moved or copied names the place it was at before
        folder = Path(os.path.normpath(admin / path.read_text().strip())).parent
        if folder.parts[-4:-1] == ours and not is_locked(admin):
            yield Entry(folder, admin)


def _belongs(entry: Entry) -> bool:
    try:
        text = (entry.folder / ".git").read_text()
    except OSError:
        return False
    named = entry.folder / text.removeprefix("gitdir:").strip()
    return os.path.realpath(named) == os.path.realpath(entry.admin)


def is_locked(admin: Path) -> bool:
    """Say whether the user has locked a worktree, by git's folder of it."""
    try:
        return (admin / "locked").read_text().strip() != _MAKING
    except OSError:
        return False


def remove(repo: Repo, tree: Repo) -> None:
    """Remove a worktree of ours with all that is in it; raises GitError."""
    # twice: a lock that a killed `git worktree add` left is no reason to keep it
    repo.run("worktree", "remove", "--force", "--force", str(tree.root))


def is_under_way(tree: Repo) -> bool:
    """Say whether a rebase, a merge or the like has stopped halfway."""
    return any((tree.git_dir / name).exists() for name in _UNDER_WAY)


def is_only_here(repo: Repo, tree: Repo) -> bool:
    """Say whether the commit of a worktree is kept by nothing but its HEAD."""
    head = tree.find("HEAD")
    if head is None:
        return False
    # else its own HEAD would count too
    refs_alone = ("--not", "--single-worktree", "--all")
    return bool(repo.text("rev-list", "--max-count=1", head, *refs_alone))


def changed(tree: Repo) -> Iterator[str]:
    """Yield the files that are not as they were committed, ignored ones too.

    Links are left out: what they point to stays.
    """
    listing = tree.run(
        "--no-optional-locks", "status", "--porcelain", "-z", "--no-renames",
        "--untracked-files=all", "--ignored=traditional",
    )  # fmt: skip
    for row in os.fsdecode(listing).split("\0"):
        path = row[3:]
        if path and not (tree.root / path.rstrip("/")).is_symlink():
            yield path


def move(tree: Repo, commit: Oid) -> None:
    """Put the worktree, its index and its branch at a commit, whatever it held.

    Only ever called on a worktree of ours.
    """
    _drop_stale_lock(tree)
    tree.run("reset", "--hard", "--quiet", commit)
    tree.run("clean", "-ffdq")


def restore(tree: Repo, commit: Oid, *, keep: Iterable[str] = ()) -> None:
    """Put every file back as it is in the commit, and remove others but for `keep`."""
    _drop_stale_lock(tree)
    tree.run("reset", "--hard", "--quiet", commit)
    kept = (word for path in keep for word in ("-e", f"/{path}"))
    tree.run("clean", "-ffdq", *kept)


def forget_bytecode(tree: Repo) -> None:
    """Remove what Python compiled: a run could leave other code there for the next."""
    for folder, names, _ in os.walk(tree.root):
        if "__pycache__" in names:
            names.remove("__pycache__")
            path = Path(folder) / "__pycache__"
            path.unlink() if path.is_symlink() else shutil.rmtree(path)


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
        if not target.parent.resolve().is_relative_to(tree.root.resolve()):
            raise ConfigError(
                f"link: a folder of {path!r} is a link: it leads elsewhere"
            )
        if target.is_symlink():
            target.unlink()
        if target.exists():
            raise ConfigError(f"link: {path!r} is tracked by git; nothing to link")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
