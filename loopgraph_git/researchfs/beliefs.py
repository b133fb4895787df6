"""What is believed of each method's effect, in session scales.

A two-level Normal model in closed form: a method starts from what the others of its
family did, hears its pack's priors, then past sessions, the older the more quietly,
then, after a shift of context, this session. Gains are standardised within their
session, because what counts as large differs a hundredfold between projects.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import TYPE_CHECKING

from loopgraph_git.researchfs.trials import is_elsewhere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.records import Method, Prior
    from loopgraph_git.researchfs.trials import Question, Trial

BASE_MEAN = -0.3
"""Mean effect of an untried idea in session scales: most ideas lose a little."""
FAMILY_VARIANCE = 0.1
METHOD_VARIANCE = 0.4
SHIFT_VARIANCE = 0.1
"""τ²: how much a method's effect differs between sessions (code, data, hardware)."""
DIFFERENCE_VARIANCE = 0.5
"""Variance of a difference of two runs, in session scales, where no noise was measured."""
PRIOR_RUNS = 4.0
"""The most runs that a pack's priors together may count for."""
HALF_LIFE_SESSIONS = 8.0
RECOGNISED_WEIGHT = 0.5
"""What a trial counts whose methods were read off its change, not named by anyone."""
LEAST_EXPECTED = 1e-12
"""Where the closed form cancels out: a poor record is a weight, not a ban."""
Z_LIMIT = 4.0
"""One divergent run must not silence a method for ever."""
_MAD_TO_SIGMA = 1.4826
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Belief:
    """A Normal belief in an effect: mean and variance, in session scales."""

    mean: float
    variance: float

    def heard(self, value: float, variance: float) -> Belief:
        """Return the belief after an observation of that variance."""
        gain = self.variance / (self.variance + variance)
        return Belief(
            self.mean + gain * (value - self.mean), self.variance * (1 - gain)
        )

    def shifted(self, variance: float) -> Belief:
        """Return the belief about another session: same mean, less certain."""
        return Belief(self.mean, self.variance + variance)

    @property
    def expected(self) -> float:
        """The expected improvement over doing nothing; never quite zero."""
        sigma = math.sqrt(self.variance)
        place = self.mean / sigma
        value = self.mean * _NORMAL.cdf(place) + sigma * _NORMAL.pdf(place)
        return max(value, LEAST_EXPECTED)


@dataclass(frozen=True)
class _Heard:
    """A trial with its gain in session scales and the variance it is heard with."""

    trial: Trial
    z: float
    variance: float
    current: bool


def session_order(trials: Sequence[Trial], current: str) -> list[str]:
    """Return session names by their first trial, the current one last."""
    first: dict[str, int] = {}
    for trial in trials:
        first[trial.session] = min(trial.ts, first.get(trial.session, trial.ts))
    past = [name for name in first if name != current]
    return [*sorted(past, key=lambda name: (first[name], name)), current]


def session_scale(gains: Sequence[float], noise: float | None) -> float:
    """Return what a typical change is worth in a session, in the metric's units.

    1.4826 times the median absolute gain (a MAD about zero, which is what no effect
    means), not less than the noise of a difference, sigma·sqrt(2).
    """
    typical = _MAD_TO_SIGMA * median(map(abs, gains)) if gains else 0.0
    floor = (noise or 0.0) * math.sqrt(2)
    return max(typical, floor) or max(map(abs, gains), default=0.0) or 1.0


def _hear(trials: Sequence[Trial], question: Question) -> list[_Heard]:
    """Standardise gains within their sessions, in the order they are heard."""
    heard: list[_Heard] = []
    order = session_order(trials, question.session)
    for place, name in enumerate(order):
        inside = [trial for trial in trials if trial.session == name]
        age = len(order) - 1 - place
        heard += _hear_session(inside, age, question)
    return heard


def _hear_session(
    trials: Sequence[Trial], age: int, question: Question
) -> list[_Heard]:
    measured = [trial for trial in trials if trial.gain is not None]
    noises = [trial.noise for trial in measured if trial.noise]
    noise = question.noise if age == 0 and question.noise else None
    noise = noise or (median(noises) if noises else None)
    scale = session_scale([trial.gain or 0.0 for trial in measured], noise)
    difference = 2 * (noise / scale) ** 2 if noise else DIFFERENCE_VARIANCE
    tries: dict[str, int] = defaultdict(int)
    for trial in measured:
        for name in set(trial.methods):
            tries[name] += 1
    heard = []
    for trial in measured:
        shared = max(tries[name] for name in trial.methods)
        # n trials heard with n·shift + difference weigh as much as their mean heard
        # with shift + difference / n
        strange = (age > 0) + is_elsewhere(trial.platform, question.platform)
        shift = shared * SHIFT_VARIANCE * strange
        variance = (shift + difference) * 2 ** (age / HALF_LIFE_SESSIONS)
        if trial.recognised:
            variance /= RECOGNISED_WEIGHT
        z = min(max((trial.gain or 0.0) / scale, -Z_LIMIT), Z_LIMIT)
        heard.append(_Heard(trial, z, variance, age == 0))
    return heard


def beliefs_in(
    methods: Sequence[Method], trials: Sequence[Trial], question: Question
) -> dict[str, Belief]:
    """Return the belief in every method after the trials, which come by time."""
    heard = _hear(trials, question)
    families = _family_beliefs(methods, heard)
    beliefs = {
        method.id: _with_priors(families[method.id], method.priors, question.platform)
        for method in methods
    }
    for item in heard:
        if not item.current:
            _share(beliefs, item)
    for name, belief in beliefs.items():
        beliefs[name] = belief.shifted(SHIFT_VARIANCE)
    for item in heard:
        if item.current:
            _share(beliefs, item)
    return beliefs


def _family_beliefs(
    methods: Sequence[Method], heard: Sequence[_Heard]
) -> dict[str, Belief]:
    """Start each method from what the *other* methods of its family did."""
    family = {method.id: method.family for method in methods}
    own: dict[str, list[float]] = {name: [0.0, 0.0] for name in family}
    for item in heard:
        if len(item.trial.methods) == 1 and item.trial.methods[0] in own:
            sums = own[item.trial.methods[0]]
            weight = 1 / (METHOD_VARIANCE + item.variance)
            sums[0] += weight
            sums[1] += weight * (item.z - BASE_MEAN)
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for name, sums in own.items():
        totals[family[name]][0] += sums[0]
        totals[family[name]][1] += sums[1]
    beliefs = {}
    for name, sums in own.items():
        weight, moment = (
            total - mine for total, mine in zip(totals[family[name]], sums, strict=True)
        )
        precision = 1 / FAMILY_VARIANCE + max(weight, 0.0)
        beliefs[name] = Belief(
            BASE_MEAN + moment / precision, METHOD_VARIANCE + 1 / precision
        )
    return beliefs


def _with_priors(belief: Belief, priors: Sequence[Prior], platform: str) -> Belief:
    """Hear a pack's priors; together they count for at most four runs.

    One from another kind of accelerator tells less.
    """
    runs = math.fsum(max(prior.n, 0.0) for prior in priors)
    for prior in sorted(priors, key=lambda item: (item.gain, item.n, item.spread)):
        weight = max(prior.n, 0.0) * min(1.0, PRIOR_RUNS / runs) if runs else 0.0
        if weight and prior.spread > 0:
            z = min(max(prior.gain / prior.spread, -Z_LIMIT), Z_LIMIT)
            strange = 1 + (_kind(prior.platform) not in ("", _kind(platform)))
            shift = SHIFT_VARIANCE * (strange if platform else 1)
            belief = belief.heard(z, shift + DIFFERENCE_VARIANCE / weight)
    return belief


def _kind(platform: str) -> str:
    """Return the kind of accelerator that a platform begins with: cuda, mps, cpu."""
    word = re.match(r"[a-z]*", platform.strip().lower())
    name = word[0] if word else ""
    return "mps" if name in ("macos", "mlx") else name


def _share(beliefs: dict[str, Belief], item: _Heard) -> None:
    """Share one gain among the methods of a diff: a diagonal Kalman update.

    The surprise goes to each method in proportion to how uncertain it was. A method
    that no pack describes takes its part at the mean of untried ideas.
    """
    unknown = Belief(BASE_MEAN, METHOD_VARIANCE + FAMILY_VARIANCE)
    inside = {
        name: beliefs.get(name, unknown) for name in sorted(set(item.trial.methods))
    }
    error = item.z - math.fsum(belief.mean for belief in inside.values())
    total = math.fsum(belief.variance for belief in inside.values()) + item.variance
    for name, belief in inside.items():
        gain = belief.variance / total
        if name in beliefs:
            mean = belief.mean + gain * error
            beliefs[name] = Belief(mean, belief.variance * (1 - gain))
