"""Confirming a winner: fresh seeds, both sides run again, an interval and p.

The run by which a commit won is lucky more often than not, so it does not count here:
the tip of a session and the baseline that the session began with are both trained with
seeds that neither has seen, in pairs, in the order A B B A.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import LoopGraphError, UsageError
from loopgraph_git.git import refs, worktree
from loopgraph_git.loop import fingerprint, judge, runner
from loopgraph_git.loop.journal import Journal
from loopgraph_git.loop.workbench import Workbench, session_lock
from loopgraph_git.records import Grade, Judgement, Oid, Result, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.session import Options, Progress


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a confirmation runs: two commits, one protocol, and the fresh seeds."""

    start: str
    tip: str
    protocol: str
    seeds: tuple[int, ...]

    @property
    def runs(self) -> list[tuple[Oid, int]]:
        """Every run in order: the arms take turns in going first."""
        pairs = [
            (self.start, self.tip) if number % 2 == 0 else (self.tip, self.start)
            for number in range(len(self.seeds))
        ]
        return [
            (Oid(arm), seed)
            for pair, seed in zip(pairs, self.seeds, strict=True)
            for arm in pair
        ]


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """What a confirmation found: the verdict on the tip, and every run behind it."""

    start: Oid
    tip: Oid
    verdict: Verdict
    runs: tuple[tuple[Oid, Result], ...]


def confirm(
    lab: Lab,
    options: Options,
    *,
    pairs: int,
    progress: Progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> Confirmed:
    """Train a session's tip and its first baseline again, and judge the difference.

    A confirmation that was cut off goes on where it was. Raises UsageError where the
    session has not advanced, InterruptedRunError when `should_stop` says so.
    """
    with session_lock(lab.repo, options.session):
        folder = lab.repo.home / "journal"
        if Journal(folder / f"{options.session}.json").entry is not None:
            raise LoopGraphError(
                f"an experiment of {options.session} is under way: "
                f"`git lg experiment --session {options.session}` finishes it first"
            )
        tip = lab.repo.find(refs.session_branch(options.session))
        if tip is None:
            raise UsageError(f"there is no session {options.session}: see `git lg log`")
        lab.reconcile()
        # a worktree beside the session's: its branch stays where it is
        tree = worktree.open_detached(lab.repo, f"_{options.session}", Oid(tip))
        bench = Workbench(lab, tree, options, progress, should_stop=should_stop)
        runner.sweep(bench.run_id)
        path = folder / f"{options.session}.confirm"
        plan = _planned(lab, Oid(tip), pairs, path)
        found = _runs(lab, bench, plan)
        verdict = _verdict(lab, plan, found)
        lab.judge(Oid(tip), verdict)
        path.unlink()
        return Confirmed(
            start=Oid(plan.start), tip=Oid(tip), verdict=verdict, runs=tuple(found)
        )


def first_baseline(lab: Lab, tip: Oid) -> Oid:
    """Return the commit that a session began with, from what its winners beat."""
    seen = set[Oid]()
    while tip not in seen:
        seen.add(tip)
        item = lab.show(str(tip))
        if not item.baseline:
            break
        tip = Oid(item.baseline)
    return tip


def _planned(lab: Lab, tip: Oid, pairs: int, path: Path) -> Plan:
    """Return the plan of a confirmation that was cut off, or a new one."""
    start = first_baseline(lab, tip)
    if start == tip:
        raise UsageError("the session has not advanced: there is nothing to confirm")
    protocol = fingerprint.protocol(lab.repo, tip, lab.config)
    used = {item.seed or 0 for arm in (start, tip) for item in lab.results_of(arm)}
    first = max(used, default=-1) + 1
    fresh = Plan(
        start=str(start),
        tip=str(tip),
        protocol=protocol,
        seeds=tuple(range(first, first + pairs)),
    )
    if path.exists():
        plain = json.loads(path.read_text("utf-8"))
        old = Plan(**{**plain, "seeds": tuple(plain["seeds"])})
        if replace(old, seeds=fresh.seeds) == fresh and len(old.seeds) == pairs:
            return old
    path.write_text(json.dumps(asdict(fresh)), "utf-8")
    return fresh


def _runs(lab: Lab, bench: Workbench, plan: Plan) -> list[tuple[Oid, Result]]:
    """Return the result of every run of a plan, training what is not there yet."""
    found = []
    for number, (arm, seed) in enumerate(plan.runs, 1):
        result = _known(lab, arm, seed, plan.protocol)
        if result is None:
            which = "the baseline" if arm == plan.start else "the winner"
            subject = f"{which}, seed {seed} (run {number} of {len(plan.runs)})"
            bench.progress.training(subject, lab.config.budget_seconds)
            result = bench.train(arm, seed)
            lab.record_result(arm, result)
            bench.progress.say(f"{which}: {_shown(result)}")
        found.append((arm, result))
    return found


def _known(lab: Lab, arm: Oid, seed: int, protocol: str) -> Result | None:
    same = (
        item
        for item in lab.results_of(arm)
        if (item.seed, item.protocol) == (seed, protocol)
    )
    return next(same, None)


def _shown(result: Result) -> str:
    value = result.status if result.value is None else f"{result.value:.6f}"
    return f"{result.metric} {value} (seed {result.seed})"


def _verdict(lab: Lab, plan: Plan, found: list[tuple[Oid, Result]]) -> Verdict:
    """Return the tip's own verdict again, with what the confirmation says of it."""
    last = lab.show(plan.tip)
    own = Verdict(
        value=last.verdict or Judgement.KEEP,
        baseline=last.baseline,
        delta=last.delta,
        noise=last.noise,
    )
    failed = [item for _, item in found if item.status is not Status.OK]
    if failed:
        reason = f"not confirmed: {len(failed)} of {len(found)} runs failed, the last "
        return replace(own, reason=(reason + f"with: {failed[-1].reason}")[:300])
    platforms = {item.platform for _, item in found}
    if len(platforms) > 1:
        raise LoopGraphError(
            f"the runs of this confirmation are from {', '.join(sorted(platforms))}: "
            "results of two platforms do not compare; start it again"
        )
    return _weighed(lab, plan, found, own)


def _weighed(
    lab: Lab, plan: Plan, found: list[tuple[Oid, Result]], own: Verdict
) -> Verdict:
    platform = found[0][1].platform
    results = lab.results(protocol=plan.protocol, platform=platform)
    noise = judge.measured_noise(results)
    arms = {
        arm: [item.value or 0.0 for oid, item in found if oid == arm]
        for arm in (plan.start, plan.tip)
    }
    if noise is None:
        reason = "not confirmed: the noise is unknown, more than one pair is needed"
        return replace(own, reason=reason)
    seen = judge.compare(
        lab.config.metric, arms[Oid(plan.start)], arms[Oid(plan.tip)], noise
    )
    won = seen.low > 0
    said = "confirmed" if won else "not confirmed"
    pairs = len(plan.seeds)
    return replace(
        own,
        value=Judgement.DISCARD if seen.high < 0 else own.value,
        grade=Grade.WIN if won else Grade.ADVANCE,
        reason=f"{said} over {pairs} pairs of fresh seeds: "
        f"{'better' if seen.gain > 0 else 'worse'} than the first baseline by "
        f"{abs(seen.gain):.4g}, {judge.interval(seen)}",
        noise=noise.sigma,
        n=noise.runs,
        confirmed={"baseline": plan.start, "pairs": pairs, **asdict(seen)},
    )
