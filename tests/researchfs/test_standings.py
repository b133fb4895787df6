"""What the index tells the ranking."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Judgement, Status
from loopgraph_git.researchfs.ranking import rank
from loopgraph_git.researchfs.standings import asked, states_of, trials
from loopgraph_git.researchfs.trials import Asked, Question
from tests.researchfs.making import (
    commit,
    crash,
    method,
    oid,
    result,
    retract,
    retrieval,
    verdict,
)

SEED = "--- a/train.py\n+++ b/train.py\n-seed = 1\n+seed = 2\n"


def test_a_trial_has_everything_the_ranking_needs(store):
    ran = result("one", 0.9)
    store.put_commits(
        [
            commit("base"),
            commit("one", parent="base", method="swiglu", session="s", ts=5),
        ]
    )
    store.put_records([ran, verdict("one", "keep", delta=0.1, noise=0.01)])
    (found,) = trials(store, "val_bpb")
    assert found.experiment == oid("one")
    assert found.methods == ("swiglu",)
    assert (found.gain, found.noise, found.session, found.ts) == (0.1, 0.01, "s", 5)
    assert (found.status, found.verdict) == (Status.OK, Judgement.KEEP)
    assert found.state == oid("tree of base")
    assert found.outcomes == (ran.id,)
    assert found.won
    assert found.counts
    assert not found.crashed


def test_without_its_parent_a_state_is_named_by_the_commit(store):
    store.put_commits([commit("one", parent="unknown", method="a")])
    store.put_records([crash("one")])
    (found,) = trials(store)
    assert found.state == oid("unknown")
    assert found.crashed


def test_only_experiments_with_a_method_and_an_outcome_are_trials(store):
    store.put_commits([commit("a", method="x"), commit("b"), commit("c", method="x")])
    store.put_records([result("b", 1.0), result("c", 1.0), verdict("c")])
    assert [item.experiment for item in trials(store)] == [oid("c")]


def test_another_metric_is_another_matter_but_a_crash_is_a_crash(store):
    store.put_commits([commit(name, method="x", ts=n) for n, name in enumerate("abc")])
    store.put_records([result("a", 1.0), result("b", 1.0, metric="loss"), crash("c")])
    assert [x.experiment for x in trials(store, "val_bpb")] == [oid("a"), oid("c")]
    assert len(trials(store)) == 3


def test_retracted_outcomes_are_not_behind_anything(store):
    wrong = result("a", 1.0)
    store.put_commits([commit("a", method="x")])
    store.put_records([wrong, verdict("a"), retract("a", wrong)])
    assert trials(store)[0].outcomes == ()


@pytest.mark.parametrize(
    ("diff", "lucky"),
    [
        (SEED, True),
        ("-torch.manual_seed(1)\n+torch.manual_seed(42)", True),
        (SEED + "-lr = 1\n+lr = 2\n", False),
        ("-seed = 1\n+seed = time()", False),
        ("+seed = 2", False),
        ("", False),
        ("+++ b/seed.py\n", False),
    ],
)
def test_a_change_of_the_seed_alone_is_told_apart(store, diff, lucky):
    store.put_commits([commit("a", method="x", diff=diff)])
    store.put_records([result("a"), verdict("a")])
    (found,) = trials(store)
    assert found.seed_only is lucky
    assert found.counts is not lucky


def test_suggestions_that_nobody_took_up_are_counted_by_age(store):
    first, second = retrieval("base", "a", "b", ts=1), retrieval("base", "a", ts=2)
    gone = retrieval("base", "z", ts=3)
    store.put_records([first, second, gone, retract("base", gone)])
    store.put_commits([commit("one", method="b", retrieval=first.id)])
    assert asked(store) == [Asked("a", 0), Asked("a", 1)]
    store.put_records([retrieval("base", ts=4)])
    assert [item.age for item in asked(store)] == [1, 2]


def test_the_names_of_a_state(store):
    store.put_commits([commit("one")])
    assert states_of(store, oid("one")) == {oid("one"), oid("tree of one")}
    assert states_of(store, oid("two"), "") == {oid("two")}


def test_from_the_index_to_a_tired_method(store):
    store.put_commits(
        [commit("base"), commit("one", parent="base", method="a", session="s")]
    )
    store.put_records([result("one"), verdict("one", "discard", delta=-0.1)])
    question = Question(session="s", states=states_of(store, oid("base")))
    standing = rank([method("a")], trials(store), question)[1]["a"]
    assert standing.n == 1
    assert standing.fatigue < 0.3
    assert standing.mean_gain == -0.1
