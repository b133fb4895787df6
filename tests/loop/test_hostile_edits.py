"""Whatever an answer tries besides changing lines is refused by its name."""

from __future__ import annotations

import json

import pytest

from loopgraph_git.config import Config
from loopgraph_git.errors import EditError
from loopgraph_git.git import commits
from loopgraph_git.git.repo import Repo
from loopgraph_git.loop import gate
from loopgraph_git.loop.edits import read_answer
from tests.conftest import git

BEFORE = {"train.py": "import torch\n\nLR = 1\nBATCH = 16\n"}
PROTECTED = ("prepare.py",)
HUNK = "@@ -1,3 +1,3 @@\n import torch\n \n-LR = 1\n+LR = 2\n"


def refused(answer: str) -> str:
    with pytest.raises(EditError) as caught:
        read_answer(answer, BEFORE, PROTECTED)
    return str(caught.value)


def diff(path: str, *head: str, old: str = "", body: str = HUNK) -> str:
    lines = [f"diff --git a/{path} b/{path}", *head, f"--- {old or 'a/' + path}"]
    return "```diff\n" + "\n".join([*lines, f"+++ b/{path}", body]) + "```\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            diff("train.py", "new file mode 120000", old="/dev/null",
                 body="@@ -0,0 +1 @@\n+/etc/passwd\n"),
            "train.py would become a symlink",
        ),
        (
            diff("train.py", "old mode 100644", "new mode 120000"),
            "train.py would change its mode",
        ),
        (diff("sub", "new file mode 160000"), "sub would become a submodule"),
        (
            diff("train.py", "old mode 100644", "new mode 100755"),
            "train.py would change its mode",
        ),
        (
            ("```diff\ndiff --git a/prepare.py b/train.py\nsimilarity index 100%\n"
            "rename from prepare.py\nrename to train.py\n```\n"),
            "train.py would be renamed",
        ),
        ("```diff\n--- a/train.py\n+++ b/other.py\n" + HUNK + "```",
         "train.py would be renamed to b/other.py"),
        (
            "```diff\ndiff --git a/prepare.py b/train.py\ncopy from prepare.py\n```\n",
            "train.py would be copied",
        ),
        (
            ("```diff\ndiff --git a/train.py b/train.py\ndeleted file mode 100644\n"
            "--- a/train.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-import torch\n```\n"),
            "train.py would be deleted",
        ),
        ("--- a/train.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-import torch\n",
         "a/train.py would be deleted"),
        (
            ("```diff\ndiff --git a/train.py b/train.py\nindex 1..2 100644\n"
            "GIT binary patch\nliteral 3\nKcmZ\n```\n"),
            "train.py is given in binary",
        ),
        (
            ("```diff\ndiff --git a/x.bin b/x.bin\n"
            "Binary files a/x.bin and b/x.bin differ\n```\n"),
            "x.bin is given in binary",
        ),
        (diff("../train.py"), "it leads out of its folder"),
        (diff("sub/../../train.py"), "it leads out of its folder"),
        (diff(".git/hooks/post-commit"), "it is inside git's own folder"),
        (diff("prepare.py"), "it is protected"),
        (diff("hooks/post-commit"), "hooks are run by git"),
        (diff(".gitattributes", "new file mode 100644", old="/dev/null",
              body="@@ -0,0 +1 @@\n+* filter=x\n"),
         "git or a tool beside it obeys that file"),
        (diff("new.py", "new file mode 100644", old="/dev/null",
              body="@@ -0,0 +1 @@\n+x = 1\n"),
         "new.py may not be edited"),
        ("--- /etc/passwd\n+++ /etc/passwd\n" + HUNK, "it is an absolute path"),
        ("--- a/x\n+++ b/~/.bashrc\n" + HUNK, "would be renamed"),
        ("*** Begin Patch\n*** Delete File: train.py\n*** End Patch\n",
         "train.py would be deleted"),
        ("*** Begin Patch\n*** Update File: train.py\n*** Move to: other.py\n" + HUNK
         + "*** End Patch\n", "train.py would be renamed"),
        (("*** Begin Patch\n*** Add File: .githooks/pre-commit\n+#!/bin/sh\n"
         "*** End Patch\n"), "hooks are run by git"),
        ("*** Begin Patch\n*** Update File: .git/config\n" + HUNK + "*** End Patch\n",
         "it is inside git's own folder"),
        ("prepare.py\n<<<<<<< SEARCH\nLR = 1\n=======\nLR = 2\n>>>>>>> REPLACE\n",
         "it is protected"),
        (".git/hooks/post-commit\n<<<<<<< SEARCH\n=======\n#!/bin/sh\n>>>>>>> REPLACE\n",
         "it is inside git's own folder"),
        ("```sh\ncat > .git/hooks/post-commit <<'EOF'\n#!/bin/sh\nEOF\n```\n",
         "it is inside git's own folder"),
        ("```sh\ncat > prepare.py <<'EOF'\nx = 1\nEOF\n```\n", "it is protected"),
        (json.dumps({"path": "prepare.py", "search": "a", "replace": "b"}),
         "it is protected"),
        (json.dumps({"path": "/etc/cron.d/x", "content": "* * * * * root x\n"}),
         "it is an absolute path"),
        ("prepare.py: SET EVAL_TOKENS = 1\n\nSET prepare.py: EVAL_TOKENS = 1\n",
         "it is protected"),
        ("```python\n# " + "x" * 10_000_000 + "\n```\n", "over the limit of 2,000,000"),
    ],
)  # fmt: skip
def test_it_is_refused_by_name(answer, words):
    assert words in refused(answer)


def test_a_large_or_binary_file_is_refused_by_the_gate():
    for text, words in (("#" * 1_500_000, "over 1 MiB"), ("x = '\0'\n", "is binary")):
        answer = json.dumps({"path": "train.py", "content": text + BEFORE["train.py"]})
        files = read_answer(answer, BEFORE).files
        with pytest.raises(EditError, match=words):
            gate.check(BEFORE, files, config=Config())


def test_a_file_in_a_linked_folder_is_no_ordinary_file(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "train.py").write_text("LR = 1\n")
    (tmp_path / "code").symlink_to("real")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    repo = Repo(tmp_path)
    with pytest.raises(EditError, match=r"code/train\.py is not tracked"):
        gate.editable_files(repo, repo.oid("HEAD"), Config(editable=("code/train.py",)))


def test_an_edit_keeps_the_mode_of_its_file(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("LR = 1\n")
    (tmp_path / "train.py").chmod(0o700)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    repo = Repo(tmp_path)
    tree = commits.write_tree(repo, repo.oid("HEAD"), {"train.py": "LR = 2\n"})
    assert git(tmp_path, "ls-tree", tree).startswith("100755 blob")
