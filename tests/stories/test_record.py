"""An agent with a loop of its own runs the training itself; the outcome is recorded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import TRAIN, git

# many sessions with processes of their own
pytestmark = pytest.mark.long

LOG = """\
step 00001 (50.0%) | loss: 3.5
step 00002 (100.0%) | loss: 3.1
---
val_bpb:          0.997900
training_seconds: 300.1
total_seconds:    325.9
peak_vram_mb:     45060.2
"""


@pytest.fixture
def agent(toy):
    """Return a repository on an agent's branch, with our hooks and no settings."""
    toy.lg("hooks", "install")
    (toy.root / ".loopgraph.yml").unlink()
    git(toy.root, "checkout", "-q", "-b", "autoresearch/mar8")
    return toy


def edit(toy, old: str, new: str) -> str:
    text = (toy.root / "train.py").read_text()
    (toy.root / "train.py").write_text(text.replace(old, new))
    git(toy.root, "commit", "-qam", f"{old} becomes {new}")
    return git(toy.root, "rev-parse", "HEAD")


def train(toy) -> None:
    """Do as the agent does: run, everything into run.log."""
    with (toy.root / "run.log").open("w") as log:
        subprocess.run(
            [sys.executable, "-S", "-E", "train.py"],
            cwd=toy.root,
            env={**os.environ, "LOOPGRAPH_BUDGET_SECONDS": "5"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )


def log(toy, text: str) -> None:
    (toy.root / "run.log").write_text(text)


def results(toy, rev: str = "HEAD"):
    with LoopGraph.open(toy.root) as lab:
        return lab.results_of(lab.repo.oid(rev))


def test_commit_run_record_reset(agent):
    train(agent)
    agent.lg("record", "--log", "run.log", "--verdict", "keep", "--reason", "baseline")
    kept = edit(agent, "1e-3", "2e-3")
    train(agent)
    agent.lg("record", "--log", "run.log", "--verdict", "keep")
    lost = edit(agent, "BATCH = 16", "BATCH = 64")
    train(agent)
    agent.lg("record", "--log", "run.log")
    git(agent.root, "reset", "-q", "--hard", "HEAD~1")
    broken = edit(agent, "BATCH = 16", "BATCH = oops")
    train(agent)
    told = agent.lg("record", "--log", "run.log", "--verdict", "crash").stdout
    assert "NameError: name 'oops' is not defined" in told
    git(agent.root, "reset", "-q", "--hard", "HEAD~1")
    git(agent.root, "reflog", "expire", "--expire=now", "--all")
    git(agent.root, "gc", "-q", "--prune=now")
    # decided later, by the start of a name that no branch has any more
    agent.lg("record", lost[:7], "--verdict", "discard", "--reason", "worse")
    found = {item["commit"]: item for item in agent.json("log")}
    assert agent.json("best", "-k", "1")[0]["commit"] == kept
    assert found[kept]["delta"] == pytest.approx(0.01)
    assert found[lost]["verdict"] == "discard"
    assert found[lost]["delta"] == pytest.approx(-0.48)
    assert (found[broken]["status"], found[broken]["value"]) == ("crash", None)
    assert "+BATCH = 64" in agent.lg("show", lost[:7]).stdout
    assert "all readable" in agent.lg("doctor", code=1).stdout


def test_the_same_log_twice_adds_nothing(agent):
    log(agent, LOG)
    assert agent.json("record", "--log", "run.log")["added"] == ["result"]
    tips = git(agent.root, "for-each-ref")
    assert "nothing added" in agent.lg("record", "--log", "run.log").stdout
    assert git(agent.root, "for-each-ref") == tips
    items = agent.json("record", "--log", "run.log", "--verdict", "keep")
    assert (items["added"], items["runs"]) == (["verdict"], 1)
    assert agent.json("record", "--verdict", "keep")["added"] == []
    assert agent.json("record", "--log", "run.log", "--again")["runs"] == 2
    log(agent, LOG.replace("0.9979", "0.9959"))
    assert agent.json("record", "--log", "run.log")["value"] == pytest.approx(0.9972333)


def test_what_a_log_says(agent):
    log(agent, LOG)
    agent.lg("record", "--log", "run.log", "--seed", "7")
    [result] = results(agent)
    assert (result.value, result.seconds, result.seed) == (0.9979, 325.9, 7)
    assert result.peak_memory_mb == 45_060.2
    assert result.curve == ((1.0, 3.5), (2.0, 3.1))
    assert result.log_bytes == len(LOG)
    assert result.evaluation == "self_reported"
    assert "not run here" in result.sandbox
    # nobody said which command it was
    assert result.argv == ()
    assert result.budget_seconds is None


def test_without_a_log(agent):
    given = ["--value", "0.5", "--metric", "accuracy", "--seconds", "9"]
    agent.lg("record", *given, "--memory-mb", "100", "--platform", "A100 · torch 2.8")
    agent.lg("record", *given, "--memory-mb", "100", "--platform", "A100 · torch 2.8")
    agent.lg("record", "--status", "timeout", "--reason", "over ten minutes")
    first, second = results(agent)
    assert (first.metric, first.value, first.seconds) == ("accuracy", 0.5, 9)
    assert (first.peak_memory_mb, first.platform) == (100, "A100 · torch 2.8")
    assert (second.status, second.reason) == ("timeout", "over ten minutes")
    assert "cpu" not in second.platform
    agent.lg("record", "--value", "nan")
    assert [x.status for x in results(agent)] == ["ok", "timeout", "nan"]


def test_nothing_and_not_known_are_told_apart(agent):
    edit(agent, "BATCH = 16", "BATCH = 8")
    agent.lg("record", "--value", "0", "--metric", "accuracy")
    shown = agent.lg("show", "HEAD").stdout
    assert "accuracy:  0.000000\n" in shown
    header, row = agent.lg("log", "-n", "1").stdout.splitlines()
    # how long it took was not said
    assert header.split()[:4] == ["commit", "accuracy", "gain", "seconds"]
    assert row.split()[1:4] == ["0.0000", "-", "-"]


def test_values_of_several_metrics_stand_below_none_of_them(agent):
    for rate, metric in (("0.2", "accuracy"), ("0.3", "val_bpb")):
        edit(agent, "BATCH = ", f"BATCH = {rate} + ")
        agent.lg("record", "--value", rate, "--metric", metric, "--seconds", "9")
    header, *rows = agent.lg("log").stdout.splitlines()
    assert header.split()[:3] == ["commit", "metric", "value"]
    told = [row.split()[1:5] for row in rows]
    assert ["accuracy", "0.2000", "-", "9"] in told
    assert ["val_bpb", "0.3000", "-", "9"] in told


def test_a_metric_may_be_called_as_it_likes(agent):
    edit(agent, "BATCH = ", "BATCH = 1 + ")
    agent.lg("record", "--value", "0.5", "--metric", "platform", "--platform", "A100")
    shown = agent.lg("show", "HEAD").stdout
    assert "platform:  0.500000\n" in shown
    assert "platform:  A100\n" in shown


def test_a_run_as_the_settings_say_compares_with_runs_of_ours(toy):
    toy.lg("run", "HEAD")
    train(toy)
    toy.lg("record", "--log", "run.log", "--again")
    ours, theirs = results(toy)
    assert (theirs.protocol, theirs.platform) == (ours.protocol, ours.platform)
    assert theirs.sandbox != ours.sandbox
    text = (toy.root / "run.log").read_text()
    log(toy, text.replace("training_seconds: 5.0", "training_seconds: 60.0"))
    assert "not compared" in toy.lg("record", "--log", "run.log").stderr
    assert results(toy)[-1].protocol.startswith("recorded ")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("step 1 loss: 3\nTraceback (most recent call last):\nKeyError: 1\n", "crash"),
        (f"{LOG}Traceback (most recent call last):\nOSError: full\n", "crash"),
        ("x\ntorch.OutOfMemoryError: CUDA out of memory\n", "oom"),
        ("FAIL: loss is nan\n", "nan"),
        (LOG.replace("0.997900", "nan"), "nan"),
        (LOG.replace("0.997900", "0.000000"), "rejected"),
        (f"Traceback (most recent call last):\nOSError: a worker\n{LOG}", "ok"),
    ],
)
def test_how_a_run_ended(agent, text, status):
    log(agent, text)
    assert agent.json("record", "--log", "run.log")["status"] == status
    told = agent.lg("record", "--log", "run.log", "--again").stdout
    assert (f"recorded as {status}" in told) is (status != "ok")


def test_secrets_stay_out_of_the_notes(agent):
    key = "sk-" + "a" * 40
    log(agent, f"{LOG}api: {key}\nTraceback (most recent call last):\nE: {key}\n")
    agent.lg("record", "--log", "run.log", "--verdict", "crash", "--reason", key)
    with LoopGraph.open(agent.root) as lab:
        written = [r.encode() for r in lab.records_of(lab.repo.oid("HEAD"))]
    assert len(written) == 2
    assert key not in "".join(written)


def test_doubts_are_told(agent):
    log(agent, LOG)
    os.utime(agent.root / "run.log", (0, 0))
    (agent.root / "train.py").write_text(TRAIN + "# more\n")
    told = agent.lg("record", "--log", "run.log").stderr
    assert "uncommitted changes" in told
    assert "older than" in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "nothing to record"),
        (["--log", "no.log"], "no.log"),
        (["--log", "empty.log"], "empty: is the run over?"),
        (["--log", "run.log", "--value", "1"], "the log says val_bpb 0.9979"),
        (["--log", "other.log"], "the log says val_loss and no val_bpb"),
        (["--status", "ok"], "with which val_bpb? Add `--value`"),
        (["--value", "0"], "0 is no possible val_bpb"),
        (["nowhere", "--value", "1"], "names no commit"),
        (["--value", "1", "--seconds", "-1"], "--seconds"),
    ],
)
def test_wrong_calls_leave_no_trace(agent, given, words):
    log(agent, LOG)
    (agent.root / "empty.log").write_text("\n")
    (agent.root / "other.log").write_text("---\nval_loss: 3.0\n")
    code = 1 if "nowhere" in given else 2
    assert words in agent.lg("record", *given, code=code).stderr
    assert git(agent.root, "for-each-ref", "refs/loopgraph", "refs/notes") == ""
