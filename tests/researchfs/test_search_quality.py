"""Search quality on what every Python brings along: docstring finds its function.

The documents are functions of the standard library, three lines or longer without
their docstring, the queries the first lines of docstrings. nDCG@10 with one right answer is
1 / log2(1 + its place).
"""

from __future__ import annotations

import ast
import math
import random
import sysconfig
import warnings
from pathlib import Path
from statistics import fmean

import pytest

from loopgraph_git.records import Chunk
from loopgraph_git.researchfs.search import search
from loopgraph_git.researchfs.store import Store
from loopgraph_git.researchfs.words import tokens

FEW_FILES = 25
SHORTEST = 3
QUERIES = 600
LEFT_OUT = ("test", "tests", "idlelib", "site-packages", "lib2to3", "turtledemo")


def sources():
    root = Path(sysconfig.get_paths()["stdlib"])
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if not set(path.relative_to(root).parts) & set(LEFT_OUT)
    ]


def functions(paths):
    """Yield name, source without docstring, and the docstring's first paragraph."""
    for path in paths:
        text = path.read_text("utf-8", "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
                doc = ast.get_docstring(node) or ""
                if doc:
                    first = node.body[0]
                    start = first.lineno - node.lineno
                    end = (first.end_lineno or 0) - node.lineno + 1
                    lines = lines[:start] + lines[end:]
                if len(lines) >= SHORTEST:
                    yield node.name, "\n".join(lines)[:4000], doc.split("\n\n")[0]


def shelf(paths):
    store = Store.open(":memory:")
    asked = []
    chunks = []
    for number, (name, body, doc) in enumerate(functions(paths)):
        chunks.append(Chunk(paper="stdlib", ord=number, title=name, body=body))
        if len(tokens(doc)) >= 4:
            asked.append((doc, f"stdlib#{number}"))
    store.put_chunks(chunks)
    chosen = random.Random(1).sample(asked, min(len(asked), QUERIES))  # noqa: S311
    return store, chosen


def ndcg(asked, answer):
    gains = []
    for query, right in asked:
        keys = answer(query)
        place = keys.index(right) + 1 if right in keys else 0
        gains.append(1 / math.log2(1 + place) if place else 0.0)
    return fmean(gains)


def found(store, query):
    return [hit.key for hit in search(store, query, kinds=("chunk",))]


def all_words(store, query):
    """Answer as FTS5 does by itself: every word has to be there."""
    match = " ".join(f'"{word}"' for word in tokens(query)[:64])
    rows = store.db.rows(
        "SELECT p.key || '#' || c.ord FROM chunks_fts f JOIN chunks c ON c.id = f.rowid"
        " JOIN papers p ON p.id = c.paper WHERE chunks_fts MATCH ?"
        " ORDER BY f.rank LIMIT 10",
        match,
    )
    return [key for (key,) in rows]


def test_any_word_finds_far_more_than_all_words():
    store, asked = shelf(sources()[:FEW_FILES])
    with store:
        some = ndcg(asked, lambda query: found(store, query))
        every = ndcg(asked, lambda query: all_words(store, query))
        assert some > 0.4
        assert some > 4 * every


@pytest.mark.slow
def test_the_whole_standard_library():
    store, asked = shelf(sources())
    with store:
        assert ndcg(asked, lambda query: found(store, query)) >= 0.37
