"""The same facts make the same database, in whatever order and batches they come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.records import Chunk, Commit, Paper, Record
from loopgraph_git.researchfs.schema import table_names
from loopgraph_git.researchfs.shelved import Ingest
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import (
    CHUNKS,
    GQA,
    PAPERS,
    SWIGLU,
    commit,
    crash,
    imported,
    link,
    record,
    result,
    retract,
    retrieval,
    stand_in,
    verdict,
)

ASKED = retrieval("base", "swiglu", "unheard-of", seq=1)
BAD = result("one", 0.5, seq=2)
NO_SENSE = record(BAD.kind, "one", {"status": "splendid"}, seq=3)
COMMITS = [
    commit("base", session="s1"),
    commit("one", parent="base", method="swiglu", retrieval=ASKED.id, session="s1"),
    commit(
        "two", parent="base", method=("gqa", "mine"), diff="-lr = 1\n+lr = n_kv_head"
    ),
    commit("two again", tree="tree of two", parent="base", method=("gqa", "mine")),
    commit("three", parent="two", session="s2", retrieval="0123456789abcdef"),
    stand_in("lost"),
]
RECORDS = [
    ASKED,
    BAD,
    NO_SENSE,
    retract("one", BAD, seq=4),
    result("one", 0.7, seq=5, protocol="p"),
    result("one", 0.8, seq=6, protocol="p"),
    result("one", 0.9, seq=7, protocol="q"),
    verdict("one", "keep", seq=8, delta=0.1),
    verdict("one", "retest", seq=9, delta=0.2, ts=1_700_000_000_001),
    result("two", 1.5, seq=10),
    verdict("two", "discard", seq=11, reason="worse"),
    link("two", "two again", seq=12),
    link("three", "elsewhere", seq=13),
    crash("never fetched", seq=14),
    result("never fetched", 3.0, seq=15, tree="another tree"),
    imported("two", "row 1", "mar8", seq=16),
    imported("lost", "row 1", "mar8", seq=17),
]
LIBRARY = [Paper(key="arxiv:2002.05202", title="GLU, read whole", authors="Shazeer")]
PASSAGES = [CHUNKS[0], Chunk(paper="lone", ord=1, title="t", body="b")]
SHELVED = Ingest(
    Paper(key="file:notes.md", title="Notes"), "file-notes.md.0.1234abcd", "markdown",
    [Chunk(paper="file:notes.md", ord=0, title="Notes", body="of mine")],
)  # fmt: skip


def put(store, facts):
    """Put a batch in, each kind by its door."""
    with store.transaction():
        store.put_commits([fact for fact in facts if isinstance(fact, Commit)])
        store.put_records([fact for fact in facts if isinstance(fact, Record)])
    for fact in facts:
        if fact == "packs":
            store.put_packs(PAPERS, CHUNKS, [GQA, SWIGLU])
        elif fact == "library":
            store.put_papers(LIBRARY)
        elif fact == "passages":
            store.put_chunks(PASSAGES)
        elif fact == "shelf":
            store.put_shelved([SHELVED])


def dump_of(batches):
    with Store.open(":memory:") as store:
        for batch in batches:
            put(store, batch)
        assert store.check() == []
        return list(store.dump())


FACTS = [*COMMITS, *RECORDS, "packs", "library", "passages", "shelf"]
ALL_AT_ONCE = dump_of([FACTS])


@st.composite
def batches(draw):
    facts = draw(st.permutations(FACTS))
    again = draw(st.lists(st.sampled_from(FACTS), max_size=6))
    facts = [*facts, *again]
    cuts = draw(st.lists(st.integers(0, len(facts)), max_size=8))
    ends = sorted({0, *cuts, len(facts)})
    return [facts[start:end] for start, end in pairwise(ends)]


@settings(max_examples=40, deadline=None)
@given(batches())
def test_order_batches_and_repeats_leave_no_trace(given_batches):
    assert dump_of(given_batches) == ALL_AT_ONCE


def test_one_by_one_in_both_directions():
    assert dump_of([[fact] for fact in FACTS]) == ALL_AT_ONCE
    assert dump_of([[fact] for fact in reversed(FACTS)]) == ALL_AT_ONCE


def test_the_dump_is_not_empty_anywhere():
    tables = {line.split('"')[3] for line in ALL_AT_ONCE}
    # the last two follow from methods as they are, and are filled after
    missing = {"refs", "meta", "recognised_methods", "mentions"}
    assert tables == set(table_names()) - missing
