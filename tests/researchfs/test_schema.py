"""The schema is a document: every table is explained, every key is derived."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.researchfs import schema
from loopgraph_git.researchfs.schema import DDL, row_id, statements, table_names


def test_every_table_says_what_a_row_of_it_is():
    for made in re.finditer(r"^CREATE (?:VIRTUAL )?TABLE", DDL, re.MULTILINE):
        before = DDL[: made.start()].rstrip().splitlines()[-1]
        assert before.startswith("-- A row per ")


def test_every_statement_is_split_and_none_is_lost():
    pieces = statements(DDL)
    assert len(pieces) == sum(
        len(re.findall(f"^CREATE (?:VIRTUAL )?{kind}", DDL, re.MULTILINE))
        for kind in ("TABLE", "INDEX", "TRIGGER")
    ) + len(re.findall("VALUES\\('rank'", DDL))
    assert "".join("".join(pieces).split()) == "".join(DDL.split())


def test_children_come_before_their_parents():
    assert sorted(schema.CHILDREN_FIRST) == table_names()
    place = {name: rank for rank, name in enumerate(schema.CHILDREN_FIRST)}
    for table in table_names():
        body = re.search(rf"CREATE TABLE {table}\((.*?)\) STRICT", DDL, re.DOTALL)[1]
        for parent in re.findall(r"REFERENCES (\w+)", body):
            circular = (table, parent) == ("experiments", "retrievals")
            assert circular or place[table] < place[parent], (table, parent)


def test_row_ids_do_not_change():
    assert row_id("commit", "a" * 40) == int("a" * 15, 16)
    assert row_id("method", "a" * 40) == 868670236188765639
    assert row_id("a", "b") != row_id("b", "a")


@given(st.lists(st.text()))
def test_row_ids_fit_and_never_fail(parts):
    assert 0 <= row_id(*parts) < 2**60


def test_the_triggers_for_writes_are_found():
    found = schema.write_triggers("chunks")
    assert found["chunks_ai"].startswith("CREATE TRIGGER chunks_ai AFTER INSERT")
    assert found["chunks_au"].startswith("CREATE TRIGGER chunks_au AFTER UPDATE")
    with pytest.raises(KeyError):
        schema.write_triggers("papers")
