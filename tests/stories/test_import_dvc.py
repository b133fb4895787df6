"""Experiments that DVC made: refs on top of a baseline, metrics in files."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from tests.conftest import git

pytestmark = pytest.mark.long

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    wdir: model
    metrics:
      - scores.json:
          cache: false
metrics: [top.yaml]
"""


class Dvc:
    """Makes refs as `dvc exp run` leaves them."""

    def __init__(self, root) -> None:
        self.root = root
        self.baseline = git(root, "rev-parse", "HEAD")

    def save(self, name: str, *, on: str = "", ref: str = "", **files: str) -> str:
        """Commit files on the baseline, without a branch, and name the commit."""
        git(self.root, "read-tree", on or self.baseline)
        for written, content in files.items():
            path = written.replace("__", "/").replace("_", ".")
            blob = git(self.root, "hash-object", "-w", "--stdin", stdin=content)
            entry = f"100644,{blob},{path}"
            git(self.root, "update-index", "--add", "--cacheinfo", entry)
        tree = git(self.root, "write-tree")
        oid = git(
            self.root, "commit-tree", tree, "-p", on or self.baseline,
            "-m", f"dvc: commit experiment {name}",
        )  # fmt: skip
        place = f"{self.baseline[:2]}/{self.baseline[2:]}/{name}"
        git(self.root, "update-ref", ref or f"refs/exps/{place}", oid)
        git(self.root, "read-tree", "HEAD")
        return oid


@pytest.fixture
def dvc(toy):
    return Dvc(toy.root)


def test_experiments_become_results_without_verdicts(toy, dvc):
    oid = dvc.save(
        "puffy-daks",
        metrics_json=json.dumps({"val_bpb": 0.98, "train": {"loss": 2.5}}),
        params_yaml="lr: 0.1\nmodel: {depth: 8}\n",
    )
    done = toy.lg("import", "refs/exps")
    session = f"dvc-{dvc.baseline[:7]}"
    assert f"1 experiment of session {session}: 1 without a verdict" in done.stdout
    shown = toy.json("show", oid)
    assert (shown["value"], shown["verdict"], shown["status"]) == (0.98, None, "ok")
    assert shown["parent"] == dvc.baseline
    told = toy.lg("show", oid).stdout
    assert "puffy-daks" in told
    assert "lr=0.1, model.depth=8" in told
    assert oid[:7] in toy.lg("search", "puffy daks").stdout
    assert "0 added, 1 known" in toy.lg("import", "refs/exps").stdout


def test_metrics_are_where_the_pipeline_says(toy, dvc):
    first = dvc.save(
        "a", dvc_yaml=PIPELINE, model__scores_json='{"eval": {"val_bpb": 0.97}}',
        top_yaml="steps: 100\n",
    )  # fmt: skip
    second = dvc.save("b", dvclive__metrics_json='{"val_bpb": 0.96}')
    third = dvc.save("c", metrics_json='{"accuracy": 0.5}')
    done = toy.lg("import", "refs/exps", code=1)
    assert "c: not imported: its metrics have no val_bpb" in done.stderr
    assert toy.json("show", first)["value"] == 0.97
    assert toy.json("show", second)["value"] == 0.96
    toy.lg("show", third, code=1)


def test_the_end_of_a_chain_of_checkpoints_counts(toy, dvc):
    middle = dvc.save("run", metrics_json='{"val_bpb": 1.2}')
    last = dvc.save("run", on=middle, metrics_json='{"val_bpb": 1.1}')
    toy.lg("import", "refs/exps")
    found = {x["commit"]: x["value"] for x in toy.json("log", "-n", "0")}
    assert found == {last: 1.1}


def test_refs_of_its_own_are_passed_over(toy, dvc):
    dvc.save("a", metrics_json='{"val_bpb": 0.97}')
    dvc.save("x", ref="refs/exps/celery/failed")
    dvc.save("x", ref="refs/exps/exec/EXEC_BASELINE")
    done = toy.lg("import", "refs/exps")
    assert "refs/exps/celery/failed: passed over" in done.stderr
    assert "1 experiment of" in done.stdout


def test_another_metric_is_asked_for(toy, dvc):
    dvc.save("a", metrics_json='{"accuracy": 0.5, "loss": 2}')
    error = toy.lg("import", "refs/exps", code=2).stderr
    assert "choose with `--metric` among accuracy, loss" in error
    items = toy.json("import", "refs/exps", "--metric", "accuracy", "--session", "s")
    assert [(x["direction"], x["session"]) for x in items] == [("higher", "s")]


def test_files_that_are_no_metrics_do_no_harm(toy, dvc):
    bomb = "a: &a {x: 1}\n" + "".join(
        f"{y}: &{y} {{p: *{x}, q: *{x}, r: *{x}}}\n" for x, y in pairwise("abcdefghi")
    )
    dvc.save("a", metrics_yaml=bomb, params_yaml="{", metrics_json="[" * 5000)
    dvc.save("b", metrics_json='{"val_bpb": NaN}', dvc_yaml="metrics: ../../x.json")
    dvc.save("c", metrics_json='{"val_bpb": 0.9}' + " " * 300_000)
    error = toy.lg("import", "refs/exps", code=2).stderr
    assert "no experiment of DVC has a metric val_bpb" in error


def test_no_experiments_at_all(toy):
    assert (
        "git fetch origin 'refs/exps/*" in toy.lg("import", "refs/exps", code=2).stderr
    )
