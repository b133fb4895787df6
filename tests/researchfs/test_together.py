"""Commits and records put together make what they make one after the other."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.errors import LineUnreadError
from loopgraph_git.records import Commit, Record
from loopgraph_git.researchfs.commits import told
from loopgraph_git.researchfs.store import Store
from loopgraph_git.researchfs.together import Part, gather, put_aside
from tests.researchfs.making import (
    commit,
    crash,
    imported,
    link,
    oid,
    result,
    retract,
    stand_in,
    verdict,
)
from tests.researchfs.test_random_histories import histories, put

INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"


def unread(facts):
    """Return facts as a reindex finds them: what commits changed is not read yet."""
    return [
        replace(fact, diff=None) if isinstance(fact, Commit) else fact for fact in facts
    ]


def lines_of(facts):
    return [fact.encode().encode() for fact in facts if isinstance(fact, Record)]


def part(facts):
    commits = [fact for fact in facts if isinstance(fact, Commit)]
    return Part(list(map(told, commits)), gather(lines_of(facts)))


def put_together(store, facts):
    store.put_together([part(facts)])
    store.put_lines(lines_of(facts))


def put_halves(store, here, there, folder):
    """Put facts together of which another process reads some."""
    path = Path(folder) / "made"
    put_aside(path, part(there))
    store.put_together([part(here), path])
    store.put_lines(lines_of([*here, *there]))


@settings(max_examples=20, deadline=None)
@given(histories(), st.integers(0, 2**32), st.integers(1, 8))
def test_any_history_put_together_makes_the_same(facts, seed, size):
    facts = unread(facts)
    half = len(facts) * size // 8
    shuffled = random.Random(seed).sample(facts, len(facts))  # noqa: S311
    with (
        Store.open(":memory:") as apart,
        Store.open(":memory:") as at_once,
        Store.open(":memory:") as in_parts,
        Store.open(":memory:") as in_halves,
        TemporaryDirectory() as folder,
    ):
        put(apart, facts)
        put_together(at_once, facts)
        put_halves(in_halves, shuffled[:half], shuffled[half:], folder)
        for start in range(0, len(shuffled), size):
            put_together(in_parts, shuffled[start : start + size])
        assert list(at_once.dump()) == list(apart.dump())
        assert list(in_parts.dump()) == list(apart.dump())
        assert list(in_halves.dump()) == list(apart.dump())
        assert at_once.check() == in_parts.check() == in_halves.check() == []


WRONG = result("retracted", 0.5)
CASES = {
    "bare": [commit("a")],
    "stub": [result("never fetched", 1.0), crash("never fetched")],
    "runs": [
        commit("a"),
        result("a", 3.0, ts=3),
        result("a", 1.0, ts=1),
        result("a", 2.0, ts=2, protocol="other"),
        crash("a", ts=4),
    ],
    "tree": [commit("a"), result("a", 1.0, tree="of another")],
    "verdicts": [commit("a"), verdict("a", "discard", ts=2), verdict("a", ts=1)],
    "zero": [commit("a"), result("a", -0.0, seconds=-0.0), verdict("a", delta=-0.0)],
    "retracted": [commit("retracted"), WRONG, retract("elsewhere", WRONG)],
    "linked": [
        commit("a", tree="t"),
        commit("b", tree="t"),
        result("a", 1.0, tree="t"),
        link("a", "b", tree="t"),
    ],
    "imported": [
        commit("a"),
        stand_in("lost"),
        imported("a", "row 1", "mar8"),
        imported("lost", "row 1", "mar8"),
    ],
}


@pytest.mark.parametrize("facts", CASES.values(), ids=CASES)
def test_every_case_put_together_makes_the_same(facts):
    facts = unread(facts)
    with Store.open(":memory:") as apart, Store.open(":memory:") as together:
        put(apart, facts)
        put_together(together, facts)
        assert list(together.dump()) == list(apart.dump())
        # and a second time nothing
        put_together(together, facts)
        assert list(together.dump()) == list(apart.dump())
        assert together.check() == []


@pytest.mark.parametrize("facts", CASES.values(), ids=CASES)
def test_every_case_makes_the_same_however_it_is_halved(facts, tmp_path):
    facts = unread(facts)
    with Store.open(":memory:") as apart:
        put(apart, facts)
        expected = list(apart.dump())
    for size in range(len(facts) + 1):
        for number, chosen in enumerate(combinations(range(len(facts)), size)):
            there = [facts[place] for place in chosen]
            # what both have, as the commit of a note that both have lines of
            here = [x for x in facts if x not in there or isinstance(x, Commit)]
            folder = tmp_path / f"{size} {number}"
            folder.mkdir()
            with Store.open(folder / "index.db") as store:
                put_halves(store, here, there, folder)
                assert list(store.dump()) == expected
                assert store.check() == []
                # and what is known already
                (folder / "made").unlink()
                put_halves(store, there, facts, folder)
                assert list(store.dump()) == expected


def test_lines_stay_where_they_are_until_they_are_asked_for(store):
    facts = unread([commit("a"), result("a", 1.0, protocol="p"), verdict("a")])
    store.put_together([part(facts)])
    for ask in (
        lambda: store.records_of(oid("a")),
        lambda: store.results_of(oid("a")),
        lambda: store.results(protocol="p"),
    ):
        with pytest.raises(LineUnreadError, match="git lg reindex"):
            ask()
    assert store.records_of(oid("b")) == store.results(protocol="q") == []
    assert store.check() == []
    store.put_lines([b"no record", b"{}", *lines_of(facts), *lines_of([WRONG])])
    assert lines_of(store.records_of(oid("a"))) == lines_of(facts)
    assert [x.value for x in store.results_of(oid("a"))] == [1.0]
    assert [x for x, _ in store.results(protocol="p")] == [oid("a")]
    assert store.check() == []


def test_a_retraction_may_come_before_what_it_takes_back(store):
    store.put_records([retract("elsewhere", WRONG)])
    put_together(store, unread([commit("retracted"), WRONG]))
    assert store.experiment(oid("retracted")).value is None


def test_a_bulk_write_leaves_every_index(store):
    before = store.db.rows(INDEXES)
    names = [f"c{number}" for number in range(500)]
    facts = [
        fact
        for name in names
        for fact in (commit(name), result(name, 1.0), verdict(name))
    ]
    put_together(store, unread(facts))
    assert store.counts()["experiments"] == len(names)
    assert store.db.rows(INDEXES) == before
    assert store.check() == []
    with Store.open(":memory:") as apart:
        put(apart, unread(facts))
        assert list(store.dump()) == list(apart.dump())


def test_a_bulk_write_that_fails_leaves_every_index(store):
    before = store.db.rows(INDEXES)
    said = gather(result(f"c{number}", 1.0).encode().encode() for number in range(1000))

    def broken():
        yield told(commit("c1"))
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        store.put_together([Part(broken(), said)])
    assert store.db.rows(INDEXES) == before
    assert list(store.dump()) == []
