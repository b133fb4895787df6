"""Records in bulk: once each, whatever else is in the batch."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.records import Kind
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import (
    commit,
    crash,
    link,
    oid,
    record,
    result,
    retract,
    retrieval,
    verdict,
)

RECORDS = [
    result("a", 1.0, seq=1),
    crash("b", seq=2),
    verdict("a", "keep", seq=3),
    retrieval("a", "x", "y", seq=4),
    link("a", "b", seq=5),
    retract("b", crash("b", seq=2), seq=6),
]


def rows(store):
    return {
        table: store.db.column(f"SELECT count(*) FROM {table}")[0]  # noqa: S608
        for table in ("records", "outcomes", "verdicts", "retrievals", "suggestions",
                      "links", "retractions")
    }  # fmt: skip


EXPECTED = {
    "records": 6,
    "outcomes": 2,
    "verdicts": 1,
    "retrievals": 1,
    "suggestions": 2,
    "links": 1,
    "retractions": 1,
}


def test_each_kind_has_its_table(store):
    assert store.put_records(RECORDS) == []
    assert rows(store) == EXPECTED


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(RECORDS), max_size=9), max_size=6))
def test_a_record_counts_once_however_often_it_is_read(batches):
    with Store.open(":memory:") as store:
        for batch in [*batches, RECORDS]:
            store.put_records(batch)
        assert rows(store) == EXPECTED


def test_a_bad_record_does_not_stop_the_good_ones(store):
    bad = [record(Kind.RESULT, "a", {"status": 7}) for _ in range(3)]
    skipped = store.put_records([bad[0], RECORDS[0], bad[1], RECORDS[2], bad[2]])
    assert [item.record for item in skipped] == bad
    assert "status" in skipped[0].reason
    assert rows(store)["records"] == 2


def test_a_bad_record_leaves_nothing_behind(store):
    store.put_records([record(Kind.LINK, "a", {"to": "b"})])
    assert list(store.dump()) == []


def test_thousands_in_one_call(store):
    many = [result(f"c{number % 500}", number / 1000) for number in range(3000)]
    assert store.put_records(many) == []
    assert len(store.experiments()) == 500
    assert store.experiment(oid("c7")).runs == 6
    assert store.check() == []


def test_the_order_of_members_in_a_line_does_not_matter(store):
    one = record(Kind.VERDICT, "a", {"value": "keep", "reason": "r"}, seq=1, ts=1)
    other = record(Kind.VERDICT, "a", {"reason": "r", "value": "keep"}, seq=1, ts=1)
    store.put_records([one])
    before = list(store.dump())
    store.put_records([other])
    assert list(store.dump()) == before


@pytest.mark.parametrize("kind", list(Kind))
def test_an_empty_body_is_no_error(store, kind):
    skipped = store.put_records([record(kind, "a", {})])
    assert len(skipped) == (kind is not Kind.RETRIEVAL)


def test_unknown_members_are_kept(store):
    body = {"value": "keep", "later": {"nested": [1, None]}}
    store.put_commits([commit("a")])
    store.put_records([record(Kind.VERDICT, "a", body)])
    assert store.records_of(oid("a"))[0].body == body


def test_a_suggestion_keeps_its_factors(store):
    store.put_records([RECORDS[3]])
    found = store.db.rows("SELECT rank, score, slot, why, factors FROM suggestions")
    assert found == [
        (1, 1.0, "exploit", "because", '{"mu": 0.5}'),
        (2, 0.5, "exploit", "because", '{"mu": 0.5}'),
    ]
