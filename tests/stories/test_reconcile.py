"""What bypasses every hook is found by the next command, and ordinary work is not."""

from __future__ import annotations

import os
import subprocess

import pytest

from loopgraph_git.git import branches
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Kind, Oid, Result, Status
from tests.conftest import TRAIN, git

pytestmark = pytest.mark.long

RATES = TRAIN + "\n# far below, so that patches do not touch\n" * 12 + "WIDTH = 1\n"


@pytest.fixture
def root(tmp_path):
    """Return a repository with a commit on main, and no hooks."""
    return make(tmp_path / "a repö")


def make(folder, *options):
    folder.mkdir()
    git(folder, "init", "-q", "--template=", "-b", "main", *options)
    (folder / "train.py").write_text(RATES)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Start")
    return folder


def commit(folder, rate: str, *options: str) -> str:
    (folder / "train.py").write_text(RATES.replace("1e-3", rate))
    git(folder, "commit", "-qam", f"Rate {rate}", *options)
    return head(folder)


def head(folder, rev: str = "HEAD") -> str:
    return git(folder, "rev-parse", rev)


def wider(folder) -> str:
    """Change something else on the current branch."""
    text = (folder / "train.py").read_text().replace("WIDTH = 1", "WIDTH = 2")
    (folder / "train.py").write_text(text)
    git(folder, "commit", "-qam", "Wider")
    return head(folder)


def branch(folder, name: str = "exp/x") -> None:
    git(folder, "checkout", "-q", "-b", name)


def listed(folder) -> dict[str, float | None]:
    """Return the experiments after catching up, with their values."""
    with LoopGraph.open(folder) as lab:
        lab.reconcile()
        return {item.commit: item.value for item in lab.experiments()}


def measure(folder, oid: str, value: float = 0.9) -> None:
    with LoopGraph.open(folder) as lab:
        lab.reconcile()
        result = Result(status=Status.OK, metric="val_bpb", value=value)
        lab.record(Oid(oid), result)


def links(folder, oid: str) -> list[tuple[str, str, bool]]:
    with LoopGraph.open(folder) as lab:
        lab.reconcile()
        found = [x.body for x in lab.records_of(Oid(oid)) if x.kind is Kind.LINK]
    return [(body["to"], body["how"], body["same_tree"]) for body in found]


def traces(folder) -> str:
    return git(folder, "for-each-ref", "refs/loopgraph", "refs/notes")


def test_what_was_committed_and_reset_away_is_kept(root):
    branch(root, "autoresearch/mar8")
    assert listed(root) == {}
    tried = [commit(root, rate) for rate in ("2e-3", "3e-3")]
    git(root, "reset", "-q", "--hard", "main")
    assert set(listed(root)) == set(tried)
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now")
    assert head(root, f"{tried[1]}^{{tree}}")


def test_commits_made_by_plumbing_are_found(root):
    # as jj does: no index, no hook, a ref that appears or moves
    tree = head(root, "HEAD^{tree}")
    made = [git(root, "commit-tree", "-p", "main", "-m", "One", tree)]
    git(root, "update-ref", "refs/heads/exp/jj", made[0])
    assert set(listed(root)) == set(made)
    made.append(git(root, "commit-tree", "-p", made[0], "-m", "Two", tree))
    git(root, "update-ref", "refs/heads/exp/jj", made[1])
    assert set(listed(root)) == set(made)


def test_am_merge_and_a_linked_worktree_are_found(root, tmp_path):
    branch(root, "other")
    git(root, "commit", "-q", "--allow-empty", "-m", "Another parent")
    commit(root, "2e-3")
    patch = git(root, "format-patch", "--stdout", "-1") + "\n"
    git(root, "checkout", "-q", "main")
    side = tmp_path / "side"
    git(root, "worktree", "add", "-q", "-b", "exp/y", str(side))
    git(root, "commit", "-q", "--allow-empty", "-m", "Meanwhile")
    git(side, "am", "-q", stdin=patch)
    applied = head(side)
    assert set(listed(root)) == {applied}
    git(side, "merge", "-q", "--no-edit", "main")
    assert set(listed(root)) == {applied, head(side)}
    git(root, "worktree", "remove", "--force", str(side))
    git(root, "branch", "-qD", "exp/y")
    assert len(listed(root)) == 2


def test_a_branch_that_is_gone_already_is_no_error(root):
    branch(root)
    commit(root, "2e-3")
    git(root, "checkout", "-q", "main")
    git(root, "branch", "-qD", "exp/x")
    assert listed(root) == {}


def test_an_amend_without_hooks_is_linked(root):
    branch(root)
    old = commit(root, "2e-3")
    measure(root, old)
    git(root, "commit", "-q", "--amend", "-m", "Better words")
    same = head(root)
    assert links(root, old) == [(same, "amend", True)]
    new = commit(root, "3e-3", "--amend")
    assert links(root, same) == [(new, "amend", False)]
    assert listed(root) == {same: 0.9, new: None}


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_a_rebase_without_hooks_is_linked_and_carries_no_results(root, backend):
    branch(root)
    old = [commit(root, rate) for rate in ("2e-3", "3e-3")]
    measure(root, old[1])
    git(root, "checkout", "-q", "main")
    wider(root)
    git(root, "checkout", "-q", "exp/x")
    git(root, "rebase", "-q", backend, "main")
    new = [head(root, "HEAD~1"), head(root)]
    for before, after in zip(old, new, strict=True):
        assert links(root, before) == [(after, "rebase", False)]
    assert listed(root) == {old[0]: None, old[1]: 0.9, new[0]: None, new[1]: None}


def test_fixups_of_a_rebase_are_linked_by_the_hooks(toy):
    toy.lg("hooks", "install")
    root = toy.root
    (root / "train.py").write_text(RATES)
    git(root, "commit", "-qam", "Longer")
    branch(root)
    old = [commit(root, rate) for rate in ("2e-3", "3e-3")]
    toy.lg("run", old[1])
    squash = {"GIT_SEQUENCE_EDITOR": "sed -i '2s/pick/fixup/'"}
    subprocess.run(
        ["git", "rebase", "-q", "-i", "main"],
        cwd=root, env={**os.environ, **squash}, check=True, capture_output=True,
    )  # fmt: skip
    new = head(root)
    assert links(root, old[0]) == [(new, "rebase", False)]
    assert links(root, old[1]) == [(new, "rebase", True)]
    found = listed(root)
    assert old[1] not in found
    assert found[new] is not None


def test_a_cherry_pick_onto_main_is_linked(root):
    branch(root)
    old = [commit(root, rate) for rate in ("2e-3", "3e-3")]
    measure(root, old[0])
    git(root, "checkout", "-q", "main")
    wider(root)
    git(root, "cherry-pick", old[0])
    assert links(root, old[0]) == [(head(root), "cherry-pick", False)]
    assert set(listed(root)) == set(old)


@pytest.mark.parametrize("moved", [False, True])
def test_a_squash_is_linked_and_only_the_same_tree_has_the_results(root, moved):
    branch(root)
    old = [commit(root, rate) for rate in ("2e-3", "3e-3")]
    measure(root, old[1])
    git(root, "checkout", "-q", "main")
    if moved:
        wider(root)
    git(root, "merge", "-q", "--squash", "exp/x")
    git(root, "commit", "-qm", "What we learned (#7)")
    assert links(root, old[1]) == [(head(root), "squash", not moved)]
    assert links(root, old[0]) == []
    assert listed(root) == {old[0]: None, old[1]: 0.9}
    pins = git(root, "for-each-ref", "refs/loopgraph/pins")
    assert head(root) not in pins


def test_a_message_may_name_the_experiment(root):
    branch(root)
    old = commit(root, "2e-3")
    listed(root)
    git(root, "checkout", "-q", "main")
    words = f"Other code\n\nLoopgraph-Exp: {old[:12]}\nLoopgraph-Exp: 1234567"
    new = commit(root, "9e-3", "-m", words)
    assert links(root, old) == [(new, "squash", False)]


def test_a_squash_on_a_website_is_seen_after_a_fetch(root, tmp_path):
    hub = tmp_path / "hub"
    git(root, "clone", "-q", "--bare", str(root), str(hub))
    git(root, "remote", "add", "origin", str(hub))
    branch(root)
    old = commit(root, "2e-3")
    git(root, "push", "-q", "origin", "exp/x")
    tree = git(hub, "merge-tree", "--write-tree", "main", "exp/x")
    new = git(hub, "commit-tree", "-p", "main", "-m", "Rate (#1)", tree)
    git(hub, "update-ref", "refs/heads/main", new)
    git(root, "fetch", "-q", "origin")
    assert links(root, old) == [(new, "squash", True)]


def test_a_merge_that_holds_the_experiment_needs_no_link(root):
    branch(root)
    old = commit(root, "2e-3")
    listed(root)
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "--no-edit", "exp/x")
    assert links(root, old) == []
    assert set(listed(root)) == {old}


def test_what_was_on_main_before_did_not_land_there(root, monkeypatch):
    earlier = commit(root, "2e-3")
    commit(root, "3e-3")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-02-02T03:04:05Z")
    branch(root)
    git(root, "revert", "--no-edit", "HEAD")
    old = head(root)
    assert head(root, f"{old}^{{tree}}") == head(root, f"{earlier}^{{tree}}")
    assert links(root, old) == []


def test_catching_up_twice_adds_nothing(root):
    branch(root)
    old = commit(root, "2e-3")
    commit(root, "3e-3", "--amend")
    git(root, "checkout", "-q", "main")
    wider(root)
    git(root, "cherry-pick", old)
    assert len(links(root, old)) == 2
    before = traces(root)
    (root / ".git" / "loopgraph" / "seen").unlink()
    listed(root)
    (root / ".git" / "loopgraph" / "seen").write_text("\0damaged\n[1]")
    listed(root)
    assert traces(root) == before


def test_two_clones_that_see_the_same_list_it_once(root, tmp_path):
    hub, other = tmp_path / "hub", tmp_path / "other"
    git(root, "clone", "-q", "--bare", str(root), str(hub))
    git(root, "remote", "add", "origin", str(hub))
    branch(root)
    old = commit(root, "2e-3")
    measure(root, old)
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--squash", "exp/x")
    git(root, "commit", "-qm", "Squashed")
    git(root, "push", "-q", "origin", "main", "exp/x")
    git(tmp_path, "clone", "-q", str(hub), str(other))
    git(other, "branch", "-q", "exp/x", "origin/exp/x")
    for folder in (root, other):
        assert len(links(folder, old)) == 1
    for folder in (root, other, root):
        with LoopGraph.open(folder) as lab:
            lab.sync("origin")
    for folder in (root, other):
        assert len(links(folder, old)) == 2
        assert listed(folder) == {old: 0.9}


def test_experiments_that_arrive_later_are_found_where_they_landed(root, tmp_path):
    hub, other = tmp_path / "hub", tmp_path / "other"
    git(root, "clone", "-q", "--bare", str(root), str(hub))
    git(root, "remote", "add", "origin", str(hub))
    branch(root)
    old = commit(root, "2e-3")
    git(tmp_path, "clone", "-q", str(hub), str(other))
    git(other, "checkout", "-q", "main")
    commit(other, "2e-3")
    git(other, "commit", "-q", "--amend", "-m", "By hand")
    new = head(other)
    assert listed(other) == {}
    for folder in (root, other):
        with LoopGraph.open(folder) as lab:
            lab.reconcile()
            lab.sync("origin")
    assert links(other, old) == [(new, "squash", True)]


def test_a_clone_of_one_branch_takes_only_what_was_done_in_it(root, tmp_path):
    branch(root)
    commit(root, "2e-3")
    for depth in ([], ["--depth=1"]):
        clone = tmp_path / f"clone{len(depth)}"
        git(tmp_path, "clone", "-q", *depth, "--single-branch", "-b", "exp/x",
            root.as_uri(), str(clone))  # fmt: skip
        assert listed(clone) == {}
        new = commit(clone, "5e-3")
        assert set(listed(clone)) == {new}
        assert set(listed(clone)) == {new}


def test_an_orphan_branch_is_all_experiments(root):
    git(root, "checkout", "-q", "--orphan", "exp/new")
    first = commit(root, "2e-3")
    second = commit(root, "3e-3")
    assert set(listed(root)) == {first, second}


def test_a_session_does_not_make_its_baseline_an_experiment(root):
    baseline = commit(root, "2e-3")
    git(root, "update-ref", "refs/heads/lg/s", baseline)
    git(root, "checkout", "-q", "lg/s")
    new = commit(root, "3e-3")
    git(root, "reset", "-q", "--hard", baseline)
    # no branch of the user's holds the baseline any more
    git(root, "branch", "-qf", "main", "main~1")
    assert set(listed(root)) == {new}


def test_ordinary_history_leaves_no_trace(root):
    lines = ["reset refs/heads/main\nfrom refs/heads/main^0\n"]
    lines += [
        f"commit refs/heads/main\ncommitter A <a@b> {1767323046 + n} +0000\n"
        f"data 1\n{n % 10}\nM 644 inline n\ndata {len(str(n))}\n{n}\n"
        for n in range(3000)
    ]
    git(root, "fast-import", "--quiet", stdin="".join(lines))
    git(root, "reset", "-q", "--hard")
    git(root, "branch", "-q", "exp/nothing-yet")
    assert listed(root) == {}
    assert traces(root) == ""


def test_no_git_runs_but_two_listings_where_nothing_changed(root, monkeypatch):
    branch(root)
    commit(root, "2e-3")
    listed(root)
    trace = root / "trace"
    with LoopGraph.open(root) as lab:
        monkeypatch.setenv("GIT_TRACE", str(trace))
        lab.reconcile()
    started = [x for x in trace.read_text().splitlines() if " built-in: " in x]
    assert len(started) == 2
    assert all("for-each-ref" in line for line in started)


def test_it_works_with_sha256_and_in_bare_repositories(tmp_path):
    root = make(tmp_path / "long", "--object-format=sha256")
    branch(root)
    old = commit(root, "2e-3")
    measure(root, old)
    git(root, "checkout", "-q", "main")
    wider(root)
    git(root, "cherry-pick", old)
    assert links(root, old) == [(head(root), "cherry-pick", False)]
    bare = tmp_path / "bare.git"
    git(root, "clone", "-q", "--bare", str(root), str(bare))
    assert set(listed(bare)) == {old}


def test_a_pin_that_git_refuses_is_no_error_and_is_tried_again(root):
    branch(root)
    old = commit(root, "2e-3")
    wall = root / ".git" / "refs" / "loopgraph"
    wall.write_text("in the way")
    assert listed(root) == {}
    wall.unlink()
    assert set(listed(root)) == {old}


def test_patterns_are_matched_as_the_hooks_do():
    patterns = ["exp/*", "try-?"]
    names = ["heads/exp/a/b", "remotes/origin/exp/a", "heads/try-1"]
    others = ["heads/main", "remotes/exp/a", "heads/try-12", "heads/my/exp/a"]
    assert all(branches.matches(f"refs/{name}", patterns) for name in names)
    assert not any(branches.matches(f"refs/{name}", patterns) for name in others)
