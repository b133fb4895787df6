"""How long a search takes, beside grep and ripgrep over the same texts.

    python benchmarks/search_speed.py [--chunks 100000] [--queries 200]

The texts are the sources of this Python's standard library, tests included, cut into
pieces of 1 KB; when they are used up they are cut again from another offset. They go
into an index on disk, and into a folder with a file each. Every query is a few
different words of one piece, so that frequent words are asked for often.

    search        the ten best, with snippets and the words that matched
    ripgrep, grep the names of the files that hold any of the words, without an order

Prints the build, a single insert into the full index, and p50 and p99 in ms for 1, 3
and 8 words; for ripgrep and grep the ratio of p50 too. They are measured in turn and
with fewer queries, since each takes seconds. All files are in the page cache.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.records import Chunk, Paper
from loopgraph_git.researchfs.search import search
from loopgraph_git.researchfs.store import Store
from loopgraph_git.researchfs.words import STOP_WORDS, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 1000
WORDS = (1, 3, 8)
INSERTS = 200
FOLDERS = 100
SCANNERS = {
    "ripgrep": ["rg", "--files-with-matches", "--ignore-case", "--fixed-strings"],
    "grep": ["grep", "-r", "--files-with-matches", "--ignore-case", "--fixed-strings"],
}


def pieces() -> Iterator[tuple[str, str]]:
    """Yield the name of a file and a piece of it, from eight offsets in turn."""
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = [path for path in sorted(root.rglob("*.py"))
             if "site-packages" not in path.parts]  # fmt: skip
    for eighth in (0, 4, 2, 6, 1, 3, 5, 7):
        for path in paths:
            text = path.read_text("utf-8", "replace")
            for start in range(eighth * SIZE // 8, len(text) - SIZE + 1, SIZE):
                yield path.stem, text[start : start + SIZE]


def write(folder: Path, texts: list[tuple[str, str]]) -> None:
    """Write a file for each text."""
    for number in range(FOLDERS):
        (folder / str(number)).mkdir(parents=True)
    for number, (_, text) in enumerate(texts):
        (folder / str(number % FOLDERS) / f"{number}.txt").write_text(text)


def queries(texts: list[tuple[str, str]], words: int, count: int) -> list[list[str]]:
    """Return queries of so many words, each query from one text."""
    chance = random.Random(words)
    found: list[list[str]] = []
    while len(found) < count:
        spelt = {
            word
            for word in tokens(chance.choice(texts)[1])
            if len(word) > 2 and word not in STOP_WORDS and not word.isdigit()
        }
        if len(spelt) >= words:
            found.append(chance.sample(sorted(spelt), words))
    return found


def milliseconds(
    work: Callable[[list[str]], object], asked: list[list[str]]
) -> list[float]:
    """Return how long each query takes; the first is asked twice."""
    work(asked[0])
    spent = []
    for query in asked:
        started = time.perf_counter()
        work(query)
        spent.append(1000 * (time.perf_counter() - started))
    return sorted(spent)


def scan(argv: list[str], folder: Path) -> Callable[[list[str]], object]:
    """Return a search by a program that reads all files."""

    def work(query: list[str]) -> object:
        words = [part for word in query for part in ("-e", word)]
        return subprocess.run(
            [*argv, *words, str(folder)], stdout=subprocess.DEVNULL, check=False
        )

    return work


def inserts(store: Store, texts: list[tuple[str, str]]) -> list[float]:
    """Return how long single inserts take, each a transaction of its own."""
    spent = []
    for number, (title, body) in enumerate(texts[:INSERTS]):
        place = len(texts) + number
        chunk = Chunk(paper=f"file:{title}", ord=place, title=title, body=body)
        started = time.perf_counter()
        store.put_chunks([chunk])
        spent.append(1000 * (time.perf_counter() - started))
    return sorted(spent)


def told(spent: list[float]) -> str:
    """Return the median and the slowest hundredth."""
    return f"{statistics.median(spent):9.2f} {spent[int(len(spent) * 0.99)]:9.2f}"


def measure(folder: Path, texts: list[tuple[str, str]], count: int) -> None:
    """Build, insert, search; print as it goes."""
    started = time.perf_counter()
    store = Store.open(folder / "speed.db")
    papers = sorted({title for title, _ in texts})
    store.put_papers(Paper(key=f"file:{title}", title=title) for title in papers)
    store.put_chunks(
        Chunk(paper=f"file:{title}", ord=number, title=title, body=body)
        for number, (title, body) in enumerate(texts)
    )
    store.optimise()
    size = (folder / "speed.db").stat().st_size / 1e6
    print(f"build {time.perf_counter() - started:.1f} s, {size:.0f} MB")
    write(folder / "files", texts)
    print(f"{'':18} {'p50 ms':>9} {'p99 ms':>9}")
    scanners = {
        name: scan(argv, folder / "files")
        for name, argv in SCANNERS.items()
        if shutil.which(argv[0])
    }
    for words in WORDS:
        asked = queries(texts, words, count)
        mine = milliseconds(
            lambda query: search(store, " ".join(query), kinds=("chunk",)), asked
        )
        print(f"search, {words} words    {told(mine)}")
        for name, work in scanners.items():
            theirs = milliseconds(work, asked[: max(5, count // 20)])
            ratio = statistics.median(theirs) / statistics.median(mine)
            print(f"  {name:16} {told(theirs)}  {ratio:.0f} x", flush=True)
    print(f"one insert         {told(inserts(store, texts))}")
    store.close()


def main() -> None:
    """Cut the texts, measure, remove everything."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--chunks", type=int, default=100_000)
    asked.add_argument("--queries", type=int, default=200)
    given = asked.parse_args()
    texts = [text for text, _ in zip(pieces(), range(given.chunks), strict=False)]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, "
          f"SQLite {sqlite3.sqlite_version}; {len(texts)} chunks of {SIZE} characters")  # fmt: skip
    for name, argv in SCANNERS.items():
        if not shutil.which(argv[0]):
            print(f"{name} is not installed, and left out")
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place), texts, given.queries)


if __name__ == "__main__":
    main()
