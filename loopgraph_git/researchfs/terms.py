"""Which words of a query count: the rare ones, and those that a title is made of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loopgraph_git.researchfs.bm25 import stem
from loopgraph_git.researchfs.words import STOP_WORDS, identifiers, parts, tokens, words

if TYPE_CHECKING:
    from collections.abc import Collection

    from loopgraph_git.researchfs.database import Database
    from loopgraph_git.researchfs.store import Store

_ENOUGH = 2000
_COMMON = 10_000
_CODE_TOKENS = 2000
_SHORT = 2
_HOLDING = """\
SELECT count(*) FROM (SELECT 1 FROM {table}_fts WHERE {table}_fts MATCH ? LIMIT ?)"""
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


def leading(db: Database, table: str, terms: list[str], depth: int) -> str:
    """Return the query for any of these terms that looks at fewer rows.

    To score a row takes ten times as long as to find it, and a row with none of the
    rare words is hardly ever among the best. Where a few thousand rows hold a rare
    word, they alone are scored, each by all of the terms. (A term stands once in the
    condition and once in the score, so those of the score alone are doubled.)
    """
    sql = _HOLDING.format(table=table)
    rows = {term: db.column(sql, term, _COMMON)[0] for term in dict.fromkeys(terms)}
    enough = max(_ENOUGH, 10 * depth)
    first: list[str] = []
    held = 0
    for term in sorted(rows, key=rows.__getitem__):
        if held >= enough or (rows[term] >= _COMMON and held >= enough // 4):
            break
        first.append(term)
        held += rows[term]
    rest = [term for term in terms if term not in first]
    if not first or not rest:
        return " OR ".join(terms)
    scored = [term for term in terms if term in first] + 2 * rest
    return f"({' OR '.join(first)}) AND ({' OR '.join(scored)})"


def share_of_title(title: str, stems: Collection[str]) -> float:
    """Return how much of a title was asked for, a little less for a short one.

    bm25 measures a row by the length of all of it: that a name of two words has both
    of those that were asked for says more than that.
    """
    spelt = [stem(part) for word in words(title) for part in parts(word)]
    return sum(part in stems for part in spelt) / (1 + len(spelt))


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
    common = [word for word, _ in counts.most_common(_CODE_TOKENS)]
    rows = _rows_with(store, common)
    known = [word for word in common if rows.get(word)]
    return sorted(known, key=lambda word: (rows[word], -counts[word], word))[:k]


def _rows_with(store: Store, wanted: list[str]) -> dict[str, int]:
    """Count the indexed rows that hold each word, as the tokenizer stems it."""
    with store.db.alone():
        for statement in _STEMMER:
            store.db.write(statement)
        store.db.write_many(
            "INSERT INTO temp.stems(rowid, word) VALUES(?, ?)", enumerate(wanted)
        )
        rows = store.db.rows(_DOCUMENTS)
    return {wanted[place]: count for place, count in rows}
