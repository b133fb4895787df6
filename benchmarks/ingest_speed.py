"""How long a repository of 500 Python files takes to be taken in, and taken in again.

    python benchmarks/ingest_speed.py [--files 500]

The repository is made here from modules of the running Python's standard library, and
taken in over `file://` by `git lg ingest --refresh` in a process of its own, as a person
does it: fetched, parted into passages, kept and indexed. Each time stands beside the
floor: a clone of the same depth, and `ast.parse` over its files.

    first         into an empty memory
    again         nothing has changed
    changed       one file in fifty has changed
"""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

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


def take(home: Path, root: Path) -> dict[str, object]:
    """Run `git lg ingest` as a person does; return what it says."""
    command = [sys.executable, "-m", "loopgraph_git", "ingest", "--json"]
    command += ["--refresh", f"file://{root}"]
    done = subprocess.run(command, cwd=home, check=True, capture_output=True)
    return json.loads(done.stdout)["items"][0]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root, home = folder / "theirs", folder / "ours"
        root.mkdir()
        home.mkdir()
        size = make(root, options.files)
        git(home, "init", "-q", "-b", "main")
        git(home, "commit", "-q", "--allow-empty", "-m", "Start")
        least = timed(lambda: floor(root, folder))
        said: list[dict[str, object]] = []
        times = {
            "first": timed(lambda: said.append(take(home, root))),
            "again": timed(lambda: said.append(take(home, root))),
        }
        for path in sorted(root.rglob("*.py"))[::50]:
            path.write_text(path.read_text("utf-8", "replace") + "\nCHANGED = True\n")
        git(root, "commit", "-q", "-a", "-m", "Change")
        times["changed"] = timed(lambda: said.append(take(home, root)))
        passages = said[0]["passages"]
        print(f"{options.files} files, {size / 1e6:.1f} MB, {passages} passages")
        print(f"{'floor':10} {least:6.2f} s")
        for (what, seconds), item in zip(times.items(), said, strict=True):
            print(
                f"{what:10} {seconds:6.2f} s  x {seconds / least:.2f}  {item['came']}"
            )


if __name__ == "__main__":
    main()
