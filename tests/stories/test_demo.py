"""The demo as a new user runs it: real training, twice in a row."""

from __future__ import annotations

import pytest

from tests.conftest import Toy, git, make_toy

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def test_the_demo_trains_compares_and_goes_on(tmp_path):
    user = Toy(tmp_path)
    first = user.lg("demo", "a demo", "-n", "1", "--budget", "1")
    assert "training the baseline, run 3 of 3" in first.stderr
    assert "[1/1]" in first.stderr
    for heading in ("Experiments", "Methods", "Next"):
        assert heading in first.stdout
    demo = Toy(tmp_path / "a demo")
    assert git(demo.root, "status", "--porcelain") == ""
    second = user.lg("demo", "a demo", "-n", "1", "--budget", "1")
    assert "baseline" not in second.stderr
    found = demo.tried()
    assert len(found) == 2
    assert len({item.tree for item in found}) == 2
    assert all(item.status == "ok" for item in found), found


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    said = Toy(tmp_path).lg("demo", "mine", code=1).stderr
    assert "mine holds something else" in said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_repository_of_somebody_is_not_run_untrusted(tmp_path):
    theirs = make_toy(tmp_path / "theirs")
    settings = (theirs.root / ".loopgraph.yml").read_text()
    (theirs.root / ".loopgraph.yml").write_text(settings.replace("train.py", "x.py"))
    said = Toy(tmp_path).lg("demo", "theirs", code=3).stderr
    assert "run `git lg trust`" in said
    assert theirs.tried() == []
