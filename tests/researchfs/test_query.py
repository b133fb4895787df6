"""The words and filters that a person types."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given

from loopgraph_git.researchfs.query import KINDS, Query, read_query
from tests.fuzz import hostile

NOW = datetime(2026, 10, 8, tzinfo=UTC).timestamp()
DAY = 86_400


def read(text, metrics=("val_bpb", "acc@1")):
    return read_query(text, metrics=lambda: metrics, now=NOW)


def test_filters_are_taken_out_of_the_words():
    query = read("longer  warmdown kind:experiment Status:CRASH after")
    assert query.words == "longer warmdown after"
    assert query.kinds == ("experiment",)
    assert query.values("status") == ("crash",)
    assert not query.notes


def test_text_without_filters_is_left_as_it_was_typed():
    text = "  def f(x):\n\treturn  x\n"
    assert read(text) == Query(text)
    assert read("").kinds == KINDS


@pytest.mark.parametrize(
    ("token", "name", "value"),
    [
        ("kind:methods", "kind", "method"),
        ("kind:chunk", "kind", "chunk"),
        ("verdict:keep", "verdict", "keep"),
        ("method:swiglu", "method", "swiglu"),
        ("session:mar8", "session", "mar8"),
        ('session:"my session"', "session", "my session"),
        ('session:""', "session", ""),
    ],
)
def test_filters_by_name(token, name, value):
    (made,) = read(f"word {token}").filters
    assert (made.name, made.value, made.text) == (name, value, token)


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        ("since:7d", NOW - 7 * DAY),
        ("since:12h", NOW - DAY / 2),
        ("since:2w", NOW - 14 * DAY),
        ("since:2026-10-01", NOW - 7 * DAY),
        ("since:2026-10-01T12:00", NOW - 6.5 * DAY),
        ("since:2026-10-01T12:00+02:00", NOW - 6.5 * DAY - 7200),
    ],
)
def test_times(token, seconds):
    (made,) = read(token).filters
    assert made.number == seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("val_bpb<0.99", ("val_bpb", "<", 0.99)),
        ("val_bpb < 0.99", ("val_bpb", "<", 0.99)),
        ("metric>=1e-3", ("metric", ">=", 1e-3)),
        ("metric>-.5", ("metric", ">", -0.5)),
        ("acc@1>90", ("acc@1", ">", 90)),
    ],
)
def test_comparisons(text, expected):
    (made,) = read(text).filters
    assert (made.value, made.sign, made.number) == expected


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("status:keep", "did you mean verdict:keep?"),
        ("verdict:ok", "did you mean status:ok?"),
        ("kind:paper", "a kind is one of experiment, method, chunk, code"),
        ("since:yesterday", "since is a date (2026-10-01) or 12h, 7d, 2w"),
        ("since:2026-13-01", "since is a date"),
        ("color:red", "there is no filter 'color'"),
        ("loss<0.5", "no result has a metric 'loss'"),
        ("metric<1e999", "the number is too large"),
    ],
)
def test_what_is_no_filter_is_words_and_a_note(token, said):
    query = read(f"a {token}")
    assert query.words == f"a {token}"
    assert not query.filters
    (note,) = query.notes
    assert said in note
    assert note.startswith(token)


@pytest.mark.parametrize(
    "text",
    ["https://example.com", "std::vector", "a:", ":a", "x<y", "if x < y:", "1:2", "a<"],
)
def test_ordinary_text_is_not_commented_on(text):
    assert read(text) == Query(text)


def test_notes_are_few_and_filters_are_not_doubled():
    query = read("a:b " * 50 + "verdict:keep verdict:keep verdict:discard")
    assert len(query.notes) == 3
    assert query.values("verdict") == ("keep", "discard")
    assert query.without(query.filters[0]).values("verdict") == ("discard",)


def test_metrics_are_asked_for_only_when_something_is_compared():
    read_query("warmup since:7d", metrics=lambda: pytest.fail("asked"), now=NOW)


@given(hostile.text)
def test_any_text_is_a_query(text):
    query = read(f"{text} verdict:keep")
    assert len(query.words) <= len(text) + 1 + len("verdict:keep")
    read(text * 200)
