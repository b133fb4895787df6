"""Rows that are named before they are known, so that every link has two ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.researchfs.schema import row_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.researchfs.database import Database


def stub_methods(db: Database, names: Iterable[str]) -> None:
    """Make a stub for every method name that has no row."""
    db.write_many(
        "INSERT INTO methods(id, name, title, family, pack, definition)"
        " VALUES(?, ?, ?, '', '', '') ON CONFLICT(id) DO NOTHING",
        sorted((row_id("method", name), name, name) for name in names),
    )


def stub_records(db: Database, names: Iterable[str]) -> None:
    """Make a stub for every record id that has no row."""
    db.write_many(
        "INSERT INTO records(id, record, kind, experiment, tree, writer, seq, ts, line)"
        " VALUES(?, ?, '', NULL, '', '', 0, 0, '') ON CONFLICT(id) DO NOTHING",
        sorted((row_id("record", name), name) for name in names),
    )


def stub_retrievals(db: Database, names: Iterable[str]) -> None:
    """Make a stub for every retrieval's record id that has no row."""
    rows = sorted((row_id("record", name), name) for name in names)
    stub_records(db, [name for _, name in rows])
    db.write_many(
        "INSERT INTO retrievals(id, goal, query, tokens) VALUES(?, '', '', 0)"
        " ON CONFLICT(id) DO NOTHING",
        [(row,) for row, _ in rows],
    )


def stub_experiments(db: Database, oids: Iterable[str]) -> None:
    """Make a stub for every commit that has no row."""
    rows = [(row_id("commit", oid), oid) for oid in oids]
    db.write_many(
        "INSERT INTO experiments(id, oid, tree, parent, known, committed, subject,"
        " trailer, proposer, seed_only) VALUES(?, ?, '', NULL, 0, 0, '', '', '', 0)"
        " ON CONFLICT(id) DO NOTHING",
        # what this transaction wrote is there
        sorted(row for row in rows if row[0] not in db.touched),
    )


def stub_papers(db: Database, keys: Iterable[str]) -> None:
    """Make a stub for every paper key that has no row."""
    db.write_many(
        "INSERT INTO papers(id, key, title, authors, year, url, version, from_pack,"
        " from_library) VALUES(?, ?, ?, '', NULL, '', '', 0, 0)"
        " ON CONFLICT(id) DO NOTHING",
        sorted((row_id("paper", key), key, key) for key in keys),
    )
