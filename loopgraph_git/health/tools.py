"""The tools beneath: git, GitPython, Python and SQLite, and what confines a run."""

from __future__ import annotations

import platform
import re
from importlib import metadata
from typing import TYPE_CHECKING

from loopgraph_git.health.finding import Finding
from loopgraph_git.loop import sandbox
from loopgraph_git.researchfs.connection import sqlite_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.git.repo import Repo

# older ones do not know core.fsync: a record would not survive a power loss
OLDEST_GIT = (2, 36)
OLDEST_GITPYTHON = (3, 2, 1)


def findings(repo: Repo) -> Iterator[Finding]:
    """Say which versions there are, and which of them are too old."""
    version = repo.text("version").removeprefix("git version ")
    yield _judged("git", version, OLDEST_GIT, "a power loss may cost records")
    yield Finding("python", f"{platform.python_version()}, SQLite {sqlite_version()}")
    version = metadata.version("GitPython")
    why = "its older versions hand arguments on to git unchecked"
    yield _judged("GitPython", version, OLDEST_GITPYTHON, why)
    yield _sandbox()


def _sandbox() -> Finding:
    tried = list(sandbox.probes())
    level = next(found.level for found in tried if not found.problem)
    missing = [f"no {found.level}: {found.problem}" for found in tried if found.problem]
    return Finding("sandbox", "; ".join([sandbox.keeps(level), *missing]))


def _judged(name: str, version: str, oldest: tuple[int, ...], why: str) -> Finding:
    numbers = tuple(int(word) for word in re.findall(r"\d+", version)[: len(oldest)])
    if numbers >= oldest:
        return Finding(name, version)
    wanted = ".".join(map(str, oldest))
    words = f"{version} is older than {wanted}: {why}; install a newer one"
    return Finding(name, words, ok=False)
