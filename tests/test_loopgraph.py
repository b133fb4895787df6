"""The SDK as programs and agents use it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from importlib.util import find_spec
from pathlib import Path

import pytest

from loopgraph import Agent, LoopGraph, ResearchFSClient
from loopgraph_git.errors import EditError, StoreError, UsageError
from loopgraph_git.records import Judgement, Result, Status
from tests.conftest import SOURCE, TRAIN, git

DOCS = Path(__file__).parents[1] / "docs" / "sdk.md"
EDITS = (("1e-3", "2e-3"), ("2e-3", "9e-3"), ("BATCH = 16", "BATCH = 8"))


def examples() -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL
    )


class Scripted:
    """An agent that turns one knob after the other, and a training run in words."""

    def __init__(self, *edits: tuple[str, str]) -> None:
        self.edits = list(edits)
        self.briefs: list[str] = []

    def edit(self, brief: str) -> str:
        self.briefs.append(brief)
        old, new = self.edits.pop(0)
        path = Path("train.py")
        path.write_text(path.read_text().replace(old, new))
        return f"Set {old} to {new}"

    def train(self) -> str:
        text = Path("train.py").read_text()
        rate = float(re.search(r"LEARNING_RATE = (\S+)", text)[1])
        batch = float(re.search(r"BATCH = (\S+)", text)[1])
        value = 1 + abs(rate - 4e-3) * 10 + abs(batch - 8) / 100
        return f"step 1\n---\nval_bpb: {value:.6f}\ndevice: cpu\n"


@pytest.fixture
def here(toy, monkeypatch):
    monkeypatch.chdir(toy.root)
    return toy


def test_the_loop_in_the_documentation_works_and_loses_nothing(here):
    agent = Scripted(*EDITS)
    head = git(here.root, "rev-parse", "HEAD")
    exec(examples()[1], {"edit": agent.edit, "train": agent.train})  # noqa: S102
    assert all("What to try next" in brief for brief in agent.briefs)
    listed = here.json("log")
    verdicts = sorted(x["verdict"] for x in listed if x["session"])
    assert verdicts == ["discard", "keep", "keep"]
    # each has its own code, though files and branch of the user are their own
    assert git(here.root, "rev-parse", "HEAD") == head
    assert git(here.root, "diff", "--cached", "--name-only") == ""
    lost = next(x for x in listed if x["verdict"] == "discard")
    assert "9e-3" in git(here.root, "show", f"{lost['commit']}:train.py")
    best = git(here.root, "show", "lg/agent-main:train.py")
    assert "2e-3" in best
    assert "BATCH = 8" in best
    assert best == Path("train.py").read_text().rstrip()
    asked = {x["retrieval"] for x in listed if x["session"]}
    assert all(asked)
    assert len(asked) == 3


@pytest.mark.usefixtures("here")
def test_the_agent_in_the_documentation_works(capsys):
    agent = Scripted(EDITS[0], ("2e-3", "9e-3"))
    exec(examples()[2], {"edit": agent.edit, "train": agent.train})  # noqa: S102
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("keep better by 0.01")
    assert second.startswith("discard worse by 0.03")
    assert Path("train.py").read_text() == TRAIN.replace("1e-3", "2e-3")


def test_every_verb_of_the_table_exists():
    text = DOCS.read_text()
    rows = re.findall(r"^\| `git lg \w+` \|(.*)\|(.*)\|$", text, re.MULTILINE)
    assert len(rows) > 8
    for cells in rows:
        for door, cell in zip((LoopGraph, ResearchFSClient), cells, strict=True):
            for name in re.findall(r"`(\w+)\(", cell):
                assert callable(getattr(door, name)), name


def test_the_folder_is_the_current_one(here):
    (here.root / "deep").mkdir()
    os.chdir(here.root / "deep")
    with LoopGraph() as lab:
        assert lab.repo.root == here.root
        assert lab.session == "agent-main"


@pytest.mark.usefixtures("here")
def test_a_run_is_recorded_from_words_and_from_a_log():
    Path("run.log").write_text("---\nval_bpb: 0.9\ndevice: cpu\n")
    with LoopGraph() as lab:
        for log in ("run.log", Path("run.log"), Path("run.log").read_text()):
            assert lab.record("HEAD", log=log).value == 0.9
        # the same log says nothing new
        oid = lab.repo.oid("HEAD")
        assert [x.value for x in lab.results_of(oid)] == [0.9]
        made = lab.record(value=0.7, verdict="keep", reason="told")
        assert (made.verdict, made.reason) == (Judgement.KEEP, "told")
        lab.record(oid, Result(status=Status.OK, metric="val_bpb", value=0.5))
        assert [x.value for x in lab.results_of(oid)] == [0.9, 0.7, 0.5]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "nothing to record"),
        ({"log": "no.log"}, "no.log cannot be read"),
        ({"status": "splendid"}, "no status is called 'splendid': ok, crash"),
        ({"log": ""}, "the log is empty"),
        ({"verdict": "good"}, "no verdict is called 'good': keep"),
        ({"loss": 1.0}, "nothing is called 'loss': metric"),
        ({"value": -1.0}, "no possible val_bpb"),
    ],
)
def test_what_cannot_be_recorded_is_explained(here, given, words):
    with LoopGraph(here.root) as lab:
        with pytest.raises(UsageError, match=words):
            lab.record("HEAD", **given)
        assert lab.experiments() == ()


@pytest.mark.usefixtures("here")
def test_an_edit_must_change_something_that_may_be_edited():
    with LoopGraph() as lab:
        with pytest.raises(EditError, match=r"nothing changed in train\.py"):
            lab.after_edit("Nothing")
        with pytest.raises(EditError, match=r"prepare\.py may not be edited"):
            lab.after_edit("Cheat", {"prepare.py": ""})
        oid = lab.after_edit(
            "Faster\n\nBecause.", {"train.py": "x = 1\n"}, methods=["gqa"]
        )
        assert lab.show(oid).methods == ("gqa",)
        assert Path("train.py").read_text() == TRAIN
        Path("train.py").unlink()
        with pytest.raises(EditError, match=r"train\.py cannot be read"):
            lab.after_edit("Gone")


def test_a_branch_that_is_checked_out_is_left_alone(here):
    git(here.root, "checkout", "-q", "-b", "lg/mine")
    with LoopGraph(session="mine") as lab:
        oid = lab.after_edit("Faster", {"train.py": TRAIN + "#\n"})
        with pytest.raises(UsageError, match="lg/mine is checked out"):
            lab.after_run(oid, value=0.5, verdict="keep")
    assert git(here.root, "rev-parse", "HEAD") == git(here.root, "rev-parse", "main")


def test_commits_of_the_agents_own_are_judged_against_their_parents(here):
    with LoopGraph() as lab:
        assert lab.after_run("HEAD", value=1.0).reason == "baseline"
        for text, value, verdict in (("1", 0.9, "keep"), ("2", 0.95, "discard")):
            Path("train.py").write_text(f"{TRAIN}# {text}\n")
            git(here.root, "commit", "-qam", f"Try {text}")
            assert lab.after_run("HEAD", value=value).verdict == verdict
        assert lab.baseline == lab.repo.oid("HEAD~1")
        # told twice, judged once
        again = lab.after_run("HEAD", value=0.95)
        assert (again.runs, len(lab.records_of(again.commit))) == (1, 2)


def test_another_run_of_the_baseline_measures_the_noise(here):
    with LoopGraph(here.root) as lab:
        for seed, value in enumerate((1.0, 1.1)):
            kept = lab.after_run("HEAD", value=value, seed=seed)
        assert (kept.runs, kept.reason) == (2, "baseline")
        oid = lab.after_edit("Faster", {"train.py": TRAIN + "#\n"})
        assert lab.after_run(oid, value=1.06).verdict == "discard"
        assert lab.show(oid).reason == "worse by 0.01 (noise 0.071)"
        better = lab.after_edit("Better", {"train.py": TRAIN + "##\n"})
        first = lab.after_run(better, value=0.8)
        again = lab.after_run(better, value=0.9)
        assert (again.runs, again.reason) == (2, first.reason)


@pytest.mark.usefixtures("here")
def test_an_agent_of_another_make_needs_the_hooks_alone():
    class Stranger:
        def use(self, plugin):
            self.plugin = plugin

    agent = Stranger()
    with LoopGraph() as lab:
        agent.use(lab)
        assert agent.plugin.before_proposal("lower val_bpb")
    for name in ("edit", "train", "undo"):
        with pytest.raises(NotImplementedError):
            getattr(Agent(), name)(*["brief"][: name == "edit"])


def test_answers_are_frozen_and_plain_json(here):
    with LoopGraph() as lab:
        lab.record("HEAD", value=1.0, verdict="keep")
        found = lab.log()
        answers = (found, lab.best(1), lab.search("rate"), lab.rank(), lab.suggest())
        for answer in answers:
            assert json.loads(json.dumps(answer.to_dict()))
        plain = json.loads(json.dumps(found.to_dict()))
        assert plain["items"] == here.json("log")
        with pytest.raises(FrozenInstanceError):
            found[0].value = 0.0
        with pytest.raises(TypeError):
            answers[3].standings["gqa"] = None
        with pytest.raises(TypeError):
            found[0] = None


@pytest.mark.skipif(find_spec("pandas") is None, reason="needs pandas")
@pytest.mark.usefixtures("here")
def test_answers_become_data_frames():
    with LoopGraph() as lab:
        lab.record("HEAD", value=1.0)
        frame = lab.log().to_dataframe()
        assert list(frame["value"]) == [1.0]
        assert len(lab.rank().to_dataframe()) > 10


@pytest.mark.skipif(find_spec("pandas") is not None, reason="pandas is here")
@pytest.mark.usefixtures("here")
def test_a_data_frame_without_pandas_names_it():
    with LoopGraph() as lab:
        for answer in (lab.log(), lab.rank()):
            with pytest.raises(UsageError, match="pip install pandas"):
                answer.to_dataframe()


@pytest.mark.usefixtures("here")
def test_what_was_closed_says_so():
    with LoopGraph() as lab:
        pass
    for use in (lab.log, lab.reconcile, lambda: lab.record("HEAD", value=1.0)):
        with pytest.raises(StoreError, match="was closed: open it again"):
            use()
    with LoopGraph() as lab:
        assert lab.log() == ()


@pytest.mark.long
def test_threads_share_one_and_lose_nothing(here):
    with LoopGraph() as lab:
        lab.reconcile()

        def work(number: int) -> None:
            lab.record("HEAD", value=1.0 + number, seed=number)
            lab.search("rate")
            lab.best(3)
            lab.reconcile()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(16)))
        assert lab.show("HEAD").runs == 16
        assert lab.client.store.check() == []
    assert here.json("show", "HEAD")["runs"] == 16


@pytest.mark.usefixtures("here")
def test_a_fork_has_to_open_its_own():
    code = """
import os
from loopgraph import LoopGraph
from loopgraph_git.errors import StoreError
lab = LoopGraph()
if os.fork() == 0:
    try:
        lab.log()
    except StoreError as error:
        print(error, flush=True)
    lab.close()
    with LoopGraph() as own:
        print(own.log(), flush=True)
    os._exit(0)
os.wait()
lab.record("HEAD", value=1.0)
print(len(lab.log()))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **SOURCE},
        capture_output=True,
        text=True,
        check=True,
    )
    said, empty, one = done.stdout.splitlines()
    assert "was opened before a fork: open it again in this process" in said
    assert (empty, one) == ("()", "1")


READ = """
import sys
from loopgraph import LoopGraph, ResearchFSClient
from loopgraph_git.errors import StoreKeptError
with LoopGraph() as lab:
    lab.reconcile()
    print(lab.read_only, [x.value for x in lab.log()], len(lab.search("rate")) > 0)
    print(lab.suggest().record, lab.show("HEAD").value)
    for write in (lab.reindex, lab.record, lambda: lab.after_edit("x")):
        try:
            write()
        except StoreKeptError as error:
            print(error)
path = lab.repo.home / "researchfs.db"
if path.exists():
    with ResearchFSClient(path) as client:
        print(client.read_only, [x.value for x in client.best()])
"""


@pytest.mark.long
@pytest.mark.parametrize("index", ["sound", "gone", "broken"])
def test_what_cannot_be_written_answers_all_the_same(here, index):
    limits = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everything")
    here.lg("record", "HEAD", "--value", "1.5")
    home = here.root / ".git" / "loopgraph"
    if index == "gone":
        shutil.rmtree(home)
    if index == "broken":
        (home / "researchfs.db").write_bytes(b"junk" * 2000)
    subprocess.run(["chmod", "-R", "a-w", here.root], check=True)
    python = [*(limits if os.geteuid() == 0 else []), sys.executable]
    done, noted = (
        subprocess.run(
            [*python, *words],
            env={**os.environ, **SOURCE, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        for words in (("-c", READ), ("-m", "loopgraph_git", "note"))
    )
    subprocess.run(["chmod", "-R", "u+w", here.root], check=True)
    assert (noted.returncode, noted.stdout) == (0, "session main\n  no notes\n")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["True [1.5] True", "None 1.5"], done.stderr
    assert all("cannot be written: questions" in line for line in lines[2:5])
    if index == "sound":
        assert lines[5:] == ["True [1.5]"]


def test_a_client_alone_answers_from_packs(tmp_path):
    with ResearchFSClient(tmp_path / "alone.db") as client:
        assert client.log() == client.best() == ()
        assert client.search("attention")
        assert client.suggest("lower the loss", "").suggestions
        with pytest.raises(UsageError, match="'abcd' is no experiment"):
            client.show("abcd")


@pytest.mark.usefixtures("here")
def test_a_client_reads_the_index_of_a_repository():
    with LoopGraph() as lab:
        oid = lab.record("HEAD", value=1.5).commit
        path = lab.repo.home / "researchfs.db"
    with ResearchFSClient(path) as client:
        assert client.show(oid[:8]).value == 1.5
        assert [x.commit for x in client.best(1)] == [oid]
