"""Words: what identifiers are split into, and queries that are never an error."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loopgraph_git.researchfs.store import Store
from loopgraph_git.researchfs.words import (
    TOKEN_LIMIT,
    identifiers,
    match_query,
    parts,
    tokens,
)
from tests.researchfs.making import CHUNKS, GQA, PAPERS, SWIGLU


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("n_kv_head", ("n", "kv", "head")),
        ("SwiGLUMlp", ("swi", "glu", "mlp")),
        ("fp16", ("fp", "16")),
        ("HTTPServer2", ("http", "server", "2")),
        ("__init__", ("init",)),
        ("word", ("word",)),
        ("模型_size", ("模型", "size")),
        ("___", ()),
    ],
)
def test_parts(identifier, expected):
    assert parts(identifier) == expected


def test_identifiers_are_spelt_apart_and_together():
    assert identifiers("n_kv_head") == "n kv head nkv kvhead nkvhead"
    assert identifiers("use SwiGLUMlp here") == "swi glu mlp swiglu glumlp"
    assert identifiers("plain words only") == ""
    assert identifiers("fp16 fp16") == "fp 16"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("warmup schedule", '"warmup" OR "schedule"'),
        ("what is the best of all", '"best" OR "all"'),
        ("the", '"the"'),
        ("lower lower loss", '"lower" OR "lower" OR "loss"'),
        ("n_kv_head", '"n" OR "kv" OR "head" OR "n kv head" OR "nkvhead"'),
        ("SwiGLU", '"SwiGLU" OR "swi glu"'),
        ("v1.0.21", '"v1" OR "0" OR "21" OR "v1 0 21" OR "v 1 0 21" OR "v1021"'),
        ('say "NEAR(" AND', '"say" OR "NEAR"'),
        ("", None),
        ("*** --- ()", None),
        ("🙂", None),
        ("___", None),
    ],
)
def test_match_query(text, expected):
    assert match_query(text) == expected


def test_no_more_than_64_tokens():
    assert match_query("word " * 30_000).count(" OR ") == TOKEN_LIMIT - 1
    assert match_query("a_b_c " * 3000).count(" OR ") <= TOKEN_LIMIT - 1


def test_tokens():
    assert tokens("Lower the LOSS_2!") == ["lower", "the", "loss", "2"]


HOSTILE = [
    "\0",
    "a\0b",
    "\ud800",
    "a \udfff b",
    '"',
    '""',
    '"""',
    "'",
    "' OR 1=1 --",
    "AND",
    "OR",
    "NOT",
    "NEAR(a b, 2)",
    "NOT NOT",
    "a AND",
    "(((((((((((",
    "(" * 200 + "a" + ")" * 200,
    "a*",
    "*",
    "^a",
    "title:a",
    "-a",
    "{title body}: a",
    "a + b",
    "a:b",
    ":",
    "\\",
    ";",
    "%_",
    "²³",
    "½",
    "\u202e",
    "\u0345",
    "é",
    "ß",
    "İ",
    "\ufffd\uffff",
    "模型 訓練",
    "x" * 100_000,
    "x " * 50_000,
    "n_" * 50_000,
    "\n\t\r",
]


@pytest.fixture(scope="module")
def shelf():
    with Store.open(":memory:") as store:
        store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
        yield store


def run(store, text):
    match = match_query(text)
    if match is not None:
        store.db.rows("SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH ?", match)
    identifiers(text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(shelf, text):
    run(shelf, text)


ANYTHING = st.text(alphabet=st.characters(codec=None, exclude_categories=()))
SYNTAX = st.lists(
    st.sampled_from([*'"()*^:+-{},\\;', "AND", "OR", "NOT", "NEAR", "a", "\0", " "])
).map("".join)


@settings(max_examples=400, deadline=None)
@given(ANYTHING | SYNTAX)
@example("\ud800\0\"'")
def test_no_text_is_a_syntax_error(shelf, text):
    run(shelf, text)
