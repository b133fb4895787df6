"""Scratch: a folder for what one run leaves behind, where the machine keeps such things.

A run may leave gigabytes there, and the process that removes them may be killed. It
holds a lock beside them for as long as it lives, so that others can tell, whatever
container they are in, and take away what nobody uses any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.git.lock import is_held, taken

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "loopgraph-run-"
_LOCK = "in-use"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Lend an empty folder; it is removed with all that is in it."""
    base = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    try:
        with (base / "new").open("wb") as handle:
            taken(handle.fileno())
            # only now it has its name: nobody finds it without its lock
            (base / "new").rename(base / _LOCK)
            folder = base / "scratch"
            folder.mkdir()
            yield folder
    finally:
        shutil.rmtree(base, ignore_errors=True)


def abandoned() -> list[Path]:
    """Return the folders of this user whose process is gone."""
    found = Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}")
    return sorted(lock.parent for lock in found if _is_abandoned(lock))


def _is_abandoned(lock: Path) -> bool:
    try:
        ours = lock.parent.lstat().st_uid == os.getuid()
        return ours and not lock.parent.is_symlink() and not is_held(lock)
    except OSError:
        # somebody else was quicker, or it may not be looked into
        return False


def clear() -> None:
    """Remove what killed processes have left."""
    for base in abandoned():
        shutil.rmtree(base, ignore_errors=True)
