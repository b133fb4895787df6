"""Methods that were recognised in experiments whose commits name none.

They stand apart from what a commit says of itself: a trailer is a claim of who made the
edit, and this is our reading of it. They are forgotten when the packs change, and
found again from the same commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.researchfs import stubs
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.schema import row_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.researchfs.store import Store

TRIED = """
SELECT experiment, method, 0 AS inferred FROM experiment_methods
 UNION ALL SELECT experiment, method, 1 FROM recognised_methods
"""
"""Every method that an experiment tried, said or recognised."""
_UNLABELLED = """
SELECT e.oid, coalesce(e.parent, ''), e.subject FROM experiments e
 WHERE e.known = 1 AND e.recognised = 0
   AND NOT EXISTS (SELECT 1 FROM experiment_methods x WHERE x.experiment = e.id)
"""
_NEWEST = " ORDER BY e.ts DESC, e.id DESC LIMIT ?"


class Unlabelled(NamedTuple):
    """A commit that names no method, and was not looked at yet."""

    commit: str
    parent: str
    subject: str


class Recognised(NamedTuple):
    """The methods found in a commit; `how` is `code`, or `words` where it tells nothing."""

    methods: Sequence[str]
    how: str


def unlabelled(store: Store, limit: int | None, commit: str = "") -> list[Unlabelled]:
    """Return the newest commits without a method that were not looked at yet.

    With a `commit`, that one alone, if it is such.
    """
    if commit:
        rows = store.db.rows(f"{_UNLABELLED} AND e.id = ?", row_id("commit", commit))
    else:
        rows = store.db.rows(_UNLABELLED + _NEWEST, -1 if limit is None else limit)
    return [Unlabelled(*row) for row in rows]


def put_recognised(store: Store, found: Mapping[str, Recognised]) -> None:
    """Write what was recognised in commits; those without any method count as read."""
    with store.transaction():
        stubs.stub_methods(
            store.db, {name for item in found.values() for name in item.methods}
        )
        store.db.write_many(
            "INSERT INTO recognised_methods(experiment, method, share, how)"
            " VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
            sorted(
                (row_id("commit", oid), row_id("method", name), 1 / len(names), how)
                for oid, (names, how) in found.items()
                for name in names
            ),
        )
        store.db.write(
            "UPDATE experiments SET recognised = 1"
            " WHERE id IN (SELECT value FROM json_each(?))",
            ids_json(row_id("commit", oid) for oid in found),
        )


def recognised_in(store: Store, commits: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what was recognised in commits, by commit; others are left out."""
    rows = store.db.rows(
        "SELECT e.oid, m.name FROM recognised_methods x"
        " JOIN experiments e ON e.id = x.experiment JOIN methods m ON m.id = x.method"
        " WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.oid, m.name",
        ids_json(row_id("commit", oid) for oid in commits),
    )
    found: dict[str, tuple[str, ...]] = {}
    for oid, name in rows:
        found[oid] = (*found.get(oid, ()), name)
    return found
