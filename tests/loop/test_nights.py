"""Simulated nights: what the decisions claim, and what they find."""

from __future__ import annotations

from statistics import fmean

import pytest

from benchmarks import nights

SIZE = {"nights": 60, "runs": 100}


@pytest.fixture(scope="module")
def played():
    titles = {"late": "late:", "night": "a night:", "nothing": "nothing that"}
    worlds = {
        name: next(x for title, x in nights.WORLDS.items() if title.startswith(start))
        for name, start in titles.items()
    }
    return {
        (name, keeper.__name__): nights.play(keeper, world, **SIZE)
        for name, world in worlds.items()
        for keeper in (nights.ours, nights.greedy)
    }


def test_where_nothing_works_hardly_a_night_claims_that_something_did(played):
    # 2.5 % of nights by construction: more than 5 of 60 would be one chance in 1,000
    assert played["nothing", "ours"].false_claims <= 5
    assert played["nothing", "greedy"].false_claims > 50


@pytest.mark.parametrize("name", ["late", "night"])
def test_the_true_gain_is_that_of_a_greedy_keeper_or_more(played, name):
    ours, greedy = played[name, "ours"], played[name, "greedy"]
    assert fmean(ours.gains) >= fmean(greedy.gains)
    assert ours.false_claims <= 0.05 * SIZE["nights"]


def test_fewer_of_the_edits_that_are_kept_are_no_better(played):
    ours, greedy = played["late", "ours"], played["late", "greedy"]
    assert ours.false_keeps / ours.keeps < greedy.false_keeps / greedy.keeps


def test_a_night_gives_every_keeper_the_same_edits_and_as_many_runs():
    world = nights.WORLDS["late: effects as large as the noise"]
    first, second = (nights.night(world, 40, 7) for _ in range(2))
    assert first.effects == second.effects
    nights.ours(first)
    nights.greedy(second)
    assert first.runs == second.runs == 0
