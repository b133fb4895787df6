"""Opening, transactions, threads and processes, and errors in words."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from loopgraph_git.errors import StoreError
from loopgraph_git.researchfs import connection
from loopgraph_git.researchfs.database import Database, clean
from loopgraph_git.researchfs.schema import SEARCHED_TABLES
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit, oid, result

WRITER = """
import sys
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit, result
path, name = sys.argv[1:]
for number in range(25):
    with Store.open(path) as store, store.transaction():
        store.put_commits([commit(f"{name}-{number}")])
        store.put_records([result(f"{name}-{number}", seq=number + 1)])
"""

# reads and writes by turns; every fourth opens the file anew
MIXED = """
import sys
from loopgraph_git.records import Direction
from loopgraph_git.researchfs.search import search
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit, result
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store.open(path)
for number in range(count):
    one = f"{name}-{number}"
    if number % 4 == 0:
        store.close()
        store = Store.open(path)
    if number % 2 == 0:
        with store.transaction():
            store.put_commits([commit(one, diff=f"+rate_{number} = 1")])
            store.put_records([result(one, seq=number + 1)])
    elif number % 10 == 1:
        found = search(store, f"rate {number - 1}")
        assert any(hit.kind == "experiment" for hit in found)
    else:
        assert store.best(3, Direction.LOWER)
        assert store.experiments(limit=5)
store.close()
"""


def at_once(code, path, rootpath, *args, names="abcd"):
    """Run code in a process for every name, and wait until all have ended."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), name, *args],
            cwd=rootpath,
            stderr=subprocess.PIPE,
        )
        for name in names
    ]
    for process in running:
        assert process.communicate() == (None, b"")


def test_opening_makes_the_folders_and_uses_wal(path):
    with Store.open(path) as store:
        assert path.exists()
        assert store.db.pragma("journal_mode") == [("wal",)]
        assert store.db.pragma("foreign_keys") == [(1,)]
        assert store.db.pragma("busy_timeout") == [(30000,)]
        assert store.db.pragma("synchronous") == [(1,)]
        assert store.db.pragma("cell_size_check") == [(1,)]


def test_closing_twice_is_fine_and_using_it_after_is_an_error(path):
    store = Store.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="was closed: open it again"):
        store.experiments()


def test_memory_only():
    with Store.open(":memory:") as store:
        store.put_commits([commit("one")])
        assert len(store.experiments()) == 1


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough" * 40, b"\0" * 5000]
)
def test_a_file_that_is_no_database_names_the_next_step(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"researchfs\.db.*git lg reindex"):
        Store.open(path)
    Store.discard(path)
    Store.open(path).close()


def test_a_folder_in_the_way_is_an_error_in_words(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        Store.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be used"):
        Store.open(tmp_path / "file" / "researchfs.db")


def test_a_page_torn_later_is_an_error_in_words(path):
    with Store.open(path) as store:
        store.put_commits([commit(str(number)) for number in range(50)])
    torn = bytearray(path.read_bytes())
    torn[4096:] = b"\xff" * (len(torn) - 4096)
    path.write_bytes(torn)
    with pytest.raises(StoreError, match="git lg reindex"), Store.open(path) as store:
        store.experiments()


def test_sqlite_without_fts5_is_named():
    class NoFts5:
        def execute(self, _sql):
            raise sqlite3.OperationalError("no such module: fts5")

    with pytest.raises(StoreError, match="has no FTS5"):
        connection._probe_fts5(NoFts5())


def fail_after(store, name):
    with store.transaction():
        store.put_commits([commit(name)])
        raise ZeroDivisionError


def test_an_exception_rolls_back(store):
    with pytest.raises(ZeroDivisionError):
        fail_after(store, "one")
    assert store.experiments() == []
    assert store.check() == []


def test_a_nested_transaction_rolls_back_alone(store):
    with store.transaction():
        store.put_commits([commit("one")])
        with pytest.raises(ZeroDivisionError):
            fail_after(store, "two")
        store.put_commits([commit("three")])
    assert {item.subject for item in store.experiments()} == {"try one", "try three"}
    assert store.check() == []


def test_an_error_of_the_caller_is_not_translated(store):
    with pytest.raises(FileNotFoundError), store.transaction():
        raise FileNotFoundError("mine")


def test_what_is_not_committed_is_not_seen_by_others(path):
    with Store.open(path) as writer, Store.open(path) as reader:
        with writer.transaction():
            writer.put_commits([commit("one")])
            assert reader.experiments() == []
        assert len(reader.experiments()) == 1


def test_a_busy_database_says_so(path, monkeypatch):
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    with Store.open(path) as one, Store.open(path) as other, one.transaction():
        one.put_commits([commit("one")])
        with pytest.raises(StoreError, match="another process is writing"):
            other.put_commits([commit("two")])


def test_wal_is_tried_again_while_another_process_is_opening():
    class Slow:
        def __init__(self):
            self.asked = 0

        def execute(self, sql):
            self.asked += 1
            if "=" in sql and self.asked < 6:
                raise sqlite3.OperationalError("database is locked")
            return self

        def fetchone(self):
            return ("wal",) if self.asked >= 6 else ("delete",)

    slow = Slow()
    connection._use_wal(slow)
    assert slow.asked >= 6


def test_threads_share_a_store(store):
    def write(name):
        for number in range(20):
            store.put_commits([commit(f"{name}-{number}")])
            assert store.experiments(limit=1)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.experiments()) == 80


def test_a_copy_that_fails_leaves_the_cache_as_it_was(store):
    gone = Database.open(":memory:")
    gone.close()
    size = store.db.pragma("cache_size")
    with pytest.raises(StoreError, match="was closed"), store.db.becoming(gone):
        pytest.fail("there is nothing to become")
    assert store.db.pragma("cache_size") == size


def test_a_file_that_another_process_makes_meanwhile_can_be_written(path, monkeypatch):
    asked = os.access

    def access(given, mode):
        answer = asked(given, mode)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return answer

    monkeypatch.setattr(os, "access", access)
    with Store.open(path) as store:
        store.put_commits([commit("kept")])
    with Store.open(path) as store:
        assert store.counts()["experiments"] == 1


def test_four_processes_write_at_once_and_none_is_lost(path, pytestconfig):
    at_once(WRITER, path, pytestconfig.rootpath)
    with Store.open(path) as store:
        assert store.counts()["experiments"] == 100
        assert all(item.value == 1.0 for item in store.experiments())
        assert store.check() == []


def mixed(path, pytestconfig, names, count):
    at_once(MIXED, path, pytestconfig.rootpath, str(count), names=names)
    with Store.open(path) as store:
        wanted = {oid(f"{n}-{i}") for n in names for i in range(0, count, 2)}
        assert {item.commit for item in store.experiments()} == wanted
        assert all(item.value == 1.0 for item in store.experiments())
        for table in SEARCHED_TABLES:
            store.db.write(
                f"INSERT INTO {table}_fts({table}_fts, rank)"
                " VALUES('integrity-check', 1)"
            )
        assert store.db.pragma("integrity_check") == [("ok",)]
        assert store.check() == []


def test_processes_read_and_write_by_turns(path, pytestconfig):
    mixed(path, pytestconfig, "ab", 20)


@pytest.mark.long
def test_eight_processes_read_and_write_five_hundred_times_each(path, pytestconfig):
    mixed(path, pytestconfig, "abcdefgh", 500)


def test_rows_in_bulk_are_indexed_like_single_ones(path, tmp_path):
    many = [commit(str(number), diff=f"+lr_{number} = 1") for number in range(300)]
    with Store.open(path) as bulk, Store.open(tmp_path / "single.db") as single:
        single.put_commits(many[:1])
        bulk.put_commits(many[:1])
        bulk.put_commits(many)
        with single.transaction():
            for item in many:
                single.put_commits([item])
                single._settle()
        assert bulk.check() == single.check() == []
        assert list(bulk.dump()) == list(single.dump())
        assert bulk.db.column("SELECT count(*) FROM experiment_texts_vocab") == (
            single.db.column("SELECT count(*) FROM experiment_texts_vocab")
        )


def test_discard_takes_the_companions_along(path):
    store = Store.open(path)
    store.put_commits([commit("one")])
    store.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).write_bytes(b"stale")
    Store.discard(path)
    assert list(path.parent.iterdir()) == []
    Store.discard(path)


def test_clean_leaves_text_alone_and_mends_the_rest():
    assert clean("n_kv_head é 模") == "n_kv_head é 模"
    assert clean("a\0b\ud800") == "a b?"


def test_an_old_sqlite_is_named(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 39, 0))
    with pytest.raises(StoreError, match=r"3\.40 or newer"):
        Database.open(path)


def test_a_row_that_breaks_a_rule_is_an_error_in_words(store):
    with pytest.raises(StoreError, match="git lg doctor"):
        store.db.write("INSERT INTO scores VALUES(1, '', '', '', 1.0, 1)")


def test_a_second_connection_sees_the_bulk_trigger_come_back(path):
    with Store.open(path) as one, Store.open(path) as other:
        one.put_commits([commit(str(number)) for number in range(150)])
        other.put_commits([commit("later")])
        assert other.experiment(oid("later")) is not None
        other.put_records([result("later")])
        assert one.check() == other.check() == []
        with closing(sqlite3.connect(path)) as plain:
            found = plain.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
            )
            assert found.fetchone() == (6,)
