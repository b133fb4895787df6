"""Space on a disk: whether there is enough, and whether something failed for want of it.

A full disk is nobody's idea: what failed because of it is done again, and no method is
blamed.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# a run is ended below a quarter of a GiB (supervisor.py)
_ENOUGH_BYTES = 320 << 20
_FULL = (
    "No space left on device", "disk is full", "Disk quota exceeded",
    "Out of diskspace",
)  # fmt: skip


def has_space(folder: Path) -> bool:
    """Say whether the disk of a folder has room for another run."""
    return shutil.disk_usage(folder).free >= _ENOUGH_BYTES


def full(folder: Path) -> OSError:
    """Return the error of a disk that is full."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def is_full(error: Exception) -> bool:
    """Say whether something failed for want of space on a disk."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in _FULL)
