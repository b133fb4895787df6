"""The command proposer: the edit of an agent comes back, and nothing else of it does."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import time
from pathlib import Path

import pytest

from loopgraph_git.config import load_config
from loopgraph_git.errors import BudgetError, OutageError, ProviderError
from loopgraph_git.git.repo import Repo
from loopgraph_git.loop import gate, runner, sandbox
from loopgraph_git.loop.cage import Level
from loopgraph_git.loop.endpoints import Endpoint
from loopgraph_git.loop.hired.agents import agent
from loopgraph_git.loop.hired.command import CommandProposer, Hiring
from loopgraph_git.loop.hired.scripted_agents import Change, scripted_agent_server
from loopgraph_git.loop.proposers import Request, Standing
from loopgraph_git.loop.usage import Meter
from tests.conftest import git

# many sessions with processes of their own
pytestmark = pytest.mark.long

# an agent in a few lines: it asks its LLM through the endpoint it is given, does what
# the test wants, and ends with the message that it is told to end with
AGENT = """\
import json, os, subprocess, sys, time, urllib.request
from pathlib import Path

def ask(**more):
    body = {{"model": "tiny", "messages": [{{"role": "user", "content": "hello"}}], **more}}
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
        {{"content-type": "application/json",
          "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}},
    )
    return urllib.request.urlopen(request, timeout=20).read()

def edit(old, new, path="train.py"):
    path = Path(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

brief = sys.stdin.read()
{body}
print("Title: Turn the rate up\\nMethod: learning-rate\\n\\nIt is too low.")
"""
RATE = 'edit("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3")'
SECRET = "sk-the-users-own-key"  # noqa: S105
CHANGE = Change(path="train.py", old="1e-3", new="2e-3")


STANDING = Standing(
    command="python train.py",
    budget_seconds=300,
    metric="val_bpb",
    direction="lower",
    values=(1.1, 1.102),
    noise=0.00141,
)


def hire(toy, body, *, meter=None, command="", away="", **more):
    """Have an agent make a proposal; return it, and what its LLM was asked."""
    script = toy.root.parent / "agent.py"
    script.write_text(AGENT.format(body=body))
    chosen = agent("", command or shlex.join([sys.executable, "-S", "-E", str(script)]))
    repo, config = Repo(toy.root), load_config(toy.root)
    baseline = repo.oid("HEAD")
    files = gate.editable_files(repo, baseline, config)
    request = Request(
        goal="lower it",
        files=files,
        suggestions=(),
        methods={},
        brief="- **`learning-rate`**: higher",
        check=lambda after: gate.check(files, after, config=config),
        protected=config.protected,
        standing=STANDING,
        baseline=str(baseline),
        session="s",
    )
    with scripted_agent_server(CHANGE) as (url, asked):
        at = Endpoint(name="scripted", base_url=away or url, local=True)
        hiring = Hiring(agent=chosen, at=at, key=SECRET, meter=meter or Meter())
        made = CommandProposer(hiring, repo=repo, config=config, **more)
        return made.propose(request), asked


def test_what_an_agent_edits_says_and_spends_is_the_proposal(toy):
    proposal, asked = hire(toy, f"ask()\nask(stream=True)\n{RATE}")
    assert "LEARNING_RATE = 2e-3" in proposal.files["train.py"]
    assert not proposal.failure
    assert (proposal.title, proposal.body) == ("Turn the rate up", "It is too low.")
    told = [one["usage"]["total_tokens"] for one in asked]
    assert proposal.tokens == sum(told)
    assert len(told) == 2
    assert proposal.edit["form"] == "files"
    assert proposal.edit["told"] > 200


def test_the_brief_says_how_it_is_measured_and_what_is_luck(toy):
    hire(toy, f'Path("{toy.root.parent}/brief").write_text(brief)\n{RATE}')
    brief = (toy.root.parent / "brief").read_text()
    for part in (
        "`python train.py` with 300 s", "`val_bpb`: lower is better", "1.101 (2 runs)",
        "varies by 0.0014", "prepare.py", "learning-rate", "Edit only train.py",
    ):  # fmt: skip
        assert part in brief, part


def test_a_brief_may_be_a_file(toy):
    line = "cp {brief} brief.txt && mv brief.txt train.py"
    proposal, _ = hire(toy, "", command=shlex.join(["sh", "-c", line]))
    assert proposal.files["train.py"].startswith("Make one experiment")


def test_what_may_be_edited_can_be_named_in_the_command_line(toy):
    proposal, _ = hire(toy, "", command="sed -i s/1e-3/2e-3/ {files}")
    assert "LEARNING_RATE = 2e-3" in proposal.files["train.py"]


def test_the_key_of_the_user_never_reaches_an_agent(toy, monkeypatch):
    monkeypatch.setenv("MY_OWN_TOKEN", "tok-1")
    seen = toy.root.parent / "env"
    _, asked = hire(
        toy, f'Path("{seen}").write_text(json.dumps(dict(os.environ)))\nask()\n{RATE}'
    )
    environ = seen.read_text()
    for secret in (SECRET, "tok-1", str(toy.root), os.environ["HOME"]):
        assert f'"{secret}' not in environ
    assert asked[0]["headers"]["authorization"] == f"Bearer {SECRET}"


def test_commits_of_an_agent_are_undone_and_nothing_that_it_planted_runs(toy):
    trap = toy.root.parent / "trap"
    before = git(toy.root, "for-each-ref"), (toy.root / ".git" / "config").read_text()
    body = f"""{RATE}
def run(*words):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)
run("commit", "-qam", "mine", "--no-gpg-sign")
run("branch", "mine")
run("config", "core.fsmonitor", "touch {trap};:")
run("config", "alias.status", "!touch {trap}")
for name in ("post-commit", "reference-transaction", "post-checkout", "pre-commit"):
    path = Path(".git/hooks") / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\\ntouch {trap}\\n")
    path.chmod(0o755)
"""
    proposal, _ = hire(toy, body)
    assert not proposal.failure
    assert proposal.edit["commits"] == 1
    assert not trap.exists()
    after = git(toy.root, "for-each-ref"), (toy.root / ".git" / "config").read_text()
    assert after == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('edit("10", "1", "prepare.py")', r"^prepare.py may not .*: it is protected"),
        ('Path("train.py").unlink()', "train.py was deleted"),
        ('Path("new.py").write_text("")', r"new.py may not be edited.*\(new\)"),
        ('Path("train.py").rename("model.py")', "train.py was renamed to model.py"),
        ('Path("train.py").chmod(0o755)', "train.py is a program now"),
        ('Path("train.py").unlink(); Path("train.py").symlink_to("/etc/passwd")',
         "train.py is a symlink now"),
        ('Path("train.py").unlink(); os.mkfifo("train.py")', "train.py is a special now"),
        ('Path(".gitattributes").write_text("* filter=x")', r"\.gitattributes .*obeys"),
        ('Path("a\\n\x1b[2Jb").write_text("")', r"a\\n\\x1b\[2Jb may not"),
        ("pass", "changed nothing"),
    ],
)  # fmt: skip
def test_everything_but_an_edit_is_refused_by_name(toy, body, reason):
    proposal, _ = hire(toy, body)
    assert re.search(reason, proposal.failure, re.DOTALL), proposal.failure


def test_what_is_ignored_and_what_python_leaves_is_no_change(toy):
    (toy.root / ".gitignore").write_text("*.log\n")
    git(toy.root, "add", ".gitignore")
    git(toy.root, "commit", "-qm", "Ignore logs")
    body = 'Path("run.log").write_text("")\nPath("__pycache__").mkdir()\nPath("__pycache__/x.pyc").write_text("")'
    proposal, _ = hire(toy, f"{body}\n{RATE}")
    assert not proposal.failure


@pytest.mark.parametrize("level", [Level.BUBBLEWRAP, Level.LANDLOCK])
def test_a_sandbox_keeps_the_user_and_the_network_from_an_agent(toy, level):
    problem = sandbox.probe(level).problem
    if problem:
        pytest.skip(f"no {level} here: {problem}")
    home = Path(os.environ["HOME"])
    home.mkdir(exist_ok=True)
    (home / ".netrc").write_text("machine a password planted")
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.listen()
        body = f"""
import socket
told = []
def attempt(name, do):
    try:
        do()
        told.append(name)
    except OSError:
        pass
attempt("reads a key", lambda: Path({str(home / ".netrc")!r}).read_text())
attempt("reads the checkout", lambda: Path({str(toy.root / "train.py")!r}).read_text())
attempt("", lambda: Path({str(toy.root.parent / "out")!r}).write_text(""))
attempt("connects", lambda: socket.create_connection(("127.0.0.1", {other.getsockname()[1]}), 2))
ask()
Path("x.tmp").write_text("")
Path(os.environ["TMPDIR"], "x").write_text("")
Path(os.environ["HOME"], "x").write_text("")
Path("x.tmp").unlink()
{RATE}
subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "mine"], check=True)
print("Title: It", ", ".join(filter(None, told)) or "does nothing else")
sys.exit()
"""
        proposal, asked = hire(toy, body, level=level)
    assert proposal.title == "It does nothing else"
    # inside bubblewrap it may write there, into memory
    assert not (toy.root.parent / "out").exists()
    assert not proposal.failure
    assert proposal.edit["commits"] == 1
    assert len(asked) == 1


def test_an_agent_that_hangs_is_ended_with_all_that_it_started(toy):
    toy.write(agent_seconds=0.7)
    pid = toy.root.parent / "pid"
    body = f"""{RATE}
child = subprocess.Popen(["sleep", "300"], start_new_session=True, env={{}})
Path("{pid}").write_text(str(child.pid))
time.sleep(300)"""
    began = time.monotonic()
    proposal, _ = hire(toy, body.replace("{{}}", "{}"))
    assert time.monotonic() - began < 30
    assert "was ended: it took over 0.7 s" in proposal.failure
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_user_who_stops_has_not_to_wait_for_an_agent(toy):
    watch = runner.Watch(should_stop=lambda: True)
    with pytest.raises(runner.InterruptedRunError):
        hire(toy, "time.sleep(300)", watch=watch)


def test_a_budget_ends_the_requests_of_an_agent(toy):
    meter = Meter(max_tokens=100)
    with pytest.raises(BudgetError, match="raise --max-tokens"):
        hire(toy, f"for _ in range(50): ask()\n{RATE}", meter=meter)
    assert 1 < meter.total.requests < 50


def test_an_agent_that_cannot_work_is_an_error_and_no_experiment(toy):
    with pytest.raises(ProviderError, match="ended with 1 and changed nothing: no lic"):
        hire(toy, "sys.exit('no licence')")
    with pytest.raises(OutageError, match=r"http://127.0.0.1:9/v1: .*refused"):
        hire(toy, "ask()", away="http://127.0.0.1:9/v1")
    with pytest.raises(ProviderError, match="no-such-tool is not installed"):
        hire(toy, "", command="no-such-tool --quiet")
