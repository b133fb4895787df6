"""Our own BM25: small libraries, words that most of them hold."""

from __future__ import annotations

from collections import Counter

from loopgraph_git.records import Knob
from loopgraph_git.researchfs.bm25 import bm25, method_words, stem
from tests.researchfs.making import GQA, SWIGLU, method


def test_a_word_in_most_rows_still_counts():
    documents = {"a": Counter(norm=1), "b": Counter(norm=1, layer=1), "c": Counter(x=1)}
    assert [key for key, _ in bm25(documents, "norm")] == ["a", "b"]
    assert all(score > 0.2 for _, score in bm25(documents, "norm"))


def test_rare_words_weigh_more_and_ties_are_by_key():
    documents = {name: Counter(common=1) for name in "cab"}
    documents["d"] = Counter(odd=1)
    ranked = bm25(documents, "common odd")
    assert [key for key, _ in ranked] == ["d", "a", "b", "c"]


def test_nothing_in_nothing_out():
    assert bm25({}, "word") == []
    assert bm25({"a": Counter(b=1)}, "") == []
    assert bm25({"a": Counter(b=1)}, "the of") == []


def test_names_weigh_more_than_prose():
    named = method("warmup", summary="other things")
    told = method("other", summary="a warmup of things")
    words = {item.id: method_words(item) for item in (named, told)}
    assert [key for key, _ in bm25(words, "warmup")] == ["warmup", "other"]


def test_aliases_knobs_and_identifiers_are_found():
    turned = method("plain", knobs=(Knob(name="matrix_lr"),))
    words = {item.id: method_words(item) for item in (SWIGLU, GQA, turned)}
    for query, expected in [
        ("gated linear unit", "swiglu"),
        ("SwiGLU", "swiglu"),
        ("nkvhead", "gqa"),
        ("matrix_lr", "plain"),
        ("groups of queries", "gqa"),
    ]:
        assert bm25(words, query)[0][0] == expected, query


def test_stems():
    assert {stem(word) for word in ("warm", "warms", "warmed", "warming")} == {"warm"}
    assert stem("normalise") == stem("normalising")
    assert stem("as") == "as"
