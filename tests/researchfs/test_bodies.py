"""A record's body is read into a value, or refused with a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.errors import RecordError
from loopgraph_git.records import (
    Judgement,
    Result,
    Retrieval,
    Status,
    Suggestion,
    Verdict,
    body_of,
)
from loopgraph_git.researchfs import bodies
from tests.researchfs.making import oid

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


def through_json(value):
    return json.loads(json.dumps(body_of(value)))


def test_values_come_back_as_they_were():
    assert bodies.result_of(through_json(RESULT)) == RESULT
    assert bodies.verdict_of(through_json(VERDICT)) == VERDICT
    assert bodies.retrieval_of(through_json(RETRIEVAL)) == RETRIEVAL


def test_a_link_is_from_its_commit_unless_it_says_otherwise():
    assert bodies.link_of(oid("a"), {"to": oid("b")}) == bodies.Link(
        oid("a"), oid("b"), ""
    )
    named = bodies.link_of(
        oid("a"), {"from": oid("c"), "to": oid("b"), "how": "squash"}
    )
    assert (named.old, named.how) == (oid("c"), "squash")


@pytest.mark.parametrize(
    ("read", "body", "words"),
    [
        (bodies.result_of, {}, "status"),
        (bodies.result_of, {"status": "fine"}, "status"),
        (bodies.result_of, {"status": "ok", "metric": 3}, "metric is not text"),
        (bodies.result_of, {"status": "ok", "value": "1"}, "value is not a number"),
        (bodies.result_of, {"status": "ok", "value": True}, "value is not a number"),
        (bodies.result_of, {"status": "ok", "value": 10**400}, "value is too large"),
        (bodies.result_of, {"status": "ok", "value": float("inf")}, "not finite"),
        (bodies.result_of, {"status": "ok", "seed": 2**63}, "seed is too large"),
        (bodies.result_of, {"status": "ok", "seed": 1.5}, "seed is not a whole"),
        (bodies.result_of, {"status": "ok", "argv": "ls"}, "argv is not a list"),
        (bodies.result_of, {"status": "ok", "argv": [1]}, "argv is not text"),
        (
            bodies.result_of,
            {"status": "ok", "curve": [[1]]},
            "curve is not a list of pairs",
        ),
        (bodies.result_of, {"status": "ok", "curve": ["ab"]}, "curve is not a list of"),
        (bodies.result_of, {"status": "ok", "curve": [1]}, "curve is not a list of"),
        (bodies.result_of, {"status": "ok", "curve": [[1, 10**400]]}, "curve is not"),
        (
            bodies.result_of,
            {"status": "ok", "curve": [[1, 1e999]]},
            "curve is not finite",
        ),
        (bodies.result_of, {"status": "ok", "curve": 3}, "curve is not a list"),
        (bodies.result_of, {"status": "ok", "metrics": []}, "metrics is not an object"),
        (bodies.result_of, {"status": "ok", "metrics": {"a": []}}, "metrics"),
        (bodies.verdict_of, {"value": "maybe"}, "maybe"),
        (bodies.verdict_of, {"value": ["keep"]}, "value is not text"),
        (bodies.retrieval_of, {"suggestions": {"method": "a"}}, "not a list"),
        (bodies.retrieval_of, {"suggestions": [{"score": 1}]}, "names no method"),
        (bodies.retraction_of, {}, "names no target"),
    ],
)
def test_a_body_of_the_wrong_types_is_refused_in_words(read, body, words):
    with pytest.raises(RecordError, match=words):
        read(body)


def test_a_link_to_no_commit_is_refused():
    with pytest.raises(RecordError, match="not a full git object id"):
        bodies.link_of(oid("a"), {"to": "HEAD"})


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
            read(body)
        except RecordError as error:
            assert str(error)  # noqa: PT017
