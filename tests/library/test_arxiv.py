"""Ids, feeds and addresses of arXiv."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import AbsentError, FetchError
from loopgraph_git.library.arxiv import Arxiv, ArxivId, find_id, read_feed, search_query
from loopgraph_git.library.fetch import Fetcher
from tests.library.serving import BOMB, ERROR, Reply, entry, feed, serving


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture
def arxiv(server, tmp_path):
    fetcher = Fetcher(interval=0, attempts=2, timeout=5, backoff=0.01, turns=tmp_path)
    return Arxiv(fetcher=fetcher, base=server.url)


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("2002.05202", "2002.05202", ""),
        ("1412.6980v9", "1412.6980", "v9"),
        (" arXiv:2002.05202V1 ", "2002.05202", "v1"),
        ("arxiv: 0704.0001", "0704.0001", ""),
        ("cs/0112017", "cs/0112017", ""),
        ("math.GT/0309136v2", "math.GT/0309136", "v2"),
        ("arXiv:MATH.gt/0309136", "math.GT/0309136", ""),
        ("cond-mat/9901001", "cond-mat/9901001", ""),
        ("https://arxiv.org/abs/2002.05202", "2002.05202", ""),
        ("http://www.arxiv.org/pdf/2002.05202v3.pdf", "2002.05202", "v3"),
        ("https://arxiv.org/pdf/cs/0112017v1", "cs/0112017", "v1"),
        ("https://export.arxiv.org/html/2002.05202v1/", "2002.05202", "v1"),
        ("https://arxiv.org/abs/2002.05202?context=cs#top", "2002.05202", ""),
    ],
)
def test_ids_old_and_new(text, name, version):
    assert find_id(text) == ArxivId(name, version)


@pytest.mark.parametrize(
    "text",
    [
        "", "2002", "2002.052", "2002.052021", "2013.05202", "2002.5202", "1412.69800",
        "2002.05202v0", "2002.05202 v1", "cs/0113017", "cs/011201", "0.98", "3.14159",
        "https://example.com/abs/2002.05202", "https://arxiv.org/abs/nothing",
        "file:///arxiv.org/abs/2002.05202", "../2002.05202", "-2002.05202",
    ],
)  # fmt: skip
def test_what_is_no_id(text):
    assert find_id(text) is None


def test_a_paper_is_described(server, arxiv):
    server.paper("2002.05202", "v1")
    server.paper("2002.05202", "v2", title="Gates, again", year=2021)
    found = arxiv.describe(ArxivId("2002.05202"))
    assert str(found.id) == "2002.05202v2"
    assert found.paper.title == "Gates, again"
    assert found.paper.authors == "Ada Writer, Ben Writer"
    assert (found.paper.year, found.paper.version) == (2021, "v2")
    assert found.paper.key == "arxiv:2002.05202"
    older = arxiv.describe(ArxivId("2002.05202", "v1"))
    assert (older.paper.title, older.paper.version) == (
        "Gates in feed-forward layers", "v1",
    )  # fmt: skip
    assert older.abstract == "We try gates. They help."


@pytest.mark.parametrize("name", ["2002.99999", "cs/0112017"])
def test_an_unknown_id(arxiv, name):
    with pytest.raises(AbsentError, match="knows no such paper"):
        arxiv.describe(ArxivId(name))


def test_an_unknown_id_as_old_servers_say_it(server, arxiv):
    bare = "<entry><id>http://arxiv.org/abs/2002.99999</id></entry>"
    server.answer("/api/query", feed(bare))
    with pytest.raises(AbsentError, match="knows no such paper"):
        arxiv.describe(ArxivId("2002.99999"))


def test_an_error_is_a_feed_too(server, arxiv):
    server.answer("/api/query", Reply(ERROR, status=400))
    with pytest.raises(FetchError, match="arXiv says: incorrect id format for x"):
        arxiv.describe(ArxivId("2002.05202"))


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b"<feed", b"<feed/>", b"\xff\xfe<", b"{}"]
)
def test_what_is_no_feed(server, arxiv, body):
    server.answer("/api/query", body)
    with pytest.raises(FetchError, match="no feed"):
        arxiv.search("x", 1)


def test_a_feed_that_grows_without_end_is_not_read():
    with pytest.raises(FetchError, match="declares entities"):
        read_feed(BOMB, "here")
    # in another encoding our look at it finds nothing; expat's limit does
    lines = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))  # fmt: skip
    text = f'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "{"lol" * 10}">{lines}]><x>&i;</x>'  # fmt: skip
    with pytest.raises(FetchError, match="amplification"):
        read_feed(text.encode("utf-16"), "here")


def test_texts_of_a_feed_hide_nothing():
    (found,) = read_feed(
        feed(entry("2002.05202v1", title="A\u202e title\n \u200b")), ""
    )
    assert found.paper.title == "A title"


def test_a_search_gives_the_first_of_them(server, arxiv):
    for number in range(5):
        server.paper(f"2002.0000{number}", title=f"Paper {number}")
    found = arxiv.search("muon optimizer", 3)
    assert [item.paper.title for item in found] == ["Paper 0", "Paper 1", "Paper 2"]
    assert "search_query=all%3Amuon+AND+all%3Aoptimizer" in server.paths[0]


def test_a_search_may_use_fields():
    assert search_query("ti:muon AND cat:cs.LG") == "ti:muon AND cat:cs.LG"
    assert search_query('"rotary embedding" decay') == (
        'all:"rotary embedding" AND all:decay'
    )


def test_texts_are_where_arxiv_has_them(server, arxiv):
    server.answer("/e-print/cs/0112017v1", b"source")
    server.answer("/pdf/2002.05202", b"%PDF")
    assert arxiv.source(ArxivId("cs/0112017", "v1")).data == b"source"
    assert arxiv.pdf(ArxivId("2002.05202")).data == b"%PDF"
    with pytest.raises(AbsentError):
        arxiv.source(ArxivId("2002.05202"))


@given(st.binary() | st.tuples(st.integers(0, 600), st.binary(max_size=9)))
def test_any_bytes_are_a_feed_or_the_one_error(data):
    if isinstance(data, tuple):
        place, noise = data
        whole = feed(entry("2002.05202v1"))
        data = whole[:place] + noise + whole[place:]
    with suppress(FetchError):
        for found in read_feed(data, "here"):
            assert found.paper.key == f"arxiv:{found.id.id}"
