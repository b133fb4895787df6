"""Databases broken on purpose: what is wrong is found, and never a traceback."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loopgraph_git.errors import RecordError, StoreError
from loopgraph_git.records import Direction
from loopgraph_git.researchfs.search import search
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import (
    CHUNKS,
    GQA,
    PAPERS,
    SWIGLU,
    commit,
    result,
    verdict,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return the bytes of a database with a little of everything."""
    path = tmp_path_factory.mktemp("sound") / "researchfs.db"
    names = [str(number) for number in range(60)]
    with Store.open(path) as store:
        store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
        store.put_commits([commit(x, method="gqa", diff=f"+lr_{x} = 1") for x in names])
        store.put_records([result(x) for x in names])
        store.put_records([verdict(x) for x in names])
    return path.read_bytes()


def ask(store: Store) -> None:
    """Ask everything once, and write."""
    store.experiments()
    store.best(5, Direction.LOWER)
    store.results(protocol="")
    store.methods()
    search(store, "lr gated")
    list(store.dump())
    store.put_commits([commit("new")])
    store.put_records([result("new")])


def problems(path: Path) -> list[str]:
    """Return what is found wrong with a database, where it opens at all."""
    try:
        with Store.open(path) as store:
            return store.check()
    except StoreError as error:
        return [str(error)]


def middle(sound: bytes) -> bytes:
    junk = random.Random(1).randbytes(len(sound) // 4)  # noqa: S311
    half = len(sound) // 2
    return sound[:half] + junk + sound[half + len(junk) :]


CONTENTS = {
    "random bytes in the middle": middle,
    "truncated": lambda sound: sound[: len(sound) // 2],
    "truncated within a page": lambda sound: sound[: len(sound) // 3 + 17],
    "no header": lambda sound: b"\0" * 100 + sound[100:],
    "zeros alone": lambda sound: b"\0" * len(sound),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_broken_file_is_found_and_begun_anew(path, sound, kind):
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENTS[kind](sound))
    assert problems(path)
    Store.discard(path)
    with Store.open(path) as store:
        ask(store)
        assert store.check() == []


STATEMENTS = {
    "words lost": "DELETE FROM chunks_fts_data WHERE id > 10",
    "words broken": "UPDATE experiment_texts_fts_data SET block = randomblob(50)",
    "a row behind the trigger": "DROP TRIGGER chunks_ad; DELETE FROM chunks",
    "a table gone": "DROP TABLE verdicts",
    "a record that says another thing": "UPDATE records SET line = "
    "replace(line, '300.0', '1.0')",
    "a link to nothing": "PRAGMA foreign_keys = OFF; DELETE FROM methods",
    "a name that is none": "UPDATE experiments SET tree = 'x'",
    "text that is none": "UPDATE experiments SET subject = CAST(x'ff' AS TEXT)",
    "a schema that is none": "PRAGMA writable_schema = ON;"
    "UPDATE sqlite_master SET sql = 'CREATE TABLE x' WHERE name = 'experiments'",
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_what_was_changed_behind_its_back_is_found(path, sound, kind):
    path.parent.mkdir(parents=True)
    path.write_bytes(sound)
    assert problems(path) == []
    with closing(sqlite3.connect(path)) as plain:
        plain.executescript(STATEMENTS[kind])
    assert problems(path)


@pytest.mark.parametrize("junk", [b"\x37\x7f\x06\x82", b""])
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_log_of_garbage_is_passed_over(path, sound, suffix, junk):
    path.parent.mkdir(parents=True)
    path.write_bytes(sound)
    garbage = random.Random(3).randbytes(40_000)  # noqa: S311
    Path(f"{path}{suffix}").write_bytes(junk + garbage)
    with Store.open(path) as store:
        assert store.check() == []
        ask(store)
        assert store.counts()["experiments"] == 61


def test_no_damage_is_a_traceback_and_hardly_one_that_hurts_is_missed(path, sound):
    path.parent.mkdir(parents=True)
    missed = 0
    for seed in range(60):
        dice = random.Random(seed)  # noqa: S311
        broken = bytearray(sound)
        for _ in range(dice.choice([1, 5, 50, 500])):
            broken[dice.randrange(100, len(broken))] = dice.randrange(256)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(broken)
        found = []
        try:
            with Store.open(path) as store:
                found = ["cannot even be checked"]
                found = store.check()
                ask(store)
        except (StoreError, RecordError):
            missed += not (found or problems(path))
    assert missed <= 2


def test_words_and_triggers_are_mended_in_place(path, sound):
    path.parent.mkdir(parents=True)
    path.write_bytes(sound)
    with closing(sqlite3.connect(path)) as plain:
        plain.executescript("DROP TRIGGER chunks_ai; DELETE FROM chunks_fts_docsize;")
    with Store.open(path) as store:
        assert store.check()
        store.repair()
        assert store.check() == []
        assert search(store, "gated")
