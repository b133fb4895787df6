"""Noise and verdicts."""

from __future__ import annotations

import pytest

from loopgraph_git.loop.judge import (
    Noise,
    compare,
    decide,
    measured_noise,
    pooled_noise,
)
from loopgraph_git.records import (
    Direction,
    Grade,
    Judgement,
    Metric,
    Oid,
    Result,
    Status,
)

A, B = Oid("a" * 40), Oid("b" * 40)
BPB = Metric("val_bpb", Direction.LOWER)


def ok(value: float) -> Result:
    return Result(status=Status.OK, metric="val_bpb", value=value, platform="cpu")


def verdict(value, *others, values=(1.0,), sigma=0.05, metric=BPB, **options):
    runs = [ok(x) if isinstance(x, float) else x for x in (value, *others)]
    noise = Noise(sigma=sigma, runs=2, freedom=1) if sigma is not None else None
    return decide(metric, runs, baseline=A, values=values, noise=noise, **options)


def test_noise_is_pooled_over_commits_that_ran_more_than_once():
    runs = [(A, ok(1.0)), (A, ok(3.0)), (B, ok(10.0)), (B, ok(10.0)), (B, ok(13.0))]
    noise = measured_noise(runs)
    # (2 + 6) / (1 + 2) degrees of freedom
    assert noise.sigma == pytest.approx((8 / 3) ** 0.5)
    assert noise.runs == 5


def test_without_a_repeated_run_there_is_no_noise():
    failed = Result(status=Status.CRASH, metric="val_bpb")
    assert measured_noise([(A, ok(1.0)), (B, ok(2.0)), (A, failed)]) is None


@pytest.mark.parametrize(
    ("value", "judgement", "words"),
    [
        (0.9, Judgement.KEEP, "better by 0.1 (noise 0.05)"),
        (0.97, Judgement.KEEP, "better by 0.03 (noise 0.05)"),
        (1.2, Judgement.DISCARD, "worse by 0.2 (noise 0.05)"),
        (1.0, Judgement.DISCARD, "worse by 0"),
    ],
)
def test_what_looks_better_advances(value, judgement, words):
    found = verdict(value)
    assert found.value is judgement
    assert words in found.reason
    assert found.delta == pytest.approx(1.0 - value)
    assert (found.noise, found.n, found.baseline) == (0.05, 2, A)


def test_a_metric_that_should_rise_is_judged_the_other_way():
    up = Metric("acc", Direction.HIGHER)
    assert verdict(1.2, metric=up).value is Judgement.KEEP
    assert verdict(0.8, metric=up).value is Judgement.DISCARD


def test_unknown_noise_is_called_unknown():
    assert verdict(0.9, sigma=None).reason == "better by 0.1 (noise unknown)"


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK])
def test_whatever_failed_is_a_crash_with_its_reason(status):
    failed = Result(status=status, metric="val_bpb", reason="because")
    found = verdict(failed)
    assert found.value is Judgement.CRASH
    assert found.reason == f"{status}: because"
    assert found.delta is None


def test_a_baseline_that_was_never_measured_here_asks_for_a_retest():
    found = verdict(0.9, values=())
    assert found.value is Judgement.RETEST
    assert "never measured on cpu" in found.reason


@pytest.mark.parametrize(
    ("runs", "values", "judgement"),
    [
        # the standard error against three runs is 0.05·sqrt(1/3 + 1) = 0.058
        ((0.95,), (1.0, 1.0, 1.0), Judgement.RETEST),
        ((0.94,), (1.0, 1.0, 1.0), Judgement.KEEP),
        ((1.0,), (1.0, 1.0, 1.0), Judgement.DISCARD),
        ((0.95, 1.04), (1.0, 1.0, 1.0), Judgement.KEEP),
        ((0.95, 1.06), (1.0, 1.0, 1.0), Judgement.DISCARD),
    ],
)
def test_a_gain_below_its_standard_error_is_measured_once_more(runs, values, judgement):
    assert verdict(*runs, values=values, may_repeat=True).value is judgement


def test_a_claim_has_two_runs_on_each_side_and_an_interval_above_zero():
    def grade(runs, values, sigma=0.05):
        return verdict(*runs, values=values, sigma=sigma).grade

    assert grade((0.5, 0.5), (1.0, 1.0), 0.01) == Grade.CLAIM
    assert grade((0.5,), (1.0, 1.0), 0.01) == Grade.ADVANCE
    assert grade((0.5, 0.5), (1.0,), 0.01) == Grade.ADVANCE
    assert grade((0.97, 0.97), (1.0, 1.0)) == Grade.ADVANCE
    assert grade((1.5, 1.5), (1.0, 1.0)) == ""


def test_an_interval_and_p_are_those_of_a_t_test():
    noise = pooled_noise([[1.1, 0.9, 1.0], [0.5, 0.7, 0.6]])
    found = compare(BPB, [1.1, 0.9, 1.0], [0.5, 0.7, 0.6], noise)
    # by hand: 0.4 over 0.1·sqrt(2/3), t = 4.899 with 4 degrees of freedom
    assert found.gain == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx((0.1733, 0.6267), abs=1e-4)
    assert found.p == pytest.approx(0.00402, abs=1e-5)


def test_runs_that_never_differ_leave_no_doubt():
    noise = Noise(sigma=0.0, runs=4, freedom=2)
    assert compare(BPB, [1.0, 1.0], [0.9, 0.9], noise).p == 0
    assert compare(BPB, [1.0, 1.0], [1.0, 1.0], noise).p == 1
