"""A twin: a copy of this process that does a share of its work on another processor.

Python alone does not read records on two processors at once. A fork costs milliseconds,
starts with all that was imported, and hands back a file. Where none can be made, or it
fails, the caller does the work itself: nothing depends on a twin but time.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Twin:
    """A running copy of this process, which writes a file."""

    def __init__(self, work: Callable[[Path], object]) -> None:
        self._folder = TemporaryDirectory(prefix="loopgraph-")
        self._made = Path(self._folder.name) / "made"
        try:
            self._pid: int | None = os.fork()
        except OSError:
            self._folder.cleanup()
            raise
        if self._pid == 0:
            _work(work, self._made)

    def result(self) -> Path | None:
        """Wait for the file, which is there until this is closed; None if it failed."""
        return None if self._end() else self._made

    def close(self) -> None:
        """End it, whatever it is doing; closing twice is fine."""
        if self._pid:
            # where children are ignored it may be gone already
            with suppress(ProcessLookupError):
                os.kill(self._pid, SIGKILL)
            self._end()
        self._folder.cleanup()

    def _end(self) -> int:
        """Wait for its end and return the status; who ignores children is told none."""
        status = 1
        if self._pid:
            with suppress(ChildProcessError):
                status = os.waitpid(self._pid, 0)[1]
        # not before: whoever interrupts the wait has it to end still
        self._pid = None
        return status


@contextmanager
def twin(work: Callable[[Path], object]) -> Iterator[Twin | None]:
    """Do some work in a copy of this process meanwhile; None where there can be none.

    The work must leave alone what both share: databases, and what is printed.
    """
    made = None
    if is_possible():
        # a machine may be full of processes, or of memory
        with suppress(OSError):
            made = Twin(work)
    try:
        yield made
    finally:
        if made:
            made.close()


def is_possible() -> bool:
    """Say whether a copy would help and is safe: no thread would be cut in two."""
    return (
        # elsewhere libraries of the system do not outlive a fork
        sys.platform == "linux"
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1
    )


def _work(work: Callable[[Path], object], path: Path) -> None:
    """Work, and end without the rest of what the process would do."""
    status = 1
    try:
        work(path)
        status = 0
    finally:
        # no exception leaves this process: its stack is that of the other one
        os._exit(status)
