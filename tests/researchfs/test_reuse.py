"""The same question is known by a digest of all that its answer came from."""

from __future__ import annotations

from loopgraph_git.records import Kind
from loopgraph_git.researchfs.recognised import Recognised, put_recognised
from loopgraph_git.researchfs.reuse import earlier, state_of
from tests.researchfs.making import SWIGLU, commit, oid, record, result, retract

TREE = oid("tree of base")


def asked(state, **given):
    return record(Kind.RETRIEVAL, "base", {"goal": "g", "state": state}, **given)


def test_whatever_changes_an_answer_changes_the_state(store):
    store.put_commits([commit("base")])
    seen = [state_of(store, "goal", 5), state_of(store, "goal", 6)]
    for learn in (
        lambda: store.put_records([result("base")]),
        lambda: store.put_commits([commit("one", method="swiglu")]),
        lambda: put_recognised(store, {oid("base"): Recognised(["gqa"], "code")}),
        lambda: store.set_meta("packs", "other"),
    ):
        learn()
        seen.append(state_of(store, "goal", 5))
    assert len(set(seen)) == len(seen)


def test_a_question_alone_does_not_change_it(store):
    store.put_commits([commit("base")])
    before = state_of(store, "goal")
    store.put_records([asked("s")])
    store.put_commits([commit("other")])
    assert state_of(store, "goal") == before


def test_the_newest_same_question_on_the_tree_is_found(store):
    old, new, gone = asked("s", ts=1), asked("s", ts=2), asked("s", ts=3)
    store.put_records([old, new, gone, retract("base", gone), asked("t", ts=4)])
    assert earlier(store, TREE, "s") == new
    assert earlier(store, TREE, "u") is None
    assert earlier(store, oid("elsewhere"), "s") is None


def test_packs_alone_answer_too(store):
    store.put_packs([], [], [SWIGLU])
    assert earlier(store, TREE, state_of(store)) is None
