"""What versions of the code come to, remembered so that each is parsed once.

It is a file of its own beside the index: nothing in it is said by anybody, all of it
follows from trees in git, and building the index anew leaves it alone. A file that
cannot be read is thrown away.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from loopgraph_git.errors import StoreError, StoreKeptError
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_VERSION = 1
_BUSY_SECONDS = 10.0
_BUSY = ("locked", "busy")
_TABLES = """
-- A row per commit's parent and tree, for one way of reading them (`scope`).
CREATE TABLE versions(
  scope TEXT NOT NULL,
  parent TEXT NOT NULL,             -- oid, or empty
  tree TEXT NOT NULL,
  code TEXT NOT NULL,               -- digest of the syntax trees
  whole TEXT NOT NULL,              -- digest of all constants and definitions
  before TEXT NOT NULL,             -- digest of the parent's syntax trees
  change TEXT NOT NULL,             -- digest of what it changed, and to what
  names TEXT NOT NULL,              -- digest of the names of what it changed
  words TEXT NOT NULL,              -- JSON: the change in words
  PRIMARY KEY(scope, parent, tree)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_code ON versions(scope, code);
CREATE INDEX versions_by_whole ON versions(scope, whole);
CREATE INDEX versions_by_change ON versions(scope, change);
CREATE INDEX versions_by_names ON versions(scope, names);
-- A row per scope: what the index held when all of it had been read.
CREATE TABLE stamps(scope TEXT PRIMARY KEY, stamp TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- A row per piece of source text: what it says.
CREATE TABLE pieces(key TEXT PRIMARY KEY, said TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_BY = ("code", "whole", "change", "names")


class Version(NamedTuple):
    """One version of the code: what it comes to, and what it changed."""

    parent: str
    tree: str
    code: str
    whole: str
    before: str
    change: str
    names: str
    words: tuple[str, ...]


class Versions(Closing):
    """The file of remembered versions, open; `scope` is the way they were read."""

    def __init__(self, connection: sqlite3.Connection, path: str, scope: str) -> None:
        self._connection = connection
        self._path = path
        self._lock = threading.RLock()
        self.scope = scope

    @classmethod
    def open(
        cls, path: Path | str, *, scope: str, busy_seconds: float = _BUSY_SECONDS
    ) -> Self:
        """Open or create the file; one that cannot be read is made anew."""
        with _in_words(str(path)):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            try:
                connection = _connect(str(path), busy_seconds)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{path}{suffix}").unlink(missing_ok=True)
                connection = _connect(str(path), busy_seconds)
        return cls(connection, str(path), scope)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._connection.close()

    def known(self) -> set[tuple[str, str]]:
        """Return the parents and trees that were read in this way."""
        sql = "SELECT parent, tree FROM versions WHERE scope = ?"
        return set(self._rows(sql, self.scope))

    def stamp(self) -> str:
        """Return what the index held when all of it had been read, or ""."""
        sql = "SELECT stamp FROM stamps WHERE scope = ?"
        return "".join(row[0] for row in self._rows(sql, self.scope))

    def set_stamp(self, stamp: str) -> None:
        """Remember that all that the index holds was read."""
        with self._lock, _in_words(self._path):
            self._connection.execute(
                "INSERT INTO stamps VALUES(?, ?)"
                " ON CONFLICT(scope) DO UPDATE SET stamp = excluded.stamp",
                (self.scope, stamp),
            )

    def put(self, versions: Iterable[Version], pieces: Mapping[str, str]) -> None:
        """Remember versions, and the pieces that they were read from."""
        rows = [(self.scope, *row[:-1], json.dumps(row.words)) for row in versions]
        with self._lock, _in_words(self._path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO versions VALUES(?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                rows,
            )
            self._connection.executemany(
                "INSERT INTO pieces VALUES(?, ?) ON CONFLICT DO NOTHING",
                sorted(pieces.items()),
            )

    def alike(self, **wanted: str) -> list[Version]:
        """Return the versions that have a digest of this name and value."""
        ((name, value),) = wanted.items()
        if name not in _BY:
            raise StoreError(f"versions have no {name}")
        rows = self._rows(
            "SELECT parent, tree, code, whole, before, change, names, words"  # noqa: S608
            f" FROM versions WHERE scope = ? AND {name} = ? AND {name} <> ''"
            " ORDER BY parent, tree",
            self.scope,
            value,
        )
        return [Version._make((*row[:-1], tuple(json.loads(row[-1])))) for row in rows]

    def pieces(self, keys: Iterable[str]) -> dict[str, str]:
        """Return what is known of pieces, by their keys."""
        sql = (
            "SELECT key, said FROM pieces WHERE key IN (SELECT value FROM json_each(?))"
        )
        return dict(self._rows(sql, json.dumps(sorted(keys))))

    def _rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lock, _in_words(self._path):
            return self._connection.execute(sql, values).fetchall()


def _connect(path: str, seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=seconds, isolation_level=None, check_same_thread=False
    )
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            _make(connection)
        connection.execute("PRAGMA synchronous=OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, and look again under the lock: another may have been first."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return
        for table in ("versions", "stamps", "pieces"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in filter(str.strip, _TABLES.split(";\n")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={_VERSION}")


@contextmanager
def _in_words(path: str) -> Iterator[None]:
    """Translate SQLite's errors: name the file, the cause and the next step."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if any(word in str(error) for word in _BUSY):
            raise StoreKeptError(
                f"{path} was busy for too long: another process is "
                "reading versions; try again when it is done"
            ) from error
        raise StoreError(f"{path} cannot be used: {error}; delete it") from error
    except sqlite3.ProgrammingError as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged: {error}; delete it") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror or error}") from error
