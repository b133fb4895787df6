"""A sealed world: own HOME, fixed clock and identity, no configuration of the user."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SEALED = {
    "GIT_AUTHOR_NAME": "Ada Researcher",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Researcher",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_EDITOR": "false",
    "GIT_TERMINAL_PROMPT": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "NO_COLOR": "1",
}


@pytest.fixture(autouse=True)
def sealed_world(tmp_path_factory, monkeypatch):
    """Give every test its own HOME and an environment without surprises."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("GIT_", "LOOPGRAPH"))]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in SEALED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    return home


def git(folder: Path, *args: str, stdin: str | None = None) -> str:
    """Run git in a folder and return what it printed."""
    done = subprocess.run(
        ["git", *args],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
