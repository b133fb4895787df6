"""One question, one ranked list over passages, methods and experiments.

Passages and experiments are ranked by FTS5's bm25 (title 3, body 1, identifiers
0.5), methods by a BM25 of our own and by the passages of the papers they cite. The
lists are joined by reciprocal rank: a hit scores 1 / (60 + its rank), because the
scores of different tables do not compare.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from loopgraph_git.records import Hit
from loopgraph_git.researchfs.bm25 import bm25, method_words
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.words import (
    STOP_WORDS,
    identifiers,
    match_query,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from loopgraph_git.records import Method
    from loopgraph_git.researchfs.store import Store

__all__ = [
    "KINDS",
    "code_terms",
    "explain_sql",
    "identifiers",
    "match_query",
    "method_ranks",
    "search",
]

KINDS = ("experiment", "method", "chunk")
RRF = 60
_DEPTH = 50
_BY_PASSAGE = {"chunk", "method"}
_SNIPPET_WORDS = 24
_CODE_TOKENS = 2000
_SHORT = 2

# only the rows that are shown are joined, and only they are given a snippet
_CHUNKS = """\
SELECT c.id, p.key || '#' || c.ord, c.title
  FROM (SELECT rowid AS id, bm25(chunks_fts, 3.0, 1.0, 0.5) AS score
          FROM chunks_fts WHERE chunks_fts MATCH ? ORDER BY score, rowid LIMIT ?) found
  JOIN chunks c USING(id) JOIN papers p ON p.id = c.paper
 ORDER BY found.score, c.id"""
_EXPERIMENTS = """\
SELECT e.id, e.oid, e.subject
  FROM (SELECT rowid AS id, bm25(experiment_texts_fts, 3.0, 1.0, 0.5) AS score
          FROM experiment_texts_fts WHERE experiment_texts_fts MATCH ?
         ORDER BY score, rowid LIMIT ?) found
  JOIN experiments e USING(id) WHERE e.listed = 1
 ORDER BY found.score, e.id"""
_OPENINGS = """\
SELECT id, substr(body, 1, 160) FROM {table}
 WHERE id IN (SELECT value FROM json_each(?))"""
_SNIPPETS = """\
SELECT rowid, snippet({table}_fts, 1, '', '', ' … ', {words})
  FROM {table}_fts WHERE {table}_fts MATCH ?
   AND rowid IN (SELECT value FROM json_each(?))"""
_RECENT_CHUNKS = """\
SELECT c.id, p.key || '#' || c.ord, c.title FROM chunks c
  JOIN papers p ON p.id = c.paper ORDER BY p.key, c.origin, c.ord LIMIT ?"""
_RECENT_EXPERIMENTS = """\
SELECT id, oid, subject FROM experiments WHERE listed = 1
 ORDER BY ts DESC, oid DESC LIMIT ?"""
# the index keeps stems: let the same tokenizer stem the words that are asked for
_STEMMER = (
    "DROP TABLE IF EXISTS temp.stems_vocab",
    "DROP TABLE IF EXISTS temp.stems",
    """CREATE VIRTUAL TABLE temp.stems USING
         fts5(word, tokenize='porter unicode61 remove_diacritics 2')""",
    "CREATE VIRTUAL TABLE temp.stems_vocab USING fts5vocab(temp, stems, instance)",
)
_DOCUMENTS = """\
SELECT s.doc, coalesce(sum(c.doc), 0) + coalesce(sum(e.doc), 0)
  FROM temp.stems_vocab s LEFT JOIN chunks_vocab c ON c.term = s.term
  LEFT JOIN experiment_texts_vocab e ON e.term = s.term GROUP BY s.doc"""
_OF_PAPERS = """\
SELECT m.name, c.id FROM chunks c
  JOIN method_sources s ON s.paper = c.paper JOIN methods m ON m.id = s.method
 WHERE c.id IN (SELECT value FROM json_each(?))
   AND (c.kind <> 'method' OR c.title = m.title)"""


@dataclass(frozen=True)
class _Found:
    """A candidate before it has a snippet; `row` is 0 for a method."""

    kind: str
    key: str
    title: str
    score: float
    row: int = 0
    text: str = ""


def search(
    store: Store, query: str, *, kinds: Collection[str] | None = None, k: int = 10
) -> list[Hit]:
    """Return the k best answers to any text, best first.

    `kinds` limits the answers to some of KINDS. A query without a word (empty, only
    punctuation) is answered by the most recent experiments, methods and passages.
    Raises StoreError when the database cannot be read, never for what was asked.
    """
    match = match_query(query)
    depth = max(3 * k, _DEPTH)
    wanted = [kind for kind in KINDS if kinds is None or kind in kinds]
    passages = _passages(store, match, depth) if set(wanted) & _BY_PASSAGE else []
    found: list[_Found] = []
    if "experiment" in wanted:
        found += _experiments(store, match, depth)
    if "method" in wanted:
        found += _methods(store, query, passages if match else None)
    if "chunk" in wanted:
        found += passages
    best = sorted(found, key=lambda item: -item.score)[: max(k, 0)]
    snippets = _snippets(store, best, match)
    return [
        Hit(
            kind=item.kind,
            key=item.key,
            title=item.title,
            snippet=snippets.get((item.kind, item.row)) or item.text,
            score=item.score,
        )
        for item in best
    ]


def explain_sql(kinds: Collection[str] | None = None) -> str:
    """Return the SQL that a search runs, for people who want to see it."""
    shown = {"experiment": _EXPERIMENTS, "chunk": _CHUNKS}
    return ";\n\n".join(
        sql for kind, sql in shown.items() if kinds is None or kind in kinds
    )


def _experiments(store: Store, match: str | None, depth: int) -> list[_Found]:
    if match is None:
        rows = store.db.rows(_RECENT_EXPERIMENTS, depth)
    else:
        rows = store.db.rows(_EXPERIMENTS, match, depth)
    return [
        _Found("experiment", oid, subject or oid[:7], score, row)
        for score, (row, oid, subject) in _scored(rows)
    ]


def _passages(store: Store, match: str | None, depth: int) -> list[_Found]:
    if match is None:
        rows = store.db.rows(_RECENT_CHUNKS, depth)
    else:
        rows = store.db.rows(_CHUNKS, match, depth)
    return [
        _Found("chunk", key, title, score, row)
        for score, (row, key, title) in _scored(rows)
    ]


def _methods(
    store: Store, query: str, passages: Sequence[_Found] | None
) -> list[_Found]:
    methods = {method.id: method for method in store.methods()}
    names = (
        sorted(methods)
        if passages is None
        else _ranked(store, query, methods, passages)
    )
    return [
        _Found("method", name, methods[name].title, score, text=methods[name].summary)
        for score, name in _scored(names)
    ]


_T = TypeVar("_T")


def _scored(rows: Iterable[_T]) -> list[tuple[float, _T]]:
    return [(1 / (RRF + rank), row) for rank, row in enumerate(rows, start=1)]


def method_ranks(store: Store, query: str) -> list[str]:
    """Return the ids of the methods that a query is about, best first.

    The method's own words and the passages of the papers that it cites are ranked
    apart and joined by reciprocal rank.
    """
    match = match_query(query)
    if match is None:
        return []
    methods = {method.id: method for method in store.methods()}
    return _ranked(store, query, methods, _passages(store, match, _DEPTH))


def _ranked(
    store: Store,
    query: str,
    methods: Mapping[str, Method],
    passages: Sequence[_Found],
) -> list[str]:
    words = {name: method_words(method) for name, method in methods.items()}
    scores: Counter[str] = Counter()
    for names in (
        [name for name, _ in bm25(words, query)],
        _cited(store, [item.row for item in passages[:_DEPTH]]),
    ):
        for score, name in _scored(name for name in names if name in methods):
            scores[name] += score  # type: ignore[assignment]
    return sorted(scores, key=lambda name: (-scores[name], name))


def _cited(store: Store, passages: Sequence[int]) -> list[str]:
    """Return the methods whose papers the best passages are from, best first."""
    place = {row: rank for rank, row in enumerate(passages)}
    first: dict[str, int] = {}
    for name, row in store.db.rows(_OF_PAPERS, ids_json(passages)):
        first[name] = min(first.get(name, len(place)), place[row])
    return sorted(first, key=lambda name: (first[name], name))


def _snippets(
    store: Store, found: Sequence[_Found], match: str | None
) -> dict[tuple[str, int], str]:
    texts: dict[tuple[str, int], str] = {}
    for kind, table in (("chunk", "chunks"), ("experiment", "experiment_texts")):
        wanted = ids_json(item.row for item in found if item.kind == kind)
        if match is None:
            rows = store.db.rows(_OPENINGS.format(table=table), wanted)
        else:
            sql = _SNIPPETS.format(table=table, words=_SNIPPET_WORDS)
            rows = store.db.rows(sql, match, wanted)
        texts.update(((kind, row), " ".join(text.split())) for row, text in rows)
    return texts


def code_terms(store: Store, code: str, k: int = 16) -> list[str]:
    """Return the k words of a source text that say most about it.

    Those are the ones that stand in the fewest indexed rows, of those that stand in
    any; ties go to the more frequent in the code, then to the alphabet. A whole file
    as a query would take a second and drown the goal.
    """
    spelt = tokens(code) + tokens(identifiers(code))
    counts = Counter(
        word for word in spelt if len(word) > _SHORT and word not in STOP_WORDS
    )
    words = [word for word, _ in counts.most_common(_CODE_TOKENS)]
    rows = _rows_with(store, words)
    known = [word for word in words if rows.get(word)]
    return sorted(known, key=lambda word: (rows[word], -counts[word], word))[:k]


def _rows_with(store: Store, words: list[str]) -> dict[str, int]:
    """Count the indexed rows that hold each word, as the tokenizer stems it."""
    with store.db.alone():
        for statement in _STEMMER:
            store.db.write(statement)
        store.db.write_many(
            "INSERT INTO temp.stems(rowid, word) VALUES(?, ?)", enumerate(words)
        )
        rows = store.db.rows(_DOCUMENTS)
    return {words[place]: count for place, count in rows}
