"""Packs are replaced as a whole; what experiments name stays."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import StoreError
from loopgraph_git.records import Chunk, Knob, Operation, Paper, Prior, Source
from loopgraph_git.researchfs.definitions import (
    decode_method,
    encode_method,
    source_key,
    source_place,
)
from tests.researchfs.making import (
    CHUNKS,
    GQA,
    PAPERS,
    SWIGLU,
    commit,
    method,
    retrieval,
)

FULL = method(
    "full",
    detect=({"name": "swiglu", "in": ["a", 1]},),
    requires=({"call": "relu"},),
    conflicts=("gqa",),
    knobs=(Knob(name="lr", default=1e-3, values=(1e-3, 3e-3)),),
    priors=(Prior(gain=0.1, n=3, source="log", spread=0.01),),
    sources=(Source(commit="abc", log="line 3"),),
    recipe=(Operation(verb="set", arguments={"name": "LR", "to": 3}),),
)


def names(store):
    return store.db.rows("SELECT name, definition <> '' FROM methods ORDER BY name")


def test_methods_come_back_as_they_were(store):
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA, FULL])
    assert store.methods() == [FULL, GQA, SWIGLU]
    assert decode_method(encode_method(FULL)) == FULL


def test_packs_replace_what_packs_brought(store):
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
    store.put_packs(PAPERS[1:], CHUNKS[1:], [GQA])
    assert store.methods() == [GQA]
    assert [paper.key for paper in store.papers()] == ["pack:own"]
    assert store.db.column("SELECT title FROM chunks") == ["GQA"]
    assert store.check() == []


def test_what_is_named_stays_as_a_stub_and_is_filled_in_place(store):
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
    store.put_commits([commit("one", method="swiglu")])
    store.put_records([retrieval("base", "gqa")])
    store.put_packs([], [], [])
    assert names(store) == [("gqa", 0), ("swiglu", 0)]
    assert store.methods() == []
    store.put_packs(PAPERS, CHUNKS, [SWIGLU])
    assert names(store) == [("gqa", 0), ("swiglu", 1)]
    assert store.experiments()[0].methods == ("swiglu",)


def test_the_same_pack_twice_changes_nothing(store):
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
    before = list(store.dump())
    store.put_packs(PAPERS, CHUNKS, [GQA, SWIGLU])
    assert list(store.dump()) == before


def test_a_library_keeps_its_words_and_its_passages(store):
    own = Paper(key="arxiv:2002.05202", title="Read whole", authors="N. Shazeer")
    store.put_papers([own])
    store.put_chunks([Chunk(paper=own.key, ord=7, title="Whole", body="All of it.")])
    store.put_packs(PAPERS, CHUNKS, [SWIGLU])
    assert own in store.papers()
    store.put_packs([], [], [])
    assert store.papers() == [own]
    assert store.db.column("SELECT title FROM chunks") == ["Whole"]


def test_a_new_version_of_a_paper_loses_the_old_passages(store):
    store.put_chunks([Chunk(paper="p", ord=n, title=str(n), body="") for n in (1, 2)])
    store.forget_chunks("p")
    store.put_chunks([Chunk(paper="p", ord=1, title="new", body="")])
    assert store.db.column("SELECT title FROM chunks") == ["new"]
    store.forget_chunks("p")
    assert store.papers() == []


def test_a_passage_may_come_before_its_paper(store):
    store.put_chunks([Chunk(paper="p", ord=1, title="t", body="b")])
    assert [paper.title for paper in store.papers()] == ["p"]
    store.put_papers([Paper(key="p", title="The paper", year=2024)])
    assert store.papers() == [Paper(key="p", title="The paper", year=2024)]


def test_sources_link_methods_to_papers(store):
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA, FULL])
    rows = store.db.rows(
        "SELECT m.name, p.key, s.place FROM method_sources s"
        " JOIN methods m ON m.id = s.method JOIN papers p ON p.id = s.paper"
        " ORDER BY m.name"
    )
    assert rows == [
        ("full", "pack:own", "line 3"),
        ("gqa", "pack:own", ""),
        ("swiglu", "arxiv:2002.05202", "2"),
    ]


def test_keys_of_sources():
    assert source_key(Source(arxiv="2002.05202v3"), "x") == "arxiv:2002.05202"
    assert source_key(Source(arxiv="cs/0112017"), "x") == "arxiv:cs/0112017"
    assert source_key(Source(url="https://a"), "x") == source_key(None, "x") == "pack:x"
    assert source_place(Source(url="https://a")) == "https://a"


def test_a_definition_by_a_stranger_is_an_error_in_words():
    for text in ("", "{}", "[]", '{"id": 1}'):
        with pytest.raises(StoreError, match="git lg reindex"):
            decode_method(text)
