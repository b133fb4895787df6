"""What a search sees of an experiment: its message, what was said of it, its change.

Messages and words come with commits and records. What a commit changed takes git ten
times as long to tell as all of that together, so it is read when it is first asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.researchfs.database import clean, ids_json
from loopgraph_git.researchfs.schema import row_id
from loopgraph_git.researchfs.words import identifiers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopgraph_git.researchfs.database import Database

_SEED_LINE = re.compile(r"seed", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_TEXT = """
INSERT INTO experiment_texts(id, title, message, said, idents) VALUES(?, ?, ?, ?, ?)
ON CONFLICT(id) DO UPDATE SET title = excluded.title, message = excluded.message,
  said = excluded.said, idents = excluded.idents
WHERE (experiment_texts.title, experiment_texts.message, experiment_texts.said)
  IS NOT (excluded.title, excluded.message, excluded.said)
"""


def write_texts(db: Database, wanted: str) -> None:
    """Write what a search sees; a stub has a row too, with what was said of it.

    `wanted` is a JSON list of row ids.
    """
    rows = db.rows(
        "SELECT e.id, coalesce(m.title, t.title, ''),"
        " coalesce(m.message, t.message, ''), e.reason, e.excerpt FROM experiments e"
        " LEFT JOIN experiment_texts t USING(id) LEFT JOIN temp.messages m USING(id)"
        " WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id",
        wanted,
    )
    _write(db, ((*row, f"{reason}\n{log}".strip()) for *row, reason, log in rows))


def unread(db: Database) -> list[str]:
    """Return the commits whose change was not read yet."""
    return db.column("SELECT oid FROM experiments WHERE seed_only IS NULL ORDER BY oid")


def put_changes(db: Database, changes: Mapping[str, str]) -> None:
    """Write what commits changed, and add it to the text that a search sees.

    What another process has read meanwhile stays as it is.
    """
    given = {row_id("commit", oid): clean(diff) for oid, diff in changes.items()}
    still = db.column(
        "SELECT id FROM experiments WHERE seed_only IS NULL"
        " AND id IN (SELECT value FROM json_each(?))",
        ids_json(given),
    )
    diffs = {row: given[row] for row in still}
    db.write_many(
        "UPDATE experiments SET seed_only = ? WHERE id = ?",
        [(int(is_seed_only(diff)), row) for row, diff in diffs.items()],
    )
    rows = db.rows(
        "SELECT id, title, message, said FROM experiment_texts"
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        ids_json(diffs),
    )
    _write(
        db,
        (
            (row, title, f"{message}\n{diffs[row]}".strip(), said)
            for row, title, message, said in rows
        ),
    )


def _write(db: Database, rows: Iterable[tuple[int, str, str, str]]) -> None:
    texts = [
        (row, title, message, said, identifiers(f"{title}\n{message}\n{said}"))
        for row, title, message, said in rows
    ]
    db.write_searched("experiment_texts", _TEXT, texts)


def is_seed_only(diff: str) -> bool:
    """Say whether a diff changes nothing but the number of a seed."""
    if "seed" not in diff.lower():
        return False
    changed = [
        line
        for line in diff.splitlines()
        if line[:1] in "+-" and line.strip("+- ") and line[:3] not in ("+++", "---")
    ]
    if not changed or not all(_SEED_LINE.search(line) for line in changed):
        return False
    old, new = (
        [_NUMBER.sub("#", line[1:]) for line in changed if line[0] == sign]
        for sign in "-+"
    )
    return old == new
