"""Whether a value is believed: no impossible ones, and no jumps that nobody looked at.

A value in quarantine is in the record and counts for nothing: not as a winner, not in
`best`, not for or against a method. A person who has read the diff lets it count with
`git lg run COMMIT --believe`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loopgraph_git.loop import judge
from loopgraph_git.records import Direction, Metric, Result, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.lab import Lab

_SIGMAS = 6.0


def quarantined(result: Result, why: str) -> Result:
    """Return the result with its value kept apart; `metrics` still has it."""
    kept = {**result.metrics}
    if result.value is not None:
        kept[result.metric] = result.value
    reason = f"quarantined: {why}"[:300]
    return replace(
        result, status=Status.QUARANTINED, value=None, metrics=kept, reason=reason
    )


def doubted(lab: Lab, result: Result) -> Result:
    """Return the result, in quarantine if it is too good after all that is known."""
    if result.status is not Status.OK or result.value is None:
        return result
    found = lab.results(protocol=result.protocol, platform=result.platform)
    known = [
        item.value
        for _, item in found
        if item.status is Status.OK and item.value is not None
    ]
    noise = judge.measured_noise(found)
    sigma = noise.sigma if noise else 0.0
    why = jump(lab.config.metric, result.value, known, sigma, lab.config.quarantine)
    return quarantined(result, why) if why else result


def jump(
    metric: Metric, value: float, known: Sequence[float], sigma: float, part: float
) -> str:
    """Return why a value is too good to be believed at once, or "".

    It is where it beats the best known one by more than `part` of it and by more than
    six standard deviations.
    """
    if not known:
        return ""
    best = min(known) if metric.direction is Direction.LOWER else max(known)
    gain = metric.gain(best, value)
    if gain <= max(part * abs(best), _SIGMAS * sigma):
        return ""
    return f"{value:.6g} after a best of {best:.6g} is a jump of {gain:.4g}"
