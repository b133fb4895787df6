"""Histories that are their own log: experiments committed, and reverted."""

from __future__ import annotations

import itertools

import pytest

from tests.conftest import Toy, git

pytestmark = pytest.mark.long

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


class Branch:
    """A branch of experiments, as somebody without `git lg` makes it."""

    def __init__(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.toy = toy
        self._patch = monkeypatch
        self._seconds = itertools.count(1_790_000_000, 60)
        git(toy.root, "switch", "-q", "-c", "night")

    def commit(self, message: str, **files: str) -> str:
        """Commit files, `.` in a name written as `_`, and return the commit."""
        self._tick()
        for name, text in files.items():
            (self.toy.root / name.replace("_", ".")).write_text(text)
        git(self.toy.root, "add", "--all", "--", ":!.loopgraph*")
        git(self.toy.root, "commit", "-q", "-m", message)
        return self.tip()

    def revert(self, rev: str) -> str:
        """Revert a commit with git's own words."""
        self._tick()
        git(self.toy.root, "revert", "--no-edit", rev)
        return self.tip()

    def tip(self) -> str:
        return git(self.toy.root, "rev-parse", "HEAD")

    def verdicts(self) -> dict[str, str]:
        """Return what is on record, by subject."""
        items = self.toy.json("log", "-n", "0")
        return {x["subject"]: x["verdict"] or "" for x in items}

    def values(self) -> dict[str, float]:
        items = self.toy.json("log", "-n", "0")
        return {x["subject"]: x["value"] for x in items if x["value"] is not None}

    def _tick(self) -> None:
        for role in ("AUTHOR", "COMMITTER"):
            self._patch.setenv(f"GIT_{role}_DATE", f"@{next(self._seconds)} +0000")


@pytest.fixture
def branch(toy, monkeypatch):
    return Branch(toy, monkeypatch)


def test_reverts_are_discards_and_what_stays_is_kept(branch):
    branch.commit("experiment: wider (val_bpb 1.00 -> 0.98)", train_py="a")
    bad = branch.commit("experiment: deeper", train_py="b")
    branch.revert("HEAD")
    branch.commit("docs: notes", notes_md="so far so good")
    branch.commit("experiment: longer", train_py="c")
    done = branch.toy.lg("import", "night")
    assert "3 experiments of session night: 1 discard, 1 keep, 1 without a verdict" in (
        done.stdout
    )
    assert "5 since it left main, 1 of them undo others" in done.stdout
    assert "passed over: it changes no code" in done.stderr
    assert branch.verdicts() == {
        "experiment: wider (val_bpb 1.00 -> 0.98)": "keep",
        "experiment: deeper": "discard",
        # nobody can know what comes of the last one
        "experiment: longer": "",
    }
    assert branch.values() == {"experiment: wider (val_bpb 1.00 -> 0.98)": 0.98}
    assert "taken back by" in branch.toy.json("show", bad)["reason"]


def test_without_reverts_standing_means_nothing(branch):
    branch.commit("exp: wider, val_bpb=0.98", train_py="a")
    branch.commit("exp: deeper, val_bpb=1.12 (worse)", train_py="b")
    branch.toy.lg("import", "night")
    assert set(branch.verdicts().values()) == {""}
    assert sorted(branch.values().values()) == [0.98, 1.12]


def test_files_put_back_in_other_words(branch):
    first = (branch.toy.root / "train.py").read_text()
    branch.commit("train: batch 16 to 8", train_py="a")
    branch.commit("fix: typo", train_py="b")
    branch.commit("results: crash batch 8", notes_md="x")
    branch.commit("revert: undo batch 8", train_py=first)
    branch.toy.lg("import", "night")
    assert branch.verdicts() == {
        "train: batch 16 to 8": "discard",
        "fix: typo": "crash",
    }


def test_the_same_tree_again_needs_no_words(branch):
    first = (branch.toy.root / "train.py").read_text()
    branch.commit("wider", train_py="a")
    branch.commit("batch back to 16", train_py=first)
    branch.toy.lg("import", "night")
    assert branch.verdicts() == {"wider": "discard"}


def test_a_revert_of_a_revert_is_a_keep(branch):
    branch.commit("experiment: wider", train_py="a")
    branch.revert("HEAD")
    branch.toy.lg("import", "night")
    assert branch.verdicts() == {"experiment: wider": "discard"}
    branch.revert("HEAD")
    assert "1 added" in branch.toy.lg("import", "night").stdout
    assert branch.verdicts() == {"experiment: wider": "keep"}
    assert "0 added" in branch.toy.lg("import", "night").stdout


def test_a_branch_that_grew_adds_what_is_new_and_what_changed(branch):
    branch.commit("experiment: wider", train_py="a")
    branch.revert("HEAD")
    branch.commit("experiment: deeper\n\nval_bpb: 0.97\n", train_py="b")
    branch.commit("experiment: longer", train_py="c")
    branch.toy.lg("import", "night")
    assert branch.verdicts()["experiment: deeper"] == "keep"
    branch.revert("HEAD")
    branch.revert("HEAD~2")
    told = branch.toy.lg("import", "night").stdout
    assert "2 added, 1 known before" in told
    assert branch.verdicts()["experiment: deeper"] == "discard"
    assert branch.toy.json("show", "HEAD~3")["runs"] == 1
    tips = git(branch.toy.root, "for-each-ref")
    assert "0 added, 3 known" in branch.toy.lg("import", "night").stdout
    assert git(branch.toy.root, "for-each-ref") == tips


def test_results_that_follow_and_logs_that_are_committed(branch):
    branch.commit("Wider", train_py="a")
    branch.commit("results: discard wider (val_bpb 1.12 worse than 1.10)", n_md="1")
    oid = branch.commit("Deeper", train_py="b")
    branch.commit("Log it", results_tsv=f"{HEADER}{oid[:7]}\t1.05\t2.0\tkeep\tdeeper\n")
    branch.toy.lg("import", "night")
    assert branch.verdicts() == {"Wider": "discard", "Deeper": "keep"}
    assert branch.values() == {"Wider": 1.12, "Deeper": 1.05}
    assert branch.toy.json("show", oid)["peak_memory_mb"] == 2048
    assert "0 added, 1 known" in branch.toy.lg("import", "results.tsv").stdout


def test_whose_row_it_is_must_be_plain(branch):
    row = "\t1.05\t2.0\tkeep\tdeeper\n"
    branch.commit("Wider", train_py="a", results_tsv=HEADER)
    branch.commit("Deeper", train_py="b", results_tsv=f"{HEADER}HEAD{row}")
    done = branch.toy.lg("import", "night")
    assert "1 row of results.tsv of no commit here" in done.stderr
    assert branch.values() == {}


def test_values_that_are_not_plain_are_reported(branch):
    branch.commit("experiment: a, val_bpb 1.2 and val_bpb 1.3", train_py="a")
    branch.commit("experiment: b, val_bpb -37.8", train_py="b")
    done = branch.toy.lg("import", "night", code=1)
    assert "not imported: which val_bpb it had is not plain: 1.2, 1.3" in done.stderr
    assert "val_bpb -37.8 is out of bounds" in done.stderr
    assert branch.values() == {}


def test_another_metric_is_pointed_at(branch):
    branch.commit("experiment: a, val_loss 3.2", train_py="a")
    done = branch.toy.lg("import", "night")
    assert "1 messages give a value of val_loss, none of val_bpb" in done.stderr
    branch.toy.lg("import", "night", "--metric", "val_loss", "--session", "loss")
    assert branch.values() == {"experiment: a, val_loss 3.2": 3.2}


def test_a_range_and_what_is_meant_by_a_rev(branch):
    first = branch.commit("experiment: a", train_py="a")
    branch.commit("experiment: b", train_py="b")
    items = branch.toy.json("import", f"{first}..HEAD", "--dry-run")
    assert [(x["session"], x["rows"]) for x in items] == [("night", 1)]
    root = branch.toy.root
    git(root, "switch", "-q", "main")
    git(root, "merge", "-q", "--ff-only", "night")
    git(root, "commit", "-q", "--allow-empty", "-m", "More")
    error = branch.toy.lg("import", "night", code=2).stderr
    assert "night is on main already" in error
    assert branch.toy.json("import", "main", "--dry-run")[0]["rows"] == 2
    for wrong in ("main...night", "nothing..main", "--", "-x"):
        branch.toy.lg("import", "--", wrong, code=2)


def test_experiments_outlive_their_branch_and_their_index(branch):
    oid = branch.commit("experiment: wider (val_bpb 0.98) [keep]", train_py="a")
    branch.toy.lg("import", "night")
    root = branch.toy.root
    git(root, "switch", "-q", "main")
    git(root, "branch", "-D", "night")
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now")
    before = branch.toy.json("log", "-n", "0")
    (root / ".git/loopgraph/researchfs.db").unlink()
    branch.toy.lg("reindex")
    assert branch.toy.json("log", "-n", "0") == before
    assert branch.toy.json("show", oid)["verdict"] == "keep"
    assert git(root, "show", f"{oid}:train.py") == "a"


def test_two_clones_agree_on_a_history_one_has_more_of(branch, tmp_path):
    toy = branch.toy
    branch.commit("experiment: wider", train_py="a")
    branch.commit("experiment: deeper", train_py="b")
    branch.revert("HEAD")
    branch.commit("experiment: longer", prepare_py="c")
    other = Toy(tmp_path / "other")
    git(tmp_path, "clone", "-q", str(toy.root), str(other.root))
    hub = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    for clone in (toy, other):
        git(clone.root, "remote", "add", "hub", str(hub))
    branch.revert("HEAD~3")
    for clone in (toy, other):
        clone.lg("import", "night", "--session", "s")
        clone.lg("sync", "hub")
    toy.lg("sync", "hub")
    assert toy.json("log", "-n", "0") == other.json("log", "-n", "0")
    assert branch.verdicts()["experiment: wider"] == "discard"
