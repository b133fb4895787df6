"""One connection to the database file: opening, transactions, errors in words.

Every write is `BEGIN IMMEDIATE`: a transaction that reads first and upgrades later
loses its turn to any other writer. What a transaction touched is settled (the
summaries and search texts derived anew) once, just before it commits.
"""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import contextmanager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from loopgraph_git.errors import StoreError
from loopgraph_git.researchfs import schema
from loopgraph_git.researchfs.connection import connect, in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_BULK = 100
_COPIED_AT_ONCE = -2000  # kilobytes, as SQLite counts a cache
_PLACES = re.compile(r"\bVALUES\s*(\((?:\?, )*\?\))")


class Database:
    """A connection that several threads may share, one at a time; no fork may.

    `read_only` says that it is a copy in memory of a file that cannot be written.
    `touched` belongs to the transaction that is open: the experiments whose summary
    must be derived anew. The texts of new commits wait in the table temp.messages.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: str, *, read_only: bool = False
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.touched: set[int] = set()
        self.before_commit: Callable[[], None] | None = None
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0
        self._attached: list[str] = []
        self._process = os.getpid()
        self._closed = False

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open or create a database and bring it to the newest schema.

        One that cannot be written is read into memory: it answers as the file does,
        and what is written to it is gone when it is closed.
        Raises StoreError, with the next step, when that is not possible.
        """
        connection, read_only = connect(path)
        return cls(connection, str(path), read_only=read_only)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        if os.getpid() != self._process:
            # SQLite must not be touched after a fork, not even to be closed
            return
        with self._lock:
            self._closed = True
            self._connection.close()

    @contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to one thread, and say in words what goes wrong."""
        if os.getpid() != self._process:
            # before the lock: another thread may have held it when we were forked
            raise StoreError(
                f"{self.path} was opened before a fork: open it again in this process"
            )
        with self._lock, in_words(self.path):
            if self._closed:
                raise StoreError(f"{self.path} was closed: open it again")
            yield self._connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold one write transaction; a nested one is a savepoint.

        An exception rolls back what was written inside and goes on upwards.
        """
        with self.alone():
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
            if not self._closed and self._connection.in_transaction:
                self.write("ROLLBACK")
            while self._attached and not self._closed:
                self.write(f"DETACH {self._attached.pop()}")

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
        # a process that was forked meanwhile would wait for ever
        lock = self._lock if os.getpid() == self._process else nullcontext()
        with lock:
            yield

    def attach(self, path: Path, name: str) -> None:
        """Have another database at hand until the open transaction ends."""
        self.write(f"ATTACH ? AS {name}", str(path))
        self._attached.append(name)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return every row of a query."""
        with self._used() as connection:
            return connection.execute(sql, values).fetchall()

    def column(self, sql: str, *values: Any) -> list[Any]:
        """Return the first column of every row of a query."""
        return [row[0] for row in self.rows(sql, *values)]

    def write(self, sql: str, *values: Any) -> int:
        """Run one statement; returns how many rows it changed."""
        with self._used() as connection:
            return connection.execute(sql, values).rowcount

    def write_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for every row, inside the transaction that is open.

        Where it inserts many, a hundred rows go in with each run of it: to begin and to
        end one takes SQLite as long as a row does.
        """
        left, together = list(rows), _PLACES.search(sql)
        with self._used() as connection:
            if together and len(left) >= _BULK:
                marks = ", ".join([together[1]] * _BULK)
                longer = sql[: together.start(1)] + marks + sql[together.end(1) :]
                whole = len(left) // _BULK * _BULK
                for start in range(0, whole, _BULK):
                    part = left[start : start + _BULK]
                    connection.execute(longer, [*chain.from_iterable(part)])
                del left[:whole]
            connection.executemany(sql, left)

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

    @contextmanager
    def indexed_afterwards(self, tables: Sequence[str]) -> Iterator[None]:
        """Make the indexes of some tables when they are filled, if they are empty now.

        Sorted once they take half the time; questions meanwhile should not need them.
        """
        made = [
            index
            for table in tables
            if not self.rows(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
            for index in self.rows(
                "SELECT name, sql FROM sqlite_master"
                " WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
                table,
            )
        ]
        for name, _ in made:
            self.write(f"DROP INDEX {name}")
        yield
        # an error ends the transaction, and brings back what was dropped in it
        for _, statement in made:
            self.write(statement)

    @contextmanager
    def becoming(self, other: Database) -> Iterator[None]:
        """Become another database, and write the log back into the file meanwhile.

        It is copied page by page, in one transaction: readers see all of it or nothing.
        The log mostly waits for the disk, and keeps no other thread from Python.
        """
        size = self.pragma("cache_size")[0][0]
        # no page is looked at twice: kept, they would take as much memory again
        self.pragma(f"cache_size={_COPIED_AT_ONCE}")
        try:
            with self._used() as connection, other._used() as source:
                source.backup(connection)
        finally:
            self.pragma(f"cache_size={size}")
        failures: list[StoreError] = []

        def shorten() -> None:
            try:
                # whatever is asked first writes back a log as long as this
                self.pragma("wal_checkpoint(TRUNCATE)")
            except StoreError as failure:
                failures.append(failure)

        beside = threading.Thread(target=shorten)
        beside.start()
        try:
            yield
        finally:
            beside.join()
        for failure in failures:
            raise failure

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
