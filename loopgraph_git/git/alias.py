"""The user's own `git lg`: a popular alias, which a command of that name hides.

git runs an executable `git-lg` before it looks at `alias.lg`. So a call that is no
command of ours is handed on to the alias, as if we were not installed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

from loopgraph_git.git.repo import config_value

_STAND_IN = "loopgraph-users-lg"


def users_alias() -> str | None:
    """Return what the user's `alias.lg` stands for, inside a repository or not."""
    return config_value(Path.cwd(), "alias.lg")


def run_alias(alias: str, args: list[str]) -> NoReturn:
    """Become the git command that the alias stands for."""
    # under a name of its own git finds no executable, and expands it by its own rules
    command = ["git", "-c", f"alias.{_STAND_IN}={alias}", _STAND_IN, *args]
    os.execvp(command[0], command)  # noqa: S606  git is what runs the alias
