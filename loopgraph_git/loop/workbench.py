"""The workbench of a session: where its commits are trained and compared."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import LoopGraphError, RecordError
from loopgraph_git.git import worktree
from loopgraph_git.git.lock import locked
from loopgraph_git.loop import (
    devices,
    fingerprint,
    gate,
    honesty,
    judge,
    lint,
    measure,
    results_tsv,
    runner,
    sandbox,
    space,
)
from loopgraph_git.loop.cage import Level
from loopgraph_git.loop.proposers import Standing
from loopgraph_git.records import Judgement, Oid, Record, Result, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.session import Options, Progress


def session_lock(repo: Repo, session: str) -> AbstractContextManager[None]:
    """Hold a session's lock; raises LockedError when it is running already."""
    path = repo.home / "journal" / f"{session}.lock"
    return locked(path, seconds=0.5, what=f"the session {session}")


class Workbench:
    """A session's worktree, and what is measured in it."""

    def __init__(
        self,
        lab: Lab,
        tree: Repo,
        options: Options,
        progress: Progress,
        *,
        should_stop: Callable[[], bool],
    ) -> None:
        self.lab = lab
        self.tree = tree
        self.seed = options.seed
        self.session = options.session
        self.progress = progress
        self.should_stop = should_stop
        least = Level[lab.config.sandbox.upper()]
        self.level = sandbox.chosen(options.sandbox, least)
        progress.say(f"sandbox: {sandbox.keeps(self.level)}")
        self.devices, self.device = options.devices, options.device
        self.run_id = measure.session_run_id(lab.repo, options.session)

    def move(self, commit: Oid) -> None:
        """Put the worktree and the session's branch at a commit."""
        worktree.move(self.tree, commit)

    def train(self, commit: Oid, seed: int, *, edited: Oid | None = None) -> Result:
        """Check a commit out and train it; raises InterruptedRunError.

        With `edited`, the commit that a proposal changed, its edit is looked at too.
        A run that failed while the disk was full is no result: raises OSError.
        """
        self.move(commit)
        worktree.link(self.lab.repo, self.tree, self.lab.config.link)
        watch = runner.Watch(on_line=self.progress.line, should_stop=self.should_stop)
        job = self._job(commit, seed)
        if edited:
            job = replace(job, flags=self._flags(edited, commit))
        own = [self.device] if self.device else devices.visible(self.devices)
        with devices.lent(
            self.devices, own, say=self.progress.say, should_stop=self.should_stop
        ) as lease:
            result = measure.train(job, watch)
        if result.status is Status.CRASH and not space.has_space(self.lab.repo.home):
            # not for what it filled itself: that is gone with its folder by now
            raise space.full(self.lab.repo.home)
        result = replace(result, flags=(*result.flags, *lease.flags))
        return honesty.doubted(self.lab, result)

    def _flags(self, edited: Oid, commit: Oid) -> tuple[lint.Flag, ...]:
        config = self.lab.config
        before, after = (
            gate.editable_files(self.lab.repo, oid, config) for oid in (edited, commit)
        )
        return lint.flags(before, after, config)

    def reject(self, commit: Oid, problem: str) -> Result:
        """Return the result of an edit that is not trained at all."""
        return measure.rejected(self._job(commit, self.seed), problem)

    def _job(self, commit: Oid, seed: int) -> measure.Job:
        name = f"{commit}-{time.time_ns()}.log"
        return measure.Job(
            tree=self.tree,
            commit=commit,
            config=self.lab.config,
            seed=seed,
            run_id=f"{self.run_id}{name}",
            log=self.lab.repo.home / "logs" / name,
            level=self.level,
            env=self.device.env if self.device else {},
        )

    def measure_baseline(self, tip: Oid, platform: str = "") -> None:
        """Run a commit until its value and the noise are known, on a platform if named.

        Raises LoopGraphError when it does not train.
        """
        config = self.lab.config
        protocol = fingerprint.protocol(self.lab.repo, tip, config)
        results = self.lab.results(protocol=protocol, platform=platform)
        needed = 1 if judge.measured_noise(results) else config.baseline_runs
        for number in range(len(self.values(tip, protocol, platform)), needed):
            subject = f"baseline, run {number + 1} of {needed}"
            self.progress.training(subject, config.budget_seconds)
            result = self.train(tip, self.seed + number)
            self.lab.record_result(tip, result)
            self.progress.measured(result)
            if result.status is not Status.OK:
                raise LoopGraphError(
                    f"the baseline {tip.short} does not train ({result.status}: "
                    f"{result.reason}); mend it first:\n{result.excerpt}"
                )
            # what is to be beaten is the mean; a single run of it may be a lucky one
            values = self.values(tip, protocol, platform)
            self.progress.begin(judge.mean(values) if values else None)

    def keep_baseline(self, tip: Oid) -> None:
        """Record that a session's first baseline is kept, where nothing says so yet."""
        experiment = self.lab.show(str(tip))
        if experiment.verdict is None:
            verdict = Verdict(value=Judgement.KEEP, reason="baseline")
            self.lab.judge(tip, verdict)
            if results_tsv.is_wanted(self.lab.repo, self.lab.config):
                row = replace(self.lab.show(str(tip)), subject="baseline")
                results_tsv.append_row(self.lab.repo, self.lab.config, row)

    def values(self, commit: Oid, protocol: str, platform: str = "") -> list[float]:
        """Return what the runs of a commit measured under a protocol."""
        found = self.lab.results(protocol=protocol, platform=platform)
        return [
            result.value
            for oid, result in found
            if oid == commit and result.status is Status.OK and result.value is not None
        ]

    def standing(self, commit: Oid, protocol: str) -> Standing:
        """Return how runs are measured, and what those of a commit came to."""
        config = self.lab.config
        noise = judge.measured_noise(self.lab.results(protocol=protocol))
        return Standing(
            command=shlex.join(config.run),
            budget_seconds=config.budget_seconds,
            metric=config.metric.name,
            direction=str(config.metric.direction),
            values=tuple(self.values(commit, protocol)),
            noise=noise.sigma if noise else None,
        )

    def is_unclear(self, verdict: Record) -> bool:
        """Say whether a verdict asks for another run, and there is one left."""
        ran = len(self.lab.results_of(verdict.commit))
        asks = verdict.body["value"] == Judgement.RETEST and "delta" in verdict.body
        return asks and ran < judge.RUNS

    def repeat(self, commit: Oid) -> Result:
        """Train a commit once more, with the seed after those that it had; record it."""
        result = self.train(commit, self.seed + len(self.lab.results_of(commit)))
        self.lab.record_result(commit, result)
        return result

    def verdict(self, commit: Oid, baseline: Oid) -> Verdict:
        """Decide about the runs of a commit against its baseline."""
        ran = self.lab.results_of(commit)
        if not ran:
            raise RecordError(
                f"what the run of {commit.short} came to is not in the index: "
                "`git lg doctor` says why"
            )
        result = ran[-1]
        if result.status is Status.QUARANTINED:
            return Verdict(
                value=Judgement.RETEST, reason=result.reason, baseline=str(baseline)
            )
        where = {"protocol": result.protocol, "platform": result.platform}
        if result.status is Status.OK and not self.values(baseline, **where):
            # measured elsewhere: on another machine, or before torch was updated
            self.measure_baseline(baseline, result.platform)
        found = self.lab.results(**where)
        return judge.decide(
            self.lab.config.metric,
            [item for oid, item in found if oid == commit] or [result],
            baseline=baseline,
            values=self.values(baseline, **where),
            noise=judge.measured_noise(found),
            may_repeat=True,
        )
