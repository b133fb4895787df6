"""How long our hooks keep a `git commit` waiting, beside a hook that does nothing.

    python benchmarks/hook_latency.py [--repeats 30]

Times the whole of `git commit --allow-empty`, the quickest commit there is, in four
repositories that differ in their hooks only, in turns and in an order that changes:

    no hook         nothing in the folder of hooks
    no-op hook      a post-commit hook in sh that does nothing
    other branch    our hooks, on a branch that holds no experiments
    experiment      our hooks, on a branch whose commits are pinned

Prints the median and the least of each, both as a ratio to the no-op hook and as what
was added to it. What ours should stay under: twice the no-op hook, and 15 ms more.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from loopgraph_git.config import Config
from loopgraph_git.git import hooks
from loopgraph_git.git.repo import Repo

NO_OP = "#!/bin/sh\n:\n"
BRANCHES = {
    "no hook": "main",
    "no-op hook": "main",
    "other branch": "main",
    "experiment": "lg/latency",
}
WHO = {"NAME": "Ada Researcher", "EMAIL": "ada@example.com"}
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name[:4] != "GIT_"},
    **{f"GIT_AUTHOR_{key}": value for key, value in WHO.items()},
    **{f"GIT_COMMITTER_{key}": value for key, value in WHO.items()},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
COMMIT = ("commit", "--quiet", "--allow-empty", "--message", "Try")


def git(folder: Path, *args: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", *args], cwd=folder, env=ENVIRONMENT, check=True)


def prepare(folder: Path, name: str) -> Path:
    """Make a repository with the hooks and the branch of that name; returns it."""
    root = folder / name.replace(" ", "-")
    root.mkdir()
    git(root, "init", "--quiet", "--template=", "--initial-branch", BRANCHES[name])
    hook = root / ".git" / "hooks" / "post-commit"
    if name == "no-op hook":
        hook.parent.mkdir()
        hook.write_text(NO_OP)
        hook.chmod(0o755)
    elif name != "no hook":
        hooks.install(Repo(root), Config().branches)
    git(root, *COMMIT)
    return root


def measure(roots: dict[str, Path], repeats: int) -> dict[str, list[float]]:
    """Return the milliseconds that commits took, all in turns."""
    taken: dict[str, list[float]] = {name: [] for name in roots}
    chance = random.Random(0)
    for _ in range(repeats):
        for name in chance.sample(list(roots), len(roots)):
            started = time.perf_counter()
            git(roots[name], *COMMIT)
            taken[name].append((time.perf_counter() - started) * 1000)
    return taken


def machine(root: Path) -> str:
    """Return what the figures were measured with."""
    repo = Repo(root)
    how = ", ".join(f"{hook.event} as {hook.how}" for hook in hooks.status(repo))
    shell = Path("/bin/sh").resolve()
    return (
        f"{platform.platform()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; {repo.text('version')}, sh is {shell}; {how}"
    )


def report(taken: dict[str, list[float]]) -> None:
    """Print the figures, each beside those of the no-op hook."""
    middle, least = statistics.median(taken["no-op hook"]), min(taken["no-op hook"])
    print(f"{'':14}{'median ms':>10}{'ratio':>7}{'added':>7}", end="")
    print(f"{'min ms':>10}{'ratio':>7}{'added':>7}")
    for name, values in taken.items():
        print(f"{name:14}", end="")
        for value, floor in ((statistics.median(values), middle), (min(values), least)):
            print(f"{value:10.1f}{value / floor:7.2f}{value - floor:7.1f}", end="")
        print()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=30, metavar="N")
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory(prefix="loopgraph-") as name:
        roots = {kind: prepare(Path(name), kind) for kind in BRANCHES}
        print(machine(roots["experiment"]))
        print(f"{repeats} commits each, in turns")
        report(measure(roots, repeats))


if __name__ == "__main__":
    main()
