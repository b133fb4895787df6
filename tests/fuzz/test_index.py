"""The index under hostile records: what is wrong is skipped, all else is kept."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecordError
from loopgraph_git.records import Direction, Kind, Oid, Record
from loopgraph_git.researchfs import standings
from loopgraph_git.researchfs.search import code_terms, search
from loopgraph_git.researchfs.store import Store
from tests.fuzz import hostile

GOOD = Record(
    kind=Kind.RESULT,
    commit=Oid("d" * 40),
    tree=Oid("e" * 40),
    writer="ada",
    seq=1,
    ts=1_700_000_000_000,
    body={"status": "ok", "metric": "val_bpb", "value": 1.25, "seconds": 3.5},
)


def readable(record: Record) -> bool:
    try:
        return Record.decode(record.encode()) == record
    except RecordError:
        return False


@given(st.lists(hostile.records().filter(readable), max_size=6), st.data())
def test_a_batch_keeps_what_is_right_and_names_what_is_not(records, data):
    place = data.draw(st.integers(0, len(records)))
    with Store.open(":memory:") as store:
        skipped = store.put_records([*records[:place], GOOD, *records[place:]])
        assert all(item.reason for item in skipped)
        named = {item.record.id for item in skipped}
        assert GOOD.id not in named
        found = store.experiment(GOOD.commit)
        assert found is not None
        assert found.value == 1.25
        for record in records:
            known = {item.id for item in store.records_of(record.commit)}
            assert (record.id in known) is (record.id not in named)
        assert_answers(store)


def assert_answers(store: Store) -> None:
    """Ask everything; nothing that was put in may keep an answer from coming."""
    listed = store.experiments()
    for item in listed:
        json.dumps(item.to_dict())
        store.results_of(item.commit)
    for way in Direction:
        store.best(5, way)
        store.best(5, way, metric="val_bpb", protocol="", platform="")
    store.newest_measured()
    store.results(protocol="")
    standings.trials(store)
    standings.asked(store)
    search(store, "gone half markup")
    assert all(json.loads(line) for line in store.dump())
    assert store.check() == []
    assert store.counts()["records"] >= 1


@given(hostile.text | st.text(max_size=200), st.integers(-1, 20))
def test_any_text_is_a_query(text, k):
    with Store.open(":memory:") as store:
        store.put_records([GOOD])
        assert len(search(store, text, k=k)) <= max(k, 0)
        assert len(code_terms(store, text)) <= 16
        assert store.experiment(text) in (None, store.experiment(GOOD.commit))
