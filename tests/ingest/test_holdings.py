"""An index that has read the same packs hands their methods on, and nothing else."""

from __future__ import annotations

import pytest

from loopgraph_git.client import ResearchFSClient

PACK = """\
pack: mine
title: Mine
methods:
  - id: my-idea
    title: My idea
    summary: {words}
"""


@pytest.fixture
def client(tmp_path):
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "mine.yml").write_text(PACK.format(words="One thing."))
    path = tmp_path / "researchfs.db"
    with ResearchFSClient(path, packs=[tmp_path / "packs"]) as made:
        yield made


def rows(client):
    return list(client.store.dump())


def test_a_memory_of_the_same_packs_is_the_same(client):
    before = rows(client)
    with client.in_memory() as made:
        assert rows(made) == before
        # again from one that was itself handed them
        with made.in_memory() as again:
            assert rows(again) == before


def test_what_was_touched_since_is_read_again(client):
    before = rows(client)
    client.store.db.write(
        "UPDATE methods SET definition = replace(definition, 'One', 'No')"
        " WHERE name = 'my-idea'"
    )
    with client.in_memory() as made:
        assert rows(made) == before


def test_packs_that_have_changed_are_read_again(client, tmp_path):
    path = tmp_path / "packs" / "mine.yml"
    path.write_text(PACK.format(words="Another thing."))
    with client.in_memory() as made:
        found = {method.id: method.summary for method in made.methods()}
    assert found["my-idea"] == "Another thing."
