"""What a commit says of itself before it is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loopgraph_git.researchfs import commits
from loopgraph_git.researchfs.texts import is_seed_only, methods_of
from tests.researchfs.making import commit, oid, retrieval

DIFF = "diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n"


@pytest.mark.parametrize(
    ("trailers", "expected"),
    [
        ((), []),
        (("swiglu",), ["swiglu"]),
        (("b", "a", "b"), ["a", "b"]),
        (("two words", "ok"), ["ok"]),
        (("-dash", "_under", "a" * 65), []),
        (("a\0b", "\ud800", "gqa+rope", "v1.2"), ["gqa+rope", "v1.2"]),
    ],
)
def test_methods_are_the_trailers_that_can_be_names(trailers, expected):
    assert methods_of(commit("a", method=trailers)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("-seed = 1\n+seed = 2\n", True),
        ("-SEED = 1337 # lucky\n+SEED = 42 # lucky\n", True),
        ("-torch.cuda.manual_seed(1)\n+torch.cuda.manual_seed(7)\n", True),
        ("-seed = 1\n", False),
        ("-seed = 1\n+seed = 2\n+other = 3\n", False),
        ("-seed = 1\n+seeds = 2\n", False),
        ("-lr = 1\n+lr = 2\n", False),
        ("", False),
    ],
)
def test_a_seed_is_all_that_changed(lines, expected):
    assert is_seed_only(DIFF + lines) is expected


def test_every_method_of_a_commit_has_an_equal_share(store):
    store.put_commits(
        [commit("a", method=("x", "y", "z", "z")), commit("b", method="x")]
    )
    rows = store.db.rows(
        "SELECT e.subject, m.name, x.share FROM experiment_methods x"
        " JOIN experiments e ON e.id = x.experiment JOIN methods m ON m.id = x.method"
        " ORDER BY e.subject, m.name"
    )
    third = pytest.approx(1 / 3)
    assert rows == [
        ("try a", "x", third),
        ("try a", "y", third),
        ("try a", "z", third),
        ("try b", "x", 1.0),
    ]


def test_the_last_trailer_of_a_kind_counts(store):
    store.put_commits(
        [commit("a", session=("old", "new"), proposer=("chat", "recipe"))]
    )
    (found,) = store.experiments()
    assert (found.session, found.proposer) == ("new", "recipe")


def test_a_retrieval_may_come_after_the_commit_that_names_it(store):
    asked = retrieval("base", "x")
    store.put_commits([commit("a", retrieval=asked.id)])
    assert store.experiments()[0].retrieval == asked.id
    assert store.counts()["retrievals"] == 0
    store.put_records([asked])
    assert store.counts()["retrievals"] == 1
    assert store.db.column("SELECT goal FROM retrievals") == ["lower val_bpb"]
    assert store.check() == []


def test_more_commits_than_one_batch(store, monkeypatch):
    monkeypatch.setattr(commits, "_BATCH", 7)
    given = (commit(str(number)) for number in range(30))
    assert store.put_commits(given) == 30
    assert store.counts()["experiments"] == 30
    assert store.db.column("SELECT count(*) FROM temp.messages") == [0]


def test_times_that_no_clock_shows_are_kept_in_range(store):
    store.put_commits([commit("a", ts=-5), commit("b", ts=2**70)])
    assert [item.ts for item in store.experiments()] == [2**63 - 1, 0]


def test_a_sha256_repository_is_no_different(store):
    made = commit("a")
    long = type(made.oid)("ab" * 32)
    store.put_commits([replace(made, oid=long, tree=long, parent=oid("b"))])
    assert store.experiment("abab").commit == long


def test_a_commit_fills_the_stub_that_a_record_made(store):
    store.put_records([retrieval("a", "x")])
    assert store.experiments() == []
    store.put_commits([commit("a", session="s", ts=77)])
    (found,) = store.experiments()
    assert (found.session, found.ts, found.tree) == ("s", 77, oid("tree of a"))
