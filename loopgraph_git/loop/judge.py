"""Decisions under noise: whether an experiment is better than its baseline.

The noise is the pooled standard deviation of runs that were repeated on the same
commit, under the same protocol and on the same platform. A branch may advance on
one run, if the gain is larger than the noise; that is no claim yet.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.records import Judgement, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopgraph_git.records import Metric, Oid, Result


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A standard deviation in the metric's units, and the runs it comes from."""

    sigma: float
    runs: int


def measured_noise(results: Iterable[tuple[Oid, Result]]) -> Noise | None:
    """Return the pooled standard deviation of repeated runs, or None without any.

    sqrt(Σ (nᵢ-1) sᵢ² / Σ (nᵢ-1)) over the commits that ran more than once.
    """
    groups: dict[Oid, list[float]] = defaultdict(list)
    for commit, result in results:
        if result.status is Status.OK and result.value is not None:
            groups[commit].append(result.value)
    repeated = [values for values in groups.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    if not freedom:
        return None
    squares = sum((x - mean(values)) ** 2 for values in repeated for x in values)
    return Noise(sigma=math.sqrt(squares / freedom), runs=freedom + len(repeated))


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean of at least one value."""
    return math.fsum(values) / len(values)


def decide(
    metric: Metric,
    result: Result,
    *,
    baseline: Oid,
    values: Sequence[float],
    noise: Noise | None,
) -> Verdict:
    """Return the verdict on a result against the runs of its baseline."""
    sigma = noise.sigma if noise else None
    common = {
        "baseline": str(baseline),
        "noise": sigma,
        "n": noise.runs if noise else 0,
    }
    if result.status is not Status.OK or result.value is None:
        reason = f"{result.status}: {result.reason}".removesuffix(": ")
        return Verdict(value=Judgement.CRASH, reason=reason[:300], **common)  # type: ignore[arg-type]
    if not values:
        reason = f"the baseline was never measured on {result.platform}"
        return Verdict(value=Judgement.RETEST, reason=reason, **common)  # type: ignore[arg-type]
    gain = metric.gain(mean(values), result.value)
    judgement, reason = _weigh(gain, sigma)
    return Verdict(value=judgement, reason=reason, delta=gain, **common)  # type: ignore[arg-type]


def _weigh(gain: float, sigma: float | None) -> tuple[Judgement, str]:
    size = f"{abs(gain):.4g}"
    known = "unknown" if sigma is None else f"{sigma:.2g}"
    if gain > (sigma or 0.0):
        return Judgement.KEEP, f"better by {size} (noise {known})"
    if gain > 0:
        return Judgement.DISCARD, f"better by {size}, within the noise of {known}"
    return Judgement.DISCARD, f"worse by {size} (noise {known})"
