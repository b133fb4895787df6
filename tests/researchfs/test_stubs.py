"""Rows that are named before they are known."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import StoreError
from loopgraph_git.researchfs import stubs
from loopgraph_git.researchfs.schema import row_id
from tests.researchfs.making import PAPERS, SWIGLU, commit, oid, result, retract

MAKERS = {
    "methods": (stubs.stub_methods, "swiglu", "method"),
    "records": (stubs.stub_records, "ab" * 8, "record"),
    "experiments": (stubs.stub_experiments, "ab" * 20, "commit"),
    "papers": (stubs.stub_papers, "arxiv:1", "paper"),
}


@pytest.mark.parametrize("table", MAKERS)
def test_a_stub_is_made_once_under_its_derived_key(store, table):
    make, name, kind = MAKERS[table]
    with store.transaction():
        make(store.db, [name])
        make(store.db, [name, name])
    assert store.db.column(f"SELECT id FROM {table}") == [row_id(kind, name)]  # noqa: S608


def test_a_stub_of_a_retrieval_brings_its_record(store):
    with store.transaction():
        stubs.stub_retrievals(store.db, ["cd" * 8])
    assert store.db.column("SELECT record FROM records") == ["cd" * 8]
    assert store.check() == []


def test_a_stub_never_overwrites_what_is_known(store):
    store.put_packs(PAPERS, [], [SWIGLU])
    store.put_commits([commit("one")])
    known = result("one")
    store.put_records([known])
    before = list(store.dump())
    with store.transaction():
        stubs.stub_methods(store.db, ["swiglu"])
        stubs.stub_papers(store.db, ["arxiv:2002.05202"])
        stubs.stub_experiments(store.db, [oid("one")])
        stubs.stub_records(store.db, [known.id])
    assert list(store.dump()) == before


def test_a_retraction_may_come_before_what_it_takes_back(store):
    wrong = result("one", 9.0)
    store.put_records([retract("one", wrong)])
    assert store.counts()["records"] == 1
    assert store.experiments() == []
    store.put_records([wrong, result("one", 1.0)])
    assert store.experiments()[0].value == 1.0


def test_no_link_may_dangle(store):
    with pytest.raises(StoreError, match="refused a row"), store.transaction():
        store.db.write("INSERT INTO experiment_methods VALUES(1, 2, 1.0)")
    assert store.check() == []
