"""What the tests of hooks share: a repository, and looks at what hooks did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.git import hooks, refs
from loopgraph_git.git.repo import Repo
from tests.conftest import git

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = ("lg/*", "autoresearch/*", "exp/*")
# a git that knows hooks as files alone
FILES = (2, 53)


def make(folder: Path, *options: str) -> Repo:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    git(folder, "commit", "-q", "--allow-empty", "-m", "Start")
    return Repo(folder)


def commit(folder: Path, *args: str) -> str:
    git(folder, "commit", "-q", "--allow-empty", "-m", "Try", *args)
    return git(folder, "rev-parse", "HEAD")


def pins(repo: Repo) -> set[str]:
    return {refs.pinned(ref) for ref in repo.refs(refs.PINS)}


def spool(repo: Repo) -> list[str]:
    path = repo.home / "spool"
    return path.read_text().splitlines() if path.exists() else []


def snapshot(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    return {
        path.name: (
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mode,
        )
        for path in folder.iterdir()
    }


def install(repo: Repo, patterns: tuple[str, ...] = PATTERNS) -> list[str]:
    """Install as files, whichever git is here."""
    return hooks.install(repo, patterns, version=FILES)


def has_config_hooks(repo: Repo) -> bool:
    return hooks.git_version(repo) >= hooks.CONFIG_HOOKS


def put(path: Path, content: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    path.chmod(mode)
    return path
