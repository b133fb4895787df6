"""Intervals for what was seen a few times: a rate of wins, and a mean of gains."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.9
"""How often an interval is meant to hold the truth."""
WIN_PRIOR = (1.1, 2.9)
"""Beta prior of the rate of wins: 28 % of recorded public experiments were kept."""

_STEPS = 200
_TINY = 1e-30
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


@cache
def win_interval(wins: int, tries: int) -> tuple[float, float]:
    """Return the 90 % interval of a method's rate of wins, from its Beta posterior."""
    a, b = WIN_PRIOR[0] + wins, WIN_PRIOR[1] + tries - wins
    tail = (1 - LEVEL) / 2
    return beta_quantile(tail, a, b), beta_quantile(1 - tail, a, b)


def win_rate(wins: int, tries: int) -> float:
    """Return the mean of the same posterior: shrunk towards what is usual."""
    return (WIN_PRIOR[0] + wins) / (sum(WIN_PRIOR) + tries)


def gain_interval(
    gains: Sequence[float], noise: float | None
) -> tuple[float, float] | None:
    """Return the 90 % interval of a mean gain, in the metric's units.

    `noise` is the standard deviation of one run; a gain is a difference of two. None
    when there is neither a noise nor a second gain to tell the spread from.
    """
    if not gains:
        return None
    mean = math.fsum(gains) / len(gains)
    spread = max(stdev(gains) if len(gains) > 1 else 0.0, (noise or 0.0) * math.sqrt(2))
    if not spread:
        return None
    half = _Z * spread / math.sqrt(len(gains))
    return mean - half, mean + half


def t_tail(t: float, freedom: int) -> float:
    """Return P(T > t) of Student's t distribution.

    Source: half the regularised incomplete beta function I_x(f/2, 1/2) at
    x = f/(f + t²) for f degrees of freedom, DLMF 8.17.
    """
    tail = beta_cdf(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
    return tail if t > 0 else 1 - tail


@cache
def t_quantile(share: float, freedom: int) -> float:
    """Return t where Student's distribution function is `share`, for at least 1/2."""
    x = beta_quantile(2 * (1 - share), freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x) if x else math.inf


def beta_quantile(share: float, a: float, b: float) -> float:
    """Return x where the Beta(a, b) distribution function is `share`, by halving."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    Source: the continued fraction of DLMF 8.17.22, by Lentz's method, on the side of
    the mean where it converges fast.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    log_front = (
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * math.log1p(-x)
    )
    return math.exp(log_front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """Return 1 + d1/(1 + d2/(1 + ...)) with the coefficients of DLMF 8.17.23."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        term = _coefficient(step, x, a, b)
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-12:  # noqa: PLR2004
            break
    return value


def _coefficient(step: int, x: float, a: float, b: float) -> float:
    m = step // 2
    if step % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
