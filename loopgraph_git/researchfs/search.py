"""One question, one ranked list over experiments, methods, passages and code.

Passages and experiments are ranked by FTS5's bm25 (title 3, body 1, identifiers 0.5)
and by how much of the title was asked for, methods by a BM25 of our own and by the
passages of the papers they cite, code by that BM25. The lists are joined by reciprocal
rank: a hit scores 1 / (60 + its rank), because the scores of different tables do not
compare.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.records import Hit
from loopgraph_git.researchfs import filters
from loopgraph_git.researchfs.bm25 import query_stems
from loopgraph_git.researchfs.bodies import INTEGER_LIMIT
from loopgraph_git.researchfs.codesearch import find_code
from loopgraph_git.researchfs.matches import RECENT, Match, matches
from loopgraph_git.researchfs.methodsearch import continued, ranked, said, scored
from loopgraph_git.researchfs.query import KINDS, Query, read_query
from loopgraph_git.researchfs.terms import code_terms, leading, share_of_title
from loopgraph_git.researchfs.words import (
    identifiers,
    last_word,
    match_query,
    match_terms,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from loopgraph_git.researchfs.filters import Condition
    from loopgraph_git.researchfs.store import Store

__all__ = [
    "KINDS",
    "Statement",
    "ask",
    "blamed",
    "code_terms",
    "explain_sql",
    "identifiers",
    "match_query",
    "method_ranks",
    "search",
]

_DEPTH = 100
_BY_PASSAGE = {"chunk", "method"}
_TITLE_WEIGHT = 0.4

# only the rows that are shown are joined; `{also}` is what the filters ask for
_CHUNKS = """\
SELECT c.id, p.key || '#' || c.ord, c.title, found.score
  FROM (SELECT chunks_fts.rowid AS id, bm25(chunks_fts, 3.0, 1.0, 0.5) AS score
          FROM chunks_fts{join} WHERE chunks_fts MATCH ?{also}
         ORDER BY score, chunks_fts.rowid LIMIT ?) found
  JOIN chunks c USING(id) JOIN papers p ON p.id = c.paper
 ORDER BY found.score, c.id"""
_OF_CHUNK = " CROSS JOIN chunks c ON c.id = chunks_fts.rowid"
_EXPERIMENTS = """\
SELECT e.id, e.oid, e.subject, found.score
  FROM (SELECT e.id, bm25(experiment_texts_fts, 3.0, 1.0, 0.5) AS score
          FROM experiment_texts_fts CROSS JOIN experiments e
            ON e.id = experiment_texts_fts.rowid
         WHERE experiment_texts_fts MATCH ? AND e.listed = 1{also}
         ORDER BY score, e.id LIMIT ?) found
  JOIN experiments e USING(id)
 ORDER BY found.score, e.id"""
_RECENT_CHUNKS = """\
SELECT c.id, p.key || '#' || c.ord, c.title, 0.0 FROM chunks c
  JOIN papers p ON p.id = c.paper WHERE 1{also} ORDER BY p.key, c.origin, c.ord LIMIT ?"""
_RECENT_EXPERIMENTS = """\
SELECT e.id, e.oid, e.subject, 0.0 FROM experiments e WHERE e.listed = 1{also}
 ORDER BY e.ts DESC, e.id DESC LIMIT ?"""
_TABLES = {"chunk": "chunks", "experiment": "experiment_texts"}

_NO_MATCH = Match()


class Statement(NamedTuple):
    """A statement of SQL that a search runs, with its parameters."""

    kind: str
    sql: str
    values: tuple[str | float, ...]


@dataclass(frozen=True)
class _Found:
    """A candidate before it has a snippet; `row` is 0 where it has no row."""

    kind: str
    key: str
    title: str
    score: float
    row: int = 0
    match: Match = _NO_MATCH


@dataclass(frozen=True)
class _Asked:
    """A query with what is needed to answer it."""

    query: Query
    kinds: tuple[str, ...]
    depth: int
    prefix: bool = False

    @property
    def terms(self) -> list[str]:
        return match_terms(self.query.words, prefix=self.prefix)

    @property
    def match(self) -> str | None:
        return " OR ".join(self.terms) or None


def search(
    store: Store,
    query: str | Query,
    kinds: Collection[str] | None = None,
    k: int = 10,
    *,
    prefix: bool = False,
    code: Mapping[str, str] | None = None,
) -> list[Hit]:
    """Return the k best answers to any text, best first.

    `kinds` limits the answers to some of KINDS, as filters in the text do. `code` holds
    the files whose definitions are searched, by path. With `prefix` the last word may
    be the beginning of one. Where no word matches (there may be none), the most recent
    that the filters allow are the answer, and say so. Raises StoreError when the
    database cannot be read, never for what was asked.
    """
    asked = _asked(store, query, kinds, k, prefix=prefix)
    best = _best(store, asked, k, code or {}) if asked.match else []
    if not best:
        asked = _Asked(Query("", asked.query.filters), asked.kinds, asked.depth)
        best = _best(store, asked, k, {})
    told = _told(store, best, asked.match)
    return [
        Hit(
            kind=item.kind,
            key=item.key,
            title=item.title,
            snippet=match.snippet,
            score=item.score,
            marks=match.marks,
            why=match.why,
        )
        for item, match in zip(best, told, strict=True)
    ]


def ask(store: Store, text: str) -> Query:
    """Take a text apart into words and filters, with notes on what was neither."""
    return read_query(
        text, metrics=lambda: filters.metric_names(store.db), now=time.time()
    )


def blamed(
    store: Store, query: Query, *, kinds: Collection[str] | None = None
) -> list[str]:
    """Return the filters, as typed, that have answers when one is left out.

    They are what to look at when a query with filters has no answer. Where no single
    one is to blame, it is all of them together.
    """
    guilty = [
        item.text
        for item in query.filters
        if search(store, query.without(item), kinds=kinds, k=1)
    ]
    return guilty or [item.text for item in query.filters]


def explain_sql(
    store: Store,
    query: str,
    *,
    kinds: Collection[str] | None = None,
    k: int = 10,
    prefix: bool = False,
) -> list[Statement]:
    """Return the SQL that a search runs, for people who want to see it."""
    asked = _asked(store, query, kinds, k, prefix=prefix)
    made = {"experiment": _experiments_sql, "chunk": _chunks_sql}
    return [make(store, asked) for kind, make in made.items() if kind in asked.kinds]


def _asked(
    store: Store,
    query: str | Query,
    kinds: Collection[str] | None,
    k: int,
    *,
    prefix: bool,
) -> _Asked:
    taken = ask(store, query) if isinstance(query, str) else query
    wanted = filters.kinds_of(taken)
    limited = tuple(kind for kind in wanted if kinds is None or kind in kinds)
    return _Asked(taken, limited, min(max(3 * k, _DEPTH), INTEGER_LIMIT - 1), prefix)


def _best(store: Store, asked: _Asked, k: int, code: Mapping[str, str]) -> list[_Found]:
    needed = set(asked.kinds) & (_BY_PASSAGE if asked.match else {"chunk"})
    passages = _read(store, asked, _chunks_sql(store, asked)) if needed else []
    found: list[_Found] = []
    if "experiment" in asked.kinds:
        found += _read(store, asked, _experiments_sql(store, asked))
    if "method" in asked.kinds:
        found += _methods(store, asked, _of_methods(store, asked, passages))
    if "chunk" in asked.kinds:
        found += passages
    if "code" in asked.kinds:
        found += _code(asked.query.words, code)
    return sorted(found, key=lambda item: -item.score)[: max(k, 0)]


def _of_methods(
    store: Store, asked: _Asked, passages: list[_Found] | None = None
) -> list[_Found]:
    """Return the best passages that say something of a method.

    Without a library all passages do, and those that were found will do.
    """
    if asked.match and store.shelf_state():
        sql = _chunks_sql(store, asked, filters.OF_METHODS)
        return _read(store, asked, sql)
    if passages is not None:
        return passages
    return _read(store, asked, _chunks_sql(store, asked))


def _chunks_sql(
    store: Store, asked: _Asked, about: Condition = filters.ALL
) -> Statement:
    also = filters.of_chunks(asked.query) & about
    join = _OF_CHUNK if also.sql else ""
    return _statement(
        store, "chunk", asked, (_CHUNKS.replace("{join}", join), _RECENT_CHUNKS), also
    )


def _experiments_sql(store: Store, asked: _Asked) -> Statement:
    also = filters.of_experiments(asked.query)
    return _statement(
        store, "experiment", asked, (_EXPERIMENTS, _RECENT_EXPERIMENTS), also
    )


def _statement(
    store: Store, kind: str, asked: _Asked, sql: tuple[str, str], also: Condition
) -> Statement:
    by_words, recent = (text.replace("{also}", also.sql) for text in sql)
    if not asked.terms:
        return Statement(kind, recent, (*also.values, asked.depth))
    # rows without a rare word may well be the ones that a filter leaves
    match = (
        asked.match or ""
        if also.sql
        else leading(store.db, _TABLES[kind], asked.terms, asked.depth)
    )
    return Statement(kind, by_words, (match, *also.values, asked.depth))


def _read(store: Store, asked: _Asked, statement: Statement) -> list[_Found]:
    """Return the rows of a statement, those first whose title was asked for."""
    rows = store.db.rows(statement.sql, *statement.values)
    stems = query_stems(asked.query.words) if asked.terms else frozenset()
    # bm25 is below zero, and the best row's is the lowest
    best = min((score for *_, score in rows), default=0.0) or -1.0
    rows.sort(
        key=lambda row: -row[3] / best - _TITLE_WEIGHT * share_of_title(row[2], stems)
    )
    return [
        _Found(statement.kind, key, title or key[:7], score, row)
        for score, (row, key, title, _) in scored(rows)
    ]


def _methods(store: Store, asked: _Asked, passages: Sequence[_Found]) -> list[_Found]:
    allowed = asked.query.values("method")
    known = [item for item in store.methods() if not allowed or item.id in allowed]
    words = asked.query.words
    if asked.prefix:
        words = f"{words} {continued(known, last_word(words))}"
    methods = {method.id: method for method in known}
    rows = [item.row for item in passages]
    names = ranked(store, words, methods, rows) if asked.match else sorted(methods)
    stems = query_stems(words)
    return [
        _Found(
            "method", name, methods[name].title, score, match=said(methods[name], stems)
        )
        for score, name in scored(names)
    ]


def _code(words: str, code: Mapping[str, str]) -> list[_Found]:
    return [
        _Found(
            "code", item.definition.key, item.definition.title, score,
            match=Match(item.snippet, item.marks, item.why),
        )
        for score, item in scored(find_code(code, words)[:_DEPTH])
    ]  # fmt: skip


def method_ranks(store: Store, query: str) -> list[str]:
    """Return the ids of the methods that a query is about, best first.

    The method's own words and the passages of the papers that it cites are ranked
    apart and joined by reciprocal rank.
    """
    asked = _Asked(Query(query), ("method",), _DEPTH)
    if not asked.match:
        return []
    methods = {method.id: method for method in store.methods()}
    passages = _of_methods(store, asked)
    return ranked(store, query, methods, [item.row for item in passages])


def _told(store: Store, found: Sequence[_Found], match: str | None) -> list[Match]:
    """Return the snippet of every answer, and why it matched."""
    known: dict[tuple[str, int], Match] = {}
    for kind, table in _TABLES.items():
        rows = [item.row for item in found if item.kind == kind]
        if rows:
            said = matches(store.db, table, rows, match)
            known.update(((kind, row), item) for row, item in said.items())
    return [
        known.get(
            (item.kind, item.row), item.match if not item.row else Match(why=RECENT)
        )
        for item in found
    ]
