"""Methods: ranked by their own words, and by passages that are cited or mention them.

A pack has some dozens of methods, and a word that most of them have still says
something: they are ranked by our own BM25 and not by FTS5's.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from loopgraph_git.researchfs.bm25 import bm25, method_words
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.matches import (
    RECENT,
    Match,
    in_fields,
    marked_by_stem,
    shown,
)
from loopgraph_git.researchfs.words import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.records import Method
    from loopgraph_git.researchfs.store import Store

RRF = 60
_OF_PAPERS = """\
SELECT m.name, c.id FROM chunks c
  JOIN method_sources s ON s.paper = c.paper JOIN methods m ON m.id = s.method
 WHERE c.id IN (SELECT value FROM json_each(?))
   AND (c.kind <> 'method' OR c.title = m.title)
UNION
SELECT m.name, t.chunk FROM mentions t JOIN methods m ON m.id = t.method
 WHERE t.chunk IN (SELECT value FROM json_each(?))"""


_T = TypeVar("_T")


def scored(rows: Iterable[_T]) -> list[tuple[float, _T]]:
    """Return every item of a ranked list with the score of its place."""
    return [(1 / (RRF + rank), row) for rank, row in enumerate(rows, start=1)]


def ranked(
    store: Store,
    query: str,
    methods: Mapping[str, Method],
    passages: Sequence[int],
) -> list[str]:
    """Return the ids of methods, best first; `passages` are rows of chunks.

    Their own words and the best passages are ranked apart, and joined by reciprocal rank.
    """
    words = {name: method_words(method) for name, method in methods.items()}
    scores: Counter[str] = Counter()
    for names in (
        [name for name, _ in bm25(words, query)],
        _cited(store, passages),
    ):
        for score, name in scored(name for name in names if name in methods):
            scores[name] += score  # type: ignore[assignment]
    return sorted(scores, key=lambda name: (-scores[name], name))


def _cited(store: Store, passages: Sequence[int]) -> list[str]:
    """Return the methods that the best passages mention, or are cited for, best first."""
    place = {row: rank for rank, row in enumerate(passages)}
    first: dict[str, int] = {}
    wanted = ids_json(passages)
    for name, row in store.db.rows(_OF_PAPERS, wanted, wanted):
        first[name] = min(first.get(name, len(place)), place[row])
    return sorted(first, key=lambda name: (first[name], name))


def continued(methods: Iterable[Method], start: str) -> str:
    """Return the words of methods that begin as the last word of a query does."""
    if not start:
        return ""
    spoken = {
        word
        for method in methods
        for word in tokens(f"{method.id} {method.title} {' '.join(method.aliases)}")
        if word.startswith(start.lower())
    }
    return " ".join(sorted(spoken))


def said(method: Method, stems: frozenset[str]) -> Match:
    """Return the summary of a method, with what was asked for marked, and why."""
    snippet, _ = shown(method.summary)
    texts = {
        "name": " ".join((method.id, method.title, *method.aliases)),
        "summary": snippet,
        "advice": f"{method.family} {method.helps} {method.hurts}",
        "knobs": " ".join(knob.name for knob in method.knobs),
    }
    words = {
        name: [text[first:last] for first, last in marked_by_stem(text, stems)]
        for name, text in texts.items()
    }
    why = in_fields(words) or ("passages of its sources" if stems else RECENT)
    return Match(snippet, marked_by_stem(snippet, stems), why)
