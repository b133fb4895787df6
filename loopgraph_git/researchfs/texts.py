"""What a search sees of an experiment: its message, what was said of it, its change.

What a commit changed takes git ten times as long to tell as all the rest, and no list or
table shows it. So the texts of new commits are read when a search first asks for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.researchfs.database import clean, ids_json
from loopgraph_git.researchfs.schema import row_id
from loopgraph_git.researchfs.words import identifiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.records import Commit
    from loopgraph_git.researchfs.database import Database

METHOD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")
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

    `wanted` is a JSON list of row ids; those that were not read yet are left out.
    """
    rows = db.rows(
        "SELECT e.id, coalesce(m.title, t.title, ''),"
        " coalesce(m.message, t.message, ''), e.reason, e.excerpt FROM experiments e"
        " LEFT JOIN experiment_texts t USING(id) LEFT JOIN temp.messages m USING(id)"
        " WHERE e.id IN (SELECT value FROM json_each(?)) AND e.seed_only IS NOT NULL"
        " ORDER BY e.id",
        wanted,
    )
    _write(db, ((*row, f"{reason}\n{log}".strip()) for *row, reason, log in rows))


def unread(db: Database) -> list[str]:
    """Return the commits whose message and change were not read yet."""
    return db.column("SELECT oid FROM experiments WHERE seed_only IS NULL ORDER BY id")


def put_texts(db: Database, oids: Iterable[str], commits: Iterable[Commit]) -> None:
    """Write the texts of commits that were not read yet.

    A commit that is not given is not there any more, and has a subject alone. What
    another process has read meanwhile stays as it is.
    """
    found = {row_id("commit", commit.oid): commit for commit in commits}
    rows = db.rows(
        "SELECT id, subject, reason, excerpt FROM experiments WHERE seed_only IS NULL"
        " AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
        ids_json(row_id("commit", oid) for oid in oids),
    )
    texts, seeds = [], []
    for row, subject, reason, log in rows:
        commit = found.get(row)
        title, message = message_of(commit) if commit else (subject, "")
        texts.append((row, title, message, f"{reason}\n{log}".strip()))
        diff = commit.diff if commit else None
        seeds.append((int(is_seed_only(diff or "")), row))
    db.write_many("UPDATE experiments SET seed_only = ? WHERE id = ?", seeds)
    _write(db, texts)


def forget_texts(db: Database, rows: Iterable[int]) -> None:
    """Delete what a search saw of stubs whose commits came, and were not read yet."""
    db.write(
        "DELETE FROM experiment_texts WHERE id IN (SELECT value FROM json_each(?))",
        ids_json(rows),
    )


def message_of(commit: Commit) -> tuple[str, str]:
    """Return the title and the message of a commit as a search sees them."""
    title = " ".join([clean(commit.subject), *methods_of(commit)])
    return title, f"{clean(commit.body)}\n{clean(commit.diff or '')}".strip()


def methods_of(commit: Commit) -> list[str]:
    """Return the ids in a commit's method trailers, sorted, malformed ones left out."""
    values = commit.trailers.get("Loopgraph-Method", ())
    return sorted({name for name in map(clean, values) if METHOD_NAME.match(name)})


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
