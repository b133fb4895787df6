"""One writer at a time in one clone.

`git notes` loses more than half of concurrent writes and still exits 0, so every
write of ours happens under this lock. The kernel drops it when a process dies.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loopgraph_git.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(path: Path, *, seconds: float = 60.0, what: str = "") -> Iterator[None]:
    """Hold an exclusive lock on a file; raises LockedError after `seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with path.open("a+b") as handle:
        while not taken(handle.fileno()):
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"{what or path} is in use by another process: wait for it, "
                    "or end it"
                )
            time.sleep(0.005)
        yield


def is_held(path: Path) -> bool:
    """Say whether somebody holds the lock at this moment."""
    try:
        with path.open("rb") as handle:
            return not taken(handle.fileno())
    except FileNotFoundError:
        return False


def taken(descriptor: int) -> bool:
    """Take the lock of an open file if it is free; says whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
