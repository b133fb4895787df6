"""Several clones over one bare remote, as a team and its machines use them."""

from __future__ import annotations

import subprocess

import pytest

from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import PACK, Toy, git, make_toy


def clone(hub, folder) -> Toy:
    git(folder.parent, "clone", "-q", str(hub), str(folder))
    (folder / ".loopgraph" / "packs").mkdir(parents=True)
    (folder / ".loopgraph" / "packs" / "toy.yml").write_text(PACK)
    toy = Toy(folder)
    toy.write()
    return toy


@pytest.fixture
def hub(tmp_path):
    """Return a bare remote that holds the training script."""
    first = make_toy(tmp_path / "first")
    git(tmp_path, "clone", "-q", "--bare", str(first.root), "hub.git")
    return tmp_path / "hub.git"


def records(toy: Toy) -> set[str]:
    with LoopGraph.open(toy.root) as lab:
        lab.reconcile()
        found = lab.experiments()
        return {record.id for x in found for record in lab.records_of(x.commit)}


def test_after_a_sync_everywhere_all_clones_know_the_same(hub, tmp_path):
    toys = [clone(hub, tmp_path / name) for name in ("a", "b c", "ü")]
    git(toys[0].root, "config", "fetch.prune", "true")
    for number, toy in enumerate(toys):
        toy.lg("experiment", "-n", "2", "--session", f"s{number}")
        subprocess.run(["rm", "-rf", toy.root / ".git/loopgraph/worktrees"], check=True)
        git(toy.root, "worktree", "prune")
        git(toy.root, "branch", "-D", f"lg/s{number}")
        git(toy.root, "reflog", "expire", "--expire=now", "--all")
    for toy in [*toys, *toys]:
        toy.lg("sync")
    fresh = clone(hub, tmp_path / "fresh")
    fresh.lg("sync", "origin")
    for toy in toys:
        git(toy.root, "fetch", "-q", "--all")
        git(toy.root, "gc", "-q", "--prune=now", "--aggressive")
    known = [records(toy) for toy in [*toys, fresh]]
    assert known[0] == known[1] == known[2] == known[3]
    assert len(known[0]) >= 3 * (2 * 2 + 2)
    for item in fresh.tried():
        for toy in [*toys, fresh]:
            code = git(toy.root, "show", f"{item.commit}:train.py")
            assert "LEARNING_RATE" in code
    assert len(fresh.tried()) == 6
    assert sum(item["n"] for item in fresh.json("rank")) == 6
    # two refs a writer, and no branch, on the hub
    listed = git(hub, "for-each-ref", "--format=%(refname)").splitlines()
    assert sum("loopgraph" in name for name in listed) == 6
    assert not any("heads/lg" in name for name in listed)


def test_a_sync_leaves_everything_of_the_user_as_it_was(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    toy.lg("experiment", "-n", "1")
    before = (toy.root / ".git" / "config").read_bytes()
    branches = git(toy.root, "for-each-ref", "refs/heads", "refs/remotes", "refs/tags")
    toy.lg("sync")
    assert (toy.root / ".git" / "config").read_bytes() == before
    shown = git(toy.root, "for-each-ref", "refs/heads", "refs/remotes", "refs/tags")
    assert shown == branches


def test_twice_in_a_row_there_is_nothing_to_do(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    toy.lg("experiment", "-n", "1")
    assert toy.lg("sync", "--dry-run").stdout == (
        "origin: would send 2 experiments and 6 records\n"
    )
    assert git(hub, "for-each-ref", "refs/notes") == ""
    assert toy.lg("sync").stdout == (
        "origin: sent 2 experiments and 6 records; "
        "0 experiments and 0 records came in\n"
    )
    assert "sent 0 experiments and 0 records; 0 exp" in toy.lg("sync").stdout
    assert len(toy.tried()) == 1


def test_experiments_after_a_sync_are_sent_by_the_next(hub, tmp_path):
    one, two = clone(hub, tmp_path / "a"), clone(hub, tmp_path / "b")
    for _ in range(2):
        one.lg("experiment", "-n", "1")
        one.lg("sync")
        two.lg("sync")
        assert two.tried() == one.tried()
    one.lg("reindex")
    assert two.tried() == one.tried()


def test_reindex_from_the_archive_alone_gives_the_same(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    toy.lg("experiment", "-n", "2")
    toy.lg("sync")
    before = toy.lg("doctor", "--dump").stdout
    toy.lg("reindex")
    assert toy.lg("doctor", "--dump").stdout == before


def test_an_unreachable_remote_is_named_and_the_others_are_served(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    git(toy.root, "remote", "add", "away", str(tmp_path / "nowhere.git"))
    toy.lg("experiment", "-n", "1")
    done = toy.lg("sync", code=1)
    assert "git-lg: away: git push" in done.stderr
    assert "origin: sent 2 experiments" in done.stdout


def test_a_copied_clone_that_writes_as_another_is_told_so(hub, tmp_path):
    one = clone(hub, tmp_path / "a")
    one.lg("experiment", "-n", "1")
    subprocess.run(["cp", "-r", one.root, tmp_path / "copy"], check=True)
    one.lg("sync")
    copy = Toy(tmp_path / "copy")
    copy.write()
    copy.lg("experiment", "-n", "1", "--session", "other")
    assert "was .git copied?" in copy.lg("sync", code=1).stderr
    (copy.root / ".git" / "loopgraph" / "writer").unlink()
    copy.lg("sync")


def test_wrong_remotes_are_answered_in_words(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    assert (
        "no remote is called 'up'; there is origin"
        in toy.lg("sync", "up", code=2).stderr
    )
    git(toy.root, "remote", "remove", "origin")
    assert "git remote add origin URL" in toy.lg("sync").stdout


def test_a_sha256_repository_syncs(tmp_path):
    first = make_toy(tmp_path / "first", "--object-format=sha256")
    git(tmp_path, "clone", "-q", "--bare", str(first.root), "hub.git")
    one, two = (clone(tmp_path / "hub.git", tmp_path / name) for name in "ab")
    one.lg("experiment", "-n", "1")
    one.lg("sync")
    two.lg("sync")
    assert two.tried() == one.tried()


def test_a_shallow_clone_knows_the_records(hub, tmp_path):
    one = clone(hub, tmp_path / "a")
    git(one.root, "commit", "-q", "--allow-empty", "-m", "Second")
    git(one.root, "push", "-q", "origin", "HEAD")
    one.lg("experiment", "-n", "1")
    one.lg("sync")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{hub}", "shallow")
    shallow = Toy(tmp_path / "shallow")
    shallow.lg("sync")
    assert [x.commit for x in shallow.tried()] == [x.commit for x in one.tried()]
