"""Intervals, against values that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.researchfs.intervals import (
    beta_cdf,
    beta_quantile,
    gain_interval,
    t_quantile,
    t_tail,
    win_interval,
    win_rate,
)


@pytest.mark.parametrize(
    ("x", "a", "b", "expected"),
    [
        (0.3, 1, 1, 0.3),  # uniform
        (0.3, 2, 1, 0.09),  # x²
        (0.3, 1, 2, 1 - 0.49),
        (0.5, 7.5, 7.5, 0.5),  # symmetric
        (0.4, 2, 3, 0.5248),  # 1 - Σ binomial(4, 0..1)
        (0.0, 2, 3, 0.0),
        (1.0, 2, 3, 1.0),
    ],
)
def test_the_beta_distribution(x, a, b, expected):
    assert beta_cdf(x, a, b) == pytest.approx(expected, abs=1e-12)


@given(st.floats(0.01, 0.99), st.floats(0.6, 60), st.floats(0.6, 60))
def test_the_quantile_is_the_inverse(share, a, b):
    assert beta_cdf(beta_quantile(share, a, b), a, b) == pytest.approx(share, abs=1e-6)


def test_the_interval_of_wins_narrows_and_holds_the_mean():
    widths = []
    for tries in (0, 4, 20, 100):
        low, high = win_interval(tries // 4, tries)
        assert 0 < low < win_rate(tries // 4, tries) < high < 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert win_rate(0, 0) == pytest.approx(0.275)


def test_gains_without_a_spread_have_no_interval():
    assert gain_interval([], 0.1) is None
    assert gain_interval([0.1], None) is None
    assert gain_interval([0.1, 0.1], None) is None


def test_the_noise_of_a_difference_is_the_least_spread():
    low, high = gain_interval([0.1], 0.01)
    assert (low + high) / 2 == pytest.approx(0.1)
    assert high - low == pytest.approx(2 * 1.6448536 * 0.01 * math.sqrt(2), rel=1e-6)
    wide = gain_interval([0.0, 0.2], 0.01)
    assert wide[1] - wide[0] > high - low


# the tables of Student's distribution
@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062), (2, 4.3027), (5, 2.5706), (30, 2.0423), (200, 1.9719)],
)
def test_quantiles_of_t_are_those_of_the_tables(freedom, expected):
    assert t_quantile(0.975, freedom) == pytest.approx(expected, abs=1e-4)
    assert t_tail(expected, freedom) == pytest.approx(0.025, abs=1e-5)
    assert t_tail(-expected, freedom) == pytest.approx(0.975, abs=1e-5)
