"""Lines, and the commits that put them there."""

from __future__ import annotations

import pytest

from loopgraph_git.git.blame import Place, blame, parse_place
from loopgraph_git.git.repo import Repo
from tests.conftest import git


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("train.py:42", Place("HEAD", "train.py", 42)),
        ("lg/main:a/b c.py:1", Place("lg/main", "a/b c.py", 1)),
        ("HEAD~2:x:7", Place("HEAD~2", "x", 7)),
        ("train.py", None),
        ("train.py:", None),
        (":7", None),
        ("train.py:-7", None),
        ("a:b:c:7", None),
        ("train.py:9999999999", None),
    ],
)
def test_a_place_as_people_write_it(text, place):
    assert parse_place(text) == place


def test_a_line_is_its_first_parents(tmp_path):
    def commit(text: str, *args: str) -> str:
        (tmp_path / "train.py").write_text(text)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", text, *args)
        return git(tmp_path, "rev-parse", "HEAD")

    git(tmp_path, "init", "-q", "--template=", "-b", "main")
    first = commit("A = 1\nB = 1\n")
    git(tmp_path, "checkout", "-q", "-b", "side")
    commit("A = 1\nB = 2\n")
    git(tmp_path, "checkout", "-q", "main")
    git(tmp_path, "merge", "-q", "--no-ff", "-m", "Merge", "side")
    merged = git(tmp_path, "rev-parse", "HEAD")
    # what the user's own blame passes over wrote a line all the same
    (tmp_path / "passed").write_text(f"{merged}\n")
    git(tmp_path, "config", "blame.ignoreRevsFile", "passed")
    repo = Repo(tmp_path)
    assert blame(repo, Place("HEAD", "train.py", 1)).commit == first
    line = blame(repo, Place("main", "train.py", 2))
    assert (line.commit, line.text) == (merged, "B = 2")
