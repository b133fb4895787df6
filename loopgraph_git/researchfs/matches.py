"""Why a row was found: a snippet with the words that matched, and where they stand."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.records.texts import HIDDEN
from loopgraph_git.researchfs.bm25 import stem
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.words import identifiers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from loopgraph_git.researchfs.database import Database

RECENT = "the most recent"
_ON, _OFF = "\x02", "\x03"
_MARKS = (_ON, _OFF)
_PIECE = re.compile(f"([{_ON}{_OFF}])")
_SNIPPET_WORDS = 24
_WORDS_SHOWN = 4
_WORD = re.compile(r"[^\W_]+")
Spans = tuple[tuple[int, int], ...]

# only the rows that are shown are read again
_MATCHES = f"""\
SELECT f.rowid, snippet({{table}}_fts, 1, '{_ON}', '{_OFF}', ' … ', {_SNIPPET_WORDS}),
       highlight({{table}}_fts, 0, '{_ON}', '{_OFF}'),
       highlight({{table}}_fts, 1, '{_ON}', '{_OFF}'),
       highlight({{table}}_fts, 2, '{_ON}', '{_OFF}'), {{parts}}
  FROM {{table}}_fts f JOIN {{table}} t ON t.id = f.rowid
 WHERE {{table}}_fts MATCH ? AND f.rowid IN (SELECT value FROM json_each(?))"""  # noqa: S608
_PARTS = {"chunks": "'', ''", "experiment_texts": "t.message, t.said"}
_OPENINGS = """\
SELECT id, substr(body, 1, 160) FROM {table}
 WHERE id IN (SELECT value FROM json_each(?))"""


class Match(NamedTuple):
    """A snippet, the places in it that matched, and the words that did, by field."""

    snippet: str = ""
    marks: Spans = ()
    why: str = ""


def matches(
    db: Database, table: str, rows: Iterable[int], match: str | None
) -> dict[int, Match]:
    """Return why rows of a searched table were found; their openings without a query."""
    wanted = ids_json(rows)
    if match is None:
        found = db.rows(_OPENINGS.format(table=table), wanted)
        return {row: Match(*shown(text), RECENT) for row, text in found}
    sql = _MATCHES.format(table=table, parts=_PARTS[table])
    return {
        row: Match(*shown(snippet), _why(title, body, idents, *parts))
        for row, snippet, title, body, idents, *parts in db.rows(sql, match, wanted)
    }


def shown(text: str) -> tuple[str, Spans]:
    """Return a marked text as one line without what is hidden, and its marks."""
    clear = HIDDEN.sub(lambda found: found[0] if found[0] in _MARKS else "", text)
    return _unmarked(" ".join(clear.split()))


def _unmarked(text: str) -> tuple[str, Spans]:
    plain, spans, start = "", [], None
    for piece in _PIECE.split(text):
        if piece == _ON:
            start = len(plain)
        elif piece == _OFF:
            if start is not None and start < len(plain):
                spans.append((start, len(plain)))
            start = None
        else:
            plain += piece
    return plain, tuple(spans)


def _why(title: str, body: str, idents: str, message: str, said: str) -> str:
    plain, spans = _unmarked(body)
    told = {"title": _words(*_unmarked(title))}
    for name, first, last in _fields(message, said):
        inside = [span for span in spans if first <= span[0] < last]
        told[name] = _words(plain, inside)
    # they are other spellings of what stands in the text
    spelt = {} if any(told.values()) else {"identifiers": _words(*_unmarked(idents))}
    return in_fields({**told, **spelt})


def _fields(message: str, said: str) -> Iterator[tuple[str, int, int]]:
    """Yield the fields that a body is made of: name, begin, end."""
    if not message and not said:
        yield "text", 0, sys.maxsize
        return
    change = message.find("diff --git ")
    end = len(message) if change < 0 else change
    yield "message", 0, end
    yield "change", end, len(message)
    yield "outcome", len(message), sys.maxsize


def _words(text: str, spans: Iterable[tuple[int, int]]) -> list[str]:
    return [text[first:last] for first, last in spans]


def in_fields(words: Mapping[str, Collection[str]]) -> str:
    """Return which words matched in which field: `title: swiglu; change: gate, mlp`."""
    told = {}
    for name, found in words.items():
        kept = dict.fromkeys(HIDDEN.sub("", word).lower() for word in found)
        told[name] = ", ".join([*kept][:_WORDS_SHOWN])
    return "; ".join(f"{name}: {said}" for name, said in told.items() if said)


def marked_by_stem(text: str, stems: Collection[str]) -> Spans:
    """Return where the words of a text stand whose stems are among those given."""
    return tuple(
        found.span()
        for found in _WORD.finditer(text)
        if any(word in stems for word in _stems(found[0]))
    )


@lru_cache(maxsize=1 << 14)
def _stems(word: str) -> tuple[str, ...]:
    """Return the stems of a word and of its other spellings."""
    return tuple(stem(spelt) for spelt in (word.lower(), *identifiers(word).split()))
