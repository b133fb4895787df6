"""What came of an experiment is derived from its records, and only from those."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Judgement, Status
from tests.researchfs.making import (
    commit,
    crash,
    link,
    oid,
    result,
    retract,
    verdict,
)

ONE = (commit("one"),)


@pytest.fixture
def only(store):
    """Put facts in and return the one experiment that is listed."""

    def put(*records, commits=ONE):
        store.put_commits(commits)
        store.put_records(records)
        (found,) = store.experiments()
        return found

    return put


def test_an_experiment_without_records_is_listed_bare(only):
    found = only()
    assert (found.status, found.verdict, found.value, found.runs) == (
        None,
        None,
        None,
        0,
    )


def test_the_value_is_the_mean_over_ok_runs(only):
    found = only(result("one", 1.0), result("one", 2.0), crash("one"))
    assert (found.value, found.runs, found.status) == (1.5, 2, Status.OK)
    assert found.seconds == 900.0


def test_runs_that_do_not_compare_are_not_mixed(only):
    found = only(
        result("one", 1.0, protocol="old"),
        result("one", 3.0, protocol="new"),
        result("one", 5.0, protocol="new"),
    )
    assert (found.value, found.runs, found.protocol) == (4.0, 2, "new")


def test_the_last_failure_is_the_status_when_nothing_ran(only):
    found = only(crash("one"), result("one", None, status=Status.OOM, reason="too big"))
    assert (found.status, found.excerpt, found.value) == (Status.OOM, "too big", None)


def test_ok_without_a_number_is_not_measured(only):
    found = only(result("one", None))
    assert (found.status, found.value, found.runs) == (Status.OK, None, 0)


def test_the_largest_memory_counts(only):
    found = only(result("one", peak_memory_mb=3.0), result("one", peak_memory_mb=2.0))
    assert found.peak_memory_mb == 3.0


def test_the_last_verdict_counts_by_time_then_seq(only):
    found = only(
        verdict("one", "discard", seq=9, ts=1000),
        verdict("one", "keep", seq=5, ts=2000, reason="retested", delta=0.5),
        verdict("one", "crash", seq=4, ts=2000),
    )
    assert (found.verdict, found.reason, found.delta) == (
        Judgement.KEEP,
        "retested",
        0.5,
    )


def test_a_retraction_takes_a_record_back(only, store):
    wrong, judged = result("one", 0.1), verdict("one", "keep")
    found = only(result("one", 1.0), wrong, judged)
    assert found.value == 0.55
    store.put_records([retract("one", wrong), retract("elsewhere", judged)])
    (found,) = store.experiments()
    assert (found.value, found.verdict) == (1.0, None)


def test_a_stub_with_an_outcome_is_listed_at_its_first_record(only):
    found = only(
        result("gone", 1.0, ts=7_000_000), verdict("gone", ts=9_000_000), commits=()
    )
    assert (found.commit, found.ts, found.subject) == (oid("gone"), 7000, "")
    assert found.tree == oid("tree of gone")


def test_a_rewrite_with_the_same_tree_hands_its_results_on(only, store):
    both = (commit("one"), commit("two", tree="tree of one"))
    found = only(
        result("one", 1.0), verdict("one", "keep"), link("one", "two"), commits=both
    )
    assert (found.commit, found.value) == (oid("two"), 1.0)
    assert found.verdict is Judgement.KEEP
    assert store.experiment(oid("one")).value == 1.0
    assert store.records_of(oid("two")) == []


def test_results_go_through_several_rewrites(only, store):
    chain = [commit(name, tree="t") for name in ("one", "two", "three")]
    found = only(
        link("one", "two", tree="t"),
        link("two", "three", tree="t"),
        result("one", 2.0, tree="t"),
        commits=chain,
    )
    assert (found.commit, found.value) == (oid("three"), 2.0)
    store.put_records([result("two", 4.0, tree="t")])
    assert store.experiments()[0].value == 3.0


def test_a_rewrite_that_changed_the_code_hands_nothing_on(store):
    store.put_commits([commit("one"), commit("two")])
    store.put_records([result("one", 1.0), link("one", "two")])
    found = {item.subject: item.value for item in store.experiments()}
    assert found == {"try one": 1.0, "try two": None}


def test_a_retracted_link_hands_nothing_on(store):
    made = link("one", "two")
    store.put_commits([commit("one"), commit("two", tree="tree of one")])
    store.put_records([result("one", 1.0), made, retract("one", made)])
    found = {item.subject: item.value for item in store.experiments()}
    assert found == {"try one": 1.0, "try two": None}


def test_rewrites_in_a_circle_hide_nobody(store):
    store.put_commits([commit("one", tree="t"), commit("two", tree="t")])
    store.put_records([link("one", "two", tree="t"), link("two", "one", tree="t")])
    store.put_records([result("one", 1.0, tree="t")])
    assert [item.value for item in store.experiments()] == [1.0, 1.0]


def test_what_was_said_is_searched(store):
    store.put_commits([commit("one", body="because", diff="+x")])
    store.put_records([verdict("one", "discard", reason="diverged"), crash("one")])
    rows = store.db.rows("SELECT title, message, said FROM experiment_texts")
    assert rows == [("try one", "because\n+x", "diverged\nCUDA error")]
