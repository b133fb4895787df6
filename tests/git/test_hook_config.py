"""Hooks that git 2.54 and newer run from the configuration."""

from __future__ import annotations

import subprocess

import pytest

from loopgraph_git.git import hooks
from tests.conftest import git
from tests.git.hooking import (
    PATTERNS,
    commit,
    has_config_hooks,
    make,
    pins,
    put,
    snapshot,
    spool,
)

LINES = "a1 b1\na2 b2 more\n"
CONFIGS = {
    "empty": b"",
    "no last newline": b"[core]\n\tbare = false",
    "dos": b"[core]\r\n\tbare = false\r\n",
    "byte order mark": b"\xef\xbb\xbf[core]\n\tbare = false\n",
    "sections of one line": b'\n#c\n[core] bare=false ;x\n[hook "mine"] command=:\n\n',
    "spaces at the end": b"[core]\n bare = false\n\n;end\n\n   ",
    "our name in a comment": b'[core]\n# [hook "loopgraph-post-commit"]\n; x',
}


@pytest.fixture
def repo(tmp_path):
    return make(tmp_path / "my projéct")


@pytest.fixture
def newer(repo):
    if not has_config_hooks(repo):
        pytest.skip("this git does not know hooks in the configuration")
    return repo


def install(repo):
    return hooks.install(repo, PATTERNS, version=hooks.CONFIG_HOOKS)


def test_the_command_of_a_hook_runs_it(repo):
    config = repo.common_dir / "config"
    folder = repo.common_dir / "hooks"
    before, files = config.read_bytes(), snapshot(folder)
    install(repo)
    install(repo)
    assert snapshot(folder) == files
    key = "hook.loopgraph-post-rewrite"
    assert git(repo.root, "config", "--get-all", f"{key}.event") == "post-rewrite"
    line = git(repo.root, "config", "--get-all", f"{key}.command")
    assert [hook.how for hook in hooks.status(repo, PATTERNS)] == ["config", "config"]
    git(repo.root, "switch", "-q", "-c", "exp/x")
    subprocess.run(
        ["sh", "-euc", f'{line} "$@"', "sh", "amend"], cwd=repo.root, input=LINES,
        text=True, check=True,
    )  # fmt: skip
    assert spool(repo) == ["rewrite amend a1 b1", "rewrite amend a2 b2"]
    (repo.home / "spool").unlink()
    hooks.uninstall(repo)
    assert config.read_bytes() == before
    assert not repo.home.exists()


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configuration_is_given_back(repo, name):
    config = repo.common_dir / "config"
    config.write_bytes(CONFIGS[name])
    config.chmod(0o640)
    install(repo)
    assert config.read_bytes().count(b"\tcommand = ") == 2
    hooks.uninstall(repo)
    assert config.read_bytes() == CONFIGS[name]
    assert config.stat().st_mode & 0o777 == 0o640


def test_what_the_user_configures_meanwhile_stays(repo):
    config = repo.common_dir / "config"
    config.write_bytes(b"[core]\n\tbare = false")
    install(repo)
    git(repo.root, "config", "user.name", "Ada")
    hooks.uninstall(repo)
    assert config.read_bytes() == b"[core]\n\tbare = false\n[user]\n\tname = Ada\n"


def test_a_section_of_all_repositories_is_not_ours(repo, tmp_path, monkeypatch):
    theirs = tmp_path / "config"
    theirs.write_text('[hook "loopgraph-post-commit"]\n\tcommand = true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(theirs))
    assert [hook.how for hook in hooks.status(repo)] == ["", ""]
    assert hooks.uninstall(repo) == []


def test_an_older_git_says_that_it_does_not_run_them(repo):
    if has_config_hooks(repo):
        pytest.skip("this git runs them")
    install(repo)
    found = hooks.status(repo, PATTERNS)
    assert [(hook.how, hook.runs) for hook in found] == [("config", False)] * 2
    hooks.install(repo, PATTERNS)
    assert [hook.how for hook in hooks.status(repo)] == ["file", "file"]
    assert b"loopgraph" not in (repo.common_dir / "config").read_bytes()


def test_they_fire_beside_the_hooks_of_a_tracked_folder(newer):
    folder = newer.root / ".husky" / "_"
    for event in hooks.EVENTS:
        put(folder / event, f'#!/bin/sh\necho "{event} $* $(cat)" >>trace\n')
    git(newer.root, "config", "core.hooksPath", ".husky/_")
    before = snapshot(folder)
    hooks.install(newer, PATTERNS)
    git(newer.root, "switch", "-q", "-c", "exp/x")
    first = commit(newer.root)
    second = commit(newer.root, "--amend", "-m", "Better")
    assert pins(newer) == {first, second}
    assert f"rewrite amend {first} {second}" in spool(newer)
    said = (newer.root / "trace").read_text().splitlines()
    assert said[-1] == f"post-rewrite amend {first} {second}"
    assert snapshot(folder) == before


def test_they_fire_in_a_linked_worktree(newer, tmp_path):
    hooks.install(newer, PATTERNS)
    other = tmp_path / "other tree"
    git(newer.root, "worktree", "add", "-q", "-b", "exp/x", str(other))
    first = commit(other)
    second = commit(other, "--amend", "-m", "Better")
    assert pins(newer) == {first, second}
    assert f"rewrite amend {first} {second}" in spool(newer)


def test_one_that_was_turned_off_is_seen(newer):
    hooks.install(newer, PATTERNS)
    git(newer.root, "config", "hook.loopgraph-post-commit.enabled", "false")
    assert [hook.runs for hook in hooks.status(newer)] == [False, True]
    hooks.install(newer, PATTERNS)
    assert [hook.runs for hook in hooks.status(newer)] == [True, True]
