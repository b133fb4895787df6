"""One connection to the database file: opening, transactions, errors in words.

Every write is `BEGIN IMMEDIATE`: a transaction that reads first and upgrades later
loses its turn to any other writer. What a transaction touched is settled (the
summaries and search texts derived anew) once, just before it commits.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from loopgraph_git.errors import StoreError, StoreKeptError
from loopgraph_git.researchfs import schema
from loopgraph_git.researchfs.migrations import migrate, refuse_strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BUSY_SECONDS = 30.0
_OLDEST_SQLITE = (3, 40, 0)
_BULK = 100
_MESSAGES = "CREATE TEMP TABLE messages(id INTEGER PRIMARY KEY, title, message)"
_LOCKED = ("locked", "busy")


class Database:
    """A connection that several threads may share, one at a time.

    `touched` belongs to the transaction that is open: the experiments whose summary
    must be derived anew. The texts of new commits wait in the table temp.messages.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self.path = path
        self.touched: set[int] = set()
        self.before_commit: Callable[[], None] | None = None
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open or create a database and bring it to the newest schema.

        Raises StoreError, with the next step, when that is not possible.
        """
        name = str(path)
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                f"SQLite {sqlite3.sqlite_version} is too old: 3.40 or newer is "
                "needed; use a newer Python"
            )
        with _in_words(name):
            if name != ":memory:":
                Path(name).parent.mkdir(parents=True, exist_ok=True)
            connection = _connect(name)
        return cls(connection, name)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold one write transaction; a nested one is a savepoint.

        An exception rolls back what was written inside and goes on upwards.
        """
        with self._lock:
            if self._depth:
                yield from self._savepoint()
            else:
                yield from self._outermost()

    def _outermost(self) -> Iterator[None]:
        self.write("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            if self.before_commit is not None:
                self.before_commit()
            self.write("COMMIT")
        finally:
            self._depth = 0
            self.touched.clear()
            if self._connection.in_transaction:
                self.write("ROLLBACK")

    def _savepoint(self) -> Iterator[None]:
        name = f"level_{self._depth}"
        self.write(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
        except BaseException:
            # a full disk ends the whole transaction, and the savepoint with it
            if self._connection.in_transaction:
                self.write(f"ROLLBACK TO {name}")
                self.write(f"RELEASE {name}")
            raise
        else:
            self.write(f"RELEASE {name}")
        finally:
            self._depth -= 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads out; other processes go on."""
        with self._lock:
            yield

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return every row of a query."""
        with self._lock, _in_words(self.path):
            return self._connection.execute(sql, values).fetchall()

    def column(self, sql: str, *values: Any) -> list[Any]:
        """Return the first column of every row of a query."""
        return [row[0] for row in self.rows(sql, *values)]

    def write(self, sql: str, *values: Any) -> int:
        """Run one statement; returns how many rows it changed."""
        with self._lock, _in_words(self.path):
            return self._connection.execute(sql, values).rowcount

    def write_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for every row, inside the transaction that is open."""
        with self._lock, _in_words(self.path):
            self._connection.executemany(sql, rows)

    def write_searched(self, table: str, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Write rows of a searched table, by ascending id, and index their words.

        FTS5 writes its buffer out before every row that a trigger adds. In a bulk write
        one statement takes the old words out and one puts the new ones in, which takes
        a third of the time; the triggers are back before the transaction ends.
        """
        if len(rows) < _BULK:
            self.write_many(sql, rows)
            return
        ids = ids_json(row[0] for row in rows)
        triggers = schema.write_triggers(table)
        words = (
            f"id, title, body, idents FROM {table}"  # noqa: S608
            " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        into = f"INSERT INTO {table}_fts"
        for name in triggers:
            self.write(f"DROP TRIGGER {name}")
        self.write(
            f"{into}({table}_fts, rowid, title, body, idents) SELECT 'delete', {words}",
            ids,
        )
        self.write_many(sql, rows)
        self.write(f"{into}(rowid, title, body, idents) SELECT {words}", ids)
        for statement in triggers.values():
            self.write(statement)

    def become(self, other: Database) -> None:
        """Copy another database over this one, page by page, in one transaction."""
        with self._lock, other._lock, _in_words(self.path):
            other._connection.backup(self._connection)
        self.pragma("wal_checkpoint(TRUNCATE)")

    def pragma(self, text: str) -> list[tuple[Any, ...]]:
        """Run `PRAGMA text` and return its rows."""
        return self.rows(f"PRAGMA {text}")


def ids_json(ids: Iterable[int]) -> str:
    """Return ids for `json_each(?)`, which has no limit on their number."""
    return json.dumps(sorted(ids))


def clean(text: str) -> str:
    """Return text that SQLite can hold: no NUL, no lone surrogate."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", " ")


def discard(path: Path | str) -> None:
    """Delete a database and its companions, so that it can be built anew.

    A file that does not say it is ours is moved aside. Raises StoreError when the
    file is there and cannot be deleted.
    """
    with _in_words(str(path)):
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        if _is_ours(Path(path)):
            Path(path).unlink(missing_ok=True)
        else:
            Path(path).rename(f"{path}.aside-{time.time_ns()}")


def _is_ours(path: Path) -> bool:
    """Say whether a file begins like a database of ours, is empty, or not there."""
    if not path.exists():
        return True
    with path.open("rb") as file:
        head = file.read(72)
    return not head or head[68:] == schema.APPLICATION_ID.to_bytes(4, "big")


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _probe_fts5(connection)
        # before anything is changed
        refuse_strangers(connection, name)
        _use_wal(connection)
        for setting in ("synchronous=NORMAL", "cache_size=-65536"):
            connection.execute(f"PRAGMA {setting}")
        migrate(connection, name)
        # only now: a migration may drop tables that refer to each other
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(_MESSAGES)
    except BaseException:
        connection.close()
        raise
    return connection


def sqlite_version() -> str:
    """Return the version of SQLite that this Python has."""
    return sqlite3.sqlite_version


def _probe_fts5(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.probe USING fts5(word)")
        connection.execute("DROP TABLE temp.probe")
    except sqlite3.OperationalError as error:
        if "fts5" not in str(error):
            raise
        raise StoreError(
            "this Python's SQLite has no FTS5, which search needs: use the Python "
            "of python.org, uv, conda or your distribution"
        ) from error


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; the switch does not wait for other processes, so we do."""
    until = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not _is_locked(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            break  # a file system without shared memory keeps its own mode


def _is_locked(error: sqlite3.Error) -> bool:
    return any(word in str(error) for word in _LOCKED)


@contextmanager
def _in_words(path: str) -> Iterator[None]:
    """Translate SQLite's errors: name the file, the cause and the next step."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    except sqlite3.IntegrityError as error:
        raise StoreError(
            f"{path} refused a row: {error}; run `git lg doctor`"
        ) from error
    except sqlite3.OperationalError as error:
        kind = StoreKeptError if _is_locked(error) else StoreError
        raise kind(_operational(path, error)) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is not a readable ResearchFS database: {error}; "
            "run `git lg reindex` to build it anew"
        ) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror or error}") from error


def _operational(path: str, error: sqlite3.Error) -> str:
    if _is_locked(error):
        return (
            f"{path} was busy for {BUSY_SECONDS:.0f} s: another process is writing; "
            "try again when it is done"
        )
    return (
        f"{path} cannot be used: {error}; check the folder and the free space, "
        "or run `git lg reindex`"
    )
