"""Records: canonical, bounded, and equal to what was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecordError
from loopgraph_git.records import (
    Direction,
    Kind,
    Metric,
    Oid,
    Record,
    Result,
    Retrieval,
    Status,
    Suggestion,
    body_of,
    fitted,
    fitted_retrieval,
)

OID = Oid("a" * 40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
RESERVED = {"v", "id", "kind", "commit", "tree", "writer", "seq", "ts"}


def record(body=None, **changes) -> Record:
    values = {
        "kind": Kind.RESULT,
        "commit": OID,
        "tree": Oid("b" * 64),
        "writer": "w1",
        "seq": 1,
        "ts": 1_700_000_000_000,
        "body": body or {"status": "ok"},
    }
    return Record(**{**values, **changes})


@given(
    st.dictionaries(
        st.text(max_size=8).filter(lambda k: k not in RESERVED), JSON, max_size=4
    )
)
def test_a_record_reads_back_as_it_was_written(body):
    made = record(body)
    line = made.encode()
    assert line.isascii()
    assert "\n" not in line
    again = Record.decode(line)
    assert again == made
    assert again.encode() == line


@given(
    st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin1"))
)
def test_any_other_line_is_refused_with_the_one_error(line):
    with pytest.raises(RecordError):
        Record.decode(line)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"v": None}, {"kind": "gossip"}, {"commit": "HEAD"}, {"commit": None},
        {"writer": "../x"}, {"writer": 3}, {"seq": -1}, {"seq": True}, {"ts": 1.5},
        {"id": "0" * 16}, {"status": "crash"},
    ],
)  # fmt: skip
def test_a_line_that_was_tampered_with_is_refused(change):
    plain = {**json.loads(record().encode()), **change}
    with pytest.raises(RecordError):
        Record.decode(json.dumps(plain, sort_keys=True, separators=(",", ":")))


def test_the_id_depends_on_everything_else():
    ids = {
        record().id,
        record(seq=2).id,
        record(ts=1).id,
        record(writer="w2").id,
        record({"status": "crash"}).id,
        record(commit=Oid("c" * 40)).id,
    }
    assert len(ids) == 6


def test_not_a_number_cannot_be_written():
    with pytest.raises(RecordError, match="cannot be written"):
        record({"value": float("nan")}).encode()


def test_a_line_over_four_kilobytes_is_refused_in_words():
    with pytest.raises(RecordError, match="shorten its excerpt"):
        record({"excerpt": "x" * 5000}).encode()


@given(
    st.text(max_size=6000),
    st.dictionaries(
        st.text(max_size=60), st.floats() | st.text(max_size=200), max_size=40
    ),
)
def test_a_fitted_result_always_fits(excerpt, metrics):
    result = Result(
        status=Status.CRASH,
        metric="val_bpb",
        metrics=metrics,
        excerpt=excerpt,
        reason="r" * 200,
        curve=tuple((float(n), 1.5) for n in range(32)),
    )
    assert len(record(body_of(fitted(result))).encode()) <= 4096


@given(st.text(max_size=500), st.integers(0, 60))
def test_a_fitted_retrieval_always_fits_and_keeps_the_best(text, count):
    ranked = tuple(
        Suggestion(
            method=f"method-{n}",
            score=1.0 / (n + 1),
            factors={f"factor-{f}": 0.123456 for f in range(7)},
            why=text,
            outcomes=("0123456789abcdef",) * 6,
        )
        for n in range(count)
    )
    small = fitted_retrieval(Retrieval(goal=text, query=text, suggestions=ranked))
    line = record(body_of(small), kind=Kind.RETRIEVAL).encode()
    assert len(line) <= 4096
    assert [x.method for x in small.suggestions] == [
        x.method for x in ranked[: len(small.suggestions)]
    ]


def test_a_metric_knows_which_way_is_better():
    assert Metric("val_bpb", Direction.LOWER).gain(1.0, 0.9) == pytest.approx(0.1)
    assert Metric("acc", Direction.HIGHER).gain(1.0, 0.9) == pytest.approx(-0.1)


@pytest.mark.parametrize(
    "text", ["", "abc", "g" * 40, "A" * 40, "a" * 41, "a" * 40 + "\n"]
)
def test_an_oid_is_a_full_hex_name(text):
    with pytest.raises(RecordError):
        Oid(text)
