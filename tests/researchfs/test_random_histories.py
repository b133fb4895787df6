"""Histories that nobody wrote: links in circles, retractions of what never came."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.records import Commit, Kind, Record, Status
from loopgraph_git.researchfs.standings import asked, trials
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit, oid

NAMES = st.sampled_from("abcd")
TREES = st.sampled_from(["t1", "t2"])
METHODS = st.sampled_from(["x", "y", "z"])
FEW = settings(max_examples=30, deadline=None)


@st.composite
def commits(draw):
    return {
        name: commit(
            name,
            tree=draw(TREES),
            parent=draw(st.none() | NAMES),
            method=tuple(draw(st.lists(METHODS, max_size=2))),
            session=draw(st.sampled_from(["", "s1", "s2"])),
            retrieval=draw(st.sampled_from(["", "0" * 16, "f" * 16])),
            ts=draw(st.integers(0, 3)),
        )
        for name in draw(st.sets(NAMES, max_size=4))
    }


@st.composite
def bodies(draw):
    kind = draw(st.sampled_from(list(Kind)))
    if kind is Kind.RESULT:
        status = draw(st.sampled_from(list(Status)))
        value = draw(st.sampled_from([0.1, 0.2, 0.7]))
        body = {"status": str(status), "metric": draw(st.sampled_from(["m", "n"]))}
        body |= {"protocol": draw(TREES)}
        return kind, body | ({"value": value} if status is Status.OK else {})
    if kind is Kind.VERDICT:
        value = draw(st.sampled_from(["keep", "discard", "retest"]))
        return kind, {"value": value, "delta": draw(st.sampled_from([0.1, -0.1]))}
    if kind is Kind.RETRIEVAL:
        ranked = draw(st.lists(METHODS, max_size=3))
        return kind, {
            "suggestions": [{"method": name, "score": 1.0} for name in ranked]
        }
    if kind is Kind.LINK:
        return kind, {"to": oid(draw(NAMES))}
    return kind, {"target": draw(st.sampled_from(["0" * 16, "e" * 16]))}


@st.composite
def histories(draw):
    made = draw(commits())
    facts = list(made.values())
    for seq, (kind, body) in enumerate(draw(st.lists(bodies(), max_size=14)), start=1):
        name = draw(NAMES)
        written = [fact.id for fact in facts if isinstance(fact, Record)]
        aimed = {"target": draw(st.sampled_from(written))} if written else body
        facts.append(
            Record(
                kind=kind,
                commit=oid(name),
                tree=made[name].tree if name in made else oid(draw(TREES)),
                writer="ada",
                seq=seq,
                ts=draw(st.integers(0, 2)) * 1000,
                body=aimed if kind is Kind.RETRACT and draw(st.booleans()) else body,
            )
        )
    return facts


def put(store, facts):
    store.put_commits([fact for fact in facts if isinstance(fact, Commit)])
    store.put_records([fact for fact in facts if isinstance(fact, Record)])


@FEW
@given(histories(), st.integers(0, 2**32), st.integers(1, 5))
def test_any_history_in_any_order_makes_one_database(facts, seed, size):
    shuffled = random.Random(seed).sample(facts, len(facts))  # noqa: S311
    with Store.open(":memory:") as at_once, Store.open(":memory:") as piecemeal:
        put(at_once, facts)
        for start in range(0, len(shuffled), size):
            put(piecemeal, shuffled[start : start + size])
        assert list(piecemeal.dump()) == list(at_once.dump())
        assert piecemeal.check() == at_once.check() == []
        assert trials(piecemeal) == trials(at_once)
        assert asked(piecemeal) == asked(at_once)


@FEW
@given(histories())
def test_every_answer_of_any_history_holds_together(facts):
    with Store.open(":memory:") as store:
        put(store, facts)
        listed = store.experiments()
        known = store.known([oid(name) for name in "abcd"])
        assert {item.commit for item in listed} == {
            item.commit for item in store.experiments(newest_first=False)
        }
        for item in listed:
            assert store.experiment(item.commit) == item
            assert (item.value is None) == (item.runs == 0)
            assert item.status is not None or item.value is None
            measured = [run for run in store.results_of(item.commit) if run.value]
            assert item.value is not None or not any(
                run.status is Status.OK for run in measured
            )
        assert {item.commit for item in listed} <= known | {
            fact.commit for fact in facts if isinstance(fact, Record)
        } | {oid(name) for name in "abcd"}


@FEW
@given(histories())
def test_building_over_another_is_the_same(facts):
    with Store.open(":memory:") as store, Store.open(":memory:") as again:
        put(store, facts)
        before = list(store.dump())
        again.put_commits([commit("another")])
        with again.db.becoming(store.db):
            pass
        assert list(again.dump()) == before
        assert again.check() == []
        assert store.check() == []
