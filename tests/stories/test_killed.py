"""A session of ten, killed fifty times at random: ten experiments, each once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys

import pytest

from tests.conftest import SOURCE

pytestmark = pytest.mark.slow
KILLS = 50


def plan(toy):
    """Return what the session's call still has to do, None once it has ended."""
    path = toy.root / ".git" / "loopgraph" / "journal" / "main.json"
    try:
        plain = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return plain["plan"] if plain["plan"] or plain["entry"] else None


def command(toy):
    return subprocess.Popen(
        [sys.executable, "-m", "loopgraph_git", "experiment", "-n", "10", "-q"],
        cwd=toy.root,
        env={**os.environ, **SOURCE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("seed", range(2))
def test_a_session_of_ten_is_ten_experiments_however_often_it_dies(toy, seed):
    # knobs enough for ten different edits that all train in no time
    pack = toy.root / ".loopgraph" / "packs" / "toy.yml"
    pack.write_text(
        pack.read_text().replace("values: [4]", "values: [3, 4, 5, 6, 7, 8, 9, 0.5]")
    )
    toy.write()
    chance = random.Random(seed)  # noqa: S311
    kills = 0
    while plan(toy) is not None:
        running = command(toy)
        if kills < KILLS:
            try:
                running.wait(timeout=chance.uniform(0.1, 0.7))
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                kills += 1
        assert running.wait(timeout=120) in (0, -signal.SIGKILL)
    found = [item for item in toy.tried() if item.reason != "baseline"]
    assert len(found) == 10
    assert len({item.tree for item in found}) == 10
    assert all(item.verdict for item in found)
    assert kills == KILLS
