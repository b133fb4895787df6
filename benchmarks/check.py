"""How long `git lg check` takes to tell a repeat, from a fresh process.

    python benchmarks/check.py [--experiments 10000] [--lines 600] [--repeats 9]

Makes the repository of reindex.py and asks about the change of an experiment that was
discarded. Measures, interleaved:

    python, log     the start of Python, and `git lg log -n 1`: what any command costs
    check           a patch on stdin, after everything that was tried has been read
    check rev       the same change, named as a commit

and once the first check, which parses every version. Prints medians of the clock and
of the processor, and the ratio to `git lg log`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reindex import git, make, timed

if TYPE_CHECKING:
    from collections.abc import Callable

LG = [sys.executable, "-m", "loopgraph_git"]


def discarded(folder: Path) -> str:
    """Return the newest commit that was discarded."""
    shown = subprocess.run(
        [*LG, "log", "-n", "9", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    found = json.loads(shown)["items"]
    return next(str(x["commit"]) for x in found if x["verdict"] == "discard")


def call(folder: Path, argv: list[str], said: bytes, code: int) -> Callable[[], None]:
    """Return a call of a fresh process that has to end with a code."""

    def work() -> None:
        done = subprocess.run(argv, cwd=folder, input=said, capture_output=True)  # noqa: PLW1510
        if done.returncode != code:
            sys.exit(f"{argv} ended with {done.returncode}: {done.stderr.decode()}")

    return work


def measure(folder: Path, repeats: int) -> None:
    """Measure the calls in turn, and print the medians."""
    commit = discarded(folder)
    patch = git(folder, "show", commit)
    (folder / ".git/loopgraph/versions.db").unlink(missing_ok=True)
    works = {
        "python": call(folder, [sys.executable, "-c", "pass"], b"", 0),
        "log": call(folder, [*LG, "log", "-n", "1"], b"", 0),
        "check": call(folder, [*LG, "check", "-"], patch, 1),
        "check rev": call(folder, [*LG, "check", commit], b"", 1),
    }
    first, _ = timed(works["check"])
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            seconds[name].append(timed(work))
    version = git(folder, "version").decode().split()[2]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, git {version}; "
          f"medians of {repeats}")  # fmt: skip
    middle = {
        name: [statistics.median(column) for column in zip(*found, strict=True)]
        for name, found in seconds.items()
    }
    print(f"first check {first:7.3f} s")
    for name, (clock, processor) in middle.items():
        ratio = clock / middle["log"][0]
        print(f"{name:11} {clock:7.3f} s {processor:7.3f} s {ratio:5.2f} x log")


def main() -> None:
    """Make the repository, measure, print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--experiments", type=int, default=10_000)
    asked.add_argument("--lines", type=int, default=600, help="of the training script")
    asked.add_argument("--repeats", type=int, default=9)
    asked.add_argument("--folder", type=Path, help="use this one, and keep it")
    given = asked.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp()) / "repository"
    try:
        if not folder.exists():
            make(folder, given.experiments, given.lines)
        measure(folder, given.repeats)
    finally:
        if not given.folder:
            shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
