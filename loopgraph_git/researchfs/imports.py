"""What was adopted from logs: which session it belongs to, and what it stands in for.

The same row may be imported where its commit is and where it is not. Then one clone
writes of the commit, the other of a stand-in without files: once they know each other,
the commit alone counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.researchfs.database import clean, ids_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.records import Record
    from loopgraph_git.researchfs.database import Database

MARK = "imported"
_EMPTY_TREES = """(
  '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321'
)"""
_SAME_ROW = """
SELECT DISTINCT b.experiment FROM records a JOIN imports ia USING(id)
  JOIN imports ib ON ib.row = ia.row JOIN records b ON b.id = ib.id
 WHERE a.experiment IN (SELECT value FROM json_each(?))
"""
_DOUBLES = f"""
SELECT DISTINCT e.id FROM experiments e JOIN records r ON r.experiment = e.id
  JOIN imports i ON i.id = r.id
 WHERE e.id IN (SELECT value FROM json_each(?)) AND e.tree IN {_EMPTY_TREES}
   AND EXISTS (
     SELECT 1 FROM imports ib JOIN records b USING(id)
       JOIN experiments eb ON eb.id = b.experiment
      WHERE ib.row = i.row AND eb.known = 1 AND eb.tree NOT IN {_EMPTY_TREES})
"""  # noqa: S608
_SESSIONS = """
UPDATE experiments SET session = coalesce((
  SELECT i.session FROM records r JOIN imports i USING(id)
   WHERE r.experiment = experiments.id
     AND r.id NOT IN (SELECT target FROM retractions)
   ORDER BY r.ts, r.seq, r.record LIMIT 1), '')
WHERE trailer = '' AND id IN (SELECT value FROM json_each(?))
"""


def import_row(row: int, record: Record) -> tuple[int, str, str] | None:
    """Return the row of an imported record, None for any other."""
    if MARK not in record.body:
        return None
    named, session = record.body[MARK], record.body.get("session", "")
    if not isinstance(named, str) or not isinstance(session, str):
        return None
    return row, clean(named), clean(session)[:200]


def any_here(db: Database) -> bool:
    """Say whether anything was imported: most repositories have nothing to look for."""
    return bool(db.rows("SELECT 1 FROM imports LIMIT 1"))


def related(db: Database, ids: Iterable[int]) -> set[int]:
    """Return the experiments that stand for the same rows of logs as these."""
    return set(db.column(_SAME_ROW, ids_json(ids)))


def stand_ins(db: Database, wanted: str) -> set[int]:
    """Return those of a JSON list of ids whose row has a commit with code elsewhere."""
    return set(db.column(_DOUBLES, wanted))


def name_sessions(db: Database, wanted: str) -> None:
    """Give experiments without a session of their own that of their first import."""
    db.write(_SESSIONS, wanted)
