"""Drafts: an edit put together without writing to the repository."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import EditError, UsageError
from loopgraph_git.git import drafts
from loopgraph_git.git.repo import Repo
from tests.conftest import git

LINK = b"""\
diff --git a/train.py b/train.py
deleted file mode 100644
--- a/train.py
+++ /dev/null
@@ -1 +0,0 @@
-A = 1
diff --git a/train.py b/train.py
new file mode 120000
--- /dev/null
+++ b/train.py
@@ -0,0 +1 @@
+/etc/passwd
\\ No newline at end of file
"""
EDITABLE = ("train.py", "conf/a b.yml")


@pytest.fixture
def repo(tmp_path):
    """Return a repository with two editable files and another one."""
    # a colon and a quote: what git separates and quotes object stores by
    root = tmp_path / 'od:d "näme'
    (root / "conf").mkdir(parents=True)
    git(root, "init", "-q", "--template=", "-b", "main")
    (root / "train.py").write_text("A = 1\n")
    (root / "conf/a b.yml").write_text("a: 1\n")
    (root / "other.py").write_text("B = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Start")
    return Repo(root)


def test_the_working_tree_counts_for_editable_files_alone(repo):
    (repo.root / "conf/a b.yml").write_text("a: 2\n")
    (repo.root / "other.py").write_text("B = 2\n")
    draft = drafts.of_worktree(repo, EDITABLE)
    assert draft.before == {"train.py": "A = 1\n", "conf/a b.yml": "a: 1\n"}
    assert draft.after == {**draft.before, "conf/a b.yml": "a: 2\n"}
    # the tree is the one that a commit of this file alone makes
    git(repo.root, "commit", "-q", "-m", "Two", "--only", "conf/a b.yml")
    assert draft.tree == repo.tree(repo.oid("HEAD"))
    (repo.root / "train.py").unlink()
    assert "train.py" not in drafts.of_worktree(repo, EDITABLE).after


def test_a_commit_and_its_first_parent(repo):
    start = repo.oid("HEAD")
    root = drafts.of_commit(repo, "HEAD", EDITABLE)
    assert (root.base, root.before) == (None, {})
    (repo.root / "train.py").write_text("A = 2\n")
    git(repo.root, "commit", "-q", "-a", "-m", "Two")
    draft = drafts.of_commit(repo, "HEAD", EDITABLE)
    assert draft.base == start
    assert draft.after["train.py"] == "A = 2\n"


def test_a_conflict_is_not_what_is_staged(repo):
    for name in ("left", "right"):
        git(repo.root, "checkout", "-q", "-B", name, "main")
        (repo.root / "train.py").write_text(f"A = '{name}'\n")
        git(repo.root, "commit", "-q", "-a", "-m", name)
    assert not repo.ok("merge", "left")
    with pytest.raises(UsageError, match="conflict"):
        drafts.of_index(repo, EDITABLE)


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (b"", "empty"),
        (b"x" * (drafts.PATCH_LIMIT + 1), "over 8 MiB"),
        (b"--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-A = 9\n+A = 2\n", "HEAD"),
        (LINK, "ordinary file"),
    ],
)  # fmt: skip
def test_a_patch_that_cannot_be_used(repo, patch, words):
    with pytest.raises((UsageError, EditError), match=words):
        drafts.of_patch(repo, patch, EDITABLE)


def test_a_patch_has_to_match_to_the_letter(repo):
    git(repo.root, "config", "apply.ignoreWhitespace", "change")
    loose = b"--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-A =  1\n+A = 2\n"
    with pytest.raises(EditError, match="does not apply"):
        drafts.of_patch(repo, loose, EDITABLE)
    exact = loose.replace(b"=  1", b"= 1")
    assert drafts.of_patch(repo, exact, EDITABLE).after["train.py"] == "A = 2\n"
    # `git apply` by hand says the same of the whole repository
    assert git(repo.root, "status", "--short") == ""
