"""An agent that follows its own loop and never calls `git lg` loses nothing."""

from __future__ import annotations

import pytest

from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import TRAIN, git

# many sessions with processes of their own
pytestmark = pytest.mark.long


@pytest.fixture
def agent(toy):
    """Return a repository on an agent's branch, with our hooks in it."""
    toy.lg("hooks", "install")
    git(toy.root, "checkout", "-q", "-b", "autoresearch/mar8")
    return toy


def commit(toy, rate: str, *options: str) -> str:
    (toy.root / "train.py").write_text(TRAIN.replace("1e-3", rate))
    git(toy.root, "commit", "-qam", f"Rate {rate}", *options)
    return git(toy.root, "rev-parse", "HEAD")


def test_what_an_agent_commits_and_resets_is_kept_and_can_be_run(agent):
    tried = [commit(agent, rate) for rate in ("2e-3", "3e-3")]
    git(agent.root, "reset", "-q", "--hard", "main")
    git(agent.root, "reflog", "expire", "--expire=now", "--all")
    git(agent.root, "gc", "-q", "--prune=now")
    listed = {item["commit"] for item in agent.json("log")}
    assert set(tried) <= listed
    agent.lg("run", tried[1])
    assert agent.json("best", "-k", "1")[0]["commit"] == tried[1]


def test_an_amended_experiment_is_linked_and_results_stay_with_their_tree(agent):
    old = commit(agent, "2e-3")
    agent.lg("run", old)
    new = commit(agent, "4e-3", "--amend")
    listed = {item["commit"]: item for item in agent.json("log")}
    assert listed[old]["value"] is not None
    assert listed[new]["value"] is None
    with LoopGraph.open(agent.root) as lab:
        [link] = [r for r in lab.records_of(old) if r.kind == "link"]
    assert link.body == {"to": new, "how": "amend", "same_tree": False}
    before = agent.lg("log", "--json").stdout
    agent.lg("reindex")
    assert agent.lg("log", "--json").stdout == before


def test_a_new_message_alone_takes_the_results_along(agent):
    old = commit(agent, "2e-3")
    agent.lg("run", old)
    git(agent.root, "commit", "-q", "--amend", "-m", "A better message")
    new = git(agent.root, "rev-parse", "HEAD")
    listed = {item["commit"]: item for item in agent.json("log")}
    assert listed[new]["value"] is not None
    assert old not in listed


def test_reading_the_spool_again_adds_nothing(agent):
    old = commit(agent, "2e-3")
    agent.lg("run", old)
    spool = agent.root / ".git" / "loopgraph" / "spool"
    commit(agent, "4e-3", "--amend")
    noted = spool.read_text()
    agent.lg("log")
    assert not spool.exists()
    for text in (noted, "rewrite amend x y\nnonsense\n\0\n"):
        spool.write_text(text)
        agent.lg("log")
    with LoopGraph.open(agent.root) as lab:
        assert sum(r.kind == "link" for r in lab.records_of(old)) == 1


def test_ordinary_work_leaves_no_trace(toy):
    toy.lg("hooks", "install")
    commit(toy, "2e-3")
    commit(toy, "3e-3", "--amend")
    assert toy.json("log") == []
    assert git(toy.root, "for-each-ref", "refs/loopgraph", "refs/notes") == ""
