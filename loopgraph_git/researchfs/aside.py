"""What another process has read: a database of its own, which is taken in by tables.

Rows cross from one process to another as SQLite has them. Python would take as long to
take them apart and to make them again as it took to read them.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from loopgraph_git.researchfs import stubs
from loopgraph_git.researchfs.connection import MESSAGES
from loopgraph_git.researchfs.database import Database
from loopgraph_git.researchfs.outcomes import experiments_of
from loopgraph_git.researchfs.schema import TABLES, statements
from loopgraph_git.researchfs.texts import forget_texts

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536")
_TOUCHED = "CREATE TABLE touched(id INTEGER PRIMARY KEY)"
# a row of these says the same whoever wrote it
_SAME = (
    "experiment_methods", "outcomes", "verdicts", "suggestions", "links",
    "retractions", "imports", "scores",
)  # fmt: skip


def begin(path: Path) -> Database:
    """Make a database of tables alone, without log, indexes or search; not a whole one.

    Whoever writes it keeps what it touched (`keep_touched`), and settles nothing.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
    tables = (x for x in statements(TABLES) if "CREATE TABLE" in x)
    for statement in (*tables, _TOUCHED, MESSAGES):
        connection.execute(statement)
    return Database(connection, str(path))


def keep_touched(db: Database) -> None:
    """Write down what the open transaction touched, for whoever takes it in."""
    db.write_many("INSERT INTO touched VALUES(?)", sorted((x,) for x in db.touched))


def take_in(db: Database, path: Path) -> None:
    """Write all that a database has that was put aside, inside the open transaction.

    What is known on both sides is derived anew, and so is what it touched.
    """
    db.attach(path, "aside")
    both = db.column(
        "SELECT id FROM aside.experiments WHERE id IN (SELECT id FROM experiments)"
    )
    came = db.column(
        "SELECT a.id FROM aside.experiments a JOIN main.experiments e USING(id)"
        " WHERE a.known = 1 AND e.known = 0"
    )
    forget_texts(db, came)
    _copy(db, "methods")
    # experiments and records refer to one another
    stubs.stub_retrievals(
        db,
        db.column(
            "SELECT r.record FROM aside.retrievals JOIN aside.records r USING(id)"
        ),
    )
    _copy(db, "experiments", "experiments.known = 0 AND excluded.known = 1")
    _copy(db, "records", "records.kind = ''")
    _copy(
        db,
        "retrievals",
        "excluded.id IN (SELECT id FROM aside.records WHERE kind <> '')",
    )
    for table in _SAME:
        _copy(db, table)
    db.touched.update(both, db.column("SELECT id FROM aside.touched"))
    db.touched.update(experiments_of(db, db.column("SELECT target FROM retractions")))


def _copy(db: Database, table: str, instead: str = "") -> None:
    """Copy the rows of a table that are not here, or stand there `instead`."""
    names = [row[0] for row in db.rows("SELECT name FROM pragma_table_info(?)", table)]
    columns = ", ".join(names)
    ours = ", ".join(f"{name} = excluded.{name}" for name in names)
    conflict = f"DO UPDATE SET {ours} WHERE {instead}" if instead else "DO NOTHING"
    db.write(
        f"INSERT INTO main.{table}({columns}) SELECT {columns} FROM aside.{table}"  # noqa: S608
        f" WHERE true ON CONFLICT{'(id)' if instead else ''} {conflict}"
    )
