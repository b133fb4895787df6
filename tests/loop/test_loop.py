"""The loop on real repositories and real processes, with scripted proposals."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopgraph_git.errors import LockedError, LoopGraphError, RecordError
from loopgraph_git.git.worktree import open_session
from loopgraph_git.loop.cage import Level
from loopgraph_git.loop.journal import Stage
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.proposers import Proposal, ScriptedProposer
from loopgraph_git.loop.session import Options
from loopgraph_git.loop.workbench import Workbench
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Judgement, Status
from tests.conftest import SOURCE, TRAIN, git, make_toy


class Silent:
    """Progress that is kept in a list."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, best):
        self.best = best

    def say(self, text):
        self.said.append(text)

    def training(self, subject, seconds):
        self.said.append(f"training {subject} for {seconds:g} s")

    def line(self, text):
        pass

    def measured(self, result):
        self.said.append(f"measured {result.value}")

    def finished(self, experiment, number, total):
        self.said.append(f"{number}/{total} {experiment.verdict}")


def edit(title: str, old: str, new: str) -> Proposal:
    assert old in TRAIN
    return Proposal(title=title, files={"train.py": TRAIN.replace(old, new)})


def run(toy, proposals, **options):
    with LoopGraph.open(toy.root) as lab:
        progress = Silent()
        made = Options(session="s", n=len(proposals), **options)
        loop = Loop(lab, ScriptedProposer(proposals), made, progress=progress)
        ended = loop.run()
        return ended, lab.experiments(session="s")[::-1], progress.said


def snapshot(root: Path) -> dict[str, str]:
    """Return a digest of everything the user owns in a repository."""
    kept = {"refs/heads/main": git(root, "rev-parse", "HEAD")}
    paths = [p for p in root.rglob("*") if p.is_file() and ".git" not in p.parts]
    paths += [root / ".git" / name for name in ("HEAD", "index", "config")]
    for path in paths:
        kept[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return kept


BAD = {
    "does not compile": (
        edit("No colon", "def main():", "def main()"),
        Status.REJECTED,
        "does not compile: line 11",
    ),
    "changes nothing": (
        Proposal(title="Nothing", files={"train.py": TRAIN}),
        Status.REJECTED,
        "the edit changes nothing",
    ),
    "a protected file": (
        Proposal(title="Goalposts", files={"prepare.py": "evaluate = lambda *_: 0\n"}),
        Status.REJECTED,
        "prepare.py may not be edited",
    ),
    "raises": (
        edit(
            "Boom", "    budget =", "    raise ValueError('no layer 7')\n    budget ="
        ),
        Status.CRASH,
        "no layer 7",
    ),
    "past the budget": (
        edit("Sleepy", "    budget =", "    import time; time.sleep(60)\n    budget ="),
        Status.TIMEOUT,
        "wall clock",
    ),
    "not a number": (
        edit("NaN", "evaluate(LEARNING_RATE, BATCH)", "float('nan')"),
        Status.NAN,
        "not a finite number",
    ),
    "fills the log": (
        edit(
            "Chatty", "    budget =", "    while True: print('x' * 999)\n    budget ="
        ),
        Status.CRASH,
        "MiB of log",
    ),
    "rewrites the evaluator": (
        edit(
            "Sly",
            "    budget =",
            "    open('pre' + 'pare.py', 'a').write('#')\n    budget =",
        ),
        Status.REJECTED,
        "the run changed prepare.py",
    ),
    "an impossible value": (
        edit("Too good", "evaluate(LEARNING_RATE, BATCH)", "-37.8"),
        Status.REJECTED,
        "-37.8 is no possible value",
    ),
}


@pytest.mark.long
def test_every_way_to_fail_is_recorded_with_its_reason_and_the_loop_goes_on(toy):
    toy.write(timeout_seconds=2, log_limit_mb=1)
    good = edit("Higher rate", "1e-3", "2e-3")
    before = snapshot(toy.root)
    # bubblewrap would let none of them get as far
    ended, found, _ = run(
        toy, [*(item[0] for item in BAD.values()), good], sandbox=Level.RLIMITS
    )
    assert len(ended.experiments) == len(BAD) + 1
    by_subject = {item.subject: item for item in found}
    for proposal, status, words in BAD.values():
        item = by_subject[proposal.title]
        assert item.status is status, item
        assert item.verdict is Judgement.CRASH
        assert words in item.reason
        assert item.value is None
    assert by_subject["Boom"].excerpt.startswith("Traceback")
    assert "ValueError: no layer 7" in by_subject["Boom"].excerpt
    assert by_subject["Higher rate"].verdict is Judgement.KEEP
    assert snapshot(toy.root) == before


def test_code_of_what_was_refused_can_still_be_read(toy):
    _, found, _ = run(toy, [BAD["does not compile"][0], BAD["a protected file"][0]])
    by_subject = {item.subject: item for item in found}
    code = git(toy.root, "show", f"{by_subject['No colon'].commit}:train.py")
    assert "def main()\n" in code
    # the protected file of the other proposal is in no commit
    kept = git(toy.root, "show", f"{by_subject['Goalposts'].commit}:prepare.py")
    assert "lambda" not in kept


@pytest.mark.long
def test_only_what_beats_the_noise_advances_the_branch(toy):
    better = edit("Better", "1e-3", "2e-3")
    worse = Proposal(title="Worse", files={"train.py": TRAIN.replace("1e-3", "9e-3")})
    tiny = Proposal(
        title="Tiny", files={"train.py": TRAIN.replace("1e-3", "2.00001e-3")}
    )
    _, found, said = run(toy, [better, worse, tiny])
    verdicts = {item.subject: item.verdict for item in found}
    assert verdicts == {
        "Better": Judgement.KEEP,
        "Worse": Judgement.DISCARD,
        "Tiny": Judgement.DISCARD,
    }
    tip = git(toy.root, "log", "-1", "--format=%s", "lg/s")
    assert tip == "Better"
    assert said[1:5] == [
        "training baseline, run 1 of 2 for 5 s",
        "measured 1.11",
        "training baseline, run 2 of 2 for 5 s",
        "measured 1.111",
    ]


def test_a_commit_carries_what_was_known_before_training(toy):
    proposal = Proposal(
        title="Try it",
        files={"train.py": TRAIN.replace("1e-3", "2e-3")},
        methods=("learning-rate",),
        body="Because.",
    )
    _, [item], _ = run(toy, [proposal])
    message = git(toy.root, "show", "-s", "--format=%B", item.commit)
    assert message.splitlines() == [
        "Try it",
        "",
        "Because.",
        "",
        "Loopgraph-Method: learning-rate",
        f"Loopgraph-Retrieval: {item.retrieval}",
        "Loopgraph-Proposer: scripted",
        "Loopgraph-Session: s",
    ]
    assert item.methods == ("learning-rate",)
    assert item.retrieval


def test_the_same_code_is_not_trained_twice(toy):
    once = edit("Once", "1e-3", "9e-3")
    remark = edit("Again", "1e-3", "9e-3  # a remark changes nothing")
    _, found, _ = run(toy, [once, remark])
    by_subject = {item.subject: item for item in found}
    again = by_subject["Again"]
    assert again.status is Status.REJECTED
    short = by_subject["Once"].commit.short
    assert f"the same code was tried as {short} (Once): discard, worse" in again.reason


def test_a_baseline_that_does_not_train_stops_the_session_in_words(toy):
    (toy.root / "train.py").write_text("raise SystemExit('no data')\n")
    git(toy.root, "commit", "-qam", "Break")
    with pytest.raises(LoopGraphError, match="does not train") as caught:
        run(toy, [edit("Never", "1e-3", "2e-3")])
    assert "no data" in str(caught.value)


@pytest.mark.long
def test_on_another_platform_the_baseline_is_measured_again(toy):
    machine = toy.root.parent / "torch version"
    printed = f"    print('torch_version:', open({str(machine)!r}).read())\n"
    train = TRAIN.replace(
        '    print("device: cpu")\n', '    print("device: cpu")\n' + printed
    )
    (toy.root / "train.py").write_text(train)
    git(toy.root, "commit", "-qam", "Say where")
    toy.write(read=[str(machine)])
    machine.write_text("2.0")
    scripts = [train.replace("1e-3", "2e-3"), train.replace("1e-3", "3e-3")]
    first, second = (Proposal(title=x[50:99], files={"train.py": x}) for x in scripts)
    run(toy, [first])
    machine.write_text("3.0")
    _, found, said = run(toy, [second])
    assert [item.verdict for item in found] == [Judgement.KEEP] * 2
    assert sum(line.startswith("training baseline") for line in said) == 2
    # the kept tip has results of both by now, and the latest counts
    assert {item.platform.split("torch ")[1] for item in found} == {"3.0"}


def test_a_session_runs_once_at_a_time(toy):
    holder = (
        "import sys, time\nfrom pathlib import Path\n"
        "from loopgraph_git.git.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    lock = toy.root / ".git" / "loopgraph" / "journal" / "s.lock"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(lock)],
        stdout=subprocess.PIPE,
        env={**os.environ, **SOURCE},
    ) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match="the session s is in use"):
            run(toy, [edit("Never", "1e-3", "2e-3")])
        process.kill()


def test_a_branch_that_was_moved_meanwhile_is_not_overwritten(toy):
    def move(entry):
        if entry.stage == Stage.PROPOSED:
            tree = toy.root / ".git" / "loopgraph" / "worktrees" / "s"
            git(tree, "commit", "-q", "--allow-empty", "-m", "Mine")

    with LoopGraph.open(toy.root) as lab:
        script = ScriptedProposer([edit("Try", "1e-3", "2e-3")])
        options = Options(session="s", n=1)
        loop = Loop(lab, script, options, progress=Silent(), on_stage=move)
        with pytest.raises(LoopGraphError, match=r"git branch -f lg/s [0-9a-f]{40}"):
            loop.run()
    assert git(toy.root, "log", "-1", "--format=%s", "lg/s") == "Mine"


KILLER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.loop.test_loop import Silent
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.session import Options
from loopgraph_git.loop.proposers import RecipeProposer
from loopgraph_git.loopgraph import LoopGraph

def die(entry):
    if entry.number == 2 and entry.stage == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

with LoopGraph.open(Path(sys.argv[1])) as lab:
    options = Options(session="main", n=4)
    Loop(lab, RecipeProposer(), options, progress=Silent(), on_stage=die).run()
"""


@pytest.mark.long
@pytest.mark.parametrize("stage", list(Stage))
def test_killed_at_any_stage_the_same_command_goes_on(toy, stage):
    root = str(Path(__file__).parents[2])
    killed = subprocess.run(
        [sys.executable, "-c", KILLER.format(root=root), str(toy.root), str(stage)],
        env={**os.environ, **SOURCE},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    toy.lg("experiment", "-n", "4")
    found = toy.tried()
    assert len(found) == 4
    assert all(item.verdict and item.runs == 1 for item in found)
    with LoopGraph.open(toy.root) as lab:
        kinds = [str(r.kind) for item in found for r in lab.records_of(item.commit)]
    assert (kinds.count("result"), kinds.count("verdict")) == (4, 4)


@pytest.mark.long
def test_no_training_process_outlives_its_harness_and_the_session_goes_on(tmp_path):
    toy = make_toy(tmp_path / "toy")
    marker = tmp_path / "sleeps"
    marker.touch()
    slow = TRAIN.replace(
        "    budget =",
        f"    import pathlib, time\n    if pathlib.Path({str(marker)!r}).exists():\n"
        f"        time.sleep(300)\n    budget =",
    )
    (toy.root / "train.py").write_text(slow)
    git(toy.root, "commit", "-qam", "Slow")
    toy.write(timeout_seconds=600, read=[str(tmp_path)])
    command = [sys.executable, "-m", "loopgraph_git", "experiment", "-n", "1"]
    env = {**os.environ, **SOURCE}
    harness = subprocess.Popen(
        command,
        cwd=toy.root,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    place = str(toy.root / ".git" / "loopgraph" / "worktrees" / "main")
    deadline = time.monotonic() + 30
    while not (found := _training_in(place)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found
    harness.kill()
    harness.wait()
    deadline = time.monotonic() + 10
    while _training_in(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _training_in(place)
    marker.unlink()
    toy.lg("experiment", "-n", "1")
    assert len(toy.tried()) == 1


def _training_in(folder: str) -> list[int]:
    """Return the training processes whose working directory is a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = str((path / "cwd").readlink()) == folder
            if here and b"train.py" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_a_run_that_the_index_passed_over_is_told_of(toy):
    with LoopGraph.open(toy.root) as lab:
        lab.reconcile()
        head = lab.repo.oid("HEAD")
        tree = open_session(lab.repo, "s", baseline=head)
        bench = Workbench(
            lab, tree, Options(session="s"), Silent(), should_stop=lambda: False
        )
        with pytest.raises(RecordError, match="`git lg doctor` says why"):
            bench.verdict(head, head)
