"""Rows that were adopted from logs: their sessions, and what stands in for what."""

from __future__ import annotations

from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit, imported, oid, retract, stand_in


def sessions(store):
    return {item.commit: item.session for item in store.experiments()}


def test_a_commit_without_a_session_has_that_of_its_first_import(store):
    store.put_commits([commit("one"), commit("two", session="own")])
    store.put_records([imported("one", "row 2", "later", seq=2)])
    store.put_records([imported("one", "row 1", "mar8", seq=1)])
    store.put_records([imported("two", "row 3", "mar8", seq=3)])
    assert sessions(store) == {oid("one"): "mar8", oid("two"): "own"}
    assert [item.commit for item in store.experiments(session="mar8")] == [oid("one")]


def test_a_session_goes_with_the_import_that_named_it(store):
    said = imported("one", "row 1", "mar8")
    store.put_commits([commit("one")])
    store.put_records([said])
    store.put_records([retract("one", said)])
    assert sessions(store) == {oid("one"): ""}


def test_a_stand_in_gives_way_to_the_commit_it_stood_for():
    facts = {
        "commits": [stand_in("lost"), commit("here")],
        "records": [
            imported("lost", "row 1", "mar8"),
            imported("here", "row 1", "mar8"),
        ],
    }
    for order in (facts, reversed(facts)):
        with Store.open(":memory:") as store:
            for kind in order:
                put = getattr(store, f"put_{kind}")
                for fact in facts[kind]:
                    put([fact])
            assert sessions(store) == {oid("here"): "mar8"}


def test_two_stand_ins_and_other_rows_stay(store):
    store.put_commits([stand_in("lost"), commit("here")])
    store.put_records([imported("lost", "row 1", "mar8")])
    store.put_records([imported("here", "row 2", "mar8")])
    assert set(sessions(store)) == {oid("lost"), oid("here")}
