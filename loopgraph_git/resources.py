"""What is found and what is let go: data folders, and things to be closed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from loopgraph_git.errors import LoopGraphError

if TYPE_CHECKING:
    from types import TracebackType


class Closing:
    """Something that a `with` statement closes at its end."""

    def close(self) -> None:
        """Let go of what is held; closing twice is fine."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def config_dir() -> Path:
    """Return the folder of what is the user's own: trust, prices."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "loopgraph"


def state_dir() -> Path:
    """Return the folder of what this machine's processes share: turns, locks."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "loopgraph"


def resource_dir(name: str) -> Path:
    """Return the folder `harness`, `hooks` or `packs`: in the wheel, or beside a clone."""
    package = Path(__file__).parent
    for folder in (package / f"_{name}", package.parent / name):
        if folder.is_dir():
            return folder
    message = f"the folder {name!r} is missing from this install: reinstall it"
    raise LoopGraphError(message)
