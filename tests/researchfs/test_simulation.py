"""Does the ranking find what works? Sessions with known effects, played out.

Effects, families, noise and shifts between sessions are drawn as the public logs
suggest; the keyword order knows nothing of them. The numbers are of this simulation
alone: they guard the ranking against getting worse, they promise nothing.
"""

from __future__ import annotations

import random
from statistics import fmean

from loopgraph_git.records import Context, Fit, Judgement, Status
from loopgraph_git.researchfs.ranking import rank
from loopgraph_git.researchfs.trials import Question, Trial
from tests.researchfs.making import method

METHODS = [method(f"m{number:02}", f"family-{number % 10}") for number in range(60)]
UNIT = 1e-3
NOISE = 0.5
TRIES = 20
SEEDS = range(12)


class World:
    """Effects of every method, in this session and in past ones."""

    def __init__(self, seed):
        self.random = random.Random(seed)  # noqa: S311
        family = [self.random.gauss(-0.3, 0.3) for _ in range(10)]
        self.effects = {
            item.id: family[number % 10] + self.random.gauss(0, 0.65)
            for number, item in enumerate(METHODS)
        }
        self.trials = []
        for number in range(3):
            shift = self.shift()
            for name in self.random.sample(sorted(self.effects), TRIES):
                self.run(name, f"past-{number}", shift)
        self.now = self.shift()
        self.present = set()
        self.won = 0.0

    def shift(self):
        return {name: self.random.gauss(0, 0.3) for name in self.effects}

    def run(self, name, session, shift):
        truth = self.effects[name] + shift[name]
        seen = truth + self.random.gauss(0, NOISE)
        self.trials.append(
            Trial(
                experiment=f"e{len(self.trials)}",
                methods=(name,),
                gain=seen * UNIT,
                status=Status.OK,
                verdict=Judgement.KEEP if seen > 0 else Judgement.DISCARD,
                session=session,
                ts=len(self.trials),
                state=f"{session}-{len(getattr(self, 'present', ()))}",
            )
        )
        return truth, seen

    def play(self, choose):
        """Return the true gain, in units, of one session with a policy."""
        for turn in range(TRIES):
            name = choose(self, turn)
            again = name in self.present
            truth, seen = self.run(name, "now", self.now)
            if seen > 0 and not again:
                self.present.add(name)
                self.won += truth
        return self.won


def by_rank(world, _turn, *, context=True):
    here = frozenset({f"now-{len(world.present)}"})
    contexts = {name: Context(Fit.PRESENT) for name in world.present if context}
    question = Question(session="now", states=here, contexts=contexts)
    return rank(METHODS, world.trials, question)[0][0].method


def by_keyword(_world, turn):
    return METHODS[turn].id


def by_keyword_again(_world, turn):
    return METHODS[turn % 5].id


def by_chance(world, _turn):
    return world.random.choice(METHODS).id


def without_context(world, turn):
    return by_rank(world, turn, context=False)


def mean_gain(policy):
    return fmean(World(seed).play(policy) for seed in SEEDS)


def test_the_ranking_beats_a_sweep_which_beats_repeating_the_top_five():
    ranked, sweep = mean_gain(by_rank), mean_gain(by_keyword)
    assert ranked > sweep + 2
    assert sweep > mean_gain(by_keyword_again)
    assert ranked > mean_gain(by_chance) + 2
    assert ranked >= mean_gain(without_context)
