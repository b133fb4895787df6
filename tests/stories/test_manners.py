"""What every command owes its user: words for odd calls, and never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

import pytest

from loopgraph_git.cli import main
from tests.conftest import PREPARE, SOURCE, Toy, git

HUGE = "9" * 30

# each is a command or two, and all together they are half a minute
pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    "call",
    [
        "log -n -1",
        "best -k 0",
        "rank -k -1",
        "export -n 0",
        "experiment --hours nan",
        "experiment --max-cost nan",
        "run --budget nan",
        "record --seconds nan",
        "gc --logs-older-than nan",
        "experiment --seed -1",
        f"experiment --seed {HUGE}",
        f"record --value 1 --seed {HUGE}",
    ],
)
def test_a_number_that_makes_no_sense_is_wrong_usage(toy, call):
    name, *_, given = call.split()
    said = toy.lg(*call.split(), code=2).stderr
    assert f"git-lg {name} --help" in said
    assert given.removesuffix(".0") in said


@pytest.mark.parametrize(
    "call", ["log -n", "best -k", "rank -k", "search x -k", "suggest -k", "export -n"]
)
def test_more_than_there_is_is_all_there_is(toy, call):
    toy.lg(*call.split(), HUGE)


def test_outside_of_a_repository_the_folder_is_named(tmp_path):
    said = Toy(tmp_path).lg("log", code=1).stderr
    assert f"{tmp_path} is not in a git repository" in said


def test_before_the_first_commit_the_next_step_is_a_commit(tmp_path):
    git(tmp_path, "init", "-q")
    for call in (["init"], ["suggest"], ["check"]):
        done = Toy(tmp_path).lg(*call, code=2 if call == ["check"] else 1)
        assert "no commit yet" in done.stderr
        assert "`git commit`" in done.stderr


def test_one_thing_is_no_plural(toy):
    said = toy.lg("experiment", "-n", "1").stderr
    assert "1 experiment on lg/main" in said
    told = toy.lg("experiment", "--summary").stdout
    assert "1 experiment on lg/main: " in told
    assert "0 s of training" in told
    (toy.root / "log.tsv").write_text(toy.lg("export").stdout)
    told = toy.lg("import", "log.tsv", "--dry-run").stdout
    assert "rows of session log" in told
    (toy.root / "log.tsv").write_text("commit\tval_bpb\tstatus\nabcdef1\t1.0\tkeep\n")
    assert "1 row of session log" in toy.lg("import", "log.tsv", "--dry-run").stdout
    own = str(next((toy.root / ".loopgraph" / "packs").glob("*.yml")))
    assert "1 pack, " in toy.lg("packs", "validate", own).stdout


def test_what_to_do_next_stands_in_columns(toy):
    toy.lg("experiment", "-n", "1")
    told = toy.lg("experiment", "--summary").stdout
    steps = told.partition("Next:\n")[2].splitlines()
    assert len({len(step.rpartition("   ")[0]) for step in steps}) == 1


def test_a_preview_is_data_too(toy):
    found = toy.json("experiment", "--dry-run")
    assert found["session"] == "main"
    assert found["commit"] == git(toy.root, "rev-parse", "HEAD")
    assert {item["method"] for item in found["applies"]}
    assert all(item["why"] for item in found["does_not"])


def test_the_best_so_far_is_no_lucky_run_of_the_baseline(toy):
    # nothing is better than the baseline, whose runs are 1 and 1.001
    best = PREPARE.replace("4e-3", "1e-3").replace("batch - 8", "batch - 16")
    (toy.root / "prepare.py").write_text(best)
    git(toy.root, "commit", "-qam", "Begin at the best")
    said = toy.lg("experiment", "-n", "1").stderr
    assert "discard" in said
    assert "(best 1.000500)" in said


def test_a_filter_that_leaves_nothing_is_named(toy):
    toy.lg("experiment", "-n", "1")
    said = toy.lg("log", "--session", "nope", "--verdict", "crash").stdout
    assert said.startswith("no experiment of session nope with the verdict crash: ")


def run(toy: Toy, command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command.replace("LG", f"{sys.executable} -m loopgraph_git")],
        cwd=toy.root,
        env={**os.environ, **SOURCE, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_reader_that_has_gone_is_no_error(toy):
    # more than a pipe holds
    done = run(toy, "LG packs list --json | head -n 1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


def test_a_disk_that_is_full_is_named(toy):
    done = run(toy, "LG packs list > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "git-lg: No space left on device\n"


def test_ctrl_c_while_we_are_loaded_is_no_traceback(toy, tmp_path):
    # a job in the background may have been told to ignore it
    early = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    (tmp_path / "click.py").write_text(early)
    done = run(toy, "LG log", PYTHONPATH=f"{tmp_path}:{SOURCE['PYTHONPATH']}")
    assert done.returncode == 130
    assert done.stderr == "git-lg: interrupted\n"


def test_a_folder_is_no_log(toy):
    assert "is a folder" in toy.lg("import", ".", code=2).stderr


def test_a_target_is_named_once(toy):
    said = toy.lg("ingest", "missing.pdf", code=1).stderr
    assert said.count("missing.pdf") == 1
    assert "an empty target: " in toy.lg("ingest", "", code=1).stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train.py:0", "lines count from 1"),
        ("nope.py:1", "no such file: `git ls-tree"),
        ("train.py:999", "has only"),
    ],
)
def test_a_line_that_is_not_there_is_told_why(toy, line, words):
    assert words in toy.lg("why", line, code=2).stderr


def test_a_line_can_be_named_from_a_folder_below(toy):
    below = Toy(toy.root / "notes")
    below.root.mkdir()
    assert "import json" in below.lg("why", "../train.py:1").stdout
    found = below.json("why", "HEAD:../train.py:1")
    assert found["line"]["path"] == "train.py"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("call", ["log", "show HEAD", "search learning", "check HEAD"])
def test_no_colour_where_none_is_wanted(toy, monkeypatch, call):
    toy.lg("record", "--value", "1", "--verdict", "keep")
    monkeypatch.chdir(toy.root)
    monkeypatch.setattr(sys, "argv", ["git-lg", *call.split()])
    for wish in ("", "1"):
        monkeypatch.setenv("NO_COLOR", wish)
        screen = _Terminal()
        with contextlib.redirect_stdout(screen), pytest.raises(SystemExit):
            main()
        assert ("\x1b" in screen.getvalue()) is (wish == ""), call
