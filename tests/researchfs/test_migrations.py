"""Older databases are brought up, newer and foreign ones refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from loopgraph_git.errors import StoreError
from loopgraph_git.researchfs import migrations
from loopgraph_git.researchfs.migrations import MIGRATIONS
from loopgraph_git.researchfs.schema import SCHEMA_VERSION
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit
from tests.researchfs.test_store import filled

NEXT = (*MIGRATIONS, "CREATE TABLE later(id INTEGER PRIMARY KEY) STRICT;")


def connect(path):
    return closing(sqlite3.connect(path, isolation_level=None))


def version(connection):
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_the_version_counts_the_migrations():
    assert len(MIGRATIONS) == SCHEMA_VERSION


def test_an_older_database_is_copied_and_then_brought_up(path):
    with Store.open(path) as store:
        store.put_commits([commit("one")])
    with connect(path) as connection:
        migrations.migrate(connection, str(path), NEXT)
        assert version(connection) == SCHEMA_VERSION + 1
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    with connect(f"{path}.v{SCHEMA_VERSION}") as copy:
        assert version(copy) == SCHEMA_VERSION
        assert copy.execute("SELECT count(*) FROM experiments").fetchone() == (1,)


def test_a_step_that_fails_leaves_the_old_version(path):
    Store.open(path).close()
    broken = (*MIGRATIONS, "CREATE TABLE later(id);\nCREATE TABLE later(id);")
    with connect(path) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrations.migrate(connection, str(path), broken)
        assert version(connection) == SCHEMA_VERSION
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert ("later",) not in names


def test_a_step_that_another_process_took_is_not_taken_twice(path):
    Store.open(path).close()
    with connect(path) as connection:
        migrations._step(connection, MIGRATIONS)
        assert version(connection) == SCHEMA_VERSION


def test_a_newer_database_is_refused_and_left_alone(path):
    Store.open(path).close()
    with connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"schema 99.*upgrade loopgraph-git"):
        Store.open(path)
    with connect(path) as connection:
        assert version(connection) == 99


def test_a_database_of_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.db"
    with connect(path) as connection:
        connection.execute("CREATE TABLE notes(text)")
    with pytest.raises(StoreError, match="something else"):
        Store.open(path)


def test_an_index_of_the_first_version_is_emptied_to_be_read_again(path):
    with Store.open(path) as store:
        filled(store)
        store.db.pragma("user_version = 1")
    with Store.open(path) as store:
        assert set(store.counts().values()) == {0}
        assert store.ref_tips() == {}
        filled(store)
        assert store.check() == []


def test_version_3_gains_the_tables_of_the_shelf_and_loses_nothing(path):
    with Store.open(path) as store:
        store.put_commits([commit("one")])
        before = list(store.dump())
    with connect(path) as connection:
        connection.executescript(
            "DROP TABLE mentions; DROP TABLE shelved; PRAGMA user_version = 3"
        )
    with Store.open(path) as store:
        assert list(store.dump()) == before
        assert store.check() == []
        assert store.mentioned("arxiv:2002.05202") == {}


def test_version_4_gains_thinner_indexes_and_loses_nothing(path):
    sql = "SELECT sql FROM sqlite_master WHERE name = 'experiments_by_time'"
    with Store.open(path) as store:
        store.put_commits([commit("one"), commit("two")])
        before, made = list(store.dump()), store.db.column(sql)
    with connect(path) as connection:
        connection.executescript(
            "DROP INDEX experiments_by_time;"
            "CREATE INDEX experiments_by_time ON experiments(ts, oid) WHERE listed = 1;"
            "PRAGMA user_version = 4"
        )
    with Store.open(path) as store:
        assert store.db.column(sql) == made
        assert list(store.dump()) == before
        assert store.check() == []
