"""How a run ended, in one word and one line, from what is left of it."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from loopgraph_git.records import Status

if TYPE_CHECKING:
    from loopgraph_git.loop.runner import Ended

_LIMITS = {
    "log": (Status.CRASH, "wrote more than {mib} MiB of log"),
    "memory": (Status.OOM, "used {mib} MiB of memory, more than it may"),
    "disk": (Status.CRASH, "wrote {mib} MiB of files, more than it may"),
    "full": (Status.CRASH, "ended because the disk is full: {mib} MiB are free"),
    "processes": (Status.CRASH, "started {size} processes, more than it may"),
    "supervisor": (Status.REJECTED, "the run ended the process that watched it"),
}


def status_of(ended: Ended, value: float | None) -> tuple[Status, str]:
    """Name how a run ended, and why in words; `value` is the metric it printed."""
    if ended.stopped == "timeout":
        return Status.TIMEOUT, f"ended after {ended.seconds:.0f} s of wall clock"
    if ended.stopped in _LIMITS:
        status, words = _LIMITS[ended.stopped]
        size = ended.log_bytes if ended.stopped == "log" else ended.used
        return status, words.format(size=size, mib=size >> 20)
    if value is not None and value != value:  # noqa: PLR0124  NaN is unlike itself
        return Status.NAN, "the metric is not a finite number"
    if ended.exit_code == 0:
        if value is None:
            return Status.CRASH, "ended without printing the metric"
        return Status.OK, ""
    return _failure(ended)


_OOM = re.compile(
    r"OutOfMemoryError|out of memory|\bMemoryError\b|cannot allocate memory",
    re.IGNORECASE,
)
_NAN = re.compile(r"^FAIL\b|\bloss\b.*\b(nan|inf)\b|\bnan\b.*\bloss\b", re.IGNORECASE)


def _failure(ended: Ended) -> tuple[Status, str]:
    lines = [line for line in ended.tail.splitlines() if line.strip()]
    last = lines[-1].strip()[:200] if lines else "no output"
    if any(_OOM.search(line) for line in lines[-40:]):
        return Status.OOM, last
    if ended.exit_code == -signal.SIGKILL:
        return Status.OOM, "killed by the system (SIGKILL), most likely for its memory"
    if any(_NAN.search(line) for line in lines[-5:]):
        return Status.NAN, last
    if ended.exit_code is not None and ended.exit_code < 0:
        return Status.CRASH, f"ended by {signal.Signals(-ended.exit_code).name}: {last}"
    return Status.CRASH, last
