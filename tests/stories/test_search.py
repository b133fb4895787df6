"""`git lg search` as people type it."""

from __future__ import annotations

import json

import pytest

from tests.conftest import make_toy

# many sessions with processes of their own
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        toy = make_toy(tmp_path_factory.mktemp("search") / "toy")
        toy.lg("experiment", "-n", "1", "--session", "mar8")
        return toy


def test_one_list_over_all_kinds(lab):
    found = lab.json("search", "learning rate batch", "-k", "40")
    assert {item["kind"] for item in found} == {"experiment", "method", "chunk", "code"}
    assert all(item["why"] for item in found)
    shown = lab.lg("search", "learning rate", "-k", "3")
    assert "title: " in shown.stdout
    assert shown.stderr == ""


def test_the_code_at_head_is_found(lab):
    (first, *_) = lab.json("search", "LEARNING_RATE", "--kind", "code")
    assert (first["key"], first["title"]) == ("train.py:6", "LEARNING_RATE = 1e-3")


def test_filters_narrow(lab):
    (kept,) = lab.json("search", "session:mar8", "val_bpb<2", "kind:experiment")
    assert kept["why"] == "the most recent"
    shown = lab.lg("search", "learning", "status:timeout")
    assert shown.stdout == ""
    assert "note: nothing has status:timeout: leave it out" in shown.stderr
    shown = lab.lg("search", "session:nope", "status:nan", "--json")
    assert json.loads(shown.stdout)["items"] == []
    assert "nothing has session:nope and status:nan" in shown.stderr


def test_a_broken_filter_is_words_and_a_note(lab):
    shown = lab.lg("search", "status:keep", "batch", "loss<3", "--json")
    assert json.loads(shown.stdout)["items"]
    assert "did you mean verdict:keep?" in shown.stderr
    assert "no result has a metric 'loss'" in shown.stderr


def test_what_nothing_matches_is_said(lab):
    shown = lab.lg("search", "zeppelin")
    assert "nothing matches 'zeppelin'; these are the most recent" in shown.stderr
    assert shown.stdout.startswith("experiment ")
    assert lab.lg("search").stderr == ""


def test_the_last_word_may_be_unfinished(lab):
    assert "nothing matches" in lab.lg("search", "learnin").stderr
    assert "nothing matches" not in lab.lg("search", "learnin", "--prefix").stderr


def test_the_sql_is_shown(lab):
    shown = lab.lg("search", "--sql", "rate", "verdict:keep").stdout
    assert "MATCH ? AND e.listed = 1 AND e.verdict IN" in shown
    assert '-- parameter 1: "rate"\n-- parameter 2: ["keep"]' in shown
    (made,) = lab.json("search", "--sql", "--kind", "chunk", "rate")
    assert made["sql"].count("?") == len(made["parameters"])


def test_what_matched_is_marked_on_a_terminal(lab):
    import pty  # noqa: PLC0415
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from tests.conftest import SOURCE  # noqa: PLC0415

    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as read:  # noqa: PTH123  no path
        argv = [sys.executable, "-m", "loopgraph_git", "search", "diverges", "-k", "1"]
        subprocess.run(
            argv, cwd=lab.root, stdout=theirs, check=True,
            env={**SOURCE, "PATH": "/usr/bin:/bin", "HOME": str(lab.root)},
        )  # fmt: skip
        shown = read.read(4096).decode()
    assert "\x1b[33m\x1b[1mdiverges\x1b[0m" in shown
