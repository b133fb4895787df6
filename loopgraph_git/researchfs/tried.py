"""Which code was tried, and which experiments are told in nearly the same words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loopgraph_git.researchfs import reading
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.words import STOP_WORDS, match_query, tokens

if TYPE_CHECKING:
    from collections.abc import Collection

    from loopgraph_git.records import Experiment
    from loopgraph_git.researchfs.store import Store

_DEPTH = 50
_SHARE = 0.6
"""How many of the words that were asked for have to be there."""
# what was refused before it was trained was not tried
_TRIED = (
    "e.listed = 1 AND e.status IS NOT 'rejected'"
    " AND coalesce(e.status, e.verdict) IS NOT NULL"
)
_WORDED = f"""\
SELECT f.id FROM (SELECT rowid AS id, bm25(experiment_texts_fts, 3.0, 1.0, 0.5) AS score
          FROM experiment_texts_fts WHERE experiment_texts_fts MATCH ?
         ORDER BY score, rowid LIMIT ?) f
  JOIN experiments e USING(id) WHERE {_TRIED} ORDER BY f.score, f.id"""  # noqa: S608
_HAVING = """\
SELECT rowid FROM experiment_texts_fts WHERE experiment_texts_fts MATCH ?
   AND rowid IN (SELECT value FROM json_each(?))"""


def stamp(store: Store) -> str:
    """Return a text that is another one when an outcome or a commit came since."""
    # answered from indexes alone: the same records make the same sum in any order
    rows = store.db.rows(
        "SELECT count(*), coalesce(sum(id & 0xffffffff), 0),"
        " (SELECT count(*) FROM experiments WHERE listed = 1)"
        " FROM records INDEXED BY records_by_experiment"
    )
    return " ".join(map(str, rows[0]))


def versions(store: Store) -> list[tuple[str, str]]:
    """Return the parent, or "", and the tree of everything that was tried."""
    rows = store.db.rows(
        "SELECT DISTINCT coalesce(e.parent, ''), e.tree FROM experiments e"  # noqa: S608
        f" WHERE e.known = 1 AND {_TRIED} ORDER BY e.ts, e.oid"
    )
    return [(parent, tree) for parent, tree in rows]


def of_trees(store: Store, trees: Collection[str]) -> list[Experiment]:
    """Return the experiments with an outcome that have one of these trees."""
    found = reading.of_trees(store.db, trees)
    return [item for item in found if _was_tried(item)]


def _was_tried(item: Experiment) -> bool:
    return bool(item.verdict or item.status) and item.status != "rejected"


def worded(store: Store, text: str, k: int = 5) -> list[Experiment]:
    """Return tried experiments that most words of a text are said of, best first."""
    match = match_query(text)
    words = {word for word in tokens(text[:2000]) if word not in STOP_WORDS}
    if match is None or not words:
        return []
    rows = store.db.column(_WORDED, match, _DEPTH)
    having: Counter[int] = Counter()
    for word in sorted(words)[:_DEPTH]:
        having.update(store.db.column(_HAVING, f'"{word}"', ids_json(rows)))
    place = {row: number for number, row in enumerate(rows)}
    near = [row for row in rows if having[row] >= _SHARE * len(words)]
    near.sort(key=lambda row: (-having[row], place[row]))
    return reading.of_rows(store.db, near[: max(k, 0)])
