"""Sessions with an LLM over real HTTP, with everything that goes wrong on the way."""

from __future__ import annotations

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from loopgraph_git.loop.chat import ChatProposer
from loopgraph_git.loop.endpoints import Endpoint
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.providers import ChatProvider, Patience
from loopgraph_git.loop.scripted import Trouble, scripted_server
from loopgraph_git.loop.session import Options
from loopgraph_git.loop.usage import estimated_tokens
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Status
from tests.conftest import Toy, git
from tests.loop.test_loop import Silent

# importing openai takes seconds: one test process has to do it, not all
pytestmark = pytest.mark.xdist_group("openai")

WORKLOAD = Path(__file__).parents[2] / "harness" / "tiny_nanochat"
TROUBLES = [
    Trouble(status=429, body="{}", headers={"retry-after": "0"}),
    Trouble(status=500, body='{"error": {"message": "oops"}}'),
    Trouble(hang_seconds=30),
    Trouble(body='{"choices": [{"message": {"content": "Title"}}]}', cut=25),
    Trouble(body="<html>Sign in</html>"),
    "  ",
    "Title: A patch\n\n```diff\n@@ ... @@\n-no such line\n+nor this\n```\n",
]


def answer(title: str, search: str, replace: str) -> str:
    """Return an answer that changes one place of train.py."""
    return (
        f"Title: {title}\nMethod: none\n\nWorth a try.\n\ntrain.py\n"
        f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"
    )


def session(root, answers, n):
    """Run a session of n experiments against a server; return it, asked, and spent."""
    with scripted_server(answers) as (url, asked), LoopGraph.open(root) as lab:
        patience = Patience(request_seconds=1.0, pause_seconds=0.01)
        at = Endpoint(name="scripted", base_url=url, local=True)
        made = ChatProvider("tiny", at=at, patience=patience)
        options = Options(session="s", n=n)
        ended = Loop(lab, ChatProposer(made), options, progress=Silent()).run()
        results = [lab.results_of(item.commit) for item in ended.experiments]
        return ended, asked, made.meter.total, [x for part in results for x in part]


def billed(asked):
    """Return what a server has told of usage, and an estimate of what hung."""
    told = sum(item["usage"]["total_tokens"] for item in asked if "usage" in item)
    hung = asked[2]
    return told + sum(estimated_tokens(item["content"]) for item in hung["messages"])


def check(found, n):
    ended, asked, total, results = found
    failed = [x.reason for x in ended.experiments if x.status is not Status.OK]
    assert (len(ended.experiments), failed) == (n, [])
    assert total.requests == len(asked)
    assert total.tokens == billed(asked)
    assert sum(result.tokens for result in results) == total.tokens


@pytest.mark.long
def test_every_token_of_a_session_with_troubles_is_in_its_records(toy):
    rates = [f"LEARNING_RATE = {number}e-3" for number in (1, 2, 3, 4)]
    answers = [answer(new, old, new) for old, new in pairwise(rates)]
    check(session(toy.root, [*TROUBLES, *answers], 3), 3)


@pytest.mark.torch
@pytest.mark.slow
def test_ten_experiments_on_tiny_nanochat_survive_all_of_it(tmp_path):
    pytest.importorskip("torch")
    toy = Toy(tmp_path / "tiny")
    shutil.copytree(WORKLOAD, toy.root, ignore=shutil.ignore_patterns("__pycache__"))
    git(toy.root, "init", "-q", "-b", "main")
    git(toy.root, "add", ".")
    git(toy.root, "commit", "-q", "-m", "Start")
    command = [sys.executable, "train.py"]
    toy.write(run=command, budget_seconds=2, timeout_seconds=120)
    place = "def get_lr_multiplier(progress: float) -> float:"
    # each fits whatever was kept before it
    answers = [
        answer(f"Number {n}", place, f"NUMBER_{n} = {n}\n\n\n{place}")
        for n in range(10)
    ]
    check(session(toy.root, [*TROUBLES, *answers], 10), 10)
