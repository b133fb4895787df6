"""Methods that nobody named: stored apart, told apart, forgotten with the packs."""

from __future__ import annotations

from loopgraph_git.researchfs.recognised import (
    Recognised,
    put_recognised,
    recognised_in,
    unlabelled,
)
from loopgraph_git.researchfs.standings import acted_on, asked, newest_platform, trials
from tests.researchfs.making import (
    SWIGLU,
    commit,
    oid,
    result,
    retrieval,
    verdict,
)


def put(store, *names, how="code", on="one"):
    put_recognised(store, {oid(on): Recognised(names, how)})


def test_commits_without_a_method_wait_the_newest_first(store):
    store.put_commits(
        [commit("old", ts=1), commit("new", ts=2), commit("said", method="swiglu")]
    )
    store.put_records([result("stub")])
    assert [x.commit for x in unlabelled(store, 9)] == [oid("new"), oid("old")]
    assert [x.commit for x in unlabelled(store, 1)] == [oid("new")]
    assert [x.commit for x in unlabelled(store, 9, oid("old"))] == [oid("old")]
    put(store, on="new")
    assert [x.commit for x in unlabelled(store, None)] == [oid("old")]


def test_a_recognised_method_is_a_trial_that_says_so(store):
    store.put_commits([commit("one"), commit("two", method="gqa")])
    ran = result("one", platform="cuda")
    store.put_records([ran, verdict("one", delta=0.1), result("two"), verdict("two")])
    put(store, "swiglu", "gelu")
    found = {item.experiment: item for item in trials(store)}
    one, two = found[oid("one")], found[oid("two")]
    assert (one.methods, one.recognised) == (("gelu", "swiglu"), True)
    assert (two.methods, two.recognised) == (("gqa",), False)
    assert one.outcomes == (ran.id,)
    assert newest_platform(store) == one.platform == "cuda"
    shown = store.experiment(oid("one"))
    assert shown.methods == ()
    assert recognised_in(store, [oid("one")]) == {oid("one"): ("gelu", "swiglu")}


def test_a_first_baseline_was_not_tried(store):
    store.put_commits([commit("one")])
    store.put_records([result("one"), verdict("one", reason="baseline")])
    put(store, "swiglu")
    assert trials(store) == []


def test_other_packs_recognise_anew(store):
    store.put_commits([commit("one")])
    put(store, "swiglu")
    assert unlabelled(store, 9) == []
    store.put_packs([], [], [SWIGLU])
    assert recognised_in(store, [oid("one")]) == {}
    assert len(unlabelled(store, 9)) == 1


def test_a_commit_acts_on_the_last_question_about_its_parent(store):
    first = retrieval("base", "swiglu", "gqa", ts=1000)
    last = retrieval("base", "swiglu", ts=2000)
    other = retrieval("base", "gelu", ts=3000)
    late = retrieval("base", "swiglu", ts=99_000)
    store.put_commits([commit("base"), commit("one", parent="base", ts=9)])
    store.put_records([first, last, other, late])
    assert acted_on(store, oid("one")) is None
    put(store, "swiglu")
    assert acted_on(store, oid("one")) == (last.id, True)
    assert [(x.method, x.age) for x in asked(store)] == [
        ("swiglu", 0), ("gelu", 1), ("gqa", 3), ("swiglu", 3),
    ]  # fmt: skip
    assert [x.method for x in asked(store, before=last.id)] == ["gqa", "swiglu"]


def test_a_trailer_says_on_which_question_a_commit_acts(store):
    said = retrieval("base", "swiglu", ts=1000)
    store.put_commits(
        [commit("one", parent="base", method="gqa", retrieval=said.id, ts=9)]
    )
    store.put_records([said])
    assert acted_on(store, oid("one")) == (said.id, False)
