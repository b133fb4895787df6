"""`git lg` where the user has had an alias of that name for years."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import SOURCE, git, make_toy


@pytest.fixture
def call(tmp_path):
    """Return a function that types `git lg …` with our `git-lg` on PATH."""
    toy = make_toy(tmp_path / "r")
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "git-lg"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loopgraph_git "$@"\n')
    script.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    def typed(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "lg", *args],
            cwd=toy.root,
            env={**os.environ, **SOURCE, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    typed.root = toy.root
    return typed


def test_what_is_no_command_of_ours_goes_to_the_alias(call):
    git(call.root, "config", "alias.lg", "log --format='<%s>'")
    assert call().stdout == "<Start>\n"
    assert call("-1", "HEAD").stdout == "<Start>\n"
    failed = call("no-such-branch")
    assert failed.returncode == 128
    assert "unknown revision" in failed.stderr


def test_a_shell_alias_gets_its_arguments_as_they_are(call):
    git(call.root, "config", "alias.lg", "!printf '<%s>'")
    assert call("a b", "--all").stdout == "<a b><--all>"


def test_our_own_commands_stay_ours(call):
    git(call.root, "config", "alias.lg", "log")
    assert "no experiments yet" in call("log").stdout
    assert "Usage: git-lg" in call("-h").stdout


def test_without_an_alias_help_is_shown_and_typos_are_named(call):
    assert "Usage: git-lg" in call().stderr
    assert "No such command 'frobnicate'" in call("frobnicate").stderr
