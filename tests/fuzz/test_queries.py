"""Twenty thousand hostile queries: no error, and always an answer.

`make test` asks a sample of them, `make fuzz` and the long tests all.
"""

from __future__ import annotations

import random

import pytest

from loopgraph_git.researchfs.query import NAMES
from loopgraph_git.researchfs.search import KINDS, ask, explain_sql, search
from loopgraph_git.researchfs.store import Store
from tests.fuzz.hostile import TEXTS
from tests.researchfs.making import CHUNKS, GQA, PAPERS, SWIGLU, commit, result
from tests.researchfs.test_words import HOSTILE

COUNT, SAMPLE = 20_000, 400
PIECES = (
    *TEXTS, "\0", "\ud800", "\udfff", '"', "'", "`", "(", ")", "*", "^", ":", "-", "+",
    "{", "}", "[", "]", "\\", ";", "%", "_", "<", ">", "=", "/*", "--", " ", "\n", "\t",
    "AND", "OR", "NOT", "NEAR(", "NEAR(a b, 2)", "title:", "rowid", "MATCH", "?", "?1",
    ":a", "@x", "$y", "swiglu", "n_kv_head", "val_bpb", "metric", "0.99", "1e999", "nan",
    "²³", "½", "İ", "ß", "\u0345", "\u202e", "模型", "🙂", "x" * 500, "a_" * 200,
    *(f"{name}:" for name in NAMES), "since:9999999d", "since:0001-01-01", 'kind:"',
)  # fmt: skip


def hostile(count):
    """Yield hostile queries: those of other tests first, then pieces thrown together."""
    chance = random.Random(1)  # noqa: S311
    yield from HOSTILE
    for number in range(count - len(HOSTILE)):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        # now and then 100 kB, which is what a pasted file or a runaway agent sends
        yield (text + " ") * (100_000 // len(text)) if number % 500 == 0 else text


@pytest.fixture(scope="module")
def shelf():
    with Store.open(":memory:") as store:
        store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
        store.put_commits([commit(name, subject=f"try {name}") for name in "abc"])
        store.put_records([result("a", 0.98)])
        yield store


def asked(store, count):
    code = {"train.py": "def swiglu(x):\n    return x\n"}
    for number, text in enumerate(hostile(count)):
        prefix = number % 2 == 0
        hits = search(store, text, k=3, prefix=prefix, code=code)
        assert hits or ask(store, text).filters, repr(text[:200])
        assert all(hit.why and hit.kind in KINDS for hit in hits), repr(text[:200])
        if number % 20 == 0:
            explain_sql(store, text, prefix=prefix)


def test_a_sample_of_hostile_queries(shelf):
    asked(shelf, SAMPLE)


@pytest.mark.long
def test_all_hostile_queries(shelf):
    asked(shelf, COUNT)
