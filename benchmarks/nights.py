"""Do the decisions under noise claim too much, and what do they cost? Nights, simulated.

    python benchmarks/nights.py [--nights 200] [--runs 100] [--only NAME ...]

A night has so many training runs and an endless list of edits with true effects that
are drawn once. A run measures the true value of some code with a normal error. Two
keepers get the same edits and the same number of runs. The *greedy* one keeps whatever
measures better than the best so far, as autoresearch does. *Ours* calls the functions
that `git lg experiment` calls: it measures the noise with three baselines, advances by
`judge.decide`, measures a tip again on a plateau, and spends its last runs on a
confirmation with fresh seeds, `judge.compare`. All of that comes out of the same runs.

Gains are in units of the noise of one run. *True gain* is what the code that is handed
over is truly better by. A *claim* is a confirmation that says "better"; it is false
where the code is not. Greedy claims its best run, always. Intervals are 95 %: by
bootstrap over nights for gains, by Wilson for shares.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from loopgraph_git.loop import judge, plateau
from loopgraph_git.records import Direction, Judgement, Metric, Oid, Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

METRIC = Metric("score", Direction.HIGHER)
BASELINES, PAIRS = 3, 3
RESAMPLES = 2000


@dataclass(frozen=True)
class World:
    """How effects are drawn: their spread at the begin and the end, and their mean.

    `share` of the edits do nothing at all.
    """

    begin: float
    end: float
    mean: float = -0.5
    share: float = 0.0


WORLDS = {
    "a night: large effects at first, small ones late": World(8.0, 0.4),
    "late: effects as large as the noise": World(1.0, 1.0),
    "in between: effects of twice the noise": World(2.0, 2.0, -1.0),
    "half of the edits do nothing": World(4.0, 0.8, share=0.5),
    "nothing that is tried has any effect": World(0.0, 0.0, share=1.0),
    "effects of eight times the noise, all night": World(8.0, 8.0),
}


@dataclass
class Night:
    """One night: edits with their true effects, and a number of runs."""

    effects: list[float]
    runs: int
    chance: random.Random
    tip: float = 0.0
    tried: int = 0
    kept: list[float] = field(default_factory=list)

    def run(self, value: float) -> float:
        """Train some code of a true value once."""
        self.runs -= 1
        return value + self.chance.gauss(0, 1)

    def edit(self) -> float:
        """Return the true effect of the next edit."""
        self.tried += 1
        return self.effects[self.tried - 1]

    def keep(self, effect: float) -> None:
        """Let the code advance by an edit."""
        self.tip += effect
        self.kept.append(effect)


def night(world: World, runs: int, seed: int) -> Night:
    """Return the night of a seed: the same edits for every keeper."""
    chance = random.Random(seed)
    effects = []
    for number in range(runs):
        ratio = world.end / world.begin if world.begin else 1.0
        spread = world.begin * ratio ** (number / runs)
        nothing = chance.random() < world.share
        effect = chance.gauss(world.mean * spread, spread)
        effects.append(0.0 if nothing else effect)
    return Night(effects, runs, random.Random(seed + 1_000_000))


def greedy(it: Night) -> bool:
    """Keep what measures better than the best so far; claim it."""
    best = it.run(0.0)
    while it.runs:
        effect = it.edit()
        seen = it.run(it.tip + effect)
        if seen > best:
            best = seen
            it.keep(effect)
    return True


def ours(it: Night) -> bool:
    """Decide as `git lg experiment` does, and confirm; say whether it is a win."""
    it.runs -= 2 * PAIRS
    groups = [[it.run(0.0) for _ in range(BASELINES)]]
    tip, since = groups[0], 0
    while it.runs:
        effect = it.edit()
        runs = [it.run(it.tip + effect)]
        groups.append(runs)
        verdict = decided(tip, runs, groups, may_repeat=it.runs > 0)
        if verdict is Judgement.RETEST:
            runs.append(it.run(it.tip + effect))
            verdict = decided(tip, runs, groups, may_repeat=False)
        if verdict is Judgement.KEEP:
            it.keep(effect)
            tip, since = runs, 0
            continue
        since += 1
        due = plateau.runs_due(since)
        if since % plateau.TRIES == 0 and len(tip) < due and it.runs:
            tip.append(it.run(it.tip))
    return confirmed(it, groups)


def decided(
    tip: Sequence[float],
    runs: Sequence[float],
    groups: Sequence[Sequence[float]],
    *,
    may_repeat: bool,
) -> Judgement:
    """Return the verdict of the product on some runs."""
    results = [Result(status=Status.OK, metric="score", value=x) for x in runs]
    return judge.decide(
        METRIC,
        results,
        baseline=Oid("a" * 40),
        values=tip,
        noise=judge.pooled_noise(groups),
        may_repeat=may_repeat,
    ).value


def confirmed(it: Night, groups: list[list[float]]) -> bool:
    """Run both ends of the night again, and say whether the gain is a win."""
    it.runs += 2 * PAIRS
    if not it.kept:
        return False
    first = [it.run(0.0) for _ in range(PAIRS)]
    last = [it.run(it.tip) for _ in range(PAIRS)]
    noise = judge.pooled_noise([*groups, first, last])
    return noise is not None and judge.compare(METRIC, first, last, noise).low > 0


@dataclass(frozen=True)
class Played:
    """What one keeper made of every night."""

    gains: list[float]
    claims: int
    false_claims: int
    keeps: int
    false_keeps: int


def play(
    keeper: Callable[[Night], bool], world: World, *, nights: int, runs: int
) -> Played:
    """Let a keeper play all nights of a world."""
    played, claims = [], []
    for seed in range(nights):
        it = night(world, runs, seed)
        claims.append(keeper(it) and bool(it.kept))
        played.append(it)
    return Played(
        gains=[it.tip for it in played],
        claims=sum(claims),
        false_claims=sum(
            claimed and it.tip <= 0 for it, claimed in zip(played, claims, strict=True)
        ),
        keeps=sum(len(it.kept) for it in played),
        false_keeps=sum(effect <= 0 for it in played for effect in it.kept),
    )


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean."""
    chance = random.Random(0)
    size = len(values)
    means = sorted(fmean(chance.choices(values, k=size)) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    half /= 1 + z * z / count
    return max(0.0, middle - half), middle + half


def shown(title: str, mine: Played, theirs: Played, nights: int) -> str:
    """Return what came of one world, in lines."""
    gained = [a - b for a, b in zip(mine.gains, theirs.gains, strict=True)]
    low, high = bootstrap(gained)
    means = fmean(mine.gains), fmean(theirs.gains)
    difference = f"{fmean(gained):+.2f} [{low:+.2f}, {high:+.2f}]"
    gains = f"ours {means[0]:7.2f}   greedy {means[1]:7.2f}   difference {difference}"
    lines = [title, f"  true gain         {gains}"]
    for name, played in (("ours", mine), ("greedy", theirs)):
        least, most = wilson(played.false_claims, nights)
        keeps = played.false_keeps / max(1, played.keeps)
        lines.append(
            f"  {name:<17} claims in {played.claims} of {nights} nights, false in "
            f"{played.false_claims} ({played.false_claims / nights:.1%} "
            f"[{least:.1%}, {most:.1%}]); keeps {played.keeps / nights:.1f} a night, "
            f"{keeps:.0%} of them no better"
        )
    return "\n".join(lines)


def main() -> None:
    """Play every world and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nights", type=int, default=400)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    for title, world in WORLDS.items():
        if asked.only and not any(word in title for word in asked.only):
            continue
        size = {"nights": asked.nights, "runs": asked.runs}
        made = play(ours, world, **size), play(greedy, world, **size)
        print(shown(title, *made, asked.nights), flush=True)


if __name__ == "__main__":
    main()
