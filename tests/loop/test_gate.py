"""The gate refuses by name and reason."""

from __future__ import annotations

import os

import pytest

from loopgraph_git.config import Config
from loopgraph_git.errors import EditError
from loopgraph_git.git.repo import Repo
from loopgraph_git.loop import gate
from tests.conftest import git

BEFORE = {"train.py": "LR = 1\n"}


def refused(after: dict[str, str]) -> str:
    with pytest.raises(EditError) as caught:
        gate.check(BEFORE, after, config=Config())
    return str(caught.value)


def test_a_sound_edit_passes():
    gate.check(BEFORE, {"train.py": "LR = 2\n"}, config=Config())


@pytest.mark.parametrize(
    "text",
    [
        "LR = 2",
        "LR = 2\r\nX = '\\d'\r\n",
        "# \f form feed\nLR = 2\n",
        "X = 'ä\u2028'\n",
        "",
    ],
)
def test_odd_but_sound_text_passes(text):
    gate.check(BEFORE, {"train.py": text}, config=Config())


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("x", ""),
        ("Train.py", ""),
        ("prepare.py", ": it is protected"),
        ("../train.py", ": it leads out of its folder"),
        ("/etc/passwd", ": it is an absolute path"),
        ("C:\\train.py", ": it is an absolute path"),
        (".git/hooks/post-commit", ": it is inside git's own folder"),
        ("sub/.GIT/config", ": it is inside git's own folder"),
        (".githooks/post-commit", ": hooks are run by git"),
        (".husky/pre-commit", ": hooks are run by git"),
        (".gitattributes", ": git or a tool beside it obeys that file"),
        (".loopgraph.yml", ": git or a tool beside it obeys that file"),
        ("cafe\u0301.py", ": it is not in Unicode's NFC"),
        ("", ": it names no file"),
        ("src/", ": it names no file"),
    ],
)
def test_other_paths_are_refused_by_name_and_reason(path, reason):
    words = f"{path} may not be edited, only train.py{reason}"
    assert refused({path: "x = 1\n"}) == words


def test_a_path_is_shown_without_what_cannot_be_seen():
    assert "tr\\x1b[31main.py may not be edited" in refused({"tr\x1b[31main.py": ""})


def test_an_edit_that_changes_nothing_is_refused():
    assert refused(dict(BEFORE)) == "the edit changes nothing"
    assert refused({}) == "the edit changes nothing"


def test_an_edit_that_does_not_compile_names_the_line():
    words = refused({"train.py": "LR = 1\ndef f(:\n"})
    assert words.startswith("train.py does not compile: line 2: invalid syntax")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n\0", "NUL byte"),
        ("#" * (1 << 20) + "\n", "over 1 MiB"),
        ("x = 1\n" * 40_001, "over 40,000 lines"),
        (f"x = '{'a' * 10_000}'\n", "a line of 10,006 characters"),
        ("x = '\ud83d'\n", "half a character"),
    ],
)
def test_absurd_content_is_refused(text, words):
    assert words in refused({"train.py": text})


def test_a_symlink_is_no_ordinary_file(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").symlink_to(os.devnull)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    repo = Repo(tmp_path)
    with pytest.raises(EditError, match="not an ordinary file"):
        gate.editable_files(repo, repo.oid("HEAD"), Config())
    with pytest.raises(EditError, match=r"gone\.py is not tracked"):
        gate.editable_files(repo, repo.oid("HEAD"), Config(editable=("gone.py",)))
