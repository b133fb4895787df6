"""What is meant is told by its form."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import UsageError
from loopgraph_git.ingest.targets import (
    Files,
    Pack,
    Paper,
    Repository,
    Search,
    parse_target,
)
from loopgraph_git.library.arxiv import ArxivId


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", ["2002.05202v2", "arxiv:2002.05202v2", "ARXIV:2002.05202v2", "https://arxiv.org/pdf/2002.05202v2"])  # fmt: skip
def test_papers(text):
    assert parse_target(text) == Paper(text, ArxivId("2002.05202", "v2"))


def test_a_search():
    assert parse_target("search: a b ") == Search("search: a b ", "a b")


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("github:a/b", "github:a/b", "https://github.com/a/b.git"),
        ("github:a/b.c@v1.0", "github:a/b.c@v1.0", "https://github.com/a/b.c.git"),
        ("https://github.com/a/b", "github:a/b", "https://github.com/a/b.git"),
        ("file:///srv/x@main", "file:///srv/x@main", "file:///srv/x"),
        ("https://me:secret@x.org/a", "https://x.org/a", "https://me:secret@x.org/a"),
    ],
)
def test_repositories(text, name, url):
    found = parse_target(text)
    assert isinstance(found, Repository)
    assert (found.text, found.address.url) == (name, url)


def test_what_is_there_is_meant_before_what_may_be(folder):
    for name in ("2002.05202", "notes.md", "mine.yml"):
        (folder / name).write_text("")
    assert isinstance(parse_target("2002.05202"), Files)
    assert isinstance(parse_target("notes.md"), Files)
    assert isinstance(parse_target("mine.yml"), Pack)
    assert isinstance(parse_target("."), Files)
    (folder / ".git").mkdir()
    found = parse_target(".")
    assert isinstance(found, Repository)
    assert found.address.url == folder.as_uri()


@pytest.mark.parametrize(
    "text",
    [
        "", "search:", "search:  ", "arxiv:", "arxiv:1", "none.pdf", "github:a", "git@github.com:a/b",
        "github:-a/b", "github:a/b@", "github:a/../b", "https://example.com/x.pdf", "http://h/a/b.tar.gz",
        "--upload-pack=x", "ext::sh -c x", "github:a/b@x y",
    ],
)  # fmt: skip
def test_what_is_nothing(text):
    with pytest.raises(UsageError):
        parse_target(text)


@given(st.text() | st.from_regex(r"(arxiv:|github:|file://|https?://)\S{0,40}@?\S*"))
def test_any_text_is_a_target_or_the_one_error(text):
    with suppress(UsageError):
        assert parse_target(text)


def test_a_name_that_is_too_long_is_no_file():
    with pytest.raises(UsageError):
        parse_target("x" * 5000)
