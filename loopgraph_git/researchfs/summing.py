"""The arithmetic of a summary: what several runs and verdicts come to.

Nothing here reads or writes a table.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Outcome(NamedTuple):
    """One run of an experiment: its row, and when it was recorded, in milliseconds."""

    experiment: int
    status: str
    metric: str
    value: float | None
    seed: int | None
    seconds: float
    peak_memory_mb: float | None
    protocol: str
    platform: str
    evaluation: str
    excerpt: str
    tokens: int
    ts: int


class Verdict(NamedTuple):
    """One decision about an experiment: its row, and when it was recorded."""

    experiment: int
    value: str
    reason: str
    baseline: str
    delta: float | None
    noise: float | None
    n: int
    ts: int


class Score(NamedTuple):
    """The mean of the runs that were measured one way."""

    way: tuple[str, str, str]
    value: float
    runs: int


COLUMNS = (
    "status", "metric", "value", "runs", "seconds", "peak_memory_mb", "protocol",
    "platform", "excerpt", "tokens", "verdict", "reason", "baseline", "delta", "noise",
)  # fmt: skip
"""What `summed` returns, as the table of experiments calls it."""


def summed(
    outcomes: Sequence[Outcome], verdicts: Sequence[Verdict], scores: Sequence[Score]
) -> tuple[str | float | None, ...]:
    """Return the summary of an experiment; outcomes and verdicts are oldest first."""
    return (*_measured(outcomes, scores), *_judged(verdicts))


def first_second(outcomes: Sequence[Outcome], verdicts: Sequence[Verdict]) -> int:
    """Return when anything was first said, 0 where nothing was."""
    times = [item.ts for item in outcomes] + [item.ts for item in verdicts]
    return min(times, default=0) // 1000


def _measured(
    outcomes: Sequence[Outcome], scores: Sequence[Score]
) -> tuple[str | float | None, ...]:
    """Return status, metric, value, runs, cost, way and excerpt of the runs."""
    if not outcomes:
        return (None, "", None, 0, 0.0, None, "", "", "", 0)
    if len(outcomes) == 1:
        return _measured_once(outcomes[0], scores)
    well = [item for item in outcomes if item.status == "ok"]
    shown = (well or outcomes)[-1]
    way, value, runs = scores[-1] if scores else (_way(shown), None, 0)
    return (
        shown.status,
        way[0],
        value,
        runs,
        sum([item.seconds for item in outcomes]),
        max([item.peak_memory_mb or 0.0 for item in outcomes]) or None,
        *way[1:],
        shown.excerpt,
        min(sum([item.tokens for item in outcomes]), 2**62),
    )


def _measured_once(
    run: Outcome, scores: Sequence[Score]
) -> tuple[str | float | None, ...]:
    """Return the same of a single run: there is no more of most experiments."""
    return (
        run.status,
        run.metric,
        scores[0].value if scores else None,
        len(scores),
        run.seconds,
        run.peak_memory_mb or None,
        run.protocol,
        run.platform,
        run.excerpt,
        min(run.tokens, 2**62),
    )


def _way(outcome: Outcome) -> tuple[str, str, str]:
    """Return how a run was measured; means are taken within one way."""
    return outcome.metric, outcome.protocol, outcome.platform


def _judged(verdicts: Sequence[Verdict]) -> tuple[str | float | None, ...]:
    """Return verdict, reason, baseline, delta and noise: the last one counts."""
    if not verdicts:
        return (None, "", "", None, None)
    last = verdicts[-1]
    return (last.value, last.reason, last.baseline, last.delta, last.noise)


def scores_of(outcomes: Iterable[Outcome]) -> list[Score]:
    """Return one score per way of measuring, the most recently used one last."""
    ways: dict[tuple[str, str, str], list[float]] = {}
    for outcome in outcomes:
        if outcome.status == "ok" and outcome.value is not None:
            way = _way(outcome)
            ways[way] = [*ways.pop(way, ()), outcome.value]
    return [
        Score(way, values[0] if len(values) == 1 else fmean(values), len(values))
        for way, values in ways.items()
    ]


def score_columns(scores: Iterable[Score]) -> list[tuple[str | float, ...]]:
    """Return metric, protocol, platform, value and runs of each, by way."""
    return sorted((*score.way, score.value, score.runs) for score in scores)
