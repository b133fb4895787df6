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
from signal import SIGKILL
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Twin:
    """A running copy of this process."""

    def __init__(self, work: Callable[[], bytes]) -> None:
        receive, send = os.pipe()
        try:
            self._pid: int | None = os.fork()
        except OSError:
            os.close(receive)
            os.close(send)
            raise
        if self._pid == 0:
            os.close(receive)
            _work(work, send)
        os.close(send)
        self._pipe = os.fdopen(receive, "rb")

    def result(self) -> bytes | None:
        """Wait for what the work returned; None where it failed."""
        said = self._pipe.read()
        return said if self._end() == 0 else None

    def close(self) -> None:
        """End it, whatever it is doing; closing twice is fine."""
        self._pipe.close()
        if self._pid:
            # where children are ignored it may be gone already
            with suppress(ProcessLookupError):
                os.kill(self._pid, SIGKILL)
            self._end()

    def _end(self) -> int:
        """Wait for its end and return the status; who ignores children is told none."""
        pid, self._pid = self._pid, None
        try:
            return os.waitpid(pid, 0)[1] if pid else 1
        except ChildProcessError:
            return 1


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


def _work(work: Callable[[], bytes], send: int) -> None:
    """Work, hand over, and end without the rest of what the process would do."""
    status = 1
    try:
        with os.fdopen(send, "wb") as pipe:
            pipe.write(work())
        status = 0
    finally:
        # no exception leaves this process: its stack is that of the other one
        os._exit(status)
