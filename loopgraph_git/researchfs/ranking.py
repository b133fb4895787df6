"""Which method to try next, as arithmetic that can be explained.

    score = EI(mu, sigma) · (1 - p_crash) · context · fatigue · relevance

An experiment that loses is reverted, so trying a method is worth max(0, gain): its
expected value under a Normal belief is EI = mu·Φ(mu/sigma) + sigma·φ(mu/sigma)
(Jones, Schonlau and Welch 1998, with the branch itself as the incumbent). The same
trials give the same answer, in whatever order they are given.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from loopgraph_git.records import Context, Fit, Suggestion
from loopgraph_git.researchfs.beliefs import beliefs_in
from loopgraph_git.researchfs.intervals import gain_interval, win_interval, win_rate
from loopgraph_git.researchfs.trials import Standing, is_elsewhere
from loopgraph_git.researchfs.words import tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.records import Method
    from loopgraph_git.researchfs.beliefs import Belief
    from loopgraph_git.researchfs.trials import Question, Trial

HALF_LIFE_QUERIES = 20.0
TRIED_DECAY = 1.5
CONTEXT_WEIGHT = {Fit.FITS: 1.0, Fit.MISSING: 0.3, Fit.CONFLICT: 0.0, Fit.PRESENT: 0.0}
OUTCOMES_SHOWN = 6
"""How many outcome ids a suggestion names: its record must fit one line."""
SPREAD = 0.7
"""λ of the greedy MMR: the weight of the score against likeness."""
SAME_KNOB = 0.5


def rank(
    methods: Sequence[Method], trials: Sequence[Trial], question: Question
) -> tuple[list[Suggestion], dict[str, Standing]]:
    """Rank methods for a question; returns suggestions, best first, and standings.

    Every method has a place, one that the code already has at the end with a score
    of zero. Ties are broken by id.
    """
    ordered = sorted(
        {method.id: method for method in methods}.values(), key=lambda method: method.id
    )
    counted = sorted(
        (trial for trial in trials if trial.counts),
        key=lambda trial: (trial.ts, trial.experiment),
    )
    beliefs = beliefs_in(ordered, counted, question)
    own: dict[str, list[Trial]] = defaultdict(list)
    for trial in counted:
        for name in set(trial.methods):
            own[name].append(trial)
    weights = _relevance(ordered, question.relevance)
    standings = {
        method.id: _standing(
            method.id, own[method.id], beliefs[method.id], (question, weights)
        )
        for method in ordered
    }
    best = sorted(standings.values(), key=lambda item: (-item.score, item.method))
    return [suggestion(item) for item in best], standings


def _relevance(methods: Sequence[Method], ranked: Sequence[str]) -> dict[str, float]:
    """Return 0.5 to 1 by the rank percentile; all 1 when nothing was asked."""
    if not ranked:
        return {method.id: 1.0 for method in methods}
    place = {name: rank for rank, name in reversed(list(enumerate(ranked)))}
    count = max(len(methods), len(ranked))
    return {
        method.id: 0.5 + 0.5 * (1 - place.get(method.id, count) / count)
        for method in methods
    }


def unacted_left(ages: Sequence[int]) -> float:
    """Return what suggestions in vain count together, by the questions asked since.

    Each counts half as much every 20 questions.
    """
    return math.fsum(0.5 ** (age / HALF_LIFE_QUERIES) for age in ages)


def fatigue(tries: int, unacted: float) -> float:
    """Return the weight of a method after tries here and suggestions in vain.

    exp(-1.5·tries) / (1 + unacted). It never reaches zero, and recovers as the code
    and the questions move on.
    """
    return math.exp(-TRIED_DECAY * tries) / (1 + unacted)


def _standing(
    name: str,
    trials: Sequence[Trial],
    belief: Belief,
    asked: tuple[Question, Mapping[str, float]],
) -> Standing:
    question, weights = asked
    here = [
        trial
        for trial in trials
        if question.session in ("", trial.session) and trial.state in question.states
    ]
    unacted = unacted_left([x.age for x in question.asked if x.method == name])
    fit = question.contexts.get(name, Context())
    crashes = sum(trial.crashed for trial in trials)
    p_crash = (crashes + 0.2) / (len(trials) + 4)
    tired = fatigue(len(here), unacted)
    context = CONTEXT_WEIGHT[fit.fit]
    relevance = weights[name]
    return Standing(
        method=name,
        **_record(trials, question),
        crashes=crashes,
        mu=belief.mean,
        sigma=math.sqrt(belief.variance),
        expected=belief.expected,
        p_crash=p_crash,
        context=context,
        fatigue=tired,
        relevance=relevance,
        score=belief.expected * (1 - p_crash) * context * tired * relevance,
        fit=fit,
        outcomes=tuple(item for trial in trials[::-1] for item in trial.outcomes),
        recognised=sum(trial.recognised for trial in trials),
        elsewhere=sum(is_elsewhere(x.platform, question.platform) for x in trials),
        tried_here=len(here),
        unacted=unacted,
    )


def _record(trials: Sequence[Trial], question: Question) -> dict[str, Any]:
    """Count what was seen; a gain is shared equally among the methods of its diff."""
    wins = sum(trial.won for trial in trials)
    gains = [
        trial.gain / len(set(trial.methods))
        for trial in trials
        if trial.gain is not None
    ]
    noises = [trial.noise for trial in trials if trial.noise]
    return {
        "n": len(trials),
        "wins": wins,
        "win_rate": win_rate(wins, len(trials)),
        "win_interval": win_interval(wins, len(trials)),
        "mean_gain": math.fsum(gains) / len(gains) if gains else None,
        "gain_interval": gain_interval(gains, question.noise or max(noises, default=0)),
        "last_ts": max((trial.ts for trial in trials), default=None),
    }


def suggestion(standing: Standing, slot: str = "exploit") -> Suggestion:
    """Return a standing as a suggestion, with its factors and why in words."""
    return Suggestion(
        method=standing.method,
        score=float(f"{standing.score:.6g}"),
        factors=standing.factors,
        slot=slot,
        why=why(standing),
        outcomes=standing.outcomes[:OUTCOMES_SHOWN],
    )


def why(standing: Standing) -> str:
    """Say in one line what a score rests on."""
    said = ["never tried"]
    if standing.n:
        said = [f"tried {standing.n}x, kept {standing.wins}"]
    if standing.crashes:
        said.append(f"failed to run {standing.crashes}x")
    if standing.mean_gain is not None:
        said.append(f"mean gain {standing.mean_gain:+.3g}")
    if standing.fit.fit is not Fit.FITS:
        said.append(standing.fit.words or str(standing.fit.fit))
    if standing.fatigue < SAME_KNOB:
        said.append("resting: tried or suggested lately")
    return ", ".join(said)


def pack_of(
    k: int,
    ranked: Sequence[Suggestion],
    *,
    methods: Sequence[Method],
    standings: Mapping[str, Standing],
) -> list[Suggestion]:
    """Choose k suggestions that differ, with one place for the most uncertain.

    Greedy maximal marginal relevance (Carbonell and Goldstein 1998) with λ = 0.7;
    two methods are alike by family (1), by a shared knob (0.5), else by their words.
    With k of two or more, the last place goes to the never-tried method with the
    widest sigma. A method with a score of zero is never chosen.
    """
    known = {method.id: method for method in methods}
    usable = [item for item in ranked if item.score > 0 and item.method in known]
    fresh = [item.method for item in usable if not standings[item.method].n]
    chosen = _spread(usable, known, k - 1 if k > 1 and fresh else k)
    taken = {item.method for item in chosen}
    left = [standings[name] for name in fresh if name not in taken]
    if left and len(chosen) < k:
        widest = min(left, key=lambda item: (-item.sigma, -item.score, item.method))
        chosen.append(suggestion(widest, slot="explore"))
    elif len(chosen) < k:
        chosen = _spread(usable, known, k)
    return chosen


def _spread(
    usable: Sequence[Suggestion], known: Mapping[str, Method], k: int
) -> list[Suggestion]:
    left, chosen = list(usable), list[Suggestion]()
    best = max((item.score for item in usable), default=1.0)
    # how alike each is to what was chosen: only the last choice can add to that
    alike = dict.fromkeys((item.method for item in usable), 0.0)
    while left and len(chosen) < k:
        worth = [
            SPREAD * item.score / best - (1 - SPREAD) * alike[item.method]
            for item in left
        ]
        last = left.pop(worth.index(max(worth)))
        chosen.append(last)
        for item in left:
            near = likeness(known[item.method], known[last.method])
            alike[item.method] = max(alike[item.method], near)
    return chosen


@lru_cache(maxsize=512)
def _words(text: str) -> frozenset[str]:
    return frozenset(tokens(text))


def likeness(one: Method, other: Method) -> float:
    """Return how alike two methods are, from 0 to 1."""
    if one.family == other.family:
        return 1.0
    if {knob.name for knob in one.knobs} & {knob.name for knob in other.knobs}:
        return SAME_KNOB
    left, right = (_words(f"{item.title} {item.summary}") for item in (one, other))
    return SAME_KNOB * len(left & right) / max(len(left | right), 1)
