"""How long a repository of 500 Python files takes to be taken in, and taken in again.

    python benchmarks/ingest_speed.py [--files 500]

The repository is made here from modules of the running Python's standard library, and
fetched over `file://`. Each time is that of the whole: fetch, list, read, part into
passages, sketch, and write to an index on disk. Beside the first stands the floor: a
clone of the same depth, and `ast.parse` over its files.

    first         into an empty folder
    again         nothing has changed
    changed       one file in fifty has changed
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.git.visit import contents, find_address, visit
from loopgraph_git.library.chunk import chunks_of_document
from loopgraph_git.library.likeness import sketch
from loopgraph_git.library.repository import chosen, read_repository
from loopgraph_git.records import Paper
from loopgraph_git.researchfs.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

GIT = [
    "git",
    "-c",
    "user.name=x",
    "-c",
    "user.email=x@x",
    "-c",
    "core.hooksPath=/dev/null",
]


def git(folder: Path, *args: str) -> None:
    """Run git in a folder."""
    subprocess.run([*GIT, *args], cwd=folder, check=True, capture_output=True)


def make(root: Path, count: int) -> int:
    """Fill a repository with modules; return how many bytes they are."""
    source = Path(sysconfig.get_paths()["stdlib"])
    found = [p for p in sorted(source.rglob("*.py")) if "site-packages" not in p.parts]
    chosen_ = [p for p in found if 0 < p.stat().st_size < 400_000][:count]
    for path in chosen_:
        to = root / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    (root / "README.md").write_text("# A repository\n\nMade to be read.\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "--all", "--force")
    git(root, "commit", "-q", "-m", "All")
    return sum(path.stat().st_size for path in chosen_)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def floor(root: Path, folder: Path) -> None:
    """Clone as shallow, and parse every file."""
    git(folder, "clone", "-q", "--depth=1", f"file://{root}", "plain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in (folder / "plain").rglob("*.py"):
            try:
                ast.parse(path.read_bytes())
            except SyntaxError:
                continue


class Memory:
    """A copy that is kept, and an index."""

    def __init__(self, folder: Path, root: Path) -> None:
        address = find_address(f"file://{root}")
        assert address is not None
        self.address, self.kept = address, folder / "kept"
        self.store = Store.open(folder / "index.db")
        self.commit, self.passages = "", 0

    def take(self) -> None:
        """Take in what is new."""
        found = visit(self.kept, self.address)
        if found.commit == self.commit:
            return
        files = {file.path: file for file in found.files}
        paths, _ = chosen({path: file.size for path, file in files.items()})
        read = contents(self.kept, [files[path] for path in paths])
        document = read_repository(read, self.address.name)
        chunks = chunks_of_document(document, self.address.key)
        for chunk in chunks:
            sketch(chunk.body)
        paper = Paper(key=self.address.key, title=document.title, version=found.commit)
        with self.store.transaction():
            self.store.put_papers([paper])
            self.store.put_chunks(chunks)
        self.commit, self.passages = found.commit, len(chunks)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "theirs"
        root.mkdir()
        size = make(root, options.files)
        least = timed(lambda: floor(root, folder))
        memory = Memory(folder, root)
        times = {"first": timed(memory.take), "again": timed(memory.take)}
        for path in sorted(root.rglob("*.py"))[::50]:
            path.write_text(path.read_text("utf-8", "replace") + "\nCHANGED = True\n")
        git(root, "commit", "-q", "-a", "-m", "Change")
        times["changed"] = timed(memory.take)
        print(f"{options.files} files, {size / 1e6:.1f} MB, {memory.passages} passages")
        print(f"{'floor':10} {least:6.2f} s")
        for what, seconds in times.items():
            print(f"{what:10} {seconds:6.2f} s  x {seconds / least:.2f}")


if __name__ == "__main__":
    main()
