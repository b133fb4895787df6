"""Several clones over one bare remote, as a team and its machines use them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Kind
from tests.conftest import PACK, SOURCE, TRAIN, Toy, git, make_toy

pytestmark = pytest.mark.long


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


def started(toy: Toy, session: str, proposals: int) -> subprocess.Popen[str]:
    """Start a session as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "loopgraph_git", "experiment", "-q", "-n",
         str(proposals), "--session", session],
        cwd=toy.root, env={**os.environ, **SOURCE}, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def commit(toy: Toy, rate: str, *options: str) -> str:
    """Change the training script and commit it, as an agent does by hand."""
    code = re.sub(r"RATE = .*", f"RATE = {rate}", TRAIN)
    (toy.root / "train.py").write_text(code)
    git(toy.root, "commit", "-q", "-a", "-m", f"Try {rate}", *options)
    return git(toy.root, "rev-parse", "HEAD")


def amended(toy: Toy) -> list[str]:
    """Try, train and amend on a branch of an agent."""
    git(toy.root, "switch", "-q", "-c", "autoresearch/amend")
    first = commit(toy, "2e-3")
    toy.lg("run")
    second = commit(toy, "2.5e-3", "--amend")
    toy.lg("run")
    git(toy.root, "switch", "-q", "main")
    return [first, second]


def rebased(toy: Toy) -> list[str]:
    """Try and train two edits, and put them on top of something else."""
    git(toy.root, "switch", "-q", "-c", "autoresearch/rebase")
    tried = []
    for rate in ("6e-3", "7e-3"):
        tried.append(commit(toy, rate))
        toy.lg("run")
    git(toy.root, "switch", "-q", "main")
    (toy.root / "notes.txt").write_text("More is known now.\n")
    git(toy.root, "add", "notes.txt")
    git(toy.root, "commit", "-q", "-m", "Note")
    git(toy.root, "rebase", "-q", "main", "autoresearch/rebase")
    there = git(toy.root, "log", "--format=%H", "-2").split()
    git(toy.root, "switch", "-q", "main")
    return tried + there


def squashed(toy: Toy, session: str) -> str:
    """Merge what a session has won as one commit on main."""
    git(toy.root, "merge", "-q", "--squash", f"lg/{session}")
    git(toy.root, "commit", "-q", "-m", "Take over what won")
    return git(toy.root, "rev-parse", "HEAD")


def forgotten(toy: Toy) -> None:
    """Take away everything that keeps commits alive, but what is ours."""
    git(toy.root, "fetch", "-q", "--prune", "origin")
    subprocess.run(["rm", "-rf", toy.root / ".git/loopgraph/worktrees"], check=True)
    git(toy.root, "worktree", "prune")
    listed = git(toy.root, "for-each-ref", "--format=%(refname)", "refs/heads")
    for ref in listed.split():
        if ref != "refs/heads/main":
            git(toy.root, "update-ref", "-d", ref)
    git(toy.root, "reflog", "expire", "--expire=now", "--all")
    git(toy.root, "gc", "-q", "--prune=now", "--aggressive")


@pytest.mark.long
def test_whatever_happens_in_three_clones_all_know_it_in_the_end(hub, tmp_path):
    toys = [clone(hub, tmp_path / name) for name in ("a", "b c", "ü")]
    for toy in toys:
        toy.lg("hooks", "install")
        git(toy.root, "config", "fetch.prune", "true")
    running = [
        started(toy, f"s{number}-{half}", 4)
        for number, toy in enumerate(toys)
        for half in "xy"
    ]
    # a sync while a session trains must neither wait for it nor lose anything
    toys[0].lg("sync")
    for process in running:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    first, second = amended(toys[0])
    *before, newer, new = rebased(toys[1])
    merged = squashed(toys[2], "s2-x")
    for toy in toys:
        toy.lg("sync")
        forgotten(toy)
    for toy in toys:
        toy.lg("sync")
        forgotten(toy)
    fresh = clone(hub, tmp_path / "fresh")
    fresh.lg("sync", "origin")

    toys.append(fresh)
    known = [records(toy) for toy in toys]
    assert known[0] == known[1] == known[2] == known[3]
    listed = [toy.json("log", "-n", "0") for toy in toys]
    assert listed[0] == listed[1] == listed[2] == listed[3]
    verdicts = [item["verdict"] for item in listed[0] if item["session"]]
    assert len(verdicts) == 3 * 2 * 4
    assert verdicts.count("discard") >= len(verdicts) // 3
    oids = {item["commit"] for item in listed[0]}
    assert oids >= {first, second, *before}
    for oid in oids | {newer, new}:
        for toy in toys:
            assert "LEARNING_RATE" in git(toy.root, "show", f"{oid}:train.py")
    links = {(x["commit"], x["to"], x["how"]) for x in linked(fresh)}
    assert links >= {(first, second, "amend"), (before[0], new, "rebase")}
    assert (before[1], newer, "rebase") in links
    # the squash is on a branch of its author, and nowhere else
    assert git(toys[2].root, "rev-parse", "main") == merged
    same_after_reindex(fresh)
    two_refs_a_writer(hub, writers=3)


def same_after_reindex(toy: Toy) -> None:
    before = toy.lg("doctor", "--dump").stdout
    toy.lg("reindex")
    assert toy.lg("doctor", "--dump").stdout == before


def two_refs_a_writer(hub, writers: int) -> None:
    refs = git(hub, "for-each-ref", "--format=%(refname)").splitlines()
    assert sum("loopgraph" in name for name in refs) == 2 * writers
    assert [name for name in refs if "loopgraph" not in name] == ["refs/heads/main"]


def linked(toy: Toy) -> list[dict[str, str]]:
    """Return the bodies of all links, with the commit they are about."""
    with LoopGraph.open(toy.root) as lab:
        lab.reconcile()
        return [
            {"commit": str(record.commit), **record.body}
            for item in lab.experiments()
            for record in lab.records_of(item.commit)
            if record.kind is Kind.LINK
        ]


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
        "origin: 2 experiments and 6 records not sent yet\n"
    )
    assert git(hub, "for-each-ref", "refs/notes") == ""
    assert toy.lg("sync").stdout == (
        "origin: sent 2 experiments and 6 records; "
        "0 experiments and 0 records came in\n"
    )
    assert "sent 0 experiments and 0 records; 0 exp" in toy.lg("sync").stdout
    assert len(toy.tried()) == 1


@pytest.mark.long
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
    done = toy.lg("sync", "--all", code=1)
    assert "git-lg: away: git fetch" in done.stderr
    assert "origin: sent 2 experiments" in done.stdout


@pytest.mark.long
def test_a_copied_clone_gets_an_id_of_its_own_and_loses_nothing(hub, tmp_path):
    one = clone(hub, tmp_path / "a")
    one.lg("experiment", "-n", "1")
    subprocess.run(["cp", "-r", one.root, tmp_path / "copy"], check=True)
    copy = Toy(tmp_path / "copy")
    copy.write()
    copy.lg("experiment", "-n", "1", "--session", "other")
    one.lg("experiment", "-n", "1", "--session", "one")
    one.lg("sync")
    done = copy.lg("sync")
    assert "another clone has this one's id; from now on it is" in done.stderr
    one.lg("sync")
    fresh = clone(hub, tmp_path / "fresh")
    fresh.lg("sync")
    assert records(fresh) == records(one) == records(copy)
    assert len(fresh.tried()) == 3
    assert copy.lg("sync").stderr == ""


@pytest.mark.long
def test_what_was_written_under_a_lost_id_is_sent_too(hub, tmp_path):
    one, two = clone(hub, tmp_path / "a"), clone(hub, tmp_path / "b")
    one.lg("experiment", "-n", "1")
    shutil.rmtree(one.root / ".git" / "loopgraph")
    git(one.root, "worktree", "prune")
    one.lg("experiment", "-n", "1", "--session", "later")
    one.lg("sync")
    two.lg("sync")
    assert records(two) == records(one)
    assert len(two.tried()) == 2


@pytest.mark.long
def test_a_remote_that_was_emptied_is_filled_again(hub, tmp_path):
    one, two = clone(hub, tmp_path / "a"), clone(hub, tmp_path / "b")
    one.lg("experiment", "-n", "1")
    one.lg("sync")
    two.lg("sync")
    known = records(two)
    shutil.rmtree(hub)
    git(tmp_path, "init", "-q", "--bare", str(hub))
    git(two.root, "config", "fetch.prune", "true")
    assert "sent 0 experiments and 0 records; 0" in two.lg("sync").stdout
    two.lg("reindex")
    assert records(two) == known
    assert "sent 2 experiments and 6 records" in one.lg("sync").stdout


def test_wrong_remotes_are_answered_in_words(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    assert (
        "no remote is called 'up'; there is origin"
        in toy.lg("sync", "up", code=2).stderr
    )
    assert "not both" in toy.lg("sync", "up", "--all", code=2).stderr
    git(toy.root, "remote", "remove", "origin")
    assert "git remote add origin URL" in toy.lg("sync", code=2).stderr
    assert "git remote add origin URL" in toy.lg("sync", "--all", code=2).stderr


def test_without_a_name_the_remote_is_that_of_git_push(hub, tmp_path):
    toy = clone(hub, tmp_path / "a")
    git(toy.root, "remote", "add", "team/gpu", str(hub))
    assert toy.json("sync", "--dry-run")[0]["remote"] == "origin"
    git(toy.root, "config", "remote.pushDefault", "team/gpu")
    assert toy.json("sync", "--dry-run")[0]["remote"] == "team/gpu"
    git(toy.root, "config", "branch.main.pushRemote", "origin")
    assert toy.json("sync", "--dry-run")[0]["remote"] == "origin"
    for name in ("branch.main.pushRemote", "remote.pushDefault"):
        git(toy.root, "config", "--unset", name)
    git(toy.root, "branch", "--unset-upstream")
    git(toy.root, "remote", "rename", "origin", "a=b")
    assert "say --all: there is a=b, team/gpu" in toy.lg("sync", code=2).stderr
    assert [item["remote"] for item in toy.json("sync", "--all")] == ["a=b", "team/gpu"]


@pytest.mark.long
def test_a_sha256_repository_syncs(tmp_path):
    first = make_toy(tmp_path / "first", "--object-format=sha256")
    git(tmp_path, "clone", "-q", "--bare", str(first.root), "hub.git")
    one, two = (clone(tmp_path / "hub.git", tmp_path / name) for name in "ab")
    one.lg("experiment", "-n", "1")
    one.lg("sync")
    two.lg("sync")
    assert two.tried() == one.tried()


def test_a_remote_may_have_any_name(hub, tmp_path):
    one, two = clone(hub, tmp_path / "a"), clone(hub, tmp_path / "b")
    git(two.root, "remote", "rename", "origin", "équipe/gpü")
    one.lg("experiment", "-n", "1")
    one.lg("sync")
    two.lg("sync", "équipe/gpü")
    assert two.tried() == one.tried()
    two.lg("reindex")
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
