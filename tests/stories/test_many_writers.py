"""Many processes that write and sync at once: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from loopgraph_git.git import refs
from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import SOURCE, git

if TYPE_CHECKING:
    from loopgraph_git.git.repo import Repo

EACH = 200
WRITE = """
import sys
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Result, Status

folder, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with LoopGraph.open(folder) as lab:
    commits = lab.repo.text("rev-list", "main").split()
    for number in range(count):
        commit = lab.repo.oid(commits[number % len(commits)])
        lab.record(
            commit,
            Result(status=Status.OK, metric="m", value=number, excerpt=f"{name}-{number}"),
        )
"""
SYNC = """
import os
import sys
from loopgraph_git.loopgraph import LoopGraph

# until the last writer has ended, and once more
with LoopGraph.open(sys.argv[1]) as lab:
    while True:
        ended = os.path.exists(sys.argv[2])
        moved = lab.sync("origin")
        assert not moved.refused, moved
        assert not moved.writer, moved
        assert not moved.left_out, moved
        if ended:
            break
"""


def started(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        env={**os.environ, **SOURCE},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error


def written(folder) -> list[tuple[str, str]]:
    """Return name and writer of every line that the notes hold.

    Lines are counted as they stand in git, so that one that is there twice is seen.
    """
    with LoopGraph.open(folder) as lab:
        lab.reconcile()
        own = lab.notes.writer()
        tips = lab.notes.refs()
        tracked = refs.remote_notes("origin", own)
        found = list(lab.notes.records({ref: "" for ref in tips if ref != tracked}))
        assert lab.client.store.counts()["records"] == len(found)
        return sorted((record.body["excerpt"], record.writer) for record in found)


def expected(*names: str, count: int = EACH) -> list[str]:
    return sorted(f"{name}-{number}" for name in names for number in range(count))


@pytest.fixture
def hub(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main", "first")
    # a note is written anew with every line that it gains: no long ones here
    commit = "commit refs/heads/main\ncommitter a <a@b> 1760000000 +0000\ndata 0\n"
    git(tmp_path / "first", "fast-import", "--quiet", stdin=commit * 50)
    git(tmp_path, "clone", "-q", "--bare", "first", "hub.git")
    return tmp_path / "hub.git"


def clones(hub, *names: str):
    for name in names:
        git(hub.parent, "clone", "-q", str(hub), name)
    return [hub.parent / name for name in names]


@pytest.mark.long
def test_eight_writers_in_one_clone(hub):
    [folder] = clones(hub, "one")
    ended([started(WRITE, folder, f"w{number}", EACH) for number in range(8)])
    found = written(folder)
    assert [name for name, _ in found] == expected(*(f"w{n}" for n in range(8)))
    # all of them made the one id of this clone
    assert len({writer for _, writer in found}) == 1


@pytest.mark.long
def test_four_clones_that_sync_while_they_write(hub, tmp_path):
    folders = clones(hub, "a", "b", "c", "d")
    done = tmp_path / "done"
    writing = [started(WRITE, folder, folder.name, EACH) for folder in folders]
    # two at once in the first clone
    syncing = [started(SYNC, folder, done) for folder in [folders[0], *folders]]
    ended(writing)
    done.touch()
    ended(syncing)
    for folder in folders:
        with LoopGraph.open(folder) as lab:
            lab.sync("origin")
    found = [written(folder) for folder in folders]
    assert [name for name, _ in found[0]] == expected("a", "b", "c", "d")
    assert found[0] == found[1] == found[2] == found[3]
    assert len({writer for _, writer in found[0]}) == 4


@pytest.mark.long
def test_a_sync_that_is_killed_anywhere_and_done_again(hub):
    here, there = clones(hub, "here", "there")
    chance = random.Random(7)  # noqa: S311
    for number in range(12):
        with LoopGraph.open(here) as lab:
            oid = _pinned(lab.repo, number)
            ended([started(WRITE, here, f"k{number}", 1)])
        process = started(SYNC, here, here / "never")
        # the first 0.2 s are spent on starting Python
        time.sleep(0.15 + chance.random() * 0.25)
        # with its git, and without: that goes on beside the next sync
        kill = os.killpg if number % 2 else os.kill
        kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert git(here, "cat-file", "-t", oid) == "commit"
    for folder in (here, there):
        with LoopGraph.open(folder) as lab:
            lab.sync("origin")
    assert written(here) == written(there)
    assert [name for name, _ in written(there)] == sorted(f"k{n}-0" for n in range(12))
    with LoopGraph.open(there) as lab:
        subjects = {item.subject for item in lab.experiments()}
    assert subjects >= {f"Pinned {number}" for number in range(12)}


def _pinned(repo: Repo, number: int) -> str:
    """Make a commit that nothing but a pin keeps."""
    tree = f"{repo.oid('main')}^{{tree}}"
    oid = repo.text("commit-tree", "-m", f"Pinned {number}", "-p", "main", tree)
    git(repo.root, "update-ref", refs.PINS + oid, oid)
    return oid
