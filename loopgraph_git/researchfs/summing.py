"""The arithmetic of a summary: what several runs and verdicts come to.

Nothing here reads or writes a table.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple

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


def summed_once(
    run: Sequence[Any], *judged: Sequence[Any]
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return what `summed` and `score_columns` do of one run and one verdict, or none.

    Rows will do whose members stand as those of `Outcome` and `Verdict` do.
    """
    measured = _measured_once(run)
    _, metric, value, counts, _, _, protocol, platform, *_ = measured
    scores = [(metric, protocol, platform, value, 1)] if counts else []
    return (*measured, *_judged(judged)), scores


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
        return _measured_once(outcomes[0])
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


def _measured_once(run: Sequence[Any]) -> tuple[Any, ...]:
    """Return the same of a single run: there is no more of most experiments."""
    (
        _,
        status,
        metric,
        value,
        _,
        seconds,
        peak,
        protocol,
        platform,
        _,
        excerpt,
        tokens,
    ) = run[:12]
    counts = status == "ok" and value is not None
    return (
        status,
        metric,
        value if counts else None,
        int(counts),
        seconds,
        peak or None,
        protocol,
        platform,
        excerpt,
        min(tokens, 2**62),
    )


def _way(outcome: Outcome) -> tuple[str, str, str]:
    """Return how a run was measured; means are taken within one way."""
    return outcome.metric, outcome.protocol, outcome.platform


def _judged(verdicts: Sequence[Sequence[Any]]) -> tuple[str | float | None, ...]:
    """Return verdict, reason, baseline, delta and noise: the last one counts."""
    if not verdicts:
        return (None, "", "", None, None)
    return tuple(verdicts[-1][1:6])


def scores_of(outcomes: Iterable[Outcome]) -> list[Score]:
    """Return one score per way of measuring, the most recently used one last."""
    ways: dict[tuple[str, str, str], list[float]] = {}
    for outcome in outcomes:
        if outcome.status == "ok" and outcome.value is not None:
            way = _way(outcome)
            ways[way] = [*ways.pop(way, ()), outcome.value]
    return [
        Score(way, fsum(values) / len(values), len(values))
        for way, values in ways.items()
    ]


def score_columns(scores: Iterable[Score]) -> list[tuple[str | float, ...]]:
    """Return metric, protocol, platform, value and runs of each, by way."""
    return sorted((*score.way, score.value, score.runs) for score in scores)
