"""Hooks in real repositories: ours pin, and everybody else's go on as before."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loopgraph_git.errors import GitError
from loopgraph_git.git import hook_files, hooks
from loopgraph_git.git.repo import Repo
from tests.conftest import git
from tests.git.hooking import (
    PATTERNS,
    commit,
    has_config_hooks,
    install,
    make,
    pins,
    put,
    snapshot,
    spool,
)

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
FUNCTIONS = """\
#!/bin/sh
if [ "$FRAMEWORK" = "0" ]; then
  exit 0
fi
call_framework()
{
  { shift 2; printf '%s|' "$@"; cat; } >trace; exit 3
}
call_framework run "post-something" "$@"
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
    "functions": (FUNCTIONS, 0o755, "block"),
    "large files": (LARGE_FILES, 0o775, "block"),
    "polyglot": (
        f"#!/bin/sh\n'''exec' {sys.executable} \"$0\" \"$@\"\n' '''\n{PYTHON}",
        0o755,
        "wrapper",
    ),
}


@pytest.fixture
def repo(tmp_path):
    return make(tmp_path / "my projéct")


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

    install(repo)
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
    install(repo)
    once = snapshot(folder)
    assert {once[event][1] & 0o777 for event in hooks.EVENTS} == {0o755}
    assert "is there already" in install(repo)[0]
    assert snapshot(folder) == once
    hooks.uninstall(repo)
    assert snapshot(folder) == before
    assert hooks.uninstall(repo) == []


def test_what_a_user_adds_to_our_file_stays(repo):
    install(repo)
    path = repo.common_dir / "hooks" / "post-commit"
    path.write_text(path.read_text() + "echo mine\n")
    hooks.uninstall(repo)
    assert path.read_text() == "#!/bin/sh\necho mine\n"


def test_an_older_block_is_replaced(repo):
    path = put(repo.common_dir / "hooks" / "post-commit", "#!/bin/sh\necho mine\n")
    install(repo, ("old/*",))
    assert [hook.current for hook in hooks.status(repo, PATTERNS)] == [False, False]
    install(repo)
    assert path.read_text().count(">>> loopgraph >>>") == 1
    assert "old/*" not in path.read_text()
    assert all(hook.current for hook in hooks.status(repo, PATTERNS))


def test_a_hook_with_dos_line_ends_is_given_back(repo):
    content = b"#!/bin/sh\r\necho mine\r\n"
    path = put(repo.common_dir / "hooks" / "post-commit", content.decode())
    assert path.read_bytes() == content
    install(repo)
    assert hooks.status(repo)[0].how == "block"
    # an editor may make the whole file alike
    path.write_bytes(path.read_bytes().replace(b"\r", b"").replace(b"\n", b"\r\n"))
    hooks.uninstall(repo)
    assert path.read_bytes() == content


def test_a_hook_that_asks_for_its_name_is_told(repo):
    folder = repo.common_dir / "hooks"
    put(folder / "all", '#!/bin/sh\necho "$(basename "$0") $* $(cat)" >>trace\n')
    for event in hooks.EVENTS:
        (folder / event).symlink_to("all")
    before = snapshot(folder)
    install(repo)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    commit(repo.root)
    commit(repo.root, "--amend")
    said = (repo.root / "trace").read_text().splitlines()
    assert [line.split()[:2] for line in said] == [
        ["post-commit"],
        ["post-commit"],
        ["post-rewrite", "amend"],
    ]
    install(repo, ())
    hooks.uninstall(repo)
    assert snapshot(folder) == before


@pytest.mark.parametrize("path", ["", "own/deep/hooks"])
@pytest.mark.parametrize("there", [False, True])
def test_folders_are_left_as_they_were(repo, path, there):
    folder = repo.common_dir / "hooks"
    shutil.rmtree(folder)
    if path:
        folder = repo.root / path
        git(repo.root, "config", "core.hooksPath", path)
    if there:
        folder.mkdir(parents=True)
    install(repo, ("old/*",))
    install(repo)
    assert (folder / "post-commit").exists()
    hooks.uninstall(repo)
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())
    assert (repo.root / "own").exists() == (there and bool(path))


def test_a_folder_with_more_in_it_stays(repo):
    shutil.rmtree(repo.common_dir / "hooks")
    install(repo)
    mine = put(repo.common_dir / "hooks" / "pre-push", "#!/bin/sh\n")
    hooks.uninstall(repo)
    assert list(mine.parent.iterdir()) == [mine]


@pytest.mark.parametrize("value", ["/dev/null", "", ".git/config"])
def test_hooks_that_were_turned_off_stay_off(repo, value):
    git(repo.root, "config", "core.hooksPath", value)
    with pytest.raises(GitError, match="git runs no hooks here"):
        install(repo)
    assert [hook.how for hook in hooks.status(repo)] == ["", ""]
    assert hooks.uninstall(repo) == []


def test_a_folder_named_like_a_hook_is_pointed_out(repo):
    (repo.common_dir / "hooks" / "post-commit").mkdir(parents=True)
    with pytest.raises(GitError, match="is a folder"):
        install(repo)


def test_a_folder_that_is_a_broken_link_stays_one(repo):
    folder = repo.common_dir / "hooks"
    shutil.rmtree(folder)
    folder.symlink_to("../elsewhere")
    install(repo)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    hooks.uninstall(repo)
    assert folder.is_symlink()
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["disabled", "link"])
def test_what_must_not_be_written_to_is_wrapped(repo, kind):
    folder = repo.common_dir / "hooks"
    theirs = put(repo.root / "tools" / "hook", "#!/bin/sh\ntouch ran\n")
    if kind == "link":
        (folder / "post-commit").symlink_to(theirs)
    else:
        put(folder / "post-commit", theirs.read_text(), 0o644)
    before = snapshot(folder)
    install(repo)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    assert (repo.root / "ran").exists() == (kind == "link")
    assert theirs.read_text() == "#!/bin/sh\ntouch ran\n"
    hooks.uninstall(repo)
    assert snapshot(folder) == before


def test_a_framework_may_move_our_hook_away(repo):
    folder = repo.common_dir / "hooks"
    put(folder / "post-commit", PYTHON)
    install(repo)
    (folder / "post-commit").rename(folder / "post-commit.legacy")
    put(
        folder / "post-commit", '#!/bin/sh\nexec "$(dirname "$0")/post-commit.legacy"\n'
    )
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    assert (repo.root / "trace").exists()
    assert [hook.runs for hook in hooks.status(repo)] == [False, True]
    install(repo)
    assert [hook.how for hook in hooks.status(repo)] == ["block", "file"]
    assert (folder / "post-commit.legacy").read_text() == PYTHON
    hooks.uninstall(repo)
    assert not (folder / "post-commit.loopgraph-orig").exists()


def test_a_changed_wrapper_is_not_lost(repo):
    path = put(repo.common_dir / "hooks" / "post-commit", PYTHON)
    install(repo)
    path.write_text(path.read_text() + "echo mine\n")
    with pytest.raises(GitError, match="changed by hand"):
        hooks.uninstall(repo)
    kept = path.with_name("post-commit.loopgraph-orig")
    assert kept.read_text() == PYTHON
    path.unlink()
    put(path, PYTHON)
    with pytest.raises(GitError, match="is in the way"):
        install(repo)


def by_hand(repo: Repo, hand: Path) -> None:
    """Install where the folder is not ours: add the lines that are asked for."""
    with pytest.raises(GitError, match="Add by hand") as caught:
        install(repo)
    for event in hooks.EVENTS:
        line = next(x for x in str(caught.value).splitlines() if f"/{event};" in x)
        put(hand / event, f"#!/bin/sh\n{line.strip()}\n{SHELL}")
    assert "is there already" in install(repo)[0]
    assert "called from" in install(repo, ())[0]
    install(repo)
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
        install(repo)
    assert snapshot(folder) == before


def test_a_folder_for_all_repositories_is_not_changed(repo, tmp_path, monkeypatch):
    folder = tmp_path / "all hooks"
    folder.mkdir()
    (tmp_path / "config").write_text(f'[core]\n\thooksPath = "{folder}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    with pytest.raises(GitError, match=r"all repositories \(global\)"):
        install(repo)
    assert snapshot(folder) == {}
    by_hand(repo, folder)


def test_an_untracked_folder_of_this_clone_is_used(repo):
    git(repo.root, "config", "core.hooksPath", "own/hooks")
    install(repo)
    assert (repo.root / "own" / "hooks" / "post-commit").exists()
    git(repo.root, "switch", "-q", "-c", "exp/x")
    assert {commit(repo.root)} == pins(repo)
    git(repo.root, "config", "core.hooksPath", "/somewhere/else")
    with pytest.raises(GitError, match="outside of this repository"):
        install(repo)


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
    install(repo)
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


@pytest.mark.parametrize("way", ["symref", "named folder", "link", "inside"])
def test_however_git_finds_the_branch(repo, way):
    hooks.install(repo, PATTERNS)
    git(repo.root, "switch", "-q", "-c", "exp/x")
    command, folder = ["git"], repo.root
    if way == "symref":
        git(repo.root, "symbolic-ref", "refs/heads/exp/alias", "refs/heads/exp/x")
        git(repo.root, "symbolic-ref", "HEAD", "refs/heads/exp/alias")
    elif way == "named folder":
        command += ["--git-dir=.git", "--work-tree=."]
    elif way == "link":
        (repo.root / ".git").rename(repo.root.parent / "moved")
        (repo.root / ".git").symlink_to(repo.root.parent / "moved")
    else:
        folder = put(repo.root / "sub" / "folder" / "file", "").parent
    command += ["commit", "-q", "--allow-empty", "-m", "Try"]
    subprocess.run(command, cwd=folder, check=True)
    oid = git(repo.root, "rev-parse", "refs/heads/exp/x")
    assert pins(Repo(repo.root)) == {oid}
    assert spool(Repo(repo.root)) == [f"commit {oid} refs/heads/exp/x"]


def test_a_linked_worktree_shares_hooks_and_pins(repo, tmp_path):
    other = tmp_path / "other tree"
    git(repo.root, "worktree", "add", "-q", "-b", "exp/x", str(other))
    hooks.install(Repo(other), PATTERNS)
    oid = commit(other)
    assert pins(repo) == {oid}
    assert spool(repo) == [f"commit {oid} refs/heads/exp/x"]


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
    toy.lg("hooks", "install")
    how = "config" if has_config_hooks(Repo(toy.root)) else "file"
    assert [hook["how"] for hook in toy.json("hooks", "status")] == [how, how]
    assert f"installed ({how}" in toy.lg("hooks", "status").stdout
    git(toy.root, "switch", "-q", "-c", "try/1")
    assert {commit(toy.root)} == pins(Repo(toy.root))
    toy.write(branches=[])
    assert "out of date" in toy.lg("hooks", "status").stdout
    [path, _] = [hook["path"] for hook in toy.json("hooks", "status")]
    Path(path).chmod(0o644)
    assert "git does not run it" in toy.lg("hooks", "status").stdout
    assert "removed" in toy.lg("hooks", "uninstall").stdout
    assert "no hooks of ours" in toy.lg("hooks", "uninstall").stdout
