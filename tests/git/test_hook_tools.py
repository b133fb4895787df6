"""The real tools that put hooks into repositories, where they are installed here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from loopgraph_git.errors import GitError
from loopgraph_git.git import hooks
from tests.conftest import git
from tests.git.hooking import commit, install, make, pins, put, snapshot, spool

EVENTS = ("-t", "post-commit", "-t", "post-rewrite")
# what puts their hooks in, what takes them out, and their settings
TOOLS = {
    "pre-commit": (
        ["pre-commit", "install", *EVENTS],
        ["pre-commit", "uninstall", *EVENTS],
        {".pre-commit-config.yaml": "repos: []\n"},
    ),
    "lefthook": (
        ["lefthook", "install"],
        ["lefthook", "uninstall"],
        {"lefthook.yml": "post-commit: {jobs: [{run: 'true'}]}\n"},
    ),
    "git-lfs": (["git-lfs", "install", "--local"], [], {}),
}


@pytest.fixture
def repo(tmp_path):
    repo = make(tmp_path / "my projéct")
    git(repo.root, "switch", "-q", "-c", "exp/x")
    return repo


def tool(repo, name: str) -> tuple[list[str], list[str]]:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed here")
    into, out, settings = TOOLS[name]
    for file, text in settings.items():
        put(repo.root / file, text, 0o644)
    return into, out


def run(repo, command: list[str]) -> None:
    subprocess.run(command, cwd=repo.root, capture_output=True, check=True)


def check_that_commits_are_kept(repo) -> None:
    first = commit(repo.root)
    second = commit(repo.root, "--amend", "-m", "Better")
    assert {first, second} <= pins(repo)
    assert f"rewrite amend {first} {second}" in spool(repo)


@pytest.mark.parametrize("name", TOOLS)
def test_after_the_hooks_of(repo, name):
    into, _ = tool(repo, name)
    run(repo, into)
    before = snapshot(repo.common_dir / "hooks")
    install(repo)
    check_that_commits_are_kept(repo)
    hooks.uninstall(repo)
    assert snapshot(repo.common_dir / "hooks") == before


# git-lfs refuses to put its hooks where there are any
@pytest.mark.parametrize("name", ["pre-commit", "lefthook"])
def test_before_the_hooks_of(repo, name):
    into, out = tool(repo, name)
    before = snapshot(repo.common_dir / "hooks")
    install(repo)
    run(repo, into)
    install(repo)
    check_that_commits_are_kept(repo)
    hooks.uninstall(repo)
    run(repo, out)
    assert snapshot(repo.common_dir / "hooks") == before


def test_husky_is_left_alone(repo):
    if shutil.which("husky") is None:
        pytest.skip("husky is not installed here")
    run(repo, ["husky"])
    before = snapshot(repo.root / ".husky" / "_")
    with pytest.raises(GitError, match=r"made anew by husky[\s\S]*\.husky/post-commit"):
        install(repo)
    assert snapshot(repo.root / ".husky" / "_") == before
