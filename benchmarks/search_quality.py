"""How well a search finds what is meant, beside bm25s and rank_bm25.

    python benchmarks/search_quality.py [--queries 600] [--seed 1]
    python benchmarks/search_quality.py --beir path/to/scifact [--split test]

Without `--beir` the corpus is what every Python brings along: the documents are all
functions of the standard library, source without docstring, the queries the first
paragraphs of docstrings of four words or more. The right answer is the one function
that the docstring was taken from, though others may do the job: numbers compare with
each other, and little beyond.

A labelled corpus in BEIR form is a folder with corpus.jsonl (_id, title, text),
queries.jsonl (_id, text) and qrels/<split>.tsv (query-id, corpus-id, score).

    ours            a search as `git lg search --kind chunk` does it
    every word      the same index asked for all words (FTS5's own way): the control
    bm25s           with its own tokens, and with our words and stems
    rank_bm25       with our words and stems (it has no tokens of its own)

Prints nDCG@10 and recall@10, and the difference of nDCG@10 to ours with a 95 %
interval (paired bootstrap over the queries). The other two are measured where they are
installed: pip install bm25s rank_bm25 PyStemmer

The weights of our ranking were chosen on other docstrings than those asked here (the
queries that `--seed 1` leaves out), so that these numbers are not those of a fit.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import math
import os
import platform
import random
import sqlite3
import sysconfig
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from loopgraph_git.records import Chunk
from loopgraph_git.researchfs.bm25 import stem
from loopgraph_git.researchfs.search import search
from loopgraph_git.researchfs.store import Store
from loopgraph_git.researchfs.words import STOP_WORDS, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

K = 10
LEFT_OUT = {"test", "tests", "idlelib", "site-packages", "lib2to3", "turtledemo"}
INSTALL = "pip install bm25s rank_bm25 PyStemmer"
Answer = Callable[[str], list[int]]


@dataclass(frozen=True)
class Labelled:
    """Documents (title, text), and queries with the grades of the right ones."""

    name: str
    documents: list[tuple[str, str]]
    queries: list[tuple[str, dict[int, float]]]


def stdlib_files() -> list[Path]:
    """Return the files of the standard library, tests and tools left out."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if not set(path.relative_to(root).parts) & LEFT_OUT
    ]


def functions(paths: list[Path]) -> Iterator[tuple[str, str, str]]:
    """Yield name, source without docstring, and the docstring's first paragraph."""
    for path in paths:
        text = path.read_text("utf-8", "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        lines = text.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                own = lines[node.lineno - 1 : node.end_lineno]
                doc = ast.get_docstring(node) or ""
                if doc:
                    said = node.body[0]
                    last = (said.end_lineno or 0) - node.lineno + 1
                    own = own[: said.lineno - node.lineno] + own[last:]
                yield node.name, "\n".join(own)[:4000], doc.split("\n\n")[0]


def from_stdlib(paths: list[Path], queries: int, seed: int) -> Labelled:
    """Return docstrings as queries for the functions that they were taken from."""
    found = list(functions(paths))
    asked = [
        (doc, {place: 1.0})
        for place, (_, _, doc) in enumerate(found)
        if len(tokens(doc)) >= 4
    ]
    chosen = random.Random(seed).sample(asked, min(len(asked), queries))
    return Labelled("stdlib", [(name, body) for name, body, _ in found], chosen)


def from_beir(folder: Path, split: str) -> Labelled:
    """Read a labelled corpus in BEIR form."""
    documents, place = [], {}
    for row in json_lines(folder / "corpus.jsonl"):
        place[str(row["_id"])] = len(documents)
        documents.append((str(row.get("title") or ""), str(row.get("text") or "")))
    grades: dict[str, dict[int, float]] = {}
    rows = (folder / "qrels" / f"{split}.tsv").read_text().splitlines()
    for row in rows[1:]:
        query, document, grade = row.split("\t")[:3]
        if float(grade) > 0 and document in place:
            grades.setdefault(query, {})[place[document]] = float(grade)
    texts = {
        str(row["_id"]): str(row["text"])
        for row in json_lines(folder / "queries.jsonl")
    }
    queries = [(texts[name], right) for name, right in grades.items() if name in texts]
    return Labelled(folder.name, documents, queries)


def json_lines(path: Path) -> Iterator[dict[str, object]]:
    """Yield the objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def ndcg(found: list[int], right: dict[int, float]) -> float:
    """Return the discounted gain of the first ten, as a share of the best there is."""
    gained = sum(
        right.get(document, 0.0) / math.log2(2 + rank)
        for rank, document in enumerate(found[:K])
    )
    best = sorted(right.values(), reverse=True)[:K]
    return gained / sum(grade / math.log2(2 + rank) for rank, grade in enumerate(best))


def recall(found: list[int], right: dict[int, float]) -> float:
    """Return the share of the right documents that are among the first ten."""
    return len(set(found[:K]) & set(right)) / len(right)


def shelf(documents: list[tuple[str, str]]) -> Store:
    """Return a store with the documents as passages."""
    store = Store.open(":memory:")
    store.put_chunks(
        Chunk(paper="corpus", ord=number, title=title, body=body)
        for number, (title, body) in enumerate(documents)
    )
    return store


def ours(store: Store) -> Answer:
    """Return our search."""

    def answer(query: str) -> list[int]:
        hits = search(store, query, kinds=("chunk",), k=K)
        return [int(hit.key.partition("#")[2]) for hit in hits]

    return answer


def every_word(store: Store) -> Answer:
    """Return a search for rows with every word, as FTS5 does it by itself."""

    def answer(query: str) -> list[int]:
        match = " ".join(f'"{word}"' for word in tokens(query)[:64])
        return store.db.column(
            "SELECT c.ord FROM chunks_fts f JOIN chunks c ON c.id = f.rowid"
            " WHERE chunks_fts MATCH ? ORDER BY f.rank LIMIT 10",
            match or '""',
        )

    return answer


def split(text: str) -> list[str]:
    """Return our words of a text, stemmed."""
    return [stem(word) for word in tokens(text) if word not in STOP_WORDS]


def whole(document: tuple[str, str]) -> str:
    """Return title and text; the title three times, as it weighs with us."""
    title, text = document
    return f"{title} {title} {title} {text}"


def with_bm25s(documents: list[tuple[str, str]], *, own_tokens: bool) -> Answer:
    """Return a search by bm25s."""
    import bm25s  # noqa: PLC0415

    stemmer = None
    if importlib.util.find_spec("Stemmer"):
        import Stemmer  # noqa: PLC0415

        stemmer = Stemmer.Stemmer("english")

    def cut(texts: list[str]) -> object:
        if not own_tokens:
            return [split(text) for text in texts]
        return bm25s.tokenize(texts, stemmer=stemmer, show_progress=False)

    engine = bm25s.BM25()
    engine.index(cut([whole(item) for item in documents]), show_progress=False)

    def answer(query: str) -> list[int]:
        if not own_tokens and not split(query):
            return []
        found, _ = engine.retrieve(cut([query]), k=K, show_progress=False)
        return [int(place) for place in found[0]]

    return answer


def with_rank_bm25(documents: list[tuple[str, str]]) -> Answer:
    """Return a search by rank_bm25."""
    import rank_bm25  # noqa: PLC0415

    engine = rank_bm25.BM25Okapi([split(whole(item)) for item in documents])

    def answer(query: str) -> list[int]:
        scores = engine.get_scores(split(query))
        return [int(place) for place in (-scores).argsort(kind="stable")[:K]]

    return answer


def systems(corpus: Labelled) -> Iterator[tuple[str, Answer]]:
    """Yield every search that can be measured here."""
    store = shelf(corpus.documents)
    yield "ours", ours(store)
    yield "every word", every_word(store)
    if importlib.util.find_spec("bm25s"):
        yield "bm25s", with_bm25s(corpus.documents, own_tokens=True)
        yield "bm25s, our words", with_bm25s(corpus.documents, own_tokens=False)
    if importlib.util.find_spec("rank_bm25"):
        yield "rank_bm25", with_rank_bm25(corpus.documents)


def interval(differences: list[float]) -> tuple[float, float]:
    """Return a 95 % interval of a mean, by the bootstrap."""
    chance = random.Random(0)
    means = sorted(
        fmean(chance.choices(differences, k=len(differences))) for _ in range(1000)
    )
    return means[25], means[974]


def main() -> None:
    """Measure, and print a line for every search."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--queries", type=int, default=600)
    asked.add_argument("--seed", type=int, default=1, help="which queries are asked")
    asked.add_argument("--beir", type=Path, help="a labelled corpus in BEIR form")
    asked.add_argument(
        "--split", default="test", help="of the corpus: qrels/<split>.tsv"
    )
    given = asked.parse_args()
    if given.beir:
        corpus = from_beir(given.beir, given.split)
    else:
        corpus = from_stdlib(stdlib_files(), given.queries, given.seed)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, "
          f"SQLite {sqlite3.sqlite_version}; {corpus.name}: {len(corpus.documents)} "
          f"documents, {len(corpus.queries)} queries")  # fmt: skip
    print(f"{'':18} nDCG@10  recall@10  ms/query  nDCG@10 below ours")
    first: list[float] = []
    for name, answer in systems(corpus):
        started = time.perf_counter()
        found = [(answer(query), right) for query, right in corpus.queries]
        spent = 1000 * (time.perf_counter() - started) / len(found)
        gains = [ndcg(*pair) for pair in found]
        line = f"{name:18} {fmean(gains):7.4f}  {fmean(recall(*pair) for pair in found):9.4f}  {spent:8.1f}"
        if first:
            below = [mine - other for mine, other in zip(first, gains, strict=True)]
            low, high = interval(below)
            line += f"  {fmean(below):+.4f} [{low:+.4f}, {high:+.4f}]"
        first = first or gains
        print(line, flush=True)
    if not importlib.util.find_spec("bm25s") or not importlib.util.find_spec(
        "rank_bm25"
    ):
        print(f"for the others: {INSTALL}")


if __name__ == "__main__":
    main()
