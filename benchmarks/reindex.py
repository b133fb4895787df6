"""How long the index takes to build, and to answer, beside the least it could take.

    python benchmarks/reindex.py [--experiments 10000] [--lines 600] [--repeats 3]

Makes a repository with `git fast-import` (every experiment a commit that changes a few
constants of a training script, two records each, all folded into one archive), then
measures, interleaved and each from a fresh process:

    floor           read all commits and notes in bulk with git, parse the JSON, put the
                    texts into one FTS5 table: what any index has to do
    reindex         `git lg reindex`
    log, best       `git lg log -n 20` and `git lg best -k 20`
    first show      `git lg show` behind a reindex, which finds the records in git
    later show      the same again
    changes floor   `git diff-tree` of all commits, into one FTS5 table
    first search    `git lg search` behind a reindex, which reads the changes
    later search    the same again

Prints seconds of the clock and of the processor, and the ratio of each to the floor of
the same run; for the first search to the floor of the changes. On a machine that does
other things, those of the processor tell more. The package is compiled first, as an
installed one is.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import random
import re
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import loopgraph_git
from loopgraph_git.records import Kind, Oid, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRITER = "0123456789ab"
SESSION_LENGTH = 100
KEPT = 500
METHODS = ("swiglu", "muon-lr", "gqa", "batch-half", "warmdown", "depth", "rope", "ema")
WHO = "Ada Researcher <ada@example.com>"
START = 1_760_000_000


def script(lines: int, values: dict[int, float]) -> bytes:
    """Return a training script: constants, each used by a function of a few lines."""
    parts = []
    for number in range(lines // 6):
        value = values.get(number, number / 100)
        parts += [
            f"CONSTANT_{number} = {value}",
            "",
            f"def block_{number}(x, weight, norm):",
            f"    hidden = norm(x) @ weight * CONSTANT_{number}",
            f"    return x + hidden.square().mean(dim=-{number % 3 + 1})",
            "",
        ]
    return "\n".join(parts).encode()


def data(content: bytes) -> bytes:
    """Return what fast-import reads a text from."""
    return b"data %d\n" % len(content) + content + b"\n"


def commits(count: int, lines: int) -> Iterator[bytes]:
    """Yield the stream of a baseline and of experiments, each third one kept."""
    chance = random.Random(0)
    values: dict[int, float] = {}
    yield b"commit refs/heads/main\nmark :1\n"
    yield f"committer {WHO} {START} +0000\n".encode() + data(b"Baseline")
    yield b"M 100644 inline train.py\n" + data(script(lines, values))
    tip = 1
    for number in range(count):
        mark, method = number + 2, chance.choice(METHODS)
        changed = {
            **values,
            chance.randrange(lines // 6): round(chance.random(), 4),
            chance.randrange(lines // 6): round(chance.random(), 4),
        }
        message = (
            f"Try {method} with a step of {chance.random():.3f}\n\n"
            f"Hypothesis: the loss of block {chance.randrange(99)} falls faster.\n\n"
            f"Loopgraph-Method: {method}\nLoopgraph-Proposer: recipe\n"
            f"Loopgraph-Session: s{number // SESSION_LENGTH}\n"
        )
        yield f"commit refs/heads/x\nmark :{mark}\n".encode()
        yield f"committer {WHO} {START + 300 * mark} +0000\n".encode()
        yield data(message.encode()) + f"from :{tip}\n".encode()
        yield b"M 100644 inline train.py\n" + data(script(lines, changed))
        if number % 3 == 0:
            tip, values = mark, changed


def archive(count: int) -> Iterator[bytes]:
    """Yield the stream of the commits that keep all experiments alive."""
    ref = f"refs/loopgraph/keep/{WRITER}"
    yield f"commit {ref}\ncommitter {WHO} {START} +0000\n".encode() + data(b"Begin")
    for start in range(2, count + 2, KEPT):
        yield f"commit {ref}\ncommitter {WHO} {START} +0000\n".encode() + data(b"Keep")
        for mark in range(start, min(start + KEPT, count + 2)):
            yield f"merge :{mark}\n".encode()


def records(oids: list[tuple[Oid, Oid]]) -> Iterator[tuple[Oid, list[Record]]]:
    """Yield a result and a verdict for every commit and tree."""
    chance = random.Random(1)
    for number, (commit, tree) in enumerate(oids):
        value = 1.1 - number / len(oids) / 10 + chance.gauss(0, 0.01)
        result = {
            "status": "ok", "metric": "val_bpb", "value": round(value, 6),
            "seconds": 311.5, "peak_memory_mb": 44321.0, "protocol": "p" * 16,
            "platform": "cuda/h100/torch-2.9", "argv": ["uv", "run", "train.py"],
            "metrics": {"mfu_percent": 39.8, "num_steps": 953, "depth": 8},
            "log_sha256": f"{number:064x}", "log_bytes": 48213,
            "curve": [[step, 9 / (step + 1)] for step in range(0, 900, 100)],
        }  # fmt: skip
        verdict = {
            "value": "keep" if number % 3 == 0 else "discard", "delta": 0.001,
            "noise": 0.002, "n": 3, "reason": f"gain of {value:.4f} over the baseline",
            "baseline": str(oids[0][0]),
        }  # fmt: skip
        bodies = {Kind.RESULT: result, Kind.VERDICT: verdict}
        yield (
            commit,
            [
                Record(kind=kind, commit=commit, tree=tree, writer=WRITER,
                       seq=2 * number + place + 1, body=body,
                       ts=1000 * (START + 300 * number + place))
                for place, (kind, body) in enumerate(bodies.items())
            ],
        )  # fmt: skip


def git(folder: Path, *args: str, stdin: bytes | None = None) -> bytes:
    """Run git and return what it printed."""
    done = subprocess.run(
        ["git", "-C", folder, *args], input=stdin, stdout=subprocess.PIPE, check=True
    )
    return done.stdout


def make(folder: Path, count: int, lines: int) -> None:
    """Make the repository."""
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    stream = b"".join([*commits(count, lines), *archive(count), b"done\n"])
    marks = folder / ".git" / "marks"
    git(folder, "fast-import", "--quiet", "--done", f"--export-marks={marks}",
        stdin=stream)  # fmt: skip
    pairs = (line.split() for line in marks.read_text().splitlines())
    names = dict(sorted((int(mark[1:]), oid) for mark, oid in pairs))
    asked = "".join(f"{names[mark]}^{{tree}}\n" for mark in range(2, count + 2))
    trees = git(folder, "cat-file", "--batch-check=%(objectname)",
                stdin=asked.encode()).decode().split()  # fmt: skip
    oids = [(Oid(names[place + 2]), Oid(tree)) for place, tree in enumerate(trees)]
    ref = f"refs/notes/loopgraph/{WRITER}"
    parts = [f"commit {ref}\ncommitter {WHO} {START} +0000\n".encode() + data(b"Notes")]
    for commit, written in records(oids):
        note = "\n".join(record.encode() for record in written) + "\n"
        parts.append(f"N inline {commit}\n".encode() + data(note.encode()))
    git(folder, "fast-import", "--quiet", "--done", stdin=b"".join([*parts, b"done\n"]))
    git(folder, "update-ref", "-d", "refs/heads/x")
    git(folder, "reset", "-q", "--hard", "main")
    git(folder, "gc", "-q")


def floor(folder: Path) -> None:
    """Do what no index gets around: read everything once, and put it into FTS5."""
    ref = f"refs/notes/loopgraph/{WRITER}"
    listed = git(folder, "notes", f"--ref={ref}", "list").decode().splitlines()
    pairs = [row.split() for row in listed]
    wanted = "".join(f"{blob}\n{commit}\n" for blob, commit in pairs)
    raw = git(folder, "cat-file", "--batch", "--buffer", stdin=wanted.encode())
    texts, position = [], 0
    for _ in pairs:
        found = []
        for _ in range(2):
            end = raw.index(b"\n", position)
            size = int(raw[position:end].split()[2])
            found.append(raw[end + 1 : end + 1 + size].decode())
            position = end + 2 + size
        said = [json.loads(line) for line in found[0].splitlines() if line]
        message = found[1].partition("\n\n")[2]
        texts.append((message, str(said[-1]["reason"])))
    index(texts)


def changes_floor(folder: Path) -> None:
    """Read what every experiment changed, and put it into FTS5."""
    listed = git(folder, "rev-list", "--min-parents=1", "--max-parents=1", "--all")
    changes = git(
        folder, "diff-tree", "--stdin", "-r", "-p", "-U1", "--no-renames", stdin=listed
    ).decode("utf-8", "replace")
    parts = re.split(r"^[0-9a-f]{40}\n", changes, flags=re.MULTILINE)
    index([("", part) for part in parts[1:]])


def index(texts: list[tuple[str, str]]) -> None:
    """Put texts into an FTS5 table on disk."""
    with tempfile.TemporaryDirectory() as place:
        db = sqlite3.connect(Path(place) / "floor.db")
        db.execute("CREATE VIRTUAL TABLE t USING fts5(message, said)")
        with db:
            db.executemany("INSERT INTO t VALUES(?, ?)", texts)
        db.close()


FLOORS = {"floor": floor, "changes floor": changes_floor}


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return how many seconds a process takes: by the clock, and of the processor."""
    clock, processor = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = sum(used[:2]) - sum(processor[:2])
    return time.perf_counter() - clock, spent


def main() -> None:
    """Make the repository, measure, print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--experiments", type=int, default=10_000)
    asked.add_argument("--lines", type=int, default=600, help="of the training script")
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--folder", type=Path, help="use this one, and keep it")
    asked.add_argument("--only", choices=FLOORS, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.only:
        FLOORS[given.only](given.folder)
        return
    folder = given.folder or Path(tempfile.mkdtemp()) / "repository"
    try:
        if not folder.exists():
            taken, _ = timed(lambda: make(folder, given.experiments, given.lines))
            print(f"made {given.experiments} experiments in {taken:.1f} s")
        measure(folder, given.repeats)
    finally:
        if not given.folder:
            shutil.rmtree(folder.parent)


def measure(folder: Path, repeats: int) -> None:
    """Measure floors and commands in turn, and print the medians."""
    compileall.compile_dir(Path(loopgraph_git.__file__).parent, quiet=1)
    this = [sys.executable, __file__, "--folder", str(folder), "--only"]
    works = {name: started(folder, [*this, name]) for name in FLOORS}
    for name, words in COMMANDS.items():
        argv = [sys.executable, "-m", "loopgraph_git", *words.split()]
        works[name] = started(folder, argv)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            seconds[name].append(timed(work))
    middle = {
        name: tuple(map(statistics.median, zip(*found, strict=True)))
        for name, found in seconds.items()
    }
    version = git(folder, "version").decode().split()[2]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, git {version}, "
          f"SQLite {sqlite3.sqlite_version}; medians of {repeats}")  # fmt: skip
    print(f"{'':14} {'clock':>9} {'processor':>9}   x floor")
    for name, (clock, processor) in middle.items():
        least = middle["changes floor" if name == "first search" else "floor"]
        print(
            f"{name:14} {clock:7.3f} s {processor:7.3f} s"
            f" {clock / least[0]:5.2f} {processor / least[1]:5.2f}"
        )


COMMANDS = {
    "reindex": "reindex",
    "log": "log -n 20",
    "best": "best -k 20",
    "first show": f"show refs/loopgraph/keep/{WRITER}^2",
    "later show": f"show refs/loopgraph/keep/{WRITER}^2",
    "first search": "search warmdown",
    "later search": "search warmdown",
}


def started(folder: Path, argv: list[str]) -> Callable[[], object]:
    """Return a call of a fresh process."""
    return lambda: subprocess.run(
        argv, cwd=folder, stdout=subprocess.DEVNULL, check=True
    )


if __name__ == "__main__":
    main()
