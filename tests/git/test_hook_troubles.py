"""Whatever is wrong with us is not wrong with `git commit`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from loopgraph_git.git import hooks
from tests.conftest import git
from tests.git.hooking import PATTERNS, commit, install, make, pins, put, spool

# a file system of our own, where the machine lets anybody have one
ALONE = ("unshare", "--mount", "--map-root-user", "sh", "-c")
FILL = """\
mkdir -p "$1"
mount -t tmpfs -o size=4k none "$1"
cat /dev/zero >"$1/all" 2>/dev/null
"""
FREEZE = """\
mkdir -p "$1"
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
"""
COMMITS = """
out=$(git commit -q --allow-empty -m Try 2>&1); echo "$? <$out>"
out=$(git commit -q --allow-empty --amend -m Better 2>&1); echo "$? <$out>"
"""


@cache
def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run([*ALONE, "mount -t tmpfs none /mnt"], check=False)
    return done.returncode == 0


@pytest.fixture
def repo(tmp_path):
    repo = make(tmp_path / "my projéct")
    git(repo.root, "switch", "-q", "-c", "exp/x")
    return repo


def commits(repo) -> list[tuple[int, bytes]]:
    """Commit and amend, and return what either came to."""
    done = [
        subprocess.run(
            ["git", "commit", "-q", "--allow-empty", "-m", "Try", *args],
            cwd=repo.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
        )
        for args in ((), ("--amend", "-m", "Better"))
    ]  # fmt: skip
    return [(one.returncode, one.stdout) for one in done]


def test_the_caller_is_not_kept_waiting(repo):
    hooks.install(repo, PATTERNS)
    started = time.monotonic()
    out = subprocess.run(
        ["sh", "-c", COMMITS], cwd=repo.root, capture_output=True, text=True, check=True
    )
    assert out.stdout == "0 <>\n0 <>\n"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "trouble",
    ["file", "spool", "full spool", "index", "no folder for pins", "a pin is locked"],
)
def test_what_is_broken_of_ours_breaks_no_commit(repo, trouble):
    install(repo)
    kept = 2
    if trouble == "file":
        repo.home.write_text("in the way")
    elif trouble == "spool":
        (repo.home / "spool").mkdir(parents=True)
    elif trouble == "full spool":
        repo.home.mkdir()
        (repo.home / "spool").symlink_to("/dev/full")
    elif trouble == "index":
        put(repo.home / "researchfs.db", "not a database")
    elif trouble == "no folder for pins":
        git(repo.root, "update-ref", "refs/loopgraph", "HEAD")
        kept = 0
    else:
        start = git(repo.root, "rev-parse", "HEAD")
        tree = git(repo.root, "rev-parse", "HEAD^{tree}")
        oid = git(repo.root, "commit-tree", "-p", start, "-m", "Try", tree)
        put(repo.common_dir / "refs" / "loopgraph" / "pins" / f"{oid}.lock", "")
        kept = 1
    assert commits(repo) == [(0, b""), (0, b"")]
    assert len(pins(repo)) == kept


@pytest.mark.parametrize("place", [".git/loopgraph", ".git/refs/loopgraph"])
def test_a_full_disk_changes_no_exit_status(repo, place):
    check_in_namespace(repo, FILL, place)


@pytest.mark.parametrize(
    "place", [".git/loopgraph", ".git/refs/loopgraph", ".git/hooks", "."]
)
def test_a_read_only_disk_changes_no_exit_status(repo, place):
    check_in_namespace(repo, FREEZE, place)


def check_in_namespace(repo, way: str, place: str) -> None:
    if not can_mount():
        pytest.skip("nothing can be mounted here")

    def run():
        # where all is read-only, so must be the way there
        script = way + 'cd "$PWD"\n' + COMMITS
        done = subprocess.run(
            [*ALONE, script, "sh", place], cwd=repo.root, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        return done.stdout

    alone = run()
    assert ("0 <>" in alone) == (place != ".")
    install(repo)
    assert run() == alone


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_hook_goes_on_where_a_long_rewrite_cannot_be_kept(repo, shell):
    if not can_mount() or shutil.which(shell) is None:
        pytest.skip("nothing can be mounted here")
    hook = put(
        repo.common_dir / "hooks" / "post-rewrite",
        f"#!/usr/bin/env {shell}\nset -eu\necho still here\n",
    )
    install(repo)
    lines = "".join(f"{number:040x} {number:040x}\n" for number in range(2000))
    script = "for folder in /tmp /var/tmp; do set -- $folder\n" + FILL + "done\n"
    done = subprocess.run(
        [*ALONE, f"{script} exec .git/hooks/post-rewrite rebase"], cwd=repo.root,
        input=lines, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert hook.exists()
    assert (done.returncode, done.stdout) == (0, "still here\n"), done.stderr


def test_nothing_but_git_and_sh_is_needed(repo, tmp_path, monkeypatch):
    theirs = 'while read -r old new; do echo "$old" >>seen; done\n'
    put(repo.common_dir / "hooks" / "post-rewrite", f"#!/bin/sh\nset -eu\n{theirs}")
    install(repo)
    for name in ("git", "sh"):
        found = shutil.which(name)
        put(tmp_path / "bin" / name, f'#!/bin/sh\nexec "{found}" "$@"\n')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert commits(repo) == [(0, b""), (0, b"")]
    assert len(pins(repo)) == 2
    # ours needs cat to read it, and without that leaves it alone
    assert len((repo.root / "seen").read_text().split()) == 1


def test_the_python_that_installed_them_is_not_needed(repo):
    install(repo)
    for event in hooks.EVENTS:
        text = (repo.common_dir / "hooks" / event).read_text()
        assert "python" not in text.lower()
        assert str(Path(sys.prefix)) not in text


@pytest.mark.parametrize("event", hooks.EVENTS)
def test_without_git_a_hook_ends_in_peace(repo, event, tmp_path):
    install(repo)
    done = subprocess.run(
        ["/bin/sh", str(repo.common_dir / "hooks" / event), "amend"],
        cwd=tmp_path, env={"PATH": "/nowhere"}, input=b"a b\n",
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_many_commits_at_once_are_all_pinned(repo, tmp_path):
    install(repo)
    trees = [tmp_path / f"tree {number}" for number in range(4)]
    for number, tree in enumerate(trees):
        branch = f"exp/{number}"
        git(repo.root, "worktree", "add", "-q", "-b", branch, str(tree), "main")
    script = 'for n in 1 2 3 4 5; do git commit -q --allow-empty -m "$0 $n"; done'
    running = [
        subprocess.Popen(["sh", "-c", script, tree.name], cwd=tree) for tree in trees
    ]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    made = set(git(repo.root, "rev-list", "--branches", "^main").split())
    assert pins(repo) == made
    assert {line.split()[1] for line in spool(repo)} == made
    assert len(made) == 20
    assert commit(repo.root) not in made
