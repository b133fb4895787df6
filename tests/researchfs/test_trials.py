"""What counts as a trial, a failure and a win."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Context, Fit, Judgement, Status
from loopgraph_git.researchfs.ranking import rank
from loopgraph_git.researchfs.trials import Question, Trial
from tests.researchfs.making import method


def trial(**given):
    return Trial(experiment="e", **{"methods": ("a",), **given})


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, True),
        ({"methods": ()}, False),
        ({"seed_only": True}, False),
        ({"status": Status.REJECTED}, False),
        ({"status": Status.CRASH}, True),
        ({"status": Status.OK, "verdict": Judgement.RETEST}, True),
    ],
)
def test_what_counts(given, counts):
    assert trial(**given).counts is counts


@pytest.mark.parametrize("status", list(Status))
def test_what_failed_to_run(status):
    failed = status in {Status.CRASH, Status.OOM, Status.NAN, Status.TIMEOUT}
    assert trial(status=status).crashed is failed


def test_a_verdict_may_say_crash_where_no_run_was_recorded():
    assert trial(verdict=Judgement.CRASH).crashed


@pytest.mark.parametrize("verdict", [None, *Judgement])
def test_only_what_was_kept_won(verdict):
    assert trial(verdict=verdict).won is (verdict is Judgement.KEEP)
    assert not trial(verdict=verdict, status=Status.OOM).won


def test_factors_are_short_and_named():
    standing = rank([method("a")], [], Question())[1]["a"]
    assert list(standing.factors) == [
        "mu",
        "sigma",
        "expected",
        "p_crash",
        "context",
        "fatigue",
        "relevance",
    ]
    assert all(len(f"{value}") <= 9 for value in standing.factors.values())
    assert standing.fit == Context(Fit.FITS)
    assert (standing.last_ts, standing.mean_gain, standing.outcomes) == (None, None, ())
