"""What an experiment costs outside its training: seconds, and a ratio.

    python benchmarks/overhead.py [-n 20] [--past 0]

Makes a repository whose training ends at once, and runs scripted edits of tiny_nanochat's
train.py through the whole loop: question, check, commit, pin, run, notes, verdict, index.
The time of the training command itself is taken away: what is left is the harness. The
floor beside it is what git alone takes to commit and annotate, in the same run.
`--past` puts so many experiments into the memory first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from loopgraph_git.cli.progress import Shown
from loopgraph_git.config import CONFIG_NAME
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.proposers import Proposal, ScriptedProposer
from loopgraph_git.loop.session import Options
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.resources import resource_dir

CONFIG = f"""\
run: [{sys.executable!r}, -S, -E, run.py]
metric: val_bpb
protected: [run.py]
budget_seconds: 1
"""
RUN = """\
import hashlib
code = open("train.py", "rb").read()
print("---")
print(f"val_bpb: {1 + hashlib.sha256(code).digest()[0] / 1000:.4f}")
"""


class TimedLoop(Loop):
    """A loop that takes the time of each experiment, its training left out."""

    def one(self) -> None:
        """Run one experiment."""
        self.times = getattr(self, "times", [])
        began = time.perf_counter()
        super().one()
        self.times.append(time.perf_counter() - began - self.done[-1].seconds)


def repository(folder: Path) -> Path:
    """Make a repository that trains at once."""
    folder.mkdir()
    source = resource_dir("harness") / "tiny_nanochat" / "train.py"
    (folder / "train.py").write_text(source.read_text())
    (folder / "run.py").write_text(RUN)
    (folder / CONFIG_NAME).write_text(CONFIG)
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Benchmark"],
        ["config", "user.email", "benchmark@example.com"],
        ["add", "."],
        ["commit", "-q", "-m", "Start"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def session(folder: Path, count: int, name: str) -> list[float]:
    """Run some experiments; return the seconds of each that were not training."""
    source = (folder / "train.py").read_text()
    edits = [
        Proposal(
            title=f"{name} {number}",
            files={"train.py": f"{source}\n{name.upper()}_{number} = {number}\n"},
        )
        for number in range(count)
    ]
    with LoopGraph.open(folder) as lab:
        options = Options(session=name, n=count)
        loop = TimedLoop(
            lab,
            ScriptedProposer(edits),
            options,
            progress=Shown(lab.config.metric, quiet=True),
        )
        loop.run()
    return loop.times


def floor(folder: Path, count: int) -> list[float]:
    """Return what git alone takes to commit and to annotate, in seconds."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        for command in (
            ["commit", "-q", "--allow-empty", "-m", f"{number}"],
            ["notes", "--ref", "floor", "add", "-m", "{}"],
        ):
            subprocess.run(["git", *command], cwd=folder, check=True)
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("--past", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = repository(Path(name) / "repository")
        if asked.past:
            session(folder, asked.past, "past")
        times = session(folder, asked.n, "now")
        least = floor(folder, asked.n)
    print(f"{asked.n} experiments, {asked.past} before them")
    print(f"outside training  median {median(times):.3f} s, worst {max(times):.3f} s")
    print(f"git commit + note median {median(least):.4f} s")
    print(f"ratio {median(times) / median(least):.1f}")


if __name__ == "__main__":
    main()
