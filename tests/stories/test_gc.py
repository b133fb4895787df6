"""What nothing needs goes; records, experiments and what is the user's stay."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopgraph_git.git.lock import locked
from tests.conftest import Toy, git, make_toy

pytestmark = pytest.mark.long

DAY = 86_400


@pytest.fixture(scope="module")
def template(tmp_path_factory, request):
    """Return a repository with a session of two experiments that is over."""
    request.getfixturevalue("homes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Ada")
            patch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
        toy = make_toy(tmp_path_factory.mktemp("gc") / "toy")
        (toy.root / ".gitignore").write_text("cache/\n")
        git(toy.root, "add", ".gitignore")
        git(toy.root, "commit", "-q", "-m", "Ignore")
        toy.lg("experiment", "-n", "2", "--session", "s")
        # a copy has another place: its worktrees are made there
        toy.lg("gc")
        return toy.root


@pytest.fixture
def over(template, tmp_path):
    """Return a copy with the worktree and the journal of its session."""
    shutil.copytree(template, tmp_path / "toy")
    toy = Toy(tmp_path / "toy")
    toy.write()
    home = toy.root / ".git/loopgraph"
    git(toy.root, "worktree", "add", "-q", str(home / "worktrees/s"), "lg/s")
    (home / "journal/s.json").write_text('{"plan": null, "entry": null}')
    return toy


def home_of(toy: Toy):
    return toy.root / ".git/loopgraph"


def tree_of(toy: Toy):
    return home_of(toy) / "worktrees/s"


def everything(toy: Toy) -> list[str]:
    volatile = (".lock", "-wal", "-shm", "/index", "researchfs.db")
    found = [str(path) for path in toy.root.rglob("*")]
    return sorted(path for path in found if not path.endswith(volatile))


def test_a_session_that_is_over_leaves_nothing_and_goes_on_later(over):
    refs, known = git(over.root, "for-each-ref"), over.json("log")
    assert tree_of(over).exists()
    shown = over.lg("gc").stdout
    assert "removed the worktree of s" in shown
    assert "removed 1 journal" in shown
    assert "freed 0.0 MiB" in shown
    assert list(home_of(over).glob("worktrees/*")) == []
    assert "worktrees" not in git(over.root, "worktree", "list")
    assert (git(over.root, "for-each-ref"), over.json("log")) == (refs, known)
    assert over.lg("gc").stdout == "freed 0.0 MiB\n"
    over.lg("experiment", "-n", "1", "--session", "s")
    assert len(over.json("log")) == len(known) + 1


def test_a_dry_run_says_the_same_and_removes_nothing(over):
    before = everything(over)
    said = over.json(
        "gc", "--dry-run", "--logs-older-than", "0", "--keep-sessions", "0"
    )
    assert everything(over) == before
    did = over.json("gc", "--logs-older-than", "0", "--keep-sessions", "0")
    assert said["dry_run"]
    assert said["removed"] == did["removed"]
    assert said["freed_bytes"] == did["freed_bytes"] > 0
    assert {item["kind"] for item in did["removed"]} == {"worktree", "journal", "log"}


def test_a_session_that_runs_is_left_alone_with_its_logs(over):
    before = everything(over)
    with locked(home_of(over) / "journal/s.lock"):
        found = over.json("gc", "--logs-older-than", "0", "--keep-sessions", "0")
    assert found == {
        "dry_run": False,
        "freed_bytes": 0,
        "kept": [{"name": "s", "why": "is running"}],
        "removed": [],
    }
    assert everything(over) == before


@pytest.mark.parametrize(
    ("journal", "why"),
    [
        ('{"plan": {"target": 9, "done": 1}, "entry": null}', "cut off after 1"),
        ("torn", "move it away"),
        ('{"entry": {"stage": "odd"}}', "move it away"),
    ],
)
def test_a_session_with_something_under_way_is_left_alone(over, journal, why):
    (home_of(over) / "journal/s.json").write_text(journal)
    before = everything(over)
    shown = over.lg("gc", "--logs-older-than", "0", "--keep-sessions", "0").stdout
    assert why in shown
    assert everything(over) == before


class TestWorktree:
    def kept(self, toy: Toy) -> str:
        (kept,) = toy.json("gc")["kept"]
        assert tree_of(toy).exists()
        assert (home_of(toy) / "journal/s.json").exists()
        return kept["why"]

    def test_files_of_the_user_are_named(self, over):
        over_at = time.time() - 1
        os.utime(home_of(over) / "journal/s.json", (over_at, over_at))
        (tree_of(over) / "notes é.txt").write_text("mine\n")
        assert "has files of yours (notes é.txt)" in self.kept(over)
        # the age of its content does not matter, only when it came here
        os.utime(tree_of(over) / "notes é.txt", (1, 1))
        assert "has files of yours (notes é.txt)" in self.kept(over)
        (tree_of(over) / "notes é.txt").unlink()
        with (tree_of(over) / "train.py").open("a") as file:
            file.write("# mine\n")
        assert "(train.py)" in self.kept(over)

    def test_what_runs_left_goes_and_what_is_linked_stays(self, over):
        data = over.root / "data"
        data.mkdir()
        (data / "tokens.bin").write_text("precious")
        (tree_of(over) / "data").symlink_to(data)
        for folder in ("cache", "__pycache__"):
            (tree_of(over) / folder).mkdir()
            (tree_of(over) / folder / "made").write_text("by a run")
        after = time.time() + 1
        os.utime(home_of(over) / "journal/s.json", (after, after))
        over.lg("gc")
        assert not tree_of(over).exists()
        assert (data / "tokens.bin").read_text() == "precious"

    def test_one_that_the_user_locked_stays(self, over):
        git(over.root, "worktree", "lock", str(tree_of(over)))
        assert "git worktree unlock" in self.kept(over)

    def test_one_with_a_rebase_halfway_stays(self, over):
        folder = git(tree_of(over), "rev-parse", "--absolute-git-dir")
        (Path(folder) / "rebase-merge").mkdir()
        assert "stopped halfway" in self.kept(over)

    @pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
    def test_one_that_somebody_works_in_stays(self, over):
        with subprocess.Popen(["sleep", "60"], cwd=tree_of(over)) as process:
            assert f"process {process.pid} works in" in self.kept(over)
            process.kill()

    def test_a_folder_that_is_no_worktree_stays(self, over):
        (home_of(over) / "worktrees/mine").mkdir()
        (home_of(over) / "worktrees/mine/file").touch()
        assert "no worktree of this repository" in over.lg("gc").stdout
        assert (home_of(over) / "worktrees/mine/file").exists()

    def test_worktrees_of_the_user_are_none_of_ours(self, over, tmp_path):
        git(over.root, "worktree", "add", "-q", str(tmp_path / "w"), "-b", "side")
        shutil.rmtree(tmp_path / "w")
        over.lg("gc")
        assert str(tmp_path / "w") in git(over.root, "worktree", "list")


class TestLogs:
    def aged(self, toy: Toy, days: float) -> int:
        paths = list((home_of(toy) / "logs").glob("*.log"))
        for path in paths:
            os.utime(path, (time.time() - days * DAY,) * 2)
        return len(paths)

    def left(self, toy: Toy) -> int:
        return len(list((home_of(toy) / "logs").glob("*.log")))

    def test_old_logs_go_unless_their_session_is_one_of_the_newest(self, over):
        count = self.aged(over, 40)
        over.lg("gc")
        assert self.left(over) == count
        over.lg("gc", "--keep-sessions", "0", "--logs-older-than", "50")
        assert self.left(over) == count
        assert f"removed {count} logs" in over.lg("gc", "--keep-sessions", "0").stdout
        assert self.left(over) == 0
        # what they measured is in the records
        assert all(item["value"] for item in over.json("log"))

    def test_a_log_of_no_known_session_waits_while_something_runs(self, over):
        log = home_of(over) / "logs" / f"run-{'a' * 7}-1.log"
        log.write_text("step 1\n")
        self.aged(over, 40)
        with locked(home_of(over) / "journal/s.lock"):
            over.lg("gc", "--keep-sessions", "0")
            assert log.exists()
        over.lg("gc")
        assert not log.exists()


def test_what_killed_processes_left_goes_after_an_hour(over):
    home = home_of(over)
    left = [home / "writer.new", home / "researchfs.db.v1", home / ".loopgraph-x"]
    for path in left:
        path.touch()
    over.lg("gc")
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (time.time() - 2 * 3600,) * 2)
    assert "removed 3 temporary files" in over.lg("gc").stdout
    assert not any(path.exists() for path in left)


def test_copies_of_repositories_go_and_what_was_read_stays(over, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "README.md").write_text("# Theirs\nA page about giraffes.\n")
    git(theirs, "init", "-q", "-b", "main")
    git(theirs, "add", ".")
    git(theirs, "commit", "-q", "-m", "Start")
    over.lg("ingest", theirs.as_uri())
    (copy,) = (home_of(over) / "library/.visited").iterdir()
    # an ingest may be reading it
    assert "copy" not in over.lg("gc").stdout
    os.utime(copy, (0, 0))
    assert "removed 1 copy of a repository" in over.lg("gc").stdout
    assert not copy.exists()
    assert "giraffes" in over.lg("search", "giraffes").stdout
    assert "known" in over.lg("ingest", theirs.as_uri()).stdout
