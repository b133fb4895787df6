"""Which files an edit may touch, decided by name before any content is looked at.

A path is refused with the reason that fits it best, so that a person sees at once
what was tried.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from loopgraph_git.config import CONFIG_NAME
from loopgraph_git.errors import EditError
from loopgraph_git.records.texts import HIDDEN, visible

if TYPE_CHECKING:
    from collections.abc import Collection

_SHOWN = 120
# git, hook managers and git lg read these, and some run what they name
_READ_BY_TOOLS = {
    CONFIG_NAME, ".gitattributes", ".gitmodules", ".gitignore", ".gitconfig", ".mailmap",
    ".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", ".envrc",
}  # fmt: skip
_HOOK_FOLDERS = {"hooks", ".hooks", ".githooks", "githooks", ".husky", ".lefthook"}
_PREFIX = re.compile(r"(?:\./|(?:[abciow12]|old|new)/)+")


def check_path(
    path: str, editable: Collection[str], protected: Collection[str] = ()
) -> None:
    """Raise EditError, naming the path and why, unless an edit may touch it."""
    if path in editable and path not in protected:
        return
    shown = visible(path[:_SHOWN])
    allowed = ", ".join(editable)
    reason = _reason(path, protected)
    because = f": {reason}" if reason else ""
    raise EditError(f"{shown} may not be edited, only {allowed}{because}")


def _reason(path: str, protected: Collection[str]) -> str:
    parts = PurePosixPath(path.replace("\\", "/")).parts
    folded = [part.lower() for part in parts]
    tests = (
        (not parts or path.endswith("/"), "it names no file"),
        (HIDDEN.search(path), "it holds characters that cannot be seen"),
        (unicodedata.normalize("NFC", path) != path, "it is not in Unicode's NFC"),
        (re.match(r"[/\\~]|[A-Za-z]:[/\\]", path), "it is an absolute path"),
        (".." in parts, "it leads out of its folder"),
        (".git" in folded, "it is inside git's own folder"),
        (path in protected, "it is protected"),
        (
            _READ_BY_TOOLS.intersection(folded),
            "git or a tool beside it obeys that file",
        ),
        (_HOOK_FOLDERS.intersection(folded[:-1]), "hooks are run by git"),
    )
    return next((reason for failed, reason in tests if failed), "")


def resolved(
    path: str, editable: Collection[str], protected: Collection[str] = ()
) -> str:
    """Return the editable file that an answer's path is for.

    The prefixes that git puts before a path in a diff are taken off, and an answer
    that names no file means the only one. Raises EditError for every other path.
    """
    if not path:
        if len(editable) == 1:
            return next(iter(editable))
        raise EditError("a block names no file: put the path on the line above it")
    if path in editable:
        return path
    found = _PREFIX.match(path)
    end = found.end() if found else 0
    for start in range(1, end + 1):
        if path[start - 1] == "/" and path[start:] in editable:
            return path[start:]
    check_path(path[end:], editable, protected)
    return path[end:]
