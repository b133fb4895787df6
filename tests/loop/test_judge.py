"""Noise and verdicts."""

from __future__ import annotations

import pytest

from loopgraph_git.loop.judge import Noise, decide, measured_noise
from loopgraph_git.records import Direction, Judgement, Metric, Oid, Result, Status

A, B = Oid("a" * 40), Oid("b" * 40)
BPB = Metric("val_bpb", Direction.LOWER)


def ok(value: float) -> Result:
    return Result(status=Status.OK, metric="val_bpb", value=value, platform="cpu")


def verdict(value, *, values=(1.0,), sigma=0.05, metric=BPB):
    result = ok(value) if isinstance(value, float) else value
    noise = Noise(sigma=sigma, runs=2) if sigma is not None else None
    return decide(metric, result, baseline=A, values=values, noise=noise)


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
        (0.97, Judgement.DISCARD, "better by 0.03, within the noise of 0.05"),
        (1.2, Judgement.DISCARD, "worse by 0.2 (noise 0.05)"),
        (1.0, Judgement.DISCARD, "worse by 0"),
    ],
)
def test_a_gain_has_to_be_larger_than_the_noise(value, judgement, words):
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
