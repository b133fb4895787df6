"""Rare words lead where there are many rows; titles count for themselves."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Chunk
from loopgraph_git.researchfs import terms
from loopgraph_git.researchfs.search import search
from loopgraph_git.researchfs.store import Store


@pytest.fixture
def few_are_enough(monkeypatch):
    # what makes a corpus large, small enough for a test
    monkeypatch.setattr(terms, "_ENOUGH", 3)
    monkeypatch.setattr(terms, "_COMMON", 30)


@pytest.fixture
def shelf():
    with Store.open(":memory:") as store:
        store.put_chunks(
            Chunk(
                paper="p",
                ord=number,
                title=f"passage {number}",
                body="common words" + (" zebra" if number % 10 == 0 else ""),
            )
            for number in range(50)
        )
        yield store


@pytest.mark.usefixtures("few_are_enough")
def test_rare_terms_are_needed_and_all_are_scored(shelf):
    match = terms.leading(shelf.db, "chunks", ['"common"', '"zebra"'], 0)
    assert match == '("zebra") AND ("zebra" OR "common" OR "common")'


@pytest.mark.usefixtures("few_are_enough")
def test_the_score_is_that_of_all_terms_twice(shelf):
    sql = "SELECT rowid, bm25(chunks_fts) FROM chunks_fts WHERE chunks_fts MATCH ?"
    wanted = ['"passage"', '"zebra"', '"common"', '"20"']
    plain = dict(shelf.db.rows(sql, " OR ".join(wanted)))
    match = terms.leading(shelf.db, "chunks", wanted, 0)
    assert match.startswith('("20" OR "zebra") AND (')
    for row, score in shelf.db.rows(sql, match):
        assert score == pytest.approx(2 * plain[row])


@pytest.mark.usefixtures("few_are_enough")
def test_where_all_terms_are_common_or_rare_all_lead(shelf):
    assert terms.leading(shelf.db, "chunks", ['"20"', '"nowhere"'], 0) == (
        '"20" OR "nowhere"'
    )
    assert terms.leading(shelf.db, "chunks", ['"common"'], 0) == '"common"'


def test_few_rows_are_all_looked_at(shelf):
    assert terms.leading(shelf.db, "chunks", ['"common"', '"zebra"'], 100) == (
        '"common" OR "zebra"'
    )


def test_the_answer_is_the_same_either_way(shelf, monkeypatch):
    usual = [hit.key for hit in search(shelf, "common zebra 30", k=5)]
    monkeypatch.setattr(terms, "_ENOUGH", 3)
    assert [hit.key for hit in search(shelf, "common zebra 30", k=5)] == usual


@pytest.mark.parametrize(
    ("title", "share"),
    [("learning_rate", 2 / 3), ("rate", 1 / 2), ("a long title of rates", 1 / 6),
     ("other", 0), ("", 0)],
)  # fmt: skip
def test_the_share_of_a_title(title, share):
    assert terms.share_of_title(title, {"learn", "rat"}) == pytest.approx(share)
