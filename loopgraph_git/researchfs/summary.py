"""What came of an experiment, derived from its records.

Summaries and search texts are never edited: whatever a transaction touched is
derived anew from the rows beneath it, so that the order in which facts arrived
leaves no trace. Records that were retracted do not count. Results belong to a tree:
a commit that was rewritten with the same tree hands its results on. One that landed
elsewhere (a squash, a cherry-pick, a merge) keeps them: it goes on being the experiment.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from loopgraph_git.researchfs import imports
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.schema import LANDED
from loopgraph_git.researchfs.summing import (
    COLUMNS,
    Outcome,
    Score,
    Verdict,
    first_second,
    score_columns,
    scores_of,
    summed,
)
from loopgraph_git.researchfs.texts import write_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopgraph_git.researchfs.database import Database

_CHUNK = 5000
_RETRACTED = "(SELECT target FROM retractions)"

_REWRITTEN = f"l.how NOT IN {LANDED} AND l.id NOT IN {_RETRACTED}"
# every experiment that hands its results on to a target, itself included
_SOURCES = f"""
WITH RECURSIVE sources(target, source) AS (
  SELECT value, value FROM json_each(?)
  UNION
  SELECT s.target, l.old FROM sources s JOIN links l ON l.new = s.source
    JOIN experiments a ON a.id = l.old JOIN experiments b ON b.id = l.new
   WHERE a.tree = b.tree AND a.tree <> '' AND {_REWRITTEN}
)
"""  # noqa: S608
_ALONE = "WITH sources(target, source) AS (SELECT value, value FROM json_each(?))"
_OUTCOMES = f"""
SELECT s.target, o.status, o.metric, o.value, o.seed, o.seconds, o.peak_memory_mb,
       o.protocol, o.platform, o.evaluation, o.excerpt, o.tokens, r.ts
  FROM sources s JOIN records r ON r.experiment = s.source JOIN outcomes o USING(id)
  JOIN experiments own ON own.id = s.source
 WHERE o.id NOT IN {_RETRACTED} AND (own.known = 0 OR r.tree = own.tree)
 ORDER BY s.target, r.ts, r.seq, r.record
"""  # noqa: S608
_VERDICTS = f"""
SELECT s.target, v.value, v.reason, v.baseline, v.delta, v.noise, v.n, r.ts
  FROM sources s JOIN records r ON r.experiment = s.source JOIN verdicts v USING(id)
 WHERE v.id NOT IN {_RETRACTED} ORDER BY s.target, r.ts, r.seq, r.record
"""  # noqa: S608
_MOVED = f"""
SELECT DISTINCT a.id FROM links l
  JOIN experiments a ON a.id = l.old JOIN experiments b ON b.id = l.new
 WHERE a.id <> b.id AND a.tree = b.tree AND a.tree <> '' AND b.known = 1
   AND {_REWRITTEN}
   AND NOT EXISTS (SELECT 1 FROM links back WHERE back.old = b.id AND back.new = a.id)
   AND a.id IN (SELECT value FROM json_each(?))
"""  # noqa: S608


def settle(db: Database) -> None:
    """Derive anew what the open transaction touched; called before it commits."""
    linked = bool(db.rows("SELECT 1 FROM links LIMIT 1"))
    touched = _linked(db, db.touched) if linked else db.touched
    imported = imports.any_here(db)
    ids = sorted(touched | imports.related(db, touched) if imported else touched)
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        if imported:
            imports.name_sessions(db, ids_json(part))
        _settle_some(db, part, _SOURCES if linked else _ALONE)
    db.touched.clear()
    db.write("DELETE FROM temp.messages")


def _linked(db: Database, ids: set[int]) -> set[int]:
    """Add what is joined to an experiment by rewrites, in either direction."""
    reached = db.column(
        "WITH RECURSIVE near(id) AS (SELECT value FROM json_each(?)"
        " UNION SELECT l.new FROM near JOIN links l ON l.old = near.id"
        " UNION SELECT l.old FROM near JOIN links l ON l.new = near.id)"
        " SELECT id FROM near",
        ids_json(ids),
    )
    return set(reached)


def _settle_some(db: Database, ids: list[int], sources: str) -> None:
    wanted = ids_json(ids)
    db.write(
        "UPDATE experiments SET tree = coalesce((SELECT r.tree FROM records r"
        "   WHERE r.experiment = experiments.id ORDER BY r.ts, r.seq, r.record"
        "   LIMIT 1), '')"
        " WHERE known = 0 AND id IN (SELECT value FROM json_each(?))",
        wanted,
    )
    outcomes: dict[int, list[Outcome]] = defaultdict(list)
    for row in db.rows(sources + _OUTCOMES, wanted):
        outcomes[row[0]].append(Outcome._make(row))
    verdicts: dict[int, list[Verdict]] = defaultdict(list)
    for row in db.rows(sources + _VERDICTS, wanted):
        verdicts[row[0]].append(Verdict._make(row))
    scores = {row: scores_of(outcomes[row]) for row in ids}
    db.write(
        "DELETE FROM scores WHERE experiment IN (SELECT value FROM json_each(?))",
        wanted,
    )
    write_scores(db, {row: score_columns(found) for row, found in scores.items()})
    _write_summaries(db, wanted, ids, (outcomes, verdicts, scores))
    write_texts(db, wanted)


def write_scores(
    db: Database, scores: Mapping[int, Iterable[tuple[str | float, ...]]]
) -> None:
    """Write the scores (`summing.score_columns`) of experiments that have none."""
    db.write_many(
        "INSERT INTO scores(experiment, metric, protocol, platform, value, runs)"
        " VALUES(?, ?, ?, ?, ?, ?)",
        [(row, *columns) for row, found in scores.items() for columns in found],
    )


_SUMMARY = f"""
UPDATE experiments SET
  listed = ?, ts = CASE known WHEN 1 THEN committed ELSE ? END,
  ({", ".join(COLUMNS)}) = ({", ".join("?" * len(COLUMNS))})
WHERE id = ?
"""  # noqa: S608


def _write_summaries(
    db: Database,
    wanted: str,
    ids: list[int],
    found: tuple[
        dict[int, list[Outcome]], dict[int, list[Verdict]], dict[int, list[Score]]
    ],
) -> None:
    outcomes, verdicts, scores = found
    moved = set(db.column(_MOVED, wanted)) | imports.stand_ins(db, wanted)
    known = set(
        db.column(
            "SELECT id FROM experiments WHERE known = 1"
            " AND id IN (SELECT value FROM json_each(?))",
            wanted,
        )
    )
    db.write_many(
        _SUMMARY,
        [
            (
                row not in moved
                and (row in known or bool(outcomes[row] or verdicts[row])),
                first_second(outcomes[row], verdicts[row]),
                *summed(outcomes[row], verdicts[row], scores[row]),
                row,
            )
            for row in ids
        ],
    )
