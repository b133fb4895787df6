"""A twin: a copy of this process that does a share of its work on another processor.

Python alone does not read records on two processors at once. A fork costs milliseconds,
starts with all that was imported, and hands back bytes. Where none can be made, or it
fails, the caller does the work itself: nothing depends on a twin but time.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager, suppress
from mmap import PROT_READ, mmap
from signal import SIGKILL
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Twin:
    """A running copy of this process."""

    def __init__(self, work: Callable[[], bytes]) -> None:
        # a file in memory: it takes all at once, and is read where it lies
        self._said = os.fdopen(os.memfd_create("twin"), "wb")
        try:
            self._pid: int | None = os.fork()
        except OSError:
            self._said.close()
            raise
        if self._pid == 0:
            _work(work, self._said)

    def result(self) -> mmap | None:
        """Wait for what the work returned, which is never empty; None if it failed."""
        if self._end():
            return None
        return mmap(self._said.fileno(), 0, prot=PROT_READ)

    def close(self) -> None:
        """End it, whatever it is doing; closing twice is fine."""
        self._said.close()
        if self._pid:
            # where children are ignored it may be gone already
            with suppress(ProcessLookupError):
                os.kill(self._pid, SIGKILL)
            self._end()

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
def twin(work: Callable[[], bytes]) -> Iterator[Twin | None]:
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


def _work(work: Callable[[], bytes], said: BinaryIO) -> None:
    """Work, hand over, and end without the rest of what the process would do."""
    status = 1
    try:
        with said:
            said.write(work())
        status = 0
    finally:
        # no exception leaves this process: its stack is that of the other one
        os._exit(status)
