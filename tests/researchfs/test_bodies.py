"""A record's body is read into a value, or refused with a reason."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.errors import RecordError
from loopgraph_git.records import (
    Judgement,
    Kind,
    Result,
    Retrieval,
    Status,
    Suggestion,
    Verdict,
    body_of,
)
from loopgraph_git.researchfs import bodies
from tests.researchfs.making import oid, record

RESULT = Result(
    status=Status.OK,
    metric="val_bpb",
    value=0.98,
    metrics={"mfu": 0.4, "note": "fine"},
    argv=("python", "train.py"),
    seed=3,
    seconds=301.5,
    budget_seconds=300.0,
    peak_memory_mb=1024.0,
    protocol="p",
    platform="h100",
    evaluation="verified",
    sandbox="bwrap",
    flags=("imports gc",),
    reason="",
    excerpt="tail",
    log_sha256="ab",
    log_bytes=9,
    curve=((0.0, 5.0), (10.0, 4.5)),
    tokens=12,
    cost_usd=0.5,
)
VERDICT = Verdict(
    value=Judgement.KEEP, reason="better", baseline="b", delta=0.1, noise=0.01, n=3
)
RETRIEVAL = Retrieval(
    goal="g",
    query="q",
    suggestions=(
        Suggestion(
            method="swiglu", score=1.5, factors={"mu": 0.1}, why="w", outcomes=("a",)
        ),
    ),
    tokens=4,
)


def line(body):
    return json.dumps(body, sort_keys=True)


def test_values_come_back_as_they_were():
    assert bodies.result_of(line(body_of(RESULT))) == RESULT
    assert bodies.verdict_of(line(body_of(VERDICT))) == VERDICT
    assert bodies.retrieval_of(line(body_of(RETRIEVAL))) == RETRIEVAL


def test_a_link_is_from_its_commit_unless_it_says_otherwise():
    assert bodies.link_of(oid("a"), line({"to": oid("b")})) == bodies.Link(
        oid("a"), oid("b"), ""
    )
    given = {"from": oid("c"), "to": oid("b"), "how": "squash"}
    named = bodies.link_of(oid("a"), line(given))
    assert (named.old, named.how) == (oid("c"), "squash")


@pytest.mark.parametrize(
    ("read", "body", "words"),
    [
        (bodies.result_of, {}, "missing required field `status`"),
        (bodies.result_of, {"status": "fine"}, "status: Invalid enum value 'fine'"),
        (bodies.result_of, {"status": "ok", "metric": 3}, "metric: Expected `str`"),
        (bodies.result_of, {"status": "ok", "value": "1"}, "value: Expected `float"),
        (bodies.result_of, {"status": "ok", "value": True}, "value: Expected `float"),
        (bodies.result_of, {"status": "ok", "value": 1e101}, "value: Expected `float`"),
        (bodies.result_of, {"status": "ok", "value": 10**400}, "value: "),
        (bodies.result_of, {"status": "ok", "value": float("inf")}, "value: Expected"),
        (bodies.result_of, {"status": "ok", "seed": 2**63}, "seed: Expected `int` <="),
        (bodies.result_of, {"status": "ok", "seed": -(2**63)}, "seed: Expected `int`"),
        (bodies.result_of, {"status": "ok", "seed": 1.5}, "seed: Expected `int"),
        (bodies.result_of, {"status": "ok", "argv": "ls"}, "argv: Expected `array`"),
        (bodies.result_of, {"status": "ok", "argv": [1]}, r"argv\[0\]: Expected `str`"),
        (bodies.result_of, {"status": "ok", "curve": [[1]]}, r"curve\[0\]: Expected"),
        (bodies.result_of, {"status": "ok", "curve": ["ab"]}, r"curve\[0\]: Expected"),
        (bodies.result_of, {"status": "ok", "curve": [1]}, r"curve\[0\]: Expected"),
        (bodies.result_of, {"status": "ok", "curve": [[1, 10**400]]}, "curve|range"),
        (bodies.result_of, {"status": "ok", "curve": [[1, 1e999]]}, "curve"),
        (bodies.result_of, {"status": "ok", "curve": 3}, "curve: Expected `array`"),
        (bodies.result_of, {"status": "ok", "metrics": []}, "metrics: Expected `obj"),
        (bodies.result_of, {"status": "ok", "metrics": {"a": []}}, "metrics"),
        (bodies.verdict_of, {"value": "maybe"}, "value: Invalid enum value 'maybe'"),
        (bodies.verdict_of, {"value": ["keep"]}, "value: Expected `str`"),
        (bodies.retrieval_of, {"suggestions": {"method": "a"}}, "Expected `array`"),
        (bodies.retrieval_of, {"suggestions": [{"score": 1}]}, "field `method`"),
        (bodies.retrieval_of, {"suggestions": [{"method": ""}]}, "method"),
        (bodies.retraction_of, {}, "missing required field `target`"),
        (bodies.retraction_of, {"target": "all"}, "target"),
    ],
)
def test_a_body_of_the_wrong_types_is_refused_in_words(read, body, words):
    with pytest.raises(RecordError, match=words):
        read(line(body))


def test_a_number_that_is_null_was_left_out():
    body = {"status": "ok", "value": None, "seconds": None, "tokens": None}
    assert bodies.result_of(line(body)) == Result(status=Status.OK, metric="")
    assert bodies.outcome_row(line(body)) == (
        "ok", "", None, None, 0.0, None, "", "", "self_reported", "", 0
    )  # fmt: skip


def test_half_a_surrogate_is_a_text_and_is_none_in_a_row():
    body = {"status": "crash", "excerpt": "torn \udcff\0 line"}
    assert bodies.result_of(line(body)).excerpt == body["excerpt"]
    assert bodies.outcome_row(line(body))[9] == "torn ?  line"


def test_a_link_to_no_commit_is_refused():
    with pytest.raises(RecordError, match="not a full git object id"):
        bodies.link_of(oid("a"), line({"to": "HEAD"}))


PLAIN = record(
    Kind.RESULT,
    "a",
    {
        "status": "ok",
        "value": 1.5,
        "metrics": {"depth": 8, "mfu": 0.4},
        "curve": [[0, 9.0], [1, 8.5]],
        "argv": ["uv", "run"],
        "seed": 3,
    },
)
JUDGED = record(Kind.VERDICT, "a", {"value": "keep", "delta": 0.1, "n": 3})


def test_what_programs_write_is_read_quickly():
    for it in (PLAIN, JUDGED):
        [told] = bodies.quickly([it.encode().encode()])
        assert told is not None
        assert (told.id, told.commit, told.seq) == (it.id, it.commit, it.seq)


@pytest.mark.parametrize(
    "changed",
    [
        {"body": {**PLAIN.body, "x-more": 1}},
        {"body": {**PLAIN.body, "value": 1}},
        {"body": {**PLAIN.body, "value": None}},
        {"body": {**PLAIN.body, "excerpt": "é"}},
        {"body": {**PLAIN.body, "metrics": {"deep": {}}}},
        {"kind": Kind.LINK},
        {"commit": "A" * 40},
        {"tree": "b" * 39},
        {"writer": "../ada"},
        {"seq": -1},
        {"seq": 2**53},
        {"ts": 253_402_300_800_000},
    ],
)
def test_what_is_out_of_the_ordinary_is_not_read_quickly(changed):
    line = replace(PLAIN, **changed).encode().encode()
    assert bodies.quickly([line]) == [None]


def test_a_line_that_was_tampered_with_is_not_read_quickly():
    line = PLAIN.encode().encode()
    assert bodies.quickly([line.replace(b"1.5", b"1.4")]) == [None]
    assert bodies.quickly([line.replace(b'"v":1', b'"v":2')]) == [None]
    assert bodies.quickly([line + b" "]) == [None]
    assert bodies.quickly([b"[" * 4000]) == [None]


GOOD = [PLAIN.encode().encode(), JUDGED.encode().encode()]
BAD = [
    b"",
    b" ",
    b"no record",
    b"[" * 4000,
    b"\xff",
    b"1 2",
    b'{"kind":"other"}',
    record(Kind.LINK, "a", {"to": "b" * 40}).encode().encode(),
    record(Kind.RETRIEVAL, "a", {"goal": "g"}).encode().encode(),
    record(Kind.RETRACT, "a", {"target": PLAIN.id}).encode().encode(),
    GOOD[0] + b"\r",
    GOOD[0] + GOOD[1],
]


@given(st.lists(st.sampled_from(GOOD + BAD), max_size=30))
def test_lines_are_read_together_as_they_are_alone(lines):
    told = bodies.quickly(lines)
    assert [it and it.id for it in told] == [
        {GOOD[0]: PLAIN.id, GOOD[1]: JUDGED.id}.get(line) for line in lines
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "status",
        "value",
        "metrics",
        "argv",
        "seed",
        "curve",
        "suggestions",
        "to",
        "target",
    ]
)


@settings(max_examples=60)
@given(st.dictionaries(NAMES | st.text(), JSON))
def test_nothing_but_a_record_error_ever_comes_out(body):
    for read in (
        bodies.result_of,
        bodies.verdict_of,
        bodies.retrieval_of,
        bodies.retraction_of,
        lambda body: bodies.link_of(oid("a"), body),
    ):
        try:
            read(line(body))
        except RecordError as error:
            assert str(error)  # noqa: PT017
