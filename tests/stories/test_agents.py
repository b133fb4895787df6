"""Coding agents in whole sessions: a generic one, and real ones that npm installs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from loopgraph_git.loop.hired.scripted_agents import Change, scripted_agent_server
from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import git
from tests.loop.hired.test_command import AGENT, RATE, SECRET

# many sessions with processes of their own
pytestmark = pytest.mark.long

OLD, NEW = "LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3"
CHANGE = Change(
    path="train.py",
    old=OLD,
    new=NEW,
    says="Title: Turn the rate up\nMethod: learning-rate\n\nIt is too low.",
)


def only(toy):
    """Return the one experiment that there is, and what its run came to."""
    (item,) = toy.tried()
    with LoopGraph.open(toy.root) as lab:
        return item, lab.results_of(item.commit)[0]


def script(toy, body):
    """Write an agent; return the command line that starts it."""
    path = toy.root.parent / "agent.py"
    path.write_text(AGENT.format(body=body))
    return shlex.join([sys.executable, "-S", "-E", str(path)])


def test_an_edit_of_an_agent_is_an_experiment_like_any_other(toy):
    command = script(toy, f"ask()\n{RATE}")
    with scripted_agent_server(CHANGE) as (url, asked):
        toy.lg(
            "experiment", "-n", "1", "--agent-command", command, "--provider", url,
            env={"LOOPGRAPH_API_KEY": SECRET},
        )  # fmt: skip
    item, _ = only(toy)
    assert (item.verdict, item.proposer) == ("keep", "command")
    assert (item.subject, item.methods) == ("Turn the rate up", ("learning-rate",))
    assert item.tokens == asked[0]["usage"]["total_tokens"]
    # one commit of ours on the baseline; the checkout of the user is as it was
    start = git(toy.root, "rev-parse", "HEAD")
    assert git(toy.root, "rev-parse", f"{item.commit}^") == start
    assert git(toy.root, "status", "--porcelain", "-uno") == ""
    note = git(toy.root, "grep", "-h", "told", *git(toy.root, "for-each-ref", "--format=%(objectname)", "refs/notes").split())  # fmt: skip
    assert '"agent":"python' in note
    assert SECRET not in note


def test_a_tool_that_asks_no_llm_needs_no_key(toy):
    toy.lg("experiment", "-n", "1", "--agent-command", script(toy, RATE))
    assert only(toy)[0].verdict == "keep"
    done = toy.lg("experiment", "-n", "1", "--agent", "claude", code=1)
    assert "no key for anthropic" in done.stderr


def test_the_settings_may_name_an_agent_and_are_trusted_with_it(toy):
    toy.write(agent="no-such-agent --quiet {brief}", proposer="command")
    done = toy.lg("experiment", "-n", "1", "--provider", "ollama", code=1)
    assert "no-such-agent is not installed" in done.stderr
    (toy.root / ".loopgraph.yml").write_text("agent: rm -rf .\nproposer: command\n")
    done = toy.lg("experiment", "-n", "1", "--provider", "ollama", code=3)
    assert "has changed since you trusted it" in done.stderr
    assert "rm -rf ." in done.stderr
    assert toy.tried() == []


def test_a_call_without_an_agent_or_with_one_that_nobody_knows_is_refused(toy):
    for words, problem in (
        (("--agent", "cluade"), "one of claude, codex"),
        (("--proposer", "command"), "name the coding agent"),
        (("--agent", "opencode"), "name the LLM for opencode"),
        (("--agent", "codex", "--proposer", "chat"), "--agent is for"),
        (("--agent-command", "'"), "no command line"),
        (("--agent-command", "x", "--agent", "codex"), "which of the two"),
    ):
        done = toy.lg("experiment", *words, "--provider", "ollama", code=2)
        assert problem in done.stderr


CLIS = {
    "claude": "@anthropic-ai/claude-code",
    "codex": "@openai/codex",
    "opencode": "opencode-ai",
}
# codex gives its newer models other tools; opencode has to be told one
MODELS = {"claude": (), "codex": (), "opencode": ("--model", "gpt-5")}


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Return what installs an agent by npm, once, and gives its folder of programs."""
    home = tmp_path_factory.getbasetemp().parent / "loopgraph-agents"

    def install(name):
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        folder = home / name
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, CLIS[name]],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"npm could not install {CLIS[name]}: {done.stderr[-300:]}")
        return folder / "node_modules" / ".bin"

    return install


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIS)
def test_a_real_agent_completes_an_experiment(toy, installed, name, monkeypatch):
    programs = installed(name)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    with scripted_agent_server(CHANGE) as (url, asked):
        toy.lg(
            "experiment", "-n", "1", "--agent", name, "--provider", url, *MODELS[name],
            env={"LOOPGRAPH_API_KEY": SECRET},
        )  # fmt: skip
    item, result = only(toy)
    assert item.verdict == "keep", result
    assert item.subject == "Turn the rate up"
    assert NEW in git(toy.root, "show", f"{item.commit}:train.py")
    told = [usage for usage in (one.get("usage") for one in asked) if usage]
    assert item.tokens == sum(tokens(usage) for usage in told)
    keys = [SECRET in str(one["headers"].values()) for one in asked]
    assert all(keys)


def tokens(usage):
    """Return input and output of a usage object, whichever protocol it is of."""
    if "total_tokens" in usage:
        return usage["total_tokens"]
    return sum(usage.values())
