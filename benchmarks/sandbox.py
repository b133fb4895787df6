"""What confining a run costs: the start and the end of a run at each level.

    python benchmarks/sandbox.py [REPEATS]

Each round starts the same empty Python program plainly and at every level that the
machine has, in turn. Prints the median milliseconds and the median ratio to the plain
start of the same round.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loopgraph_git.loop import runner, sandbox
from loopgraph_git.loop.cage import Level, Place, caged, needed

COMMAND = (sys.executable, "-S", "-E", "-c", "pass")


def plainly(folder: Path) -> None:
    """Run the program as a shell would."""
    subprocess.run(COMMAND, cwd=folder, check=True)


def confined(level: Level, folder: Path) -> None:
    """Run the program as a session would."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    env = runner.training_env({"TMPDIR": str(scratch)})
    place = Place(folder=folder, scratch=scratch, readable=tuple(needed(COMMAND, env)))
    ended = runner.run_command(
        COMMAND,
        folder=folder,
        log=folder / "log",
        limits=runner.Limits(wall_clock_seconds=60, disk_bytes=1 << 30),
        env=env,
        cage=caged(level, place),
    )
    assert ended.exit_code == 0, ended.tail


def main() -> None:
    """Measure, and print a line for each level."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    levels = [found.level for found in sandbox.probes() if not found.problem]
    took: dict[str, list[float]] = {"plain": [], **{str(x): [] for x in levels}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for _ in range(repeats):
            for kind, times in took.items():
                started = time.perf_counter()
                if kind == "plain":
                    plainly(folder)
                else:
                    confined(Level[kind.upper()], folder)
                times.append(time.perf_counter() - started)
    for kind, times in took.items():
        ratio = statistics.median(
            mine / plain for mine, plain in zip(times, took["plain"], strict=True)
        )
        print(f"{kind:<12}{statistics.median(times) * 1000:8.1f} ms{ratio:7.1f}x")


if __name__ == "__main__":
    main()
