"""Whether an index is whole: its schema, its search indexes, its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.errors import RecordError, StoreError
from loopgraph_git.records import Record
from loopgraph_git.researchfs import reading, schema
from loopgraph_git.researchfs.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP = "run `git lg reindex`"


def check(db: Database) -> list[str]:
    """Return what is wrong with a database, in words; nothing if all is well."""
    found = [*_schema(db), *_search(db), *_tables(db)]
    return found or [*_values(db)]


def _schema(db: Database) -> Iterator[str]:
    sql = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'trigger')"
    fresh = Database.open(":memory:")
    missing = {*fresh.rows(sql)} - {*db.rows(sql)}
    fresh.close()
    if missing:
        yield f"the {' '.join(min(missing))} is missing: {_STEP}"


def _search(db: Database) -> Iterator[str]:
    for table in schema.SEARCHED_TABLES:
        try:
            db.write(
                f"INSERT INTO {table}_fts({table}_fts, rank)"
                " VALUES('integrity-check', 1)"
            )
        except StoreError:
            yield (
                f"the search index of {table} does not match its table: {_STEP} "
                "to build it anew"
            )


def _tables(db: Database) -> Iterator[str]:
    for line in db.column("PRAGMA integrity_check"):
        if line != "ok":
            yield f"the database is damaged ({line}): {_STEP}"
    for table, row, parent, _ in db.pragma("foreign_key_check"):
        yield f"row {row} of {table} names a row of {parent} that is not there: {_STEP}"


def _values(db: Database) -> Iterator[str]:
    """Read every row as questions do: SQLite keeps no checksums, records do."""
    try:
        for _ in reading.dump(db):
            pass
        reading.experiments(db)
        # a record that was only named so far has no line
        sql = "SELECT record, line FROM records WHERE line <> ''"
        for known, line in db.rows(sql):
            if Record.decode(line).id != known:
                yield f"the record {known} is not what was recorded: {_STEP}"
                return
    except (StoreError, RecordError) as error:
        yield f"a row makes no sense ({error}): {_STEP}"
