"""How SQLite is opened, kept and let go, and what it says in words.

Nothing here knows what the tables hold.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import StoreError, StoreKeptError
from loopgraph_git.researchfs import schema
from loopgraph_git.researchfs.migrations import migrate, refuse_strangers

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 30.0
_OLDEST_SQLITE = (3, 40, 0)
MESSAGES = "CREATE TEMP TABLE messages(id INTEGER PRIMARY KEY, title, message)"
_LOCKED = ("locked", "busy")
# trusted_schema stays on: without it no trigger may write an FTS5 table
_SETTINGS = (
    "synchronous=NORMAL",
    "cache_size=-65536",
    # a damaged page is found when it is read, before it is used
    "cell_size_check=ON",
)


def connect(path: Path | str) -> tuple[sqlite3.Connection, bool]:
    """Open or create a database; says whether it is a copy of a read-only one."""
    name = str(path)
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old: 3.40 or newer is "
            "needed; use a newer Python"
        )
    with in_words(name):
        if is_read_only(name):
            return _copied(name), True
        if name != ":memory:":
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        return _connect(name), False


def discard(path: Path | str) -> None:
    """Delete a database and its companions, so that it can be built anew.

    A file that does not say it is ours is moved aside. Raises StoreError when the
    file is there and cannot be deleted.
    """
    with in_words(str(path)):
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        if _is_ours(Path(path)):
            Path(path).unlink(missing_ok=True)
        else:
            Path(path).rename(f"{path}.aside-{time.time_ns()}")


def is_read_only(path: Path | str) -> bool:
    """Say whether a database is there that this process may read and not write."""
    file = Path(path)
    # first: what another process makes meanwhile can be written
    if not file.is_file():
        return False
    # SQLite keeps its log beside the database
    return not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def _copied(name: str) -> sqlite3.Connection:
    """Return a copy in memory of a database that cannot be written.

    Where no process writes it, SQLite may not begin a log: it is told that the file
    is as good as carved in stone.
    """
    log = Path(f"{name}-wal")
    how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    source = sqlite3.connect(
        f"{Path(name).absolute().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS
    )
    with closing(source):
        refuse_strangers(source, name)
        copy = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        try:
            source.backup(copy)
            return _prepared(copy, name, backup=False)
        except BaseException:
            copy.close()
            raise


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
        return _prepared(connection, name)
    except BaseException:
        connection.close()
        raise


def _prepared(
    connection: sqlite3.Connection, name: str, *, backup: bool = True
) -> sqlite3.Connection:
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
    migrate(connection, name, backup=backup)
    # only now: a migration may drop tables that refer to each other
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(MESSAGES)
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
def in_words(path: str) -> Iterator[None]:
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
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # SQLite quotes the damaged schema in what it says, and Python cannot read it
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
