"""Experiment branches and what their reflogs tell, without an index."""

from __future__ import annotations

import pytest

from loopgraph_git.git import branches, landed
from loopgraph_git.git.repo import Repo
from loopgraph_git.git.seen import Seen, is_current
from loopgraph_git.records import Oid
from tests.conftest import git

PATTERNS = ("exp/*",)


@pytest.fixture
def repo(tmp_path):
    git(tmp_path, "init", "-q", "--template=", "-b", "main")
    change(tmp_path, "0")
    git(tmp_path, "checkout", "-q", "-b", "exp/x")
    return Repo(tmp_path)


def change(folder, text: str, *options: str) -> Oid:
    (folder / "train.py").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", f"Make it {text}", *options)
    return Oid(git(folder, "rev-parse", "HEAD"))


def find(repo: Repo, judged: set[Oid] | None = None) -> branches.Found:
    seen = branches.look(repo, PATTERNS)
    return branches.find(repo, seen, seen.experiments, judged or set())


def test_the_mark_moves_with_tips_reflogs_and_patterns(repo):
    marks = [branches.look(repo, PATTERNS).mark]
    change(repo.root, "1")
    marks.append(branches.look(repo, PATTERNS).mark)
    git(repo.root, "reset", "-q", "--hard", "main")
    marks.append(branches.look(repo, PATTERNS).mark)
    marks.append(branches.look(repo, ("lg/*",)).mark)
    assert len(set(marks)) == 4
    assert branches.look(repo, PATTERNS).mark == marks[2]


def test_branches_of_remotes_bound_and_the_name_of_one_does_not(repo):
    made = change(repo.root, "1")
    git(repo.root, "update-ref", "refs/remotes/origin/exp/x", made)
    git(repo.root, "symbolic-ref", "refs/remotes/origin/HEAD",
        "refs/remotes/origin/exp/x")  # fmt: skip
    assert find(repo).commits == [made]
    git(repo.root, "update-ref", "refs/remotes/origin/topic", made)
    assert find(repo).commits == []


def test_a_tag_bounds_whatever_it_names(repo):
    old, new = change(repo.root, "1"), change(repo.root, "2")
    git(repo.root, "tag", "v1", old)
    git(repo.root, "tag", "key", git(repo.root, "rev-parse", "HEAD:train.py"))
    assert find(repo).commits == [new]


@pytest.mark.parametrize("date", ["iso", "relative", "raw"])
def test_reflogs_are_read_whatever_dates_the_user_likes(repo, date):
    old, new = change(repo.root, "1"), change(repo.root, "2", "--amend")
    git(repo.root, "config", "log.date", date)
    found = find(repo)
    assert set(found.commits) == {old, new}
    assert found.moves == [branches.Move("amend", (old,), (new,))]


def test_a_branch_without_a_reflog_is_read_beside_one_that_has_it(repo):
    gone, kept = change(repo.root, "1"), change(repo.root, "2", "--amend")
    git(repo.root, "branch", "-q", "exp/y")
    (repo.git_dir / "logs" / "refs" / "heads" / "exp" / "y").unlink()
    assert set(find(repo).commits) == {gone, kept}
    (repo.git_dir / "logs" / "refs" / "heads" / "exp" / "x").unlink()
    assert find(repo).commits == [kept]


def test_what_was_judged_stays_so_when_another_branch_goes_away(repo):
    git(repo.root, "checkout", "-q", "-b", "feature")
    change(repo.root, "1")
    git(repo.root, "checkout", "-q", "-B", "exp/x")
    before = find(repo)
    assert before.commits == []
    git(repo.root, "branch", "-qD", "feature")
    made = change(repo.root, "2")
    assert find(repo, before.judged).commits == [made]


def test_a_rebase_in_place_pairs_commits_by_their_trees(repo, monkeypatch):
    old = [change(repo.root, text) for text in "12"]
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-02-02T03:04:05Z")
    git(repo.root, "rebase", "-q", "--force-rebase", "main")
    new = [repo.oid("HEAD~1"), repo.oid("HEAD")]
    found = find(repo)
    [move] = found.moves
    assert move == branches.Move("rebase", (old[1], old[0]), (new[1], new[0]))
    expected = dict(zip(old, new, strict=True))
    assert dict(landed.pairs(repo, move, found.nodes)) == expected


def test_patches_that_cannot_be_read_have_no_id(repo):
    made = change(repo.root, "1")
    parent = repo.oid("main")
    assert set(landed.patch_ids(repo, [(made, parent)])) == {made}
    assert landed.patch_ids(repo, [(made, Oid("1" * 40))]) == {}
    assert landed.patch_ids(repo, []) == {}


def test_a_partial_clone_asks_for_no_blobs(repo, tmp_path):
    git(repo.root, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    git(repo.root, "clone", "-q", "--filter=blob:none", "--no-checkout",
        repo.root.as_uri(), str(clone))  # fmt: skip
    assert Repo(clone).partial
    assert not repo.partial


def test_what_was_seen_is_read_back_and_damage_is_nothing_seen(repo):
    oid = repo.oid("HEAD")
    seen = Seen(["exp/*"], "abc", {"refs/heads/exp/x": "1 2"}, {oid}, {oid})
    repo.home.mkdir()
    seen.write(repo, "a mark")
    assert Seen.read(repo) == seen
    assert is_current(repo, "a mark")
    assert not is_current(repo, "a")
    for damage in (b"", b"a mark", b"m\n{}", b"\xff\xfe\n[]", b"m\n[1]", b"m\nnull"):
        (repo.home / "seen").write_bytes(damage)
        assert Seen.read(repo) == Seen()
