"""One ranked list over passages, methods and experiments; never an error."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Chunk, Source
from loopgraph_git.researchfs.matches import RECENT
from loopgraph_git.researchfs.search import (
    KINDS,
    ask,
    blamed,
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
    crash,
    link,
    method,
    oid,
    result,
    verdict,
)
from tests.researchfs.test_words import HOSTILE

DIFF = "diff --git a/train.py b/train.py\n+MATRIX_LR = 0.05"


@pytest.fixture(scope="module")
def shelf():
    with Store.open(":memory:") as store:
        store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
        store.put_commits(
            [
                commit("a", subject="raise matrix_lr", diff=DIFF, ts=1),
                commit("b", subject="gate the MLP", method="swiglu", ts=2),
                commit("c", subject="longer warmdown", ts=3),
            ]
        )
        store.put_records([verdict("c", "discard", reason="diverged after warmup")])
        yield store


@pytest.fixture(scope="module")
def narrow():
    first = 1_700_000_000
    with Store.open(":memory:") as store:
        store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
        store.put_commits(
            [
                commit("a", subject="raise matrix_lr", ts=first),
                commit(
                    "b", subject="gate", method="swiglu", session="mar8", ts=first + 1
                ),
                commit("c", subject="longer warmdown", ts=first + 2),
                commit("d", subject="raise depth", ts=first + 3),
            ]
        )
        store.put_records(
            [
                result("a", 0.98), verdict("a"), result("b", 1.01), verdict("b"),
                verdict("c", "discard"), crash("d"),
            ]
        )  # fmt: skip
        yield store


def keys(hits):
    return [hit.key for hit in hits]


def test_a_word_finds_every_kind(shelf):
    hits = search(shelf, "swiglu")
    assert {hit.kind for hit in hits} == {*KINDS} - {"code"}
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
    assert {hit.kind for hit in hits} == {*KINDS} - {"code"}
    assert {hit.why for hit in hits} == {RECENT}
    assert all(hit.snippet for hit in hits if hit.kind == "chunk")
    assert keys(search(shelf, query, kinds=["experiment"])) == [oid(x) for x in "cba"]


def test_an_empty_store_answers_nothing(store):
    assert search(store, "") == search(store, "word") == []


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_queries_are_answered(shelf, query):
    assert search(shelf, query, k=3)
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


def test_the_exact_sql_is_shown(shelf):
    (made,) = explain_sql(shelf, "warmup", kinds=["chunk"])
    assert made.sql == (
        "SELECT c.id, p.key || '#' || c.ord, c.title, found.score\n"
        "  FROM (SELECT chunks_fts.rowid AS id, bm25(chunks_fts, 3.0, 1.0, 0.5) AS score\n"
        "          FROM chunks_fts WHERE chunks_fts MATCH ?\n"
        "         ORDER BY score, chunks_fts.rowid LIMIT ?) found\n"
        "  JOIN chunks c USING(id) JOIN papers p ON p.id = c.paper\n"
        " ORDER BY found.score, c.id"
    )
    assert made.values == ('"warmup"', 100)
    assert [item.kind for item in explain_sql(shelf, "")] == ["experiment", "chunk"]


@pytest.mark.parametrize("query", ["warmup", "", "warmup since:7d method:gqa metric<2"])
def test_the_sql_that_is_shown_is_the_sql_that_runs(store, query):
    seen = []
    # values are put in by SQLite, so statements are compared up to the first
    store.db._connection.set_trace_callback(seen.append)
    search(store, query, k=5)
    for made in explain_sql(store, query, k=5):
        start, marks = made.sql.split("?")[0], made.sql.count("?")
        assert any(sql.startswith(start) for sql in seen)
        assert marks == len(made.values)


def test_filters_narrow_experiments(narrow):
    for query, expected in [
        ("verdict:keep", "ba"),
        ("verdict:keep verdict:discard", "cba"),
        ("status:crash", "d"),
        ("session:mar8", "b"),
        ("since:2023-11-14T22:13:22", "dc"),
        ("method:swiglu", "b"),
        ("val_bpb<1", "a"),
        ("metric>=1", "b"),
        ("verdict:keep val_bpb<1.5 method:swiglu", "b"),
        ("raise kind:experiment status:crash", "d"),
        ("session:mar8 status:crash", ""),
    ]:
        hits = search(narrow, query, kinds=("experiment",))
        assert keys(hits) == [oid(name) for name in expected], query


def test_filters_that_are_said_of_experiments_leave_the_others_out(narrow):
    for query in ("swiglu verdict:keep", "swiglu status:ok", "swiglu metric<2"):
        assert {hit.kind for hit in search(narrow, query)} == {"experiment"}, query
    assert not search(narrow, "verdict:keep", kinds=("method", "chunk", "code"))


def test_a_method_narrows_every_kind(narrow):
    hits = search(narrow, "method:swiglu")
    assert {(hit.kind, hit.key) for hit in hits} == {
        ("experiment", oid("b")),
        ("method", "swiglu"),
        ("chunk", "arxiv:2002.05202#7"),
    }
    assert not search(narrow, "method:nonesuch swiglu")


def test_kinds_in_the_text_and_beside_it_narrow_together(narrow):
    assert {hit.kind for hit in search(narrow, "swiglu kind:method kind:chunk")} == {
        "method",
        "chunk",
    }
    assert not search(narrow, "swiglu kind:method", kinds=("chunk",))


def test_the_filter_to_blame_is_named(narrow):
    def blame(text):
        return blamed(narrow, ask(narrow, text))

    assert blame("swiglu status:timeout verdict:keep") == ["status:timeout"]
    assert blame("status:timeout session:nope") == ["status:timeout", "session:nope"]


def test_words_that_nothing_has_are_answered_by_the_most_recent(narrow):
    hits = search(narrow, "zeppelin verdict:keep")
    assert keys(hits) == [oid("b"), oid("a")]
    assert {hit.why for hit in hits} == {RECENT}


def test_a_last_word_may_be_the_beginning_of_one(shelf):
    def found(query, *, prefix):
        hits = search(shelf, query, prefix=prefix)
        return {(hit.kind, hit.key) for hit in hits if hit.why != RECENT}

    assert ("experiment", oid("c")) in found("longer warmd", prefix=True)
    assert ("method", "gqa") in found("grou", prefix=True)
    assert not found("warmd", prefix=False)
    assert not found("warmd ", prefix=True)


def test_hits_say_why_and_where(shelf):
    (hit,) = search(shelf, "matrix_lr", kinds=["experiment"])
    assert hit.why == "title: matrix_lr; change: matrix_lr"
    (hit,) = search(shelf, "diverged", kinds=["experiment"])
    assert hit.why == "outcome: diverged"
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["diverged"]
    (hit, *_) = search(shelf, "gating units", kinds=["method"])
    assert hit.why == "name: gated, unit; summary: gate"
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["Gate"]


def test_a_title_that_was_asked_for_comes_first(store, monkeypatch):
    texts = [
        ("sample rate tables of an odd reader", "a sample"),
        ("sample rate", "other things " * 4),
        *((f"filler {number}", "nothing of the kind") for number in range(8)),
    ]
    store.put_chunks(
        Chunk(paper="p", ord=number, title=title, body=body)
        for number, (title, body) in enumerate(texts, start=1)
    )
    assert keys(search(store, "sample rate")) == ["p#2", "p#1"]
    monkeypatch.setattr("loopgraph_git.researchfs.search._TITLE_WEIGHT", 0)
    assert keys(search(store, "sample rate")) == ["p#1", "p#2"]
