"""Worktrees of ours: made, found again, let go of; the user's are not looked at."""

from __future__ import annotations

import shutil

import pytest

from loopgraph_git.git import worktree
from loopgraph_git.git.repo import Repo
from tests.conftest import git


@pytest.fixture
def repo(tmp_path):
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "train.py").write_text("LR = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Start")
    return Repo(root)


def opened(repo, name="s"):
    return worktree.open_session(repo, name, baseline=repo.oid("HEAD"))


@pytest.mark.parametrize("length", [1, 37, 50])
def test_a_session_of_any_length_is_on_its_branch(repo, length):
    # lg/ and 37 letters are as long as an object id
    tree = opened(repo, "a" * length)
    assert tree.branch() == f"refs/heads/lg/{'a' * length}"


def test_a_worktree_is_dead_where_its_folder_is_gone(repo):
    tree = opened(repo)
    assert worktree.dead(repo) == []
    shutil.rmtree(tree.root)
    (entry,) = worktree.dead(repo)
    assert entry.folder == tree.root
    worktree.forget(entry)
    assert worktree.dead(repo) == []
    assert opened(repo).root == tree.root


def test_one_that_the_user_locked_is_not_dead(repo):
    tree = opened(repo)
    git(repo.root, "worktree", "lock", str(tree.root))
    shutil.rmtree(tree.root)
    assert worktree.dead(repo) == []


def test_worktrees_of_the_user_are_never_ours(repo, tmp_path):
    git(repo.root, "worktree", "add", "-q", str(tmp_path / "w"), "-b", "side")
    shutil.rmtree(tmp_path / "w")
    assert worktree.dead(repo) == []
    opened(repo)
    assert str(tmp_path / "w") in git(repo.root, "worktree", "list")


@pytest.mark.parametrize("move", [shutil.copytree, shutil.move])
def test_a_repository_in_another_place_makes_its_own(repo, tmp_path, move):
    first = opened(repo)
    head = first.oid("HEAD")
    move(repo.root, tmp_path / "other")
    other = Repo(tmp_path / "other")
    (entry,) = worktree.dead(other)
    assert entry.folder == first.root
    tree = opened(other)
    assert tree.common_dir == other.common_dir
    git(tree.root, "commit", "-q", "--allow-empty", "-m", "Elsewhere")
    if repo.root.exists():
        assert first.oid("HEAD") == head


def test_changed_files_are_all_but_links(repo):
    tree = opened(repo)
    (repo.common_dir / "info" / "exclude").write_text("ignored/\n")
    (tree.root / "train.py").write_text("LR = 2\n")
    (tree.root / "ignored").mkdir()
    (tree.root / "ignored" / "a b").touch()
    (tree.root / "new é").touch()
    (tree.root / "data").symlink_to(repo.root)
    assert sorted(worktree.changed(tree)) == ["ignored/a b", "new é", "train.py"]


def test_a_commit_that_no_ref_reaches_is_only_here(repo):
    tree = worktree.open_detached(repo, "_run", repo.oid("HEAD"))
    assert not worktree.is_only_here(repo, tree)
    git(tree.root, "commit", "-q", "--allow-empty", "-m", "Mine")
    assert worktree.is_only_here(repo, tree)
    git(repo.root, "branch", "mine", tree.oid("HEAD"))
    assert not worktree.is_only_here(repo, tree)


def test_removing_one_takes_a_lock_that_a_killed_git_left(repo):
    tree = opened(repo)
    (tree.git_dir / "locked").write_text("initializing")
    assert not worktree.is_locked(tree.git_dir)
    worktree.remove(repo, tree)
    assert not tree.root.exists()
    (opened(repo).git_dir / "locked").write_text("mine")
    assert worktree.is_locked(opened(repo).git_dir)
