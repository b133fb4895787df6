"""From an older schema to the newest, safely with other processes at the door."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from loopgraph_git.errors import StoreKeptError
from loopgraph_git.researchfs.knowledge_tables import ADDED_IN_4, KNOWLEDGE
from loopgraph_git.researchfs.schema import (
    APPLICATION_ID,
    CHILDREN_FIRST,
    DDL,
    SEARCHED_TABLES,
    statements,
)

_RESET = "\n".join(
    [f"DROP TABLE IF EXISTS {table}_{kind};"
     for table in SEARCHED_TABLES for kind in ("vocab", "fts")]
    + [f"DROP TABLE IF EXISTS {table};" for table in CHILDREN_FIRST]
)  # fmt: skip


_ADDED = "\n".join(
    # a new database has them from the step before
    statement.replace("TABLE ", "TABLE IF NOT EXISTS ").replace(
        "INDEX ", "INDEX IF NOT EXISTS "
    )
    for statement in statements(KNOWLEDGE)
    if any(f" {table}(" in statement for table in ADDED_IN_4)
)

_THINNER = "\n".join(
    f"DROP INDEX {index};\n{statement}"
    for statement in statements(DDL)
    for index in ("experiments_by_time", "experiments_by_session", "experiments_unread")
    if f"CREATE INDEX {index} " in statement
)

MIGRATIONS: tuple[str, ...] = ("", "", f"{_RESET}\n{DDL}", _ADDED, _THINNER)
"""The script at position n takes a database from version n to n + 1.

Since version 5 lines of records may be in git alone, and three indexes hold no oids.
Since version 4 there are entries of the shelf, and mentions. Since version 3 there are whole lines of records, imports, recognised methods, and texts
that are read when they are asked for. What older ones held is read from git again.
"""


def migrate(
    connection: sqlite3.Connection,
    path: str,
    migrations: tuple[str, ...] = MIGRATIONS,
    *,
    backup: bool = True,
) -> None:
    """Bring a database to the newest version, one immediate transaction a step.

    Two processes may open a database first at the same time: the version is read
    again under the lock. An older one is copied beside the file first, unless
    `backup` is off. Raises StoreKeptError for a newer database and for one that
    is not ours, before anything is changed.
    """
    refuse_strangers(connection, path, len(migrations))
    version = _version(connection)
    if backup and 0 < version < len(migrations):
        _copy(connection, Path(f"{path}.v{version}"))
    while _version(connection) < len(migrations):
        _step(connection, migrations)


def refuse_strangers(
    connection: sqlite3.Connection, path: str, newest: int = len(MIGRATIONS)
) -> None:
    """Raise StoreKeptError for a newer database and for one that is not ours."""
    version = _version(connection)
    if version > newest:
        raise StoreKeptError(
            f"{path} was made by a newer loopgraph-git (schema {version}, this one "
            f"reads up to {newest}): upgrade loopgraph-git, or delete the file and "
            "run `git lg reindex`"
        )
    # in this order: a table seen here was committed together with its id
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    ours = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and ours != APPLICATION_ID:
        raise StoreKeptError(
            f"{path} is a SQLite database of something else: move it away, or give "
            "another path"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()


def _step(connection: sqlite3.Connection, migrations: tuple[str, ...]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version < len(migrations):
            for statement in statements(migrations[version]):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
