"""Which level of sandbox this machine really has: found by running it.

That a program is installed says nothing: Ubuntu's limit on user namespaces and
Docker's seccomp filter let bubblewrap start and then fail. So each level is asked to
do what it is for (to let one file be written, and another not) before it is believed.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import SandboxError
from loopgraph_git.loop import runner
from loopgraph_git.loop.cage import Level, Place, caged, needed

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBE_SECONDS = 20.0
# writes where it may, and must fail to write where it may not
_PROBE = 'echo in > "$1" && ! (echo out > "$2") 2>/dev/null && echo sound'
_KEEPS = {
    Level.BUBBLEWRAP: "no network, home hidden, protected files read-only",
    Level.LANDLOCK: "no TCP, home hidden; protected files compared, UDP open",
    Level.RLIMITS: "limits alone: network and the user's files are in reach",
    Level.NONE: "nothing but the environment and the clock",
}


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What came of trying one level: why it cannot be had, or ""."""

    level: Level
    problem: str = ""


def keeps(level: Level) -> str:
    """Return in a few words what a level keeps."""
    return f"{level} ({_KEEPS[level]})"


def probes() -> Iterator[Probed]:
    """Try every level, the best first."""
    for level in sorted(Level, reverse=True):
        yield probe(level)


@functools.cache
def probe(level: Level) -> Probed:
    """Try a level; the answer holds for as long as this process runs."""
    if level <= Level.RLIMITS:
        known = os.name == "posix"
        return Probed(level=level, problem="" if known or not level else "not POSIX")
    if sys.platform != "linux":
        return Probed(level=level, problem=f"{sys.platform} has no {level}")
    with tempfile.TemporaryDirectory(prefix="loopgraph-probe-") as name:
        return Probed(level=level, problem=_tried(level, Path(name).resolve()))


def _tried(level: Level, home: Path) -> str:
    folder, scratch, outside = home / "in", home / "scratch", home / "out"
    for path in (folder, scratch, outside):
        path.mkdir()
    words = (str(folder / "file"), str(outside / "file"))
    command = ("sh", "-c", _PROBE, "probe", *words)
    env = {"PATH": os.environ.get("PATH", os.defpath)}
    readable = (*needed(command, env), outside)
    place = Place(folder=folder, scratch=scratch, readable=tuple(readable))
    ended = runner.run_command(
        command,
        folder=folder,
        log=home / "log",
        limits=runner.Limits(wall_clock_seconds=_PROBE_SECONDS),
        env=env,
        cage=caged(level, place),
    )
    said = ended.tail.strip()
    if ended.exit_code == 0 and said == "sound":
        return ""
    return " ".join(said.split())[:160] or f"it ended with {ended.exit_code}"


def best() -> Level:
    """Return the highest level that works here."""
    return next(found.level for found in probes() if not found.problem)


def chosen(wanted: Level | None, least: Level) -> Level:
    """Return the level for a run: the one the user wants, else the best there is.

    Raises SandboxError where it does not work here, or is less than the settings
    ask for.
    """
    level = best() if wanted is None else wanted
    problem = probe(level).problem
    if problem:
        raise SandboxError(f"the sandbox {level} does not work here: {problem}")
    if level < least:
        missing = "; ".join(
            f"{found.level}: {found.problem}"
            for found in probes()
            if found.problem and found.level >= least
        )
        raise SandboxError(
            f"the sandbox is {level}, and .loopgraph.yml asks for {least} at least"
            f"{f' ({missing})' if missing else ''}: see docs/safety.md"
        )
    return level
