"""Does the ranking find what works? Worlds with known effects, played out.

    python benchmarks/ranking_sim.py [--worlds 200] [--only NAME ...] [--jobs 2]

A world has methods in families, with true effects that are drawn once and shift a
little from session to session. Past sessions tried methods at random; then every policy
plays the same new session: it tries one method after the other and sees a noisy gain,
what looks better stays in the code, and the next try starts from there. A policy is
paid what it truly gained. The same seeds give the same worlds to every policy, so that
differences are paired; intervals are 95 %, by bootstrap over worlds. The first setting
is played in all worlds, the others, which say where the ranking is not better, in a
quarter of them.

Gains are in units of 0.001 bpb. A method that is in the code cannot gain twice: only
the ranking and the policies "without repeats" know that. Means, noise and spread of
the worlds are near the constants that the ranking assumes (`--only "wilder effects"`
and the like are where they are not): this compares policies, it promises no gain.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import random
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from loopgraph_git.records import Context, Fit, Judgement, Method, Status
from loopgraph_git.researchfs.ranking import rank
from loopgraph_git.researchfs.trials import Question, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNIT = 1e-3
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How many methods, tries and past sessions, and what the world is like."""

    methods: int = 120
    tries: int = 30
    past: int = 3
    families: int = 12
    mean: float = -0.3
    family: float = 0.3
    own: float = 0.65
    shift: float = 0.3
    noise: float = 0.5
    crash: float = 0.05
    claims: float = 0.0


SETTINGS = {
    "120 methods, 30 tries, 3 past sessions": Setting(),
    "no past sessions": Setting(past=0),
    "10 past sessions": Setting(past=10),
    "3 tries left": Setting(tries=3),
    "more tries than methods (40, 60)": Setting(methods=40, tries=60),
    "few methods (12)": Setting(methods=12, families=4),
    "three times the noise": Setting(noise=1.5),
    "wilder effects": Setting(mean=0.0, own=1.5, family=0.8),
    "sessions that have little in common": Setting(shift=1.0, own=0.3, family=0.1),
    "keywords that know something (r = 0.4)": Setting(claims=0.4),
}


class World:
    """The truth of one seed, what was seen of it, and the session at hand."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting = setting
        chance = self.chance = random.Random(seed)
        count = setting.families
        families = [chance.gauss(setting.mean, setting.family) for _ in range(count)]
        self.methods = [
            Method(id=f"m{n:03}", title="", summary="", family=f"family-{n % count}")
            for n in range(setting.methods)
        ]
        self.effects = {
            item.id: families[n % count] + chance.gauss(0, setting.own)
            for n, item in enumerate(self.methods)
        }
        self.order = self.keywords()
        self.trials: list[Trial] = []
        for number in range(setting.past):
            self.session = f"past-{number}"
            self.shifts = self.shift()
            self.present: set[str] = set()
            names = sorted(self.effects)
            for name in chance.sample(names, min(setting.tries, len(names))):
                self.run(name)
        self.session, self.shifts, self.present = "now", self.shift(), set()
        self.begin = len(self.trials)
        self.won = 0.0

    def keywords(self) -> list[str]:
        """Return the order of a keyword search: all but blind to the effects."""
        r = self.setting.claims
        spread = math.hypot(self.setting.own, self.setting.family)
        said = {
            name: r * effect / spread + math.sqrt(1 - r * r) * self.chance.gauss(0, 1)
            for name, effect in self.effects.items()
        }
        return sorted(said, key=lambda name: -said[name])

    def shift(self) -> dict[str, float]:
        """Draw how much a session differs from the others, method by method."""
        return {name: self.chance.gauss(0, self.setting.shift) for name in self.effects}

    @property
    def state(self) -> str:
        """The code at hand: what was kept in this session."""
        return f"{self.session}:{','.join(sorted(self.present))}"

    def run(self, name: str) -> None:
        """Try a method on the code at hand, and keep it where it looks better."""
        truth = self.effects[name] + self.shifts[name]
        crashed = self.chance.random() < self.setting.crash
        seen = self.chance.gauss(0, self.setting.noise)
        seen += 0.0 if name in self.present else truth
        kept = not crashed and seen > 0
        self.trials.append(
            Trial(
                experiment=f"e{len(self.trials):05}",
                methods=(name,),
                gain=None if crashed else seen * UNIT,
                status=Status.CRASH if crashed else Status.OK,
                verdict=Judgement.KEEP if kept else Judgement.DISCARD,
                session=self.session,
                ts=len(self.trials),
                state=self.state,
                noise=self.setting.noise / math.sqrt(2) * UNIT,
            )
        )
        if kept and name not in self.present:
            self.present.add(name)
            if self.session == "now":
                self.won += truth

    def tried(self) -> set[str]:
        """Return what was tried in the session at hand."""
        return {trial.methods[0] for trial in self.trials[self.begin :]}

    def gains(self) -> dict[str, list[float]]:
        """Return every gain that was seen, by method; a crash is none."""
        found: dict[str, list[float]] = {}
        for trial in self.trials:
            found.setdefault(trial.methods[0], []).append((trial.gain or 0.0) / UNIT)
        return found


def ours(world: World) -> str:
    """Take the first of the ranking, with what is in the code as its context."""
    contexts = {name: Context(Fit.PRESENT) for name in world.present}
    question = Question(
        session="now",
        states=frozenset({world.state}),
        contexts=contexts,
        relevance=world.order if world.setting.claims else (),
    )
    return rank(world.methods, world.trials, question)[0][0].method


def at_random(world: World) -> str:
    """Take any method."""
    return world.chance.choice(world.order)


def sweep(world: World) -> str:
    """Take methods in the order of the keywords, none twice before all were tried."""
    done = len(world.trials) - world.begin
    return world.order[done % len(world.order)]


def top_five(world: World) -> str:
    """Take the first five of the keywords, again and again: no memory at all."""
    done = len(world.trials) - world.begin
    return world.order[done % min(5, len(world.order))]


def greedy(world: World, *, again: bool) -> str:
    """Take the highest mean gain so far; what was never tried counts as zero."""
    gains, tried = world.gains(), world.tried()
    usable = [x for x in world.order if again or x not in tried] or world.order
    return max(usable, key=lambda name: fmean(gains.get(name, [0.0])))


def ucb1(world: World, *, again: bool) -> str:
    """Take the highest upper bound of UCB1, on wins; each method once at first."""
    tries: dict[str, int] = {}
    wins: dict[str, int] = {}
    for trial in world.trials:
        name = trial.methods[0]
        tries[name] = tries.get(name, 0) + 1
        wins[name] = wins.get(name, 0) + trial.won
    tried = world.tried()
    usable = [x for x in world.order if again or x not in tried] or world.order
    return max(
        usable,
        key=lambda name: (
            wins[name] / tries[name]
            + math.sqrt(2 * math.log(len(world.trials)) / tries[name])
            if name in tries
            else math.inf
        ),
    )


POLICIES: dict[str, Callable[[World], str]] = {
    "ours": ours,
    "random": at_random,
    "keywords, top five": top_five,
    "keyword sweep": sweep,
    "greedy mean": partial(greedy, again=True),
    "greedy mean, no repeats": partial(greedy, again=False),
    "UCB1": partial(ucb1, again=True),
    "UCB1, no repeats": partial(ucb1, again=False),
}
BAR = ("keyword sweep", "random", "greedy mean", "UCB1")


def play(job: tuple[Setting, int]) -> dict[str, float]:
    """Return what every policy truly gains in one world."""
    won = {}
    for name, policy in POLICIES.items():
        world = World(*job)
        # from here on a policy's luck is its own
        world.chance = random.Random(job[1] + 10**9)
        for _ in range(world.setting.tries):
            world.run(policy(world))
        won[name] = world.won
    return won


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean."""
    chance = random.Random(0)
    means = sorted(
        fmean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    return means[RESAMPLES // 40], means[-RESAMPLES // 40 - 1]


def report(name: str, played: list[dict[str, float]]) -> bool:
    """Print one setting; returns whether ours beats what it has to beat."""
    print(f"\n{name}: {len(played)} worlds")
    print(f"  {'policy':26}{'gain':>7}   ours is better by")
    beaten = []
    for policy in POLICIES:
        mean = fmean(won[policy] for won in played)
        if policy == "ours":
            print(f"  {policy:26}{mean:7.2f}")
            continue
        ahead = [won["ours"] - won[policy] for won in played]
        low, high = interval(ahead)
        word = "" if low > 0 else ("  BEHIND" if high < 0 else "  no difference shown")
        print(f"  {policy:26}{mean:7.2f}{fmean(ahead):+8.2f} [{low:+.2f}, {high:+.2f}]{word}")  # fmt: skip
        beaten.append(low > 0 or policy not in BAR)
    return all(beaten)


def main() -> None:
    """Play every setting and print what came of it."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--worlds", type=int, default=200)
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--only", nargs="+", default=[], help="parts of settings' names")
    given = asked.parse_args()
    print(f"{given.jobs} processes, Python {platform.python_version()}; "
          f"{given.worlds} worlds, then a quarter of them; gains in 0.001 bpb")  # fmt: skip
    started, passed = time.perf_counter(), {}
    with ProcessPoolExecutor(given.jobs) as pool:
        for name, setting in SETTINGS.items():
            if given.only and not any(part in name for part in given.only):
                continue
            count = given.worlds if not passed else max(given.worlds // 4, 2)
            jobs = [(setting, seed) for seed in range(count)]
            passed[name] = report(name, list(pool.map(play, jobs, chunksize=5)))
    print(f"\n{time.perf_counter() - started:.0f} s. Ours beats "
          f"{', '.join(BAR[:-1])} and {BAR[-1]}, each by an interval above zero:")  # fmt: skip
    for name, won in passed.items():
        print(f"  {'yes' if won else 'NO ':4}{name}")


if __name__ == "__main__":
    main()
