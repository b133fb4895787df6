"""Hooks in real repositories: ours pin, and everybody else's go on as before."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from loopgraph_git.errors import GitError
from loopgraph_git.git import hook_files, hooks, refs
from loopgraph_git.git.repo import Repo
from tests.conftest import git

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = ("lg/*", "autoresearch/*", "exp/*")
LINES = "a1 b1\na2 b2 more\n"
# each notes its arguments and its stdin, and ends with 3
SHELL = """\
set -eu
note() { printf '%s|' "$0" "$@" >/dev/null; printf '%s|' "$@"; cat; }
note "$@" >trace
exec sh -c 'exit 3'
"""
PYTHON = f"""\
#!{sys.executable}
import sys
with open("trace", "w") as file:
    file.write("".join(x + "|" for x in sys.argv[1:]) + sys.stdin.read())
sys.exit(3)
"""
FRAMEWORK = """\
#!/usr/bin/env bash
# made by a framework
ARGS=(run --hook-dir "$(cd "$(dirname "$0")" && pwd)" -- "$@")
if [ -x /nowhere/python ]; then
    exec /nowhere/python -m framework "${ARGS[@]}"
fi
{ printf '%s|' "$@"; cat; } >trace; exit 3
"""
LARGE_FILES = """\
#!/bin/sh
command -v sh >/dev/null 2>&1 || { printf >&2 '\\n%s\\n\\n' "not found"; exit 2; }
{ printf '%s|' "$@"; cat; } >trace; exit 3
"""
ORIGINALS = {
    "sh": (f"#!/bin/sh\n{SHELL}", 0o755, "block"),
    "sh -eu": (f"#!/bin/sh -eu\n{SHELL}", 0o700, "block"),
    "env bash": (f"#!/usr/bin/env bash\n{SHELL}", 0o755, "block"),
    "no shebang": (SHELL, 0o755, "block"),
    "no last newline": (f"#!/bin/sh\n{SHELL}".rstrip("\n"), 0o755, "block"),
    "python": (PYTHON, 0o755, "wrapper"),
    "framework": (FRAMEWORK, 0o755, "block"),
    "large files": (LARGE_FILES, 0o775, "block"),
    "polyglot": (
        f"#!/bin/sh\n'''exec' {sys.executable} \"$0\" \"$@\"\n' '''\n{PYTHON}",
        0o755,
        "wrapper",
    ),
}


def make(folder: Path, *options: str) -> Repo:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    git(folder, "commit", "-q", "--allow-empty", "-m", "Start")
    return Repo(folder)


@pytest.fixture
def repo(tmp_path):
    return make(tmp_path / "my projéct")


def commit(folder: Path, *args: str) -> str:
    git(folder, "commit", "-q", "--allow-empty", "-m", "Try", *args)
    return git(folder, "rev-parse", "HEAD")


def pins(repo: Repo) -> set[str]:
    return {refs.pinned(ref) for ref in repo.refs(refs.PINS)}


def spool(repo: Repo) -> list[str]:
    path = repo.home / "spool"
    return path.read_text().splitlines() if path.exists() else []


def snapshot(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    return {
        path.name: (
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mode,
        )
        for path in folder.iterdir()
    }


def put(path: Path, content: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    path.chmod(mode)
    return path


def call(repo: Repo, event: str, *args: str) -> tuple[int, str]:
    """Run a hook as git does, and return its exit status and what it noted."""
    trace = repo.root / "trace"
    trace.unlink(missing_ok=True)
    command = [f".git/hooks/{event}", *args]
    if not (repo.root / command[0]).read_bytes().startswith(b"#!"):
        command.insert(0, "sh")
    done = subprocess.run(command, cwd=repo.root, input=LINES, text=True, check=False)
    return done.returncode, trace.read_text()


@pytest.mark.parametrize("name", ORIGINALS)
def test_an_existing_hook_goes_on_as_before(repo, name):
    content, mode, how = ORIGINALS[name]
    folder = repo.common_dir / "hooks"
    for event in hooks.EVENTS:
        put(folder / event, content, mode)
    before = snapshot(folder)
    alone = call(repo, "post-rewrite", "amend", "two words")
    assert alone == (3, f"amend|two words|{LINES}")

    hooks.install(repo, PATTERNS)
    assert [hook[1] for hook in hooks.status(repo, PATTERNS)] == [how, how]
    assert call(repo, "post-rewrite", "amend", "two words") == alone
    assert call(repo, "post-commit")[0] == 3
    git(repo.root, "switch", "-q", "-c", "exp/x")
    first = commit(repo.root)
    second = commit(repo.root, "--amend", "-m", "Better")
    assert pins(repo) == {first, second}
    assert spool(repo)[-1] == f"rewrite amend {first} {second}"
    trace = (repo.root / "trace").read_text().split("|", 1)
    assert trace == ["amend", f"{first} {second}\n"]
    if how == "block":
        assert (folder / "post-commit").stat().st_mode & 0o777 == mode

    hooks.uninstall(repo)
    assert snapshot(folder) == before


def test_without_hooks_files_are_made_and_removed(repo):
    folder = repo.common_dir / "hooks"
    before = snapshot(folder)
    assert [hook.how for hook in hooks.status(repo)] == ["", ""]
    hooks.install(repo, PATTERNS)
    once = snapshot(folder)
    assert {once[event][1] & 0o777 for event in hooks.EVENTS} == {0o755}
    assert "is there already" in hooks.install(repo, PATTERNS)[0]
    assert snapshot(folder) == once
    hooks.uninstall(repo)
    assert snapshot(folder) == before
    assert hooks.uninstall(repo) == []


def test_what_a_user_adds_to_our_file_stays(repo):
    hooks.install(repo, PATTERNS)
    path = repo.common_dir / "hooks" / "post-commit"
    path.write_text(path.read_text() + "echo mine\n")
    hooks.uninstall(repo)
    assert path.read_text() == "#!/bin/sh\necho mine\n"


def test_an_older_block_is_replaced(repo):
    path = put(repo.common_dir / "hooks" / "post-commit", "#!/bin/sh\necho mine\n")
    hooks.install(repo, ("old/*",))
    assert [hook.current for hook in hooks.status(repo, PATTERNS)] == [False, False]
    hooks.install(repo, PATTERNS)
    assert path.read_text().count(">>> loopgraph >>>") == 1
    assert "old/*" not in path.read_text()
    assert all(hook.current for hook in hooks.status(repo, PATTERNS))


def test_a_hook_with_dos_line_ends_is_given_back(repo):
    content = b"#!/bin/sh\r\necho mine\r\n"
    path = put(repo.common_dir / "hooks" / "post-commit", content.decode())
    assert path.read_bytes() == content
    hooks.install(repo, PATTERNS)
    assert hooks.status(repo)[0].how == "block"
    # an editor may make the whole file alike
    path.write_bytes(path.read_bytes().replace(b"\r", b"").replace(b"\n", b"\r\n"))
    hooks.uninstall(repo)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["disabled", "link"])
def test_what_must_not_be_written_to_is_wrapped(repo, kind):
    folder = repo.common_dir / "hooks"
    theirs = put(repo.root / "tools" / "hook", "#!/bin/sh\ntouch ran\n")
    if kind == "link":
        (folder / "post-commit").symlink_to(theirs)
    else:
        put(folder / "post-commit", theirs.read_text(), 0o644)
    before = snapshot(folder)
    hooks.install(repo, PATTERNS)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    assert (repo.root / "ran").exists() == (kind == "link")
    assert theirs.read_text() == "#!/bin/sh\ntouch ran\n"
    hooks.uninstall(repo)
    assert snapshot(folder) == before


def test_a_framework_may_move_our_hook_away(repo):
    folder = repo.common_dir / "hooks"
    put(folder / "post-commit", PYTHON)
    hooks.install(repo, PATTERNS)
    (folder / "post-commit").rename(folder / "post-commit.legacy")
    put(
        folder / "post-commit", '#!/bin/sh\nexec "$(dirname "$0")/post-commit.legacy"\n'
    )
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    assert (repo.root / "trace").exists()
    assert [hook.runs for hook in hooks.status(repo)] == [False, True]
    hooks.install(repo, PATTERNS)
    assert [hook.how for hook in hooks.status(repo)] == ["block", "file"]
    assert (folder / "post-commit.legacy").read_text() == PYTHON
    hooks.uninstall(repo)
    assert not (folder / "post-commit.loopgraph-orig").exists()


def test_a_changed_wrapper_is_not_lost(repo):
    path = put(repo.common_dir / "hooks" / "post-commit", PYTHON)
    hooks.install(repo, PATTERNS)
    path.write_text(path.read_text() + "echo mine\n")
    with pytest.raises(GitError, match="changed by hand"):
        hooks.uninstall(repo)
    kept = path.with_name("post-commit.loopgraph-orig")
    assert kept.read_text() == PYTHON
    path.unlink()
    put(path, PYTHON)
    with pytest.raises(GitError, match="is in the way"):
        hooks.install(repo, PATTERNS)


def by_hand(repo: Repo, hand: Path) -> None:
    """Install where the folder is not ours: add the lines that are asked for."""
    with pytest.raises(GitError, match="Add by hand") as caught:
        hooks.install(repo, PATTERNS)
    for event in hooks.EVENTS:
        line = next(x for x in str(caught.value).splitlines() if f"/{event};" in x)
        put(hand / event, f"#!/bin/sh\n{line.strip()}\n{SHELL}")
    assert "is there already" in hooks.install(repo, PATTERNS)[0]
    assert "called from" in hooks.install(repo, ())[0]
    hooks.install(repo, PATTERNS)
    assert [hook.how for hook in hooks.status(repo, PATTERNS)] == ["line", "line"]
    git(repo.root, "switch", "-q", "-c", "exp/x")
    first = commit(repo.root)
    second = commit(repo.root, "--amend", "-m", "Better")
    assert pins(repo) == {first, second}
    assert (repo.root / "trace").read_text() == f"amend|{first} {second}\n"
    assert "by hand" in hooks.uninstall(repo)[-1]
    assert commit(repo.root) not in pins(repo)


def test_a_folder_made_by_husky_is_not_changed(repo):
    inner = repo.root / ".husky" / "_"
    for event in hooks.EVENTS:
        put(inner / event, f'#!/bin/sh\nsh -e "$(dirname "$0")/../{event}" "$@"\n')
    put(repo.root / ".husky" / "post-commit", SHELL)
    git(repo.root, "add", "-f", ".")
    git(repo.root, "config", "core.hooksPath", ".husky/_")
    before = snapshot(inner)
    by_hand(repo, repo.root / ".husky")
    assert snapshot(inner) == before


def test_a_tracked_folder_is_not_changed(repo):
    folder = put(repo.root / "tools" / "post-commit", SHELL).parent
    git(repo.root, "add", ".")
    git(repo.root, "config", "core.hooksPath", "tools")
    before = snapshot(folder)
    with pytest.raises(GitError, match="tracked"):
        hooks.install(repo, PATTERNS)
    assert snapshot(folder) == before


def test_a_folder_for_all_repositories_is_not_changed(repo, tmp_path, monkeypatch):
    folder = tmp_path / "all hooks"
    folder.mkdir()
    (tmp_path / "config").write_text(f'[core]\n\thooksPath = "{folder}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    with pytest.raises(GitError, match=r"all repositories \(global\)"):
        hooks.install(repo, PATTERNS)
    assert snapshot(folder) == {}
    by_hand(repo, folder)


def test_an_untracked_folder_of_this_clone_is_used(repo):
    git(repo.root, "config", "core.hooksPath", "own/hooks")
    hooks.install(repo, PATTERNS)
    assert (repo.root / "own" / "hooks" / "post-commit").exists()
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    git(repo.root, "config", "core.hooksPath", "/somewhere/else")
    with pytest.raises(GitError, match="outside of this repository"):
        hooks.install(repo, PATTERNS)


def test_a_newer_git_is_configured(repo):
    config = repo.common_dir / "config"
    folder = repo.common_dir / "hooks"
    before, files = config.read_bytes(), snapshot(folder)
    hooks.install(repo, PATTERNS, version=(2, 54))
    hooks.install(repo, PATTERNS, version=(2, 54))
    assert snapshot(folder) == files
    key = "hook.loopgraph-post-rewrite"
    assert git(repo.root, "config", "--get-all", f"{key}.event") == "post-rewrite"
    line = git(repo.root, "config", "--get-all", f"{key}.command")
    assert [hook.how for hook in hooks.status(repo, PATTERNS)] == ["config", "config"]
    git(repo.root, "switch", "-q", "-c", "exp/x")
    subprocess.run(
        ["sh", "-c", f'{line} "$@"', "sh", "amend"], cwd=repo.root, input=LINES,
        text=True, check=True,
    )  # fmt: skip
    assert spool(repo) == ["rewrite amend a1 b1", "rewrite amend a2 b2"]
    hooks.uninstall(repo)
    assert config.read_bytes() == before
    assert not (repo.home / "hooks").exists()


@pytest.mark.parametrize("options", [(), ("--object-format=sha256",)])
def test_what_a_reset_throws_away_is_kept(tmp_path, options):
    repo = make(tmp_path / "a b", *options)
    hooks.install(repo, PATTERNS)
    git(repo.root, "switch", "-q", "-c", "autoresearch/mar/8")
    lost = {commit(repo.root)}
    git(repo.root, "reset", "-q", "--hard", "HEAD^")
    git(repo.root, "switch", "-q", "--detach")
    lost.add(commit(repo.root, "-m", "Alone"))
    git(repo.root, "switch", "-q", "main")
    git(repo.root, "reflog", "expire", "--expire=now", "--all")
    git(repo.root, "gc", "-q", "--prune=now")
    assert pins(repo) == lost
    assert {git(repo.root, "cat-file", "-t", oid) for oid in lost} == {"commit"}
    assert sorted(line.split(" ", 2)[2] for line in spool(repo)) == [
        "HEAD",
        "refs/heads/autoresearch/mar/8",
    ]


def test_ordinary_work_leaves_no_trace(repo):
    hooks.install(repo, PATTERNS)
    before = repo.refs("refs")
    git(repo.root, "switch", "-q", "-c", "feature")
    commit(repo.root)
    commit(repo.root, "--amend", "-m", "Better")
    git(repo.root, "switch", "-q", "main")
    commit(repo.root)
    for backend in ("--merge", "--apply"):
        (repo.root / backend.strip("-")).write_text("x")
        git(repo.root, "add", ".")
        commit(repo.root)
        git(repo.root, "rebase", "-q", backend, "--force-rebase", "HEAD~1")
    assert repo.refs("refs").keys() - before.keys() == {"refs/heads/feature"}
    assert spool(repo) == []
    assert not repo.home.exists()


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_a_rebase_of_an_experiment_branch_is_noted(repo, backend):
    hooks.install(repo, PATTERNS)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    old = [commit(repo.root), commit(repo.root)]
    (repo.root / "more").write_text("x")
    git(repo.root, "add", ".")
    old[1] = commit(repo.root, "--amend")
    git(repo.root, "switch", "-q", "main")
    commit(repo.root, "-m", "Meanwhile")
    git(repo.root, "switch", "-q", "exp/x")
    git(repo.root, "rebase", "-q", backend, "main")
    new = git(repo.root, "rev-parse", "HEAD")
    assert f"rewrite rebase {old[1]} {new}" in spool(repo)
    assert set(old) <= pins(repo)


def test_a_linked_worktree_shares_hooks_and_pins(repo, tmp_path):
    other = tmp_path / "other tree"
    git(repo.root, "worktree", "add", "-q", "-b", "exp/x", str(other))
    hooks.install(Repo(other), PATTERNS)
    oid = commit(other)
    assert pins(repo) == {oid}
    assert spool(repo) == [f"commit {oid} refs/heads/exp/x"]


def test_the_caller_is_not_kept_waiting(repo):
    hooks.install(repo, PATTERNS)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    started = time.monotonic()
    out = subprocess.run(
        ["sh", "-c", 'out=$(git commit -q --allow-empty -m Try 2>&1); echo "<$out>"'],
        cwd=repo.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert out.stdout == "<>\n"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("trouble", ["file", "spool", "full", "pins", "no git"])
def test_no_trouble_of_ours_is_trouble_of_git(repo, trouble, tmp_path):
    hooks.install(repo, PATTERNS)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    if trouble == "file":
        repo.home.write_text("in the way")
    elif trouble == "spool":
        (repo.home / "spool").mkdir(parents=True)
    elif trouble == "full":
        repo.home.mkdir()
        (repo.home / "spool").symlink_to("/dev/full")
    elif trouble == "pins":
        put(repo.common_dir / "refs" / "loopgraph", "in the way")
    for args in ((), ("--amend", "-m", "Better")):
        done = subprocess.run(
            ["git", "commit", "-q", "--allow-empty", "-m", "Try", *args],
            cwd=repo.root, capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    if trouble == "no git":
        for event in hooks.EVENTS:
            done = subprocess.run(
                ["/bin/sh", str(repo.common_dir / "hooks" / event), "amend"],
                cwd=tmp_path, env={"PATH": "/nowhere"}, input=b"a b\n",
                capture_output=True, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(pins(repo)) == (0 if trouble == "pins" else 2)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "busybox"])
def test_every_shell_reads_the_blocks(shell, tmp_path):
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed here")
    for event in hooks.EVENTS:
        for kind, patterns in (("block", ()), ("wrapper", PATTERNS)):
            path = tmp_path / event
            path.write_bytes(hook_files.block(event, patterns, kind))
            inner = ["sh"] if shell == "busybox" else []
            subprocess.run([found, *inner, "-n", str(path)], check=True)


def test_the_command_line_installs_says_and_removes(toy):
    assert [hook["how"] for hook in toy.json("hooks", "status")] == ["", ""]
    assert "not installed" in toy.lg("hooks", "status").stdout
    toy.write(branches=["try/*"])
    assert "post-commit: made" in toy.lg("hooks", "install").stdout
    assert "installed (file" in toy.lg("hooks", "status").stdout
    git(toy.root, "switch", "-q", "-c", "try/1")
    assert {commit(toy.root)} == pins(Repo(toy.root))
    toy.write(branches=[])
    assert "out of date" in toy.lg("hooks", "status").stdout
    (toy.root / ".git" / "hooks" / "post-commit").chmod(0o644)
    assert "git does not run it" in toy.lg("hooks", "status").stdout
    assert "removed" in toy.lg("hooks", "uninstall").stdout
    assert "no hooks of ours" in toy.lg("hooks", "uninstall").stdout
