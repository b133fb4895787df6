"""Real repositories of every shape that git 2.39 can make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopgraph_git.errors import GitError, NotARepositoryError, UsageError
from loopgraph_git.git import commits, refs, trailers, worktree
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from loopgraph_git.records import Kind, Oid
from tests.conftest import git


def make(folder: Path, *options: str) -> Repo:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", *options)
    (folder / "train.py").write_text("LR = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Start")
    return Repo(folder)


@pytest.fixture
def repo(tmp_path):
    return make(tmp_path / "my projéct")


def try_out(repo: Repo, text: str = "LR = 2\n", timestamp: int = 1_767_323_045) -> Oid:
    head = repo.oid("HEAD")
    tree = commits.write_tree(repo, head, {"train.py": text})
    message = trailers.message("Double LR", "", [(trailers.METHOD, "lr")])
    return commits.commit_tree(repo, tree, head, message, timestamp=timestamp)


def test_a_folder_without_a_repository_says_so(tmp_path):
    with pytest.raises(NotARepositoryError, match="run `git init`"):
        Repo(tmp_path)


def test_where_git_is_missing_it_is_said(repo, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    calls = (
        lambda: repo.text("rev-parse", "HEAD"),
        lambda: repo.write_blob(b"one"),
        lambda: list(repo.objects(["HEAD"])),
    )
    for call in calls:
        with pytest.raises(GitError, match="git is not installed, or not on PATH"):
            call()


def test_a_folder_that_is_gone_is_named(repo):
    repo.root.rename(repo.root.with_name("elsewhere"))
    for call in (lambda: repo.oid("HEAD"), lambda: repo.write_blob(b"one")):
        with pytest.raises(NotARepositoryError, match="my projéct is not a folder"):
            call()


@pytest.mark.parametrize("asked", [("rev-parse",), ("update-index",)])
def test_what_git_says_is_english_whatever_the_user_speaks(
    repo, tmp_path, monkeypatch, asked
):
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    wrapper.write_text('#!/bin/sh\nprintf %s "$LC_ALL $LANGUAGE"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    assert repo.text(*asked) == "C C"


def test_a_commit_is_made_without_touching_the_checkout(repo):
    before = git(repo.root, "status", "--porcelain=v2", "--branch")
    oid = try_out(repo)
    assert repo.file(oid, "train.py") == "LR = 2\n"
    assert git(repo.root, "status", "--porcelain=v2", "--branch") == before
    assert (repo.root / "train.py").read_text() == "LR = 1\n"


def test_the_same_arguments_make_the_same_commit(repo):
    assert try_out(repo) == try_out(repo)
    assert try_out(repo) != try_out(repo, timestamp=1)


def test_line_endings_and_filters_are_applied_as_by_git_add(repo):
    (repo.root / ".gitattributes").write_text("*.py text eol=lf\n")
    git(repo.root, "add", ".")
    git(repo.root, "commit", "-q", "-m", "Attributes")
    assert repo.file(try_out(repo, "LR = 2\r\n"), "train.py") == "LR = 2\n"


def test_pinned_commits_survive_reset_reflog_expiry_and_gc(repo):
    oid = try_out(repo)
    lost = try_out(repo, "LR = 3\n")
    commits.pin(repo, oid)
    git(repo.root, "reflog", "expire", "--expire=now", "--all")
    git(repo.root, "gc", "-q", "--prune=now")
    assert repo.file(oid, "train.py") == "LR = 2\n"
    assert repo.find(lost) is None


def test_commits_are_read_in_bulk_with_trailers_and_diff(repo):
    oid = try_out(repo)
    found = list(commits.read_commits(repo, [oid, "0" * 40, repo.oid("HEAD")]))
    by_oid = {commit.oid: commit for commit in found}
    assert set(by_oid) == {oid, repo.oid("HEAD")}
    assert by_oid[oid].subject == "Double LR"
    assert by_oid[oid].trailers == {"Loopgraph-Method": ("lr",)}
    assert by_oid[oid].diff is None
    [whole] = commits.read_whole(repo, [oid])
    assert "+LR = 2" in (whole.diff or "")
    assert by_oid[oid].ts == 1_767_323_045


@pytest.mark.parametrize("rev", ["", "-q", "--all", "no-such", "a\nb", "HEAD~9"])
def test_an_unknown_or_hostile_rev_is_refused_in_words(repo, rev):
    with pytest.raises(GitError, match="names no commit here"):
        repo.oid(rev)


def test_variables_of_a_surrounding_hook_do_not_redirect_us(
    repo, tmp_path, monkeypatch
):
    other = make(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.git_dir))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.git_dir / "index"))
    assert Repo(repo.root).common_dir == repo.common_dir
    assert repo.file(try_out(repo), "train.py") == "LR = 2\n"


def test_records_come_back_as_they_were_written(repo):
    notes = Notes(repo)
    head = repo.oid("HEAD")
    made = [notes.make(Kind.RESULT, head, {"n": n, "text": "ä\n"}) for n in range(3)]
    for record in made:
        notes.append(record)
    assert [record.seq for record in made] == [1, 2, 3]
    assert list(notes.records(dict.fromkeys(notes.refs(), ""))) == made


def test_appending_a_record_again_changes_nothing(repo):
    notes = Notes(repo)
    record = notes.make(Kind.RESULT, repo.oid("HEAD"), {"n": 1})
    notes.append(record)
    tip = notes.refs()
    notes.append(record, fresh=False)
    assert notes.refs() == tip


def test_only_notes_that_changed_are_read_again(repo):
    notes = Notes(repo)
    notes.append(notes.make(Kind.RESULT, repo.oid("HEAD"), {"n": 1}))
    tips = notes.refs()
    other = try_out(repo)
    record = notes.make(Kind.RESULT, other, {"n": 2})
    notes.append(record)
    assert list(notes.records(tips)) == [record]


def test_a_lost_sequence_file_is_rebuilt_from_the_notes(repo):
    notes = Notes(repo)
    notes.append(notes.make(Kind.RESULT, repo.oid("HEAD"), {"n": 1}))
    (repo.home / "seq").unlink()
    assert notes.make(Kind.RESULT, repo.oid("HEAD"), {}).seq == 2


def test_lines_of_others_are_passed_over(repo):
    notes = Notes(repo)
    record = notes.make(Kind.RESULT, repo.oid("HEAD"), {"n": 1})
    notes.append(record)
    ref = refs.notes(notes.writer())
    git(repo.root, "notes", f"--ref={ref}", "append", "-m", "hello", "HEAD")
    git(repo.root, "notes", f"--ref={ref}", "append", "-m", '{"v":1}', "HEAD")
    assert list(notes.records({ref: ""})) == [record]


WRITER = """
import sys
from pathlib import Path
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from loopgraph_git.records import Kind
notes = Notes(Repo(Path(sys.argv[1])))
head = Repo(Path(sys.argv[1])).oid("HEAD")
for n in range(int(sys.argv[2])):
    notes.append(notes.make(Kind.RESULT, head, {"who": sys.argv[3], "n": n}))
"""


@pytest.mark.long
def test_eight_processes_at_once_lose_nothing(repo):
    command = [sys.executable, "-c", WRITER, str(repo.root), "6"]
    here = Path(__file__).parents[2]
    running = [
        subprocess.Popen([*command, str(n)], cwd=here, stderr=subprocess.PIPE)
        for n in range(8)
    ]
    for process in running:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    notes = Notes(repo)
    found = list(notes.records(dict.fromkeys(notes.refs(), "")))
    assert len(found) == 48
    assert sorted(record.seq for record in found) == list(range(1, 49))


def test_a_session_has_its_own_worktree_and_leaves_the_user_alone(repo):
    before = git(repo.root, "status", "--porcelain=v2", "--branch", "-uall")
    tree = worktree.open_session(repo, "fast", baseline=repo.oid("HEAD"))
    assert tree.branch() == "refs/heads/lg/fast"
    assert (tree.root / "train.py").exists()
    oid = try_out(repo)
    worktree.move(tree, oid)
    assert (tree.root / "train.py").read_text() == "LR = 2\n"
    assert repo.oid("lg/fast") == oid
    assert git(repo.root, "status", "--porcelain=v2", "--branch", "-uall") == before


def test_a_worktree_removed_by_hand_is_made_again(repo):
    tree = worktree.open_session(repo, "fast", baseline=repo.oid("HEAD"))
    oid = try_out(repo)
    worktree.move(tree, oid)
    subprocess.run(["rm", "-rf", str(tree.root)], check=True)
    again = worktree.open_session(repo, "fast", baseline=repo.oid("HEAD"))
    assert (again.root / "train.py").read_text() == "LR = 2\n"


def test_untracked_things_are_linked_in(repo):
    (repo.root / "data").mkdir()
    (repo.root / "data" / "x").write_text("1")
    tree = worktree.open_session(repo, "fast", baseline=repo.oid("HEAD"))
    for _ in range(2):
        worktree.move(tree, repo.oid("HEAD"))
        worktree.link(repo, tree, ["data"])
    assert (tree.root / "data" / "x").read_text() == "1"


def test_a_branch_called_lg_is_named_as_the_obstacle(repo):
    git(repo.root, "branch", "lg")
    with pytest.raises(UsageError, match="git branch -m lg"):
        worktree.open_session(repo, "fast", baseline=repo.oid("HEAD"))


def test_a_session_name_that_git_would_refuse_gets_a_suggestion():
    with pytest.raises(UsageError, match="--session my-idea"):
        refs.session_branch("My idea..")


def test_a_sha256_repository_works(tmp_path):
    repo = make(tmp_path / "r", "--object-format=sha256")
    oid = try_out(repo)
    commits.pin(repo, oid)
    notes = Notes(repo)
    record = notes.make(Kind.RESULT, oid, {"n": 1})
    notes.append(record)
    assert len(oid) == 64
    assert list(notes.records(dict.fromkeys(notes.refs(), ""))) == [record]
    tree = worktree.open_session(repo, "fast", baseline=oid)
    assert (tree.root / "train.py").read_text() == "LR = 2\n"


def test_a_repository_without_a_user_name_works(tmp_path, monkeypatch):
    repo = make(tmp_path / "r")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    git(repo.root, "config", "user.useConfigOnly", "true")
    repo = Repo(repo.root)
    oid = try_out(repo)
    Notes(repo).append(Notes(repo).make(Kind.RESULT, oid, {"n": 1}))
    assert "loopgraph@localhost" in git(repo.root, "show", "-s", "--format=%ae", oid)


def test_a_linked_worktree_shares_everything(repo, tmp_path):
    git(repo.root, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    linked = Repo(tmp_path / "linked")
    assert linked.root == tmp_path / "linked"
    assert linked.home == repo.home
    record = Notes(linked).make(Kind.RESULT, linked.oid("HEAD"), {"n": 1})
    Notes(linked).append(record)
    assert list(Notes(repo).records(dict.fromkeys(Notes(repo).refs(), ""))) == [record]


def test_a_bare_repository_can_be_read_and_written(repo, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", str(repo.root), "bare.git")
    bare = Repo(tmp_path / "bare.git")
    assert bare.bare
    oid = try_out(bare)
    commits.pin(bare, oid)
    Notes(bare).append(Notes(bare).make(Kind.RESULT, oid, {"n": 1}))
    assert bare.file(oid, "train.py") == "LR = 2\n"


def test_moving_a_ref_that_moved_meanwhile_is_refused(repo):
    oid, other = try_out(repo), try_out(repo, "LR = 3\n")
    repo.update_refs(("refs/heads/x", oid, ""))
    with pytest.raises(GitError, match="update-ref"):
        repo.update_refs(("refs/heads/x", other, other))


class TestTrailers:
    def test_a_message_reads_back(self):
        text = trailers.message(
            "Try SwiGLU", "Because.\n\nHypothesis: better", [(trailers.METHOD, "a")] * 2
        )
        assert trailers.parse(text) == (
            "Try SwiGLU",
            "Because.\n\nHypothesis: better",
            {"Loopgraph-Method": ("a", "a")},
        )

    def test_newlines_cannot_forge_a_trailer(self):
        text = trailers.message("s", "", [(trailers.METHOD, "a\nLoopgraph-Session: b")])
        assert trailers.parse(text)[2] == {
            "Loopgraph-Method": ("a Loopgraph-Session: b",)
        }

    def test_git_itself_finds_them(self, repo):
        oid = try_out(repo)
        key = "%(trailers:key=Loopgraph-Method,valueonly)"
        assert git(repo.root, "log", "-1", f"--format={key}", oid).strip() == "lr"
