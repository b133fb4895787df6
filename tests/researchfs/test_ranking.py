"""The ranking: what must raise a method, what must lower it, what must not matter."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgraph_git.records import (
    Context,
    Fit,
    Judgement,
    Kind,
    Knob,
    Oid,
    Prior,
    Record,
    Retrieval,
    Status,
    body_of,
)
from loopgraph_git.researchfs.ranking import (
    fatigue,
    likeness,
    pack_of,
    rank,
    suggestion,
    unacted_left,
    why,
)
from loopgraph_git.researchfs.trials import Asked, Question, Trial
from tests.researchfs.making import method

FAMILIES = ("activation", "attention", "schedule")
METHODS = [method(f"m{n}", FAMILIES[n % 3]) for n in range(9)]
NAMES = [item.id for item in METHODS]
FEW = settings(max_examples=30, deadline=None)
HERE = Question(session="now", states=frozenset({"here"}))


@st.composite
def trials(draw, min_size=0):
    made = []
    for number in range(draw(st.integers(min_size, 14))):
        gain = draw(st.none() | st.floats(-0.02, 0.02).filter(lambda g: abs(g) > 1e-6))
        won = gain is not None and gain > 0
        made.append(
            Trial(
                experiment=f"e{number}",
                methods=tuple(
                    draw(
                        st.lists(
                            st.sampled_from(NAMES), min_size=1, max_size=3, unique=True
                        )
                    )
                ),
                gain=gain,
                status=Status.CRASH if gain is None else Status.OK,
                verdict=Judgement.KEEP if won else Judgement.DISCARD,
                session=draw(st.sampled_from(["past", "before", "now"])),
                ts=draw(st.integers(0, 50)),
                state=draw(st.sampled_from(["here", "there"])),
                outcomes=(f"r{number}",),
            )
        )
    return made


def scores(given_trials, question=HERE, methods=METHODS):
    return {
        name: item.score
        for name, item in rank(methods, given_trials, question)[1].items()
    }


@FEW
@given(trials())
def test_scores_are_finite_and_in_order(given_trials):
    ranked, standings = rank(METHODS, given_trials, HERE)
    assert {item.method for item in ranked} == set(NAMES)
    found = [item.score for item in ranked]
    assert found == sorted(found, reverse=True)
    for item in standings.values():
        assert 0 <= item.score < math.inf
        assert item.sigma > 0
        assert 0 <= item.wins <= item.n
        assert item.win_interval[0] < item.win_rate < item.win_interval[1]


@FEW
@given(trials(), st.randoms())
def test_the_order_of_what_is_given_does_not_matter(given_trials, random):
    methods, shuffled = list(METHODS), list(given_trials)
    random.shuffle(methods)
    random.shuffle(shuffled)
    assert rank(methods, shuffled, HERE) == rank(METHODS, given_trials, HERE)


@FEW
@given(trials(min_size=1), st.data())
def test_a_win_in_place_of_a_loss_never_lowers_a_method(given_trials, data):
    place = data.draw(st.integers(0, len(given_trials) - 1))
    item = given_trials[place]
    size = abs(item.gain or 0.001)
    lost = replace(item, gain=-size, status=Status.OK, verdict=Judgement.DISCARD)
    won = replace(item, gain=size, status=Status.OK, verdict=Judgement.KEEP)
    before = rank(
        METHODS, [*given_trials[:place], lost, *given_trials[place + 1 :]], HERE
    )[1]
    after = rank(
        METHODS, [*given_trials[:place], won, *given_trials[place + 1 :]], HERE
    )[1]
    for name in item.methods:
        assert after[name].score >= before[name].score
        assert after[name].mu > before[name].mu
        assert after[name].win_rate > before[name].win_rate


@FEW
@given(trials(min_size=1), st.data())
def test_a_crash_never_raises_a_method(given_trials, data):
    session = data.draw(st.sampled_from([item.session for item in given_trials]))
    name = data.draw(st.sampled_from(NAMES))
    crash = Trial(
        experiment="crash",
        methods=(name,),
        status=data.draw(st.sampled_from([Status.CRASH, Status.OOM, Status.NAN])),
        session=session,
        ts=99,
        state=data.draw(st.sampled_from(["here", "there"])),
    )
    assert scores([*given_trials, crash])[name] < scores(given_trials)[name]


@FEW
@given(trials(), st.sampled_from([100.0, 0.01, 3.0]))
def test_the_unit_of_the_metric_does_not_matter(given_trials, factor):
    scaled = [
        replace(item, gain=None if item.gain is None else item.gain * factor)
        for item in given_trials
    ]
    before, after = scores(given_trials), scores(scaled)
    for name in NAMES:
        assert after[name] == pytest.approx(before[name], rel=1e-9)


@FEW
@given(trials(min_size=1), st.data())
def test_the_unit_of_one_project_among_others_does_not_matter(given_trials, data):
    session = data.draw(st.sampled_from([item.session for item in given_trials]))
    scaled = [
        replace(item, gain=item.gain * 100)
        if item.session == session and item.gain is not None
        else item
        for item in given_trials
    ]
    before, after = scores(given_trials), scores(scaled)
    for name in NAMES:
        assert after[name] == pytest.approx(before[name], rel=1e-9)


@FEW
@given(trials(min_size=1), st.data())
def test_what_was_recognised_moves_a_belief_less_than_what_was_said(given_trials, data):
    item = data.draw(st.sampled_from(given_trials))
    gain = data.draw(st.sampled_from([-1.0, 1.0]))
    new = Trial(experiment="new", methods=item.methods[:1], gain=gain, session="now")
    name = item.methods[0]

    def moved(trial):
        beliefs = rank(METHODS, [*given_trials, trial], HERE)[1]
        return abs(beliefs[name].mu - rank(METHODS, given_trials, HERE)[1][name].mu)

    # the scale of the session is the same for both
    assert moved(replace(new, recognised=True)) != moved(new)
    said, guessed = (
        rank(METHODS, [*given_trials, replace(new, recognised=flag)], HERE)[1][name]
        for flag in (False, True)
    )
    assert guessed.sigma >= said.sigma
    assert (said.recognised, guessed.recognised) == (0, 1)


def test_another_platform_tells_less():
    here = replace(HERE, platform="cuda · NVIDIA H100 · Linux · torch 2.9")
    won = Trial(
        experiment="e",
        methods=("m0",),
        gain=0.01,
        verdict=Judgement.KEEP,
        session="now",
    )
    same, other, unknown = (
        rank(METHODS, [replace(won, platform=platform)], here)[1]["m0"]
        for platform in (
            "cuda · NVIDIA H100 · Linux · torch 2.4", "cpu · x86_64 · Linux", "",
        )
    )  # fmt: skip
    assert same.mu > other.mu
    assert same.mu == unknown.mu
    assert (same.elsewhere, other.elsewhere, unknown.elsewhere) == (0, 1, 0)


def test_a_prior_of_another_kind_of_accelerator_tells_less():
    prior = Prior(gain=0.01, n=2, platform="cuda H100")
    methods = [method("m0", priors=(prior,))]
    mu = {
        platform: rank(methods, [], Question(platform=platform))[1]["m0"].mu
        for platform in ("", "cuda · NVIDIA A100", "cpu · arm64")
    }
    assert mu[""] == mu["cuda · NVIDIA A100"] > mu["cpu · arm64"]


@FEW
@given(trials(), st.sampled_from([Status.REJECTED, "seed"]), st.sampled_from(NAMES))
def test_rejected_edits_and_lucky_seeds_change_nothing(given_trials, how, name):
    free = Trial(
        experiment="free",
        methods=(name,),
        gain=0.5,
        status=Status.REJECTED if how is Status.REJECTED else Status.OK,
        verdict=Judgement.KEEP,
        session="now",
        ts=99,
        state="here",
        seed_only=how == "seed",
    )
    assert rank(METHODS, [*given_trials, free], HERE) == rank(
        METHODS, given_trials, HERE
    )


@FEW
@given(trials(), st.sampled_from([Fit.PRESENT, Fit.CONFLICT]))
def test_what_is_there_or_in_conflict_is_worth_nothing(given_trials, fit):
    asked = replace(HERE, contexts={"m0": Context(fit, "in words")})
    ranked, standings = rank(METHODS, given_trials, asked)
    assert standings["m0"].score == 0.0
    assert "in words" in why(standings["m0"])
    chosen = pack_of(9, ranked, methods=METHODS, standings=standings)
    assert "m0" not in {item.method for item in chosen}


def test_a_missing_requirement_costs_most_of_the_score():
    asked = replace(HERE, contexts={"m0": Context(Fit.MISSING, "needs rope")})
    assert scores([], asked)["m0"] == pytest.approx(0.3 * scores([])["m0"])


def tried(n, **given_fields):
    return [
        Trial(
            experiment=f"e{number}",
            methods=("m0",),
            gain=0.001,
            status=Status.OK,
            verdict=Judgement.KEEP,
            session=given_fields.get("session", "now"),
            ts=number,
            state=given_fields.get("state", "here"),
            outcomes=(f"r{number}",),
        )
        for number in range(n)
    ]


def test_a_method_tires_with_tries_on_this_code_and_recovers():
    tired = rank(METHODS, tried(2), HERE)[1]["m0"]
    assert tired.fatigue == pytest.approx(math.exp(-3.0))
    elsewhere = rank(METHODS, tried(2), replace(HERE, states=frozenset({"new"})))[1][
        "m0"
    ]
    assert elsewhere.fatigue == 1.0
    assert rank(METHODS, tried(2, session="past"), HERE)[1]["m0"].fatigue == 1.0


def test_without_a_session_tries_of_any_session_tire_a_method():
    anywhere = Question(states=frozenset({"here"}))
    assert rank(METHODS, tried(2, session="past"), anywhere)[1]["m0"].fatigue < 0.1
    assert rank(METHODS, tried(2, state="there"), anywhere)[1]["m0"].fatigue == 1.0


def test_suggestions_in_vain_tire_a_method_and_are_forgotten():
    ages = [0, 20, 40, 400]
    found = [
        rank(METHODS, [], replace(HERE, asked=[Asked("m0", age)]))[1]["m0"].fatigue
        for age in ages
    ]
    assert found == sorted(found)
    assert found[0] == 0.5
    assert found[1] == pytest.approx(1 / 1.5)
    assert found[3] > 0.999
    assert fatigue(0, 0.0) == 1.0
    assert fatigue(50, unacted_left([0] * 50)) > 0


@FEW
@given(st.lists(st.integers(0, 300), max_size=8), st.integers(0, 6), st.integers(1, 99))
def test_fatigue_recovers_as_questions_and_code_move_on(ages, tries, later):
    tired = fatigue(tries, unacted_left(ages))
    assert 0 < tired <= 1
    assert fatigue(tries, unacted_left([age + later for age in ages])) >= tired
    assert fatigue(0, unacted_left(ages)) >= tired
    assert fatigue(tries + 1, unacted_left(ages)) < tired
    assert fatigue(0, unacted_left([age + 2000 for age in ages])) == pytest.approx(1)


def test_relevance_is_a_percentile_between_a_half_and_one():
    asked = replace(HERE, relevance=["m3", "m1"])
    standings = rank(METHODS, [], asked)[1]
    assert standings["m3"].relevance == 1.0
    assert standings["m1"].relevance == pytest.approx(0.5 + 0.5 * 8 / 9)
    assert standings["m0"].relevance == 0.5
    assert rank(METHODS, [], HERE)[1]["m0"].relevance == 1.0


def test_the_score_is_the_product_of_its_factors():
    trials_here = [*tried(1), Trial(experiment="c", methods=("m0",), status=Status.OOM)]
    asked = replace(HERE, asked=[Asked("m0", 3)], relevance=["m1", "m0"])
    ranked, standings = rank(METHODS, trials_here, asked)
    item = standings["m0"]
    assert item.score == pytest.approx(
        item.expected
        * (1 - item.p_crash)
        * item.context
        * item.fatigue
        * item.relevance
    )
    assert item.p_crash == pytest.approx(1.2 / 6)
    (said,) = [found for found in ranked if found.method == "m0"]
    assert set(said.factors) == {
        "mu", "sigma", "expected", "p_crash", "context", "fatigue", "relevance",
    }  # fmt: skip
    assert said.outcomes == ("r0",)


def test_a_standing_says_what_was_seen():
    trials_here = [
        *tried(2),
        Trial(
            experiment="x",
            methods=("m0", "m1"),
            gain=-0.004,
            status=Status.OK,
            verdict=Judgement.DISCARD,
            ts=9,
            noise=0.001,
            outcomes=("r9",),
        ),
        Trial(experiment="y", methods=("m0",), status=Status.TIMEOUT, ts=8),
    ]
    item = rank(METHODS, trials_here, HERE)[1]["m0"]
    assert (item.n, item.wins, item.crashes, item.last_ts) == (4, 2, 1, 9)
    assert item.mean_gain == pytest.approx(0.0)
    assert item.gain_interval[0] < 0 < item.gain_interval[1]
    assert item.outcomes == ("r9", "r1", "r0")
    assert why(item) == (
        "tried 4x, kept 2, failed to run 1x, mean gain +0,"
        " resting: tried or suggested lately"
    )
    assert why(rank(METHODS, [], HERE)[1]["m1"]) == "never tried"


def test_a_baseline_without_methods_teaches_nothing():
    base = Trial(experiment="b", methods=(), gain=1.0, status=Status.OK)
    assert rank(METHODS, [base], HERE) == rank(METHODS, [], HERE)


@FEW
@given(trials(), st.integers(0, 12))
def test_a_pack_has_k_different_methods(given_trials, k):
    ranked, standings = rank(METHODS, given_trials, HERE)
    chosen = pack_of(k, ranked, methods=METHODS, standings=standings)
    assert len(chosen) == min(k, len(METHODS))
    assert len({item.method for item in chosen}) == len(chosen)
    explorers = [item for item in chosen if item.slot == "explore"]
    assert len(explorers) <= 1
    assert all(standings[item.method].n == 0 for item in explorers)


def test_a_pack_is_spread_over_families():
    ranked, standings = rank(METHODS, [], HERE)
    chosen = pack_of(4, ranked, methods=METHODS, standings=standings)
    families = {item.id: item.family for item in METHODS}
    assert {families[item.method] for item in chosen[:3]} == set(FAMILIES)
    assert chosen[-1].slot == "explore"


def test_a_pack_of_methods_that_were_all_tried_has_no_explorer():
    seen = [replace(item, methods=tuple(NAMES)) for item in tried(1)]
    ranked, standings = rank(METHODS, seen, HERE)
    chosen = pack_of(3, ranked, methods=METHODS, standings=standings)
    assert [item.slot for item in chosen] == ["exploit"] * 3


def test_an_empty_library_has_an_empty_pack():
    ranked, standings = rank([], [], HERE)
    assert pack_of(5, ranked, methods=[], standings=standings) == []


def test_likeness():
    one, other = method("a", "x", knobs=(Knob(name="lr"),)), method("b", "y")
    assert likeness(one, replace(other, family="x")) == 1.0
    assert likeness(one, replace(other, knobs=(Knob(name="lr"),))) == 0.5
    assert 0 < likeness(one, other) < 0.5
    empty = replace(other, title="", summary="")
    assert likeness(one, empty) == 0.0


def test_a_retrieval_of_a_pack_fits_one_record():
    ranked, standings = rank(METHODS, tried(50), HERE)
    chosen = tuple(pack_of(6, ranked, methods=METHODS, standings=standings))
    again = tuple(suggestion(standings[item.method]) for item in chosen)
    assert {item.method for item in again} == {item.method for item in chosen}
    record = Record(
        kind=Kind.RETRIEVAL,
        commit=Oid("a" * 40),
        tree=Oid("b" * 40),
        writer="w",
        seq=1,
        ts=1,
        body=body_of(Retrieval(goal="g" * 160, query="q" * 160, suggestions=chosen)),
    )
    assert len(record.encode()) < 4096
