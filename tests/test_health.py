"""What is looked at, part by part; the whole command is in stories/test_doctor.py."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from loopgraph_git.git import commits
from loopgraph_git.git.lock import locked
from loopgraph_git.git.repo import Repo
from loopgraph_git.health import places, settings, tools
from loopgraph_git.health.survey import at_risk, survey
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Oid, Result, Status
from tests.conftest import git


@pytest.mark.parametrize(
    ("refspec", "expected"),
    [
        ("+refs/notes/*:refs/notes/*", True),
        ("refs/notes/loopgraph/*:refs/notes/loopgraph/*", True),
        ("+refs/*:refs/*", True),
        ("+refs/loopgraph/*:refs/loopgraph/*", True),
        ("refs/loopgraph/keep/*:refs/loopgraph/keep/*", True),
        ("refs/notes/loopgraph/a:refs/notes/loopgraph/a", True),
        ("+refs/notes/loop*:refs/notes/loop*", True),
        ("+refs/heads/*:refs/remotes/origin/*", False),
        ("refs/notes/commits:refs/notes/commits", False),
        ("+refs/notes/loopgraph/*:refs/notes/loopgraph-remote/origin/*", False),
        ("refs/notes/loopgraph/a", False),
        ("^refs/notes/loopgraph/*", False),
        ("", False),
    ],
)
def test_a_refspec_is_dangerous_where_it_could_write_to_what_is_ours(refspec, expected):
    assert settings.covers(refspec) is expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("notes.rewriteRef", "refs/notes/*"),
        ("notes.rewriteRef", "refs/notes/loopgraph/*"),
        ("notes.rewriteRef", "refs/notes"),
        ("core.notesRef", "refs/notes/loopgraph/mine"),
        ("remote.up stream.fetch", "+refs/notes/*:refs/notes/*"),
        ("remote.hub.mirror", "true"),
    ],
)
def test_dangerous_settings_come_with_the_command_that_removes_them(toy, key, value):
    git(toy.root, "config", "--add", key, "refs/harmless")
    git(toy.root, "config", "--add", key, value)
    repo = Repo(toy.root)
    (found,) = [x for x in looked_at(repo) if x.subject == key_as_git_says(key)]
    assert not found.ok
    command = found.words.split("`")[-2]
    subprocess.run(shlex.split(command), cwd=toy.root, check=True)
    assert key_as_git_says(key) not in [x.subject for x in looked_at(repo)]
    assert git(toy.root, "config", "--get-all", key) == "refs/harmless"


def key_as_git_says(key: str) -> str:
    section, _, name = key.rpartition(".")
    return f"{section}.{name.lower()}"


def looked_at(repo):
    return list(settings.findings(repo, settings.read_settings(repo)))


@pytest.mark.parametrize("value", ["refs/notes/commits", "refs/notes/other/*"])
def test_other_notes_may_be_rewritten(toy, value):
    git(toy.root, "config", "notes.rewriteRef", value)
    assert all(x.ok for x in looked_at(Repo(toy.root)))


def test_a_setting_of_an_included_file_names_the_file(toy, tmp_path):
    shared = tmp_path / "shared settings"
    git(toy.root, "config", "--file", str(shared), "notes.rewriteRef", "refs/notes/*")
    git(toy.root, "config", "include.path", str(shared))
    (found,) = [x for x in looked_at(Repo(toy.root)) if not x.ok]
    command = found.words.split("`")[-2]
    subprocess.run(shlex.split(command), cwd=toy.root, check=True)
    assert all(x.ok for x in looked_at(Repo(toy.root)))


def test_a_command_of_the_repository_is_looked_for_there(toy, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    toy.write(run=["./train.sh"])
    assert "command" in [x.subject for x in looked_at(Repo(toy.root)) if not x.ok]
    (toy.root / "train.sh").write_text("#!/bin/sh\n")
    (toy.root / "train.sh").chmod(0o755)
    assert "command" not in [x.subject for x in looked_at(Repo(toy.root))]


@pytest.mark.parametrize(
    ("version", "ok"),
    [
        ("2.36.0", True),
        ("2.39.5 (Apple Git-154)", True),
        ("2.35.9", False),
        ("3.0", True),
    ],
)
def test_old_versions_are_named(version, ok):
    found = tools._judged("git", version, tools.OLDEST_GIT, "it forgets")
    assert found.ok is ok
    assert ok or "older than 2.36: it forgets" in found.words


def commit(root, message: str) -> Oid:
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return Oid(git(root, "rev-parse", "HEAD"))


def test_at_risk_is_what_no_ref_reaches(toy):
    git(toy.root, "checkout", "-q", "--detach")
    kept, lost, pinned = (commit(toy.root, name) for name in ("a", "b", "c"))
    git(toy.root, "branch", "mine", kept)
    git(toy.root, "checkout", "-q", "main")
    with LoopGraph.open(toy.root) as lab:
        for oid in (kept, lost, pinned):
            lab.record(oid, Result(status=Status.CRASH, metric="val_bpb"))
    repo = Repo(toy.root)
    assert at_risk(repo, survey(repo)) == sorted([lost, pinned])
    commits.pin(repo, lost)
    assert at_risk(repo, survey(repo)) == [pinned]
    commits.pin(repo, pinned)
    assert at_risk(repo, survey(repo)) == []


def test_a_session_runs_while_its_lock_is_held(toy):
    repo = Repo(toy.root)
    lock = repo.home / "journal" / "s.lock"
    assert not places.is_running(repo, "s")
    assert not lock.exists()
    with locked(lock):
        assert places.is_running(repo, "s")
    assert not places.is_running(repo, "s")
