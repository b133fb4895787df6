"""One ranked list over passages, methods and experiments; never an error."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Chunk, Source
from loopgraph_git.researchfs.search import (
    KINDS,
    code_terms,
    explain_sql,
    method_ranks,
    search,
)
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import (
    CHUNKS,
    GQA,
    PAPERS,
    SWIGLU,
    commit,
    link,
    method,
    oid,
    verdict,
)
from tests.researchfs.test_words import HOSTILE


@pytest.fixture(scope="module")
def shelf():
    with Store.open(":memory:") as store:
        store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
        store.put_commits(
            [
                commit("a", subject="raise matrix_lr", diff="+MATRIX_LR = 0.05", ts=1),
                commit("b", subject="gate the MLP", method="swiglu", ts=2),
                commit("c", subject="longer warmdown", ts=3),
            ]
        )
        store.put_records([verdict("c", "discard", reason="diverged after warmup")])
        yield store


def keys(hits):
    return [hit.key for hit in hits]


def test_a_word_finds_every_kind(shelf):
    hits = search(shelf, "swiglu")
    assert {hit.kind for hit in hits} == set(KINDS)
    assert keys(hits)[:3] == [oid("b"), "swiglu", "arxiv:2002.05202#7"]
    assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)


def test_kinds_and_k_limit(shelf):
    assert {hit.kind for hit in search(shelf, "swiglu", kinds=("method",))} == {
        "method"
    }
    assert len(search(shelf, "swiglu", k=1)) == 1
    assert search(shelf, "swiglu", k=0) == search(shelf, "swiglu", kinds=()) == []


def test_what_was_said_of_an_experiment_is_found(shelf):
    assert keys(search(shelf, "diverged"))[0] == oid("c")
    assert keys(search(shelf, "matrixlr"))[0] == oid("a")
    assert keys(search(shelf, "MatrixLR", kinds=["experiment"])) == [oid("a")]


def test_any_of_the_words_is_enough(shelf):
    assert oid("c") in keys(search(shelf, "a question about warmdown among others"))


def test_an_identifier_is_found_however_it_is_spelt(shelf):
    for query in ("n_kv_head", "nkvhead", "nKvHead", "kv head"):
        assert "pack:own#9" in keys(search(shelf, query)), query


def test_snippets_show_the_match(shelf):
    (hit,) = search(shelf, "gated", kinds=["chunk"])
    assert "Gated units" in hit.snippet
    assert search(shelf, "swiglu", kinds=["method"])[0].snippet == SWIGLU.summary
    assert hit.to_dict()["kind"] == "chunk"


@pytest.mark.parametrize("query", ["", "   ", "***", "-", "🙂"])
def test_without_a_word_the_newest_comes_first(shelf, query):
    hits = search(shelf, query)
    assert keys(hits)[0] == oid("c")
    assert {hit.kind for hit in hits} == set(KINDS)
    assert all(hit.snippet for hit in hits if hit.kind == "chunk")
    assert keys(search(shelf, query, kinds=["experiment"])) == [oid(x) for x in "cba"]


def test_an_empty_store_answers_nothing(store):
    assert search(store, "") == search(store, "word") == []


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_queries_are_answered(shelf, query):
    search(shelf, query, k=3)
    method_ranks(shelf, query)


def test_rewritten_experiments_are_not_shown_twice(store):
    store.put_commits([commit("x", subject="muon", tree="t")])
    store.put_commits([commit("y", subject="muon", tree="t")])
    store.put_records([link("x", "y", tree="t")])
    assert keys(search(store, "muon")) == [oid("y")]


def test_methods_are_ranked_by_their_words_and_their_papers(store):
    silent = method("silent", sources=(Source(arxiv="1.1"),), title="x", summary="y")
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA, silent])
    store.put_chunks(
        [Chunk(paper="arxiv:1.1", ord=1, title="zeppelin", body="airship")]
    )
    assert method_ranks(store, "zeppelin") == ["silent"]
    assert method_ranks(store, "grouped queries")[0] == "gqa"
    assert method_ranks(store, "") == []


def test_a_pack_passage_speaks_for_its_own_method_only(store):
    one, two = method("one", title="First idea"), method("two", title="Second idea")
    passage = Chunk(
        paper="pack:own", ord=1, title="First idea", body="zig", kind="method"
    )
    store.put_packs(PAPERS[1:], [passage], [one, two])
    assert method_ranks(store, "zig") == ["one"]


def test_the_terms_of_code_are_the_rare_ones(shelf):
    code = "import torch\nn_kv_head = 4\nMATRIX_LR = 1\nfor gated in units: pass\n"
    terms = code_terms(shelf, code)
    assert {"matrixlr", "nkvhead", "gated"} <= set(terms)
    assert "torch" not in terms
    assert code_terms(shelf, code, k=2) == terms[:2]
    assert code_terms(shelf, "") == code_terms(shelf, "zzz") == []


def test_terms_of_code_are_stemmed_as_the_index_is(shelf):
    assert code_terms(shelf, "gating") == ["gating"]


def test_the_exact_sql_is_shown():
    assert explain_sql(["chunk"]) == (
        "SELECT c.id, p.key || '#' || c.ord, c.title\n"
        "  FROM (SELECT rowid AS id, bm25(chunks_fts, 3.0, 1.0, 0.5) AS score\n"
        "          FROM chunks_fts WHERE chunks_fts MATCH ?"
        " ORDER BY score, rowid LIMIT ?) found\n"
        "  JOIN chunks c USING(id) JOIN papers p ON p.id = c.paper\n"
        " ORDER BY found.score, c.id"
    )
    assert explain_sql().count("MATCH ?") == 2


def test_the_sql_that_is_shown_is_the_sql_that_runs(store):
    seen = []
    store.db._connection.set_trace_callback(seen.append)
    search(store, "warmup", k=5, kinds=["chunk"])
    shown = explain_sql(["chunk"]).replace("?", "'\"warmup\"'", 1).replace("?", "50")
    assert seen[0] == shown
