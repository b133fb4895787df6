"""Damage of every kind: doctor says what it is, mends what is safe, leaves the rest."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from loopgraph_git.git import commits, worktree
from loopgraph_git.git.repo import Repo
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Oid, Result, Status
from tests.conftest import SEALED, Toy, git, make_toy

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return a repository with two experiments that only their pins keep."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SEALED.items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        toy = make_toy(tmp_path_factory.mktemp("doctor") / "toy")
        git(toy.root, "checkout", "-q", "--detach")
        with LoopGraph.open(toy.root) as lab:
            for value in (1.5, 1.25):
                git(toy.root, "commit", "-q", "--allow-empty", "-m", f"Try {value}")
                oid = lab.repo.oid("HEAD")
                commits.pin(lab.repo, oid)
                result = Result(status=Status.OK, metric="val_bpb", value=value)
                lab.record(oid, result)
        git(toy.root, "checkout", "-q", "main")
        toy.lg("doctor")
        return toy.root


@pytest.fixture
def lab(template, tmp_path):
    """Return a repository of one's own with two experiments, to be damaged."""
    shutil.copytree(template, tmp_path / "lab")
    toy = Toy(tmp_path / "lab")
    toy.write()
    return toy


def pinned(toy: Toy) -> list[Oid]:
    """Return the experiments that pins keep."""
    return [
        Oid(ref.rpartition("/")[2])
        for ref in Repo(toy.root).refs("refs/loopgraph/pins/")
    ]


def looks(toy: Toy, *options: str) -> dict[str, str]:
    """Return what needs a look, subject → words; the exit code is 1."""
    items = json.loads(toy.lg("doctor", *options, "--json", code=1).stdout)["items"]
    return {item["subject"]: item["words"] for item in items if not item["ok"]}


def mended(toy: Toy) -> list[str]:
    """Run --fix; return what was done, where everything is well afterwards."""
    items = json.loads(toy.lg("doctor", "--fix", "--json").stdout)["items"]
    return [f"{item['subject']}: {item['words']}" for item in items if item["fixed"]]


def index_of(toy: Toy):
    return toy.root / ".git" / "loopgraph" / "researchfs.db"


def wreck(toy: Toy, content: bytes) -> None:
    for path in index_of(toy).parent.glob("researchfs.db*"):
        path.unlink()
    index_of(toy).write_bytes(content)


def test_nothing_is_wrong_with_a_healthy_repository(lab):
    shown = lab.lg("doctor").stdout
    assert "ok   notes: 2 records by 1 writer" in shown
    assert "ok   pins: 2 commits kept alive, all readable" in shown
    assert "look" not in shown
    assert mended(lab) == []


class TestIndex:
    def test_a_truncated_one_is_a_finding_and_is_built_anew(self, lab):
        before = lab.json("log")
        wreck(lab, index_of(lab).read_bytes()[:20_000])
        assert "git lg reindex" in looks(lab)["index"]
        assert mended(lab) == ["index: built anew from git: 2 records"]
        assert lab.json("log") == before

    def test_a_search_index_that_lies_is_built_anew_alone(self, lab):
        lab.lg("search", "try")
        with closing(sqlite3.connect(index_of(lab))) as database:
            database.execute(
                "INSERT INTO chunks_fts(rowid, title, body, idents) VALUES(9999, 'a', 'b', 'c')"
            )
            database.commit()
        assert "does not match its table" in looks(lab)["index"]
        assert mended(lab) == ["index: built the search index anew"]

    def test_one_that_lacks_a_table_is_built_anew(self, lab):
        with closing(sqlite3.connect(index_of(lab))) as database:
            database.execute("DROP TABLE scores")
        assert "the table scores is missing" in looks(lab)["index"]
        assert mended(lab) == ["index: built anew from git: 2 records"]

    def test_a_database_of_something_else_is_left_alone(self, lab):
        wreck(lab, b"")
        with closing(sqlite3.connect(index_of(lab))) as database:
            database.execute("CREATE TABLE mine(text)")
            database.commit()
        before = index_of(lab).read_bytes()
        assert "something else: move it away" in looks(lab, "--fix")["index"]
        assert "something else" in lab.lg("reindex", code=1).stderr
        assert index_of(lab).read_bytes() == before

    def test_a_newer_one_is_left_to_the_newer_version(self, lab):
        with closing(sqlite3.connect(index_of(lab))) as database:
            database.execute("PRAGMA user_version = 99")
        assert "upgrade loopgraph-git" in looks(lab, "--fix")["index"]
        assert "upgrade loopgraph-git" in lab.lg("reindex", code=1).stderr

    def test_a_file_that_is_no_database_is_moved_aside(self, lab):
        wreck(lab, b"my own words")
        assert mended(lab) == ["index: built anew from git: 2 records"]
        (aside,) = index_of(lab).parent.glob("researchfs.db.aside-*")
        assert aside.read_bytes() == b"my own words"

    def test_records_that_git_lost_are_not_thrown_away(self, lab):
        writer = (lab.root / ".git/loopgraph/writer").read_text().strip()
        git(lab.root, "update-ref", "-d", f"refs/notes/loopgraph/{writer}")
        assert "2 records in it that no note holds" in looks(lab, "--fix")["index"]
        assert "1.25" in lab.lg("doctor", "--dump").stdout


class TestPins:
    def test_experiments_that_a_gc_would_take_are_pinned_again(self, lab):
        oids = pinned(lab)
        for oid in oids:
            git(lab.root, "update-ref", "-d", f"refs/loopgraph/pins/{oid}")
        git(lab.root, "reflog", "expire", "--expire=now", "--all")
        assert "2 commits with records would be lost" in looks(lab)["pins"]
        (done,) = mended(lab)
        assert done.startswith("pins: pinned 2 commits")
        git(lab.root, "gc", "-q", "--prune=now")
        assert git(lab.root, "cat-file", "-t", oids[1]) == "commit"

    def test_a_pinned_commit_that_is_missing_is_named(self, lab):
        oid = pinned(lab)[0]
        (lab.root / ".git/objects" / oid[:2] / oid[2:]).unlink()
        assert f"1 pinned commit is missing ({oid.short})" in looks(lab)["pins"]

    def test_a_shallow_clone_is_told_so_and_is_well(self, lab, tmp_path):
        git(lab.root, "checkout", "-q", "main")
        git(lab.root, "commit", "-q", "--allow-empty", "-m", "Later")
        source = f"file://{lab.root}"
        git(tmp_path, "clone", "-q", "--depth=1", source, "shallow")
        clone = Toy(tmp_path / "shallow")
        tracking = "refs/notes/loopgraph/*:refs/notes/loopgraph-remote/origin/*"
        git(clone.root, "fetch", "-q", "--depth=1", "origin", tracking)
        clone.write()
        assert "shallow" in clone.lg("doctor").stdout


class TestNotes:
    def test_lines_that_are_no_records_are_counted_and_do_no_harm(self, lab):
        ref = f"refs/notes/loopgraph/{'b' * 12}"
        for text in ("no record", '{"v":2}'):
            git(lab.root, "notes", f"--ref={ref}", "append", "-m", text, "main")
        shown = lab.lg("doctor").stdout
        assert f"2 lines of {'b' * 12} are no record, passed over: not JSON" in shown
        assert "2 records by 2 writers" in shown
        assert f"{'b' * 12}: not " in shown

    def test_the_writer_is_taken_up_again_where_it_wrote_here(self, lab):
        path = lab.root / ".git/loopgraph/writer"
        writer = path.read_text()
        for lost in (path.unlink, lambda: path.write_text("  --all\n")):
            lost()
            assert "writer" in looks(lab)
            assert mended(lab) == [
                f"writer: took up {writer.strip()} again: its notes are here"
            ]
            assert path.read_text() == writer

    def test_notes_that_were_fetched_are_nobody_to_become(self, lab, tmp_path):
        git(tmp_path, "clone", "-q", str(lab.root), "clone")
        clone = Toy(tmp_path / "clone")
        git(clone.root, "fetch", "-q", "origin", "refs/notes/*:refs/notes/*")
        clone.write()
        clone.lg("doctor", "--fix")
        assert not (clone.root / ".git/loopgraph/writer").exists()
        assert "not of this clone" in clone.lg("doctor").stdout

    def test_numbers_go_on_where_they_ended(self, lab):
        path = lab.root / ".git/loopgraph/seq"
        path.write_text("1\n")
        assert mended(lab) == ["writer: records are numbered from 2 again"]
        assert path.read_text() == "2\n"

    def test_our_notes_come_back_from_what_was_sent(self, lab, tmp_path):
        git(tmp_path, "init", "-q", "--bare", "hub.git")
        git(lab.root, "remote", "add", "origin", str(tmp_path / "hub.git"))
        lab.lg("sync", "origin")
        writer = (lab.root / ".git/loopgraph/writer").read_text().strip()
        own = f"refs/notes/loopgraph/{writer}"
        tip = git(lab.root, "rev-parse", own)
        git(lab.root, "update-ref", "-d", own)
        assert "our notes are gone" in looks(lab)[own]
        assert mended(lab)[0].startswith(f"{own}: brought back from")
        assert git(lab.root, "rev-parse", own) == tip


class TestHooks:
    def test_ours_are_brought_up_to_date_and_never_put_in_anew(self, lab):
        assert mended(lab) == []
        assert not (lab.root / ".git/hooks").exists()
        lab.lg("hooks", "install")
        hook = lab.root / ".git/hooks/post-commit"
        current = hook.read_text()
        hook.write_text(current.replace("exit 0 ;;", "exit 0;;"))
        assert "out of date" in looks(lab)["hooks post-commit"]
        assert mended(lab)
        assert hook.read_text() == current

    def test_one_that_the_user_switched_off_stays_off(self, lab):
        lab.lg("hooks", "install")
        hook = lab.root / ".git/hooks/post-commit"
        hook.chmod(0o644)
        assert f"`chmod +x {hook}`" in looks(lab, "--fix")["hooks post-commit"]
        assert not os.access(hook, os.X_OK)

    def test_it_says_where_git_looks_and_who_set_that(self, lab):
        folder = lab.root / "my hooks"
        folder.mkdir()
        (folder / "post-commit").write_text("#!/bin/sh\n")
        git(lab.root, "config", "core.hooksPath", "my hooks")
        shown = lab.lg("doctor").stdout
        assert f"git runs those in {folder} (local core.hooksPath)" in shown
        assert "post-commit is not executable: git passes it over" in shown


class TestPlaces:
    def test_an_experiment_under_way_is_well(self, lab):
        journal = lab.root / ".git/loopgraph/journal/s.json"
        journal.parent.mkdir(exist_ok=True)
        journal.write_text('{"plan": {"target": 5, "done": 2}, "entry": null}')
        shown = lab.lg("doctor").stdout
        assert (
            "was cut off after 2 experiments: `git lg experiment --session s`" in shown
        )
        for text in ("garbage", '{"entry": {"stage": "x"}}'):
            journal.write_text(text)
            assert "move it away" in looks(lab)["session s"]

    def test_a_stale_lock_of_git_is_named_and_a_fresh_one_is_not(self, lab):
        writer = (lab.root / ".git/loopgraph/writer").read_text().strip()
        lock = lab.root / f".git/refs/notes/loopgraph/{writer}.lock"
        lock.touch()
        assert lock.name not in lab.lg("doctor").stdout
        os.utime(lock, (time.time() - 600,) * 2)
        assert f"{lock} is 10 min old" in looks(lab, "--fix")["locks"]
        assert lock.exists()

    def test_dead_worktrees_of_ours_are_let_go_of_and_no_others(self, lab, tmp_path):
        tree = worktree.open_session(
            Repo(lab.root), "s", baseline=Oid(git(lab.root, "rev-parse", "main"))
        )
        git(lab.root, "worktree", "add", "-q", str(tmp_path / "disk"), "-b", "side")
        shutil.rmtree(tmp_path / "disk")
        shutil.rmtree(tree.root)
        assert "s, gone since" in looks(lab)["worktrees"]
        assert mended(lab) == [f"worktrees: let go of {tree.root}"]
        lab.lg("experiment", "-n", "1", "--session", "s")
        assert str(tmp_path / "disk") in git(lab.root, "worktree", "list")

    def test_a_copy_of_a_repository_leaves_the_original_alone(self, lab, tmp_path):
        lab.lg("experiment", "-n", "1", "--session", "s")
        tree = lab.root / ".git/loopgraph/worktrees/s"
        (tree / "mine.txt").write_text("in the original\n")
        before = git(tree, "rev-parse", "HEAD")
        shutil.copytree(lab.root, tmp_path / "copy", symlinks=True)
        copy = Toy(tmp_path / "copy")
        copy.write()
        assert f"a copy of {lab.root / '.git'}" in looks(copy)["worktrees"]
        copy.lg("experiment", "-n", "1", "--session", "s")
        assert git(tree, "rev-parse", "HEAD") == before
        assert (tree / "mine.txt").exists()
        copy.lg("doctor")
        lab.lg("doctor")

    def test_a_branch_that_blocks_sessions_is_named(self, lab):
        git(lab.root, "branch", "lg")
        assert "git branch -m lg old-lg" in looks(lab)["branch"]


def test_broken_settings_and_packs_are_findings_and_no_errors(lab):
    (lab.root / ".loopgraph/packs/mine.yml").write_text("methods: 3\n")
    assert "mine.yml" in looks(lab)["packs"]
    (lab.root / ".loopgraph.yml").write_text("metric: [")
    assert "not valid YAML" in looks(lab, "--fix")["settings"]


def test_a_bare_repository_is_looked_at_too(lab, tmp_path):
    git(tmp_path, "clone", "-q", "--mirror", str(lab.root), "hub.git")
    found = looks(Toy(tmp_path / "hub.git"))
    assert set(found) == {"remote.origin.fetch", "remote.origin.mirror"}
