"""Decisions under noise: whether an experiment is better than its baseline.

The noise is the pooled standard deviation of runs that were repeated on the same
commit, under the same protocol and on the same platform. Three decisions are kept
apart. A branch may *advance* on one run, or on two where the first was unclear. A
*claim* has repeated runs on both sides, and an interval that leaves zero out. A *win*
was measured again with fresh seeds on both sides (`confirm.py`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.records import Grade, Judgement, Status, Verdict
from loopgraph_git.researchfs.intervals import t_quantile, t_tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopgraph_git.records import Metric, Oid, Result

LEVEL = 0.95
"""How often the interval of a claim or a win is meant to hold the true gain."""
RUNS = 2
"""How many runs of its own an unclear experiment gets at the most."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A standard deviation in the metric's units, and what it comes from.

    `runs` is the number of runs, `freedom` their degrees of freedom: runs less
    commits.
    """

    sigma: float
    runs: int
    freedom: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A gain in the metric's units, positive when better, and how sure it is.

    `low` and `high` bound the true gain in 95 % of such comparisons, `p` is the
    chance of a gain this large where there is none.
    """

    gain: float
    low: float
    high: float
    p: float


def measured_noise(results: Iterable[tuple[Oid, Result]]) -> Noise | None:
    """Return the pooled standard deviation of repeated runs, or None without any.

    sqrt(Σ (nᵢ-1) sᵢ² / Σ (nᵢ-1)) over the commits that ran more than once.
    """
    groups: dict[Oid, list[float]] = defaultdict(list)
    for commit, result in results:
        if result.status is Status.OK and result.value is not None:
            groups[commit].append(result.value)
    return pooled_noise(groups.values())


def pooled_noise(groups: Iterable[Sequence[float]]) -> Noise | None:
    """Return the pooled standard deviation within groups, or None without any."""
    repeated = [values for values in groups if len(values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    if not freedom:
        return None
    squares = sum((x - mean(values)) ** 2 for values in repeated for x in values)
    return Noise(
        sigma=math.sqrt(squares / freedom),
        runs=freedom + len(repeated),
        freedom=freedom,
    )


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean of at least one value."""
    return math.fsum(values) / len(values)


def compare(
    metric: Metric, baseline: Sequence[float], values: Sequence[float], noise: Noise
) -> Comparison:
    """Return the gain of some runs over those of a baseline, with its interval.

    A t test of two means under a common deviation, that of `noise`, with the degrees
    of freedom behind it.
    """
    gain = metric.gain(mean(baseline), mean(values))
    error = noise.sigma * math.sqrt(1 / len(baseline) + 1 / len(values))
    half = t_quantile((1 + LEVEL) / 2, noise.freedom) * error
    # where runs never differ, any gain at all is one
    p = t_tail(gain / error, noise.freedom) if error else float(gain <= 0)
    return Comparison(gain=gain, low=gain - half, high=gain + half, p=p)


def decide(
    metric: Metric,
    results: Sequence[Result],
    *,
    baseline: Oid,
    values: Sequence[float],
    noise: Noise | None,
    may_repeat: bool = False,
) -> Verdict:
    """Return the verdict on the runs of one commit against those of its baseline.

    All of them are of one protocol and platform; the last one decides whether it
    runs at all. With `may_repeat` a gain below its own standard error asks for another
    run. In simulated nights this beats keeping whatever looks better (see
    benchmarks/nights.py).
    """
    last = results[-1]
    common = {
        "baseline": str(baseline),
        "noise": noise.sigma if noise else None,
        "n": noise.runs if noise else 0,
    }
    if last.status is not Status.OK or last.value is None:
        reason = f"{last.status}: {last.reason}".removesuffix(": ")
        return Verdict(value=Judgement.CRASH, reason=reason[:300], **common)  # type: ignore[arg-type]
    if not values:
        reason = f"the baseline was never measured on {last.platform}"
        return Verdict(value=Judgement.RETEST, reason=reason, **common)  # type: ignore[arg-type]
    runs = [item.value for item in results if item.value is not None]
    judgement, grade, reason = _weigh(
        metric, values, runs, noise, may_repeat=may_repeat
    )
    gain = metric.gain(mean(values), mean(runs))
    return Verdict(value=judgement, grade=grade, reason=reason, delta=gain, **common)  # type: ignore[arg-type]


def _weigh(
    metric: Metric,
    values: Sequence[float],
    runs: Sequence[float],
    noise: Noise | None,
    *,
    may_repeat: bool,
) -> tuple[Judgement, str, str]:
    gain = metric.gain(mean(values), mean(runs))
    size = f"{abs(gain):.4g}" + (f" over {len(runs)} runs" if len(runs) > 1 else "")
    known = f"noise {noise.sigma:.2g}" if noise else "noise unknown"
    if gain <= 0:
        return Judgement.DISCARD, "", f"worse by {size} ({known})"
    if noise is None:
        return Judgement.KEEP, Grade.ADVANCE, f"better by {size} ({known})"
    error = noise.sigma * math.sqrt(1 / len(values) + 1 / len(runs))
    if gain < error and may_repeat and len(runs) < RUNS:
        reason = f"better by {size}, within the {known}: to be measured again"
        return Judgement.RETEST, "", reason
    found = compare(metric, values, runs, noise)
    if min(len(values), len(runs)) > 1 and found.low > 0:
        return Judgement.KEEP, Grade.CLAIM, f"better by {size}, {interval(found)}"
    return Judgement.KEEP, Grade.ADVANCE, f"better by {size} ({known})"


def interval(found: Comparison) -> str:
    """Return how sure a gain is, in words: its interval and p."""
    return f"95 % interval {found.low:.4g} to {found.high:.4g}, p = {found.p:.2g}"
