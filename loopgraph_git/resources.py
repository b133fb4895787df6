"""Where the data folders are: inside the wheel, or beside the package in a clone."""

from __future__ import annotations

from pathlib import Path

from loopgraph_git.errors import LoopGraphError


def resource_dir(name: str) -> Path:
    """Return the folder `harness`, `hooks` or `packs` that this install uses."""
    package = Path(__file__).parent
    for folder in (package / f"_{name}", package.parent / name):
        if folder.is_dir():
            return folder
    message = f"the folder {name!r} is missing from this install: reinstall it"
    raise LoopGraphError(message)
