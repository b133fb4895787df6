"""Taking turns: one request to a host at a time, and a pause between two of them.

The rules of arXiv hold for a person and not for a process, so the turn is a file in a
folder of the user's. It holds the moment before which nobody may ask again; the kernel
lets go of its lock when a process dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loopgraph_git.errors import FetchError
from loopgraph_git.resources import state_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

LONGEST_WAIT = 120.0
"""How many seconds a server may ask us to wait; for more, people are told to return."""

_POLL = 0.02
_NUMBER_BYTES = 40
_ADDRESS = re.compile(r"[\d.]+|\[.*")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


class Turn:
    """The turn that is held: how long others have to wait may still be said."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def not_before(self, seconds: float) -> None:
        """Let nobody ask this host again within so many seconds from now."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{time.time() + seconds:.3f}\n".encode())
        self._file.flush()

    def left(self) -> float:
        """Return how many seconds are left to wait."""
        self._file.seek(0)
        try:
            until = float(self._file.read(_NUMBER_BYTES))
        except ValueError:
            return 0.0
        # a clock that was set back, or a damaged file, must not stop us for years
        return min(max(until - time.time(), 0.0), LONGEST_WAIT)


@contextmanager
def turn(
    host: str, interval: float, folder: Path, say: Callable[[str], None]
) -> Iterator[Turn]:
    """Wait for the turn to ask a host, and hold it; the next comes `interval` later.

    `say` is told when that takes a while. Raises FetchError where the folder cannot
    be written.
    """
    path = folder / f"{_UNSAFE.sub('-', group(host))}.turn"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise FetchError(
            f"{path}: {error.strerror}: turns between requests are kept there; "
            "give another folder in XDG_STATE_HOME"
        ) from error
    with file:
        if not _taken(file):
            say(f"another process is asking {host}: waiting for our turn")
            while not _taken(file):
                time.sleep(_POLL)
        held = Turn(file)
        left = held.left()
        if left > interval:
            say(f"{host} asked to wait: {left:.0f} s")
        time.sleep(left)
        held.not_before(interval)
        yield held


def group(host: str) -> str:
    """Return the name under which a host shares its turns: that of its domain.

    `export.arxiv.org` and `arxiv.org` are one; an address stands for itself.
    """
    name = host.lower()
    bare = name.rpartition(":")[0] or name
    return name if _ADDRESS.fullmatch(bare) else ".".join(bare.split(".")[-2:])


def user_folder() -> Path:
    """Return where turns are kept: with the state of the user's programs."""
    return state_dir() / "turns"


def _taken(file: BinaryIO) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
