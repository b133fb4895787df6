"""Beliefs: the closed forms, and what they must not depend on."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.records import Prior, Status
from loopgraph_git.researchfs.beliefs import (
    BASE_MEAN,
    DIFFERENCE_VARIANCE,
    FAMILY_VARIANCE,
    METHOD_VARIANCE,
    SHIFT_VARIANCE,
    Belief,
    beliefs_in,
    session_order,
    session_scale,
)
from loopgraph_git.researchfs.trials import Question, Trial
from tests.researchfs.making import method

START = METHOD_VARIANCE + FAMILY_VARIANCE


def trial(methods, gain, *, session="now", ts=0, **given_fields):
    names = (methods,) if isinstance(methods, str) else methods
    return Trial(
        experiment=f"{session}-{ts}-{'-'.join(names)}",
        methods=names,
        gain=gain,
        status=Status.OK,
        session=session,
        ts=ts,
        **given_fields,
    )


def belief(trials, *methods, session="now"):
    found = beliefs_in(methods, trials, Question(session=session))
    return found[methods[0].id]


def test_expected_improvement_is_the_closed_form():
    assert Belief(0.0, 1.0).expected == pytest.approx(1 / math.sqrt(2 * math.pi))
    assert Belief(5.0, 1.0).expected == pytest.approx(5.0, abs=1e-6)
    assert Belief(-9.0, 1.0).expected >= 0.0


@given(st.floats(-3, 3), st.floats(0.01, 2), st.floats(0.001, 1))
def test_expected_improvement_grows_with_mean_and_width(mean, variance, more):
    base = Belief(mean, variance).expected
    assert Belief(mean + more, variance).expected >= base
    assert Belief(mean, variance + more).expected >= base


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=6))
def test_observations_one_by_one_are_their_mean_at_once(values):
    start = Belief(BASE_MEAN, START)
    single = start
    for value in values:
        single = single.heard(value, 0.5)
    at_once = start.heard(sum(values) / len(values), 0.5 / len(values))
    assert single.mean == pytest.approx(at_once.mean, abs=1e-9)
    assert single.variance == pytest.approx(at_once.variance)


def test_an_untried_method_starts_a_little_below_zero():
    found = belief([], method("a"))
    assert found == Belief(BASE_MEAN, START + SHIFT_VARIANCE)


def test_this_session_is_heard_after_the_shift():
    scale = 1.4826 * 0.001
    found = belief([trial("a", 0.001)], method("a"))
    start = Belief(BASE_MEAN, START + SHIFT_VARIANCE)
    assert found.mean == pytest.approx(
        start.heard(0.001 / scale, DIFFERENCE_VARIANCE).mean
    )


def test_past_sessions_are_heard_more_quietly_the_older_they_are():
    fillers = [trial("x", 0.001, session=f"s{n}", ts=10 + n) for n in range(8)]
    win = trial("a", 0.001, session="old", ts=0)
    recent = trial("a", 0.001, session="s9", ts=99)
    now = trial("a", 0.001, session="now", ts=999)
    methods = (method("a"), method("x", "other"))
    means = [belief([*fillers, item], *methods).mean for item in (win, recent, now)]
    assert BASE_MEAN < means[0] < means[1] < means[2]


def test_a_family_speaks_for_an_untried_method():
    trials = [trial("a", 0.001 * n, ts=n) for n in range(1, 6)]
    near = belief(trials, method("b"), method("a"))
    far = belief(trials, method("b", "other"), method("a"))
    assert near.mean > far.mean == BASE_MEAN
    assert near.variance < far.variance


def test_priors_count_for_at_most_four_runs():
    def prior(n, gain=0.01):
        return method("a", priors=(Prior(gain=gain, n=n, spread=0.005),))

    means = [belief([], prior(n)).mean for n in (0, 1, 4, 400)]
    assert means[0] == BASE_MEAN < means[1] < means[2]
    assert means[3] == pytest.approx(means[2])
    assert belief([], prior(4, gain=-0.01)).mean < BASE_MEAN
    assert belief([], method("a", priors=(Prior(gain=1, n=1, spread=0),))).mean == (
        BASE_MEAN
    )


def test_methods_in_one_diff_share_by_their_uncertainty():
    known = [trial("old", 0.0, ts=n) for n in range(10)]
    joint = trial(("new", "old"), 0.002, ts=99)
    methods = [method("new", "f"), method("old", "g")]
    before = beliefs_in(methods, known, Question(session="now"))
    after = beliefs_in(methods, [*known, joint], Question(session="now"))
    moved = {name: after[name].mean - before[name].mean for name in before}
    assert moved["new"] > 3 * moved["old"] > 0


def test_a_method_that_no_pack_describes_takes_its_part():
    alone = belief([trial("a", 0.001)], method("a"))
    with_stranger = belief([trial(("a", "stranger"), 0.001)], method("a"))
    assert BASE_MEAN < with_stranger.mean < alone.mean + 0.2
    assert with_stranger.variance > alone.variance


def test_one_divergent_run_does_not_silence_a_method_for_ever():
    wild = [trial("a", -1e6, ts=1), *[trial("x", 0.001, ts=n) for n in range(2, 9)]]
    assert belief(wild, method("a"), method("x", "other")).mean > -4


@pytest.mark.parametrize(
    ("gains", "noise", "expected"),
    [
        ([], None, 1.0),
        ([0.0, 0.0], None, 1.0),
        ([0.01], None, 0.014826),
        ([0.01, -0.03, 0.02], None, 1.4826 * 0.02),
        ([0.01], 0.1, 0.1 * math.sqrt(2)),
        ([0.0, 0.0, 0.5], None, 0.5),
    ],
)
def test_the_scale_of_a_session(gains, noise, expected):
    assert session_scale(gains, noise) == pytest.approx(expected)


def test_sessions_are_in_the_order_of_their_first_trial():
    trials = [
        trial("a", 0, session="b", ts=2),
        trial("a", 0, session="a", ts=5),
        trial("a", 0, session="now", ts=1),
        trial("a", 0, session="a", ts=1),
    ]
    assert session_order(trials, "now") == ["a", "b", "now"]
    assert session_order([], "now") == ["now"]
