"""Recording a run that was not ours, from its log or from what its maker says of it.

An agent with a loop of its own commits, runs, reads the log and resets. Its log is
read with the code that reads the logs of `git lg run`, and the outcome is attached
to the commit. Nothing is run here, so nothing needs trust.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from loopgraph_git.errors import UsageError
from loopgraph_git.git import commits
from loopgraph_git.git.lock import locked
from loopgraph_git.loop import fingerprint, judge, measure, runner, summary
from loopgraph_git.loop.logs import log_columns
from loopgraph_git.records import (
    Judgement,
    Kind,
    Metric,
    Oid,
    Result,
    Status,
    Verdict,
    fitted,
)

if TYPE_CHECKING:
    from loopgraph_git.config import Config
    from loopgraph_git.lab import Lab

SANDBOX = "none that is known: recorded, not run here"
APART = "recorded "
"""What a protocol begins with where nobody knows how the run was made."""
_TAIL_BYTES = 256 * 1024
_CHUNK_BYTES = 1 << 20
# a last step, or a clock of one's own, makes no other budget
_NEAR = (0.8, 1.25)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the maker of a run says of it; it wins over what the log says."""

    metric: str = ""
    value: float | None = None
    status: Status | None = None
    seconds: float | None = None
    memory_mb: float | None = None
    seed: int | None = None
    platform: str = ""
    verdict: Judgement | None = None
    reason: str = ""

    @property
    def measured(self) -> bool:
        """Say whether it tells of a run, rather than of a decision alone."""
        return self.value is not None or self.status is not None


def record(
    lab: Lab,
    commit: Oid,
    told: Told,
    log: runner.Ended | None = None,
    *,
    again: bool = False,
) -> tuple[Kind, ...]:
    """Write the result and the verdict that are not known yet; return what was written.

    The commit is pinned first. Raises UsageError when log and words do not make a
    result; nothing is written then.
    """
    config = settings(lab, told)
    result = None
    if log or told.measured:
        result = _result(lab, commit, config, told, log)
    written = []
    # two calls at once must not both find that nothing is known
    with locked(lab.repo.home / "journal" / "_record.lock", what="`git lg record`"):
        commits.pin(lab.repo, commit)
        lab.reconcile()
        if result and (again or not _is_known(lab.results_of(commit), result)):
            lab.record_result(commit, result)
            written.append(Kind.RESULT)
        verdict = _verdict(lab, commit, config, told)
        if verdict:
            lab.judge(commit, verdict)
            written.append(Kind.VERDICT)
    return tuple(written)


def read_log(source: BinaryIO, metric: str) -> runner.Ended:
    """Read a whole log; keeps its end, as a run does. Raises UsageError if empty.

    Nobody knows the exit status: a log without the metric, or with a traceback
    after it, is of a run that failed.
    """
    digest, size, tail = hashlib.sha256(), 0, b""
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        tail = (tail + chunk)[-_TAIL_BYTES:]
    text = tail.decode("utf-8", "replace")
    if not text.strip():
        raise UsageError(
            "the log is empty: is the run over? `--status crash` records that it failed"
        )
    return runner.Ended(
        argv=(),
        exit_code=int(summary.shows_failure(text, metric)),
        seconds=0.0,
        tail=text,
        log_sha256=digest.hexdigest(),
        log_bytes=size,
    )


def metric_name(lab: Lab, told: Told) -> str:
    """Return the name of the metric that decides."""
    return told.metric or lab.config.metric.name


def settings(lab: Lab, told: Told) -> Config:
    """Return the settings with the metric that was named."""
    known = lab.config.metric
    if told.metric in ("", known.name):
        return lab.config
    way = log_columns.direction_of(told.metric) or known.direction
    return replace(lab.config, metric=Metric(told.metric, way))


def _result(
    lab: Lab,
    commit: Oid,
    config: Config,
    told: Told,
    log: runner.Ended | None,
) -> Result:
    if log:
        result = measure.said(log, config)
        if not told.measured:
            _require_metric(result, log)
    else:
        where = fingerprint.platform({"device": "unnamed device"})
        result = Result(status=Status.OK, metric=config.metric.name, platform=where)
    result = _overruled(result, told, log)
    seconds = result.metrics.get("total_seconds")
    protocol, budget = _protocol(lab, commit, config, result)
    return fitted(
        replace(
            result,
            seconds=_first(told.seconds, seconds) or 0.0,
            peak_memory_mb=_first(told.memory_mb, result.peak_memory_mb),
            seed=told.seed,
            platform=summary.redact(told.platform)[:160] or result.platform,
            protocol=protocol,
            budget_seconds=budget,
            sandbox=SANDBOX,
        )
    )


def _first(*values: object) -> float | None:
    """Return the first number that is finite and not below zero."""
    numbers = (x for x in values if isinstance(x, int | float))
    return next((x for x in numbers if math.isfinite(x) and x >= 0), None)


def _require_metric(result: Result, log: runner.Ended) -> None:
    """Refuse a log whose summary is there and speaks of another metric."""
    numbers = [key for key, item in result.metrics.items() if isinstance(item, float)]
    known = result.metric in numbers or "Traceback (most" in log.tail
    if result.status is Status.CRASH and not known and summary.has_block(log.tail):
        raise UsageError(
            f"the log says {', '.join(numbers[:8]) or 'nothing'} and no {result.metric}: "
            "name the metric with `--metric`, or say `--status crash`"
        )


def _overruled(result: Result, told: Told, log: runner.Ended | None) -> Result:
    """Return the result with the ending and the value that its maker tells."""
    name, value = result.metric, result.value
    if told.value is not None:
        if value not in (None, told.value):
            raise UsageError(f"the log says {name} {value}, `--value` {told.value}")
        value = told.value
    status = told.status or (result.status if told.value is None else Status.OK)
    if status is Status.OK and value is not None and not math.isfinite(value):
        status = Status.NAN
    if status is not Status.OK:
        words = told.reason if told.verdict is None else ""
        return replace(
            result,
            status=status,
            value=None,
            reason=summary.redact(words)[:300] or result.reason or "as recorded",
            excerpt=result.excerpt or (summary.excerpt(log.tail) if log else ""),
        )
    if value is None:
        raise UsageError(f"the run ended well, with which {name}? Add `--value`")
    if measure.is_impossible(name, value):
        raise UsageError(
            f"{value:g} is no possible {name}: `--status crash` if it failed"
        )
    return replace(result, status=status, value=value, reason="", excerpt="")


def _protocol(
    lab: Lab, commit: Oid, config: Config, result: Result
) -> tuple[str, float | None]:
    """Return the protocol of a run that others made, and its budget where known.

    Settings say how this repository is trained, and a log that does not contradict
    them is taken to follow them. Otherwise nobody knows the command: the result
    compares with others that were recorded so, and never with runs of ours.
    """
    trained = _first(result.metrics.get("training_seconds"))
    near = trained is None or (_NEAR[0] <= trained / config.budget_seconds <= _NEAR[1])
    if lab.configured and near:
        return fingerprint.protocol(lab.repo, commit, config), config.budget_seconds
    rough = float(f"{trained:.2g}") if trained else 0.0
    own = replace(config, run=(), budget_seconds=rough)
    return f"{APART}{fingerprint.protocol(lab.repo, commit, own)}", None


def _is_known(results: list[Result], made: Result) -> bool:
    """Say whether a log was read before, or the same was told without a log."""
    if made.log_sha256:
        return any(
            (x.log_sha256, x.metric) == (made.log_sha256, made.metric) for x in results
        )
    return any(not x.log_sha256 and _told(x) == _told(made) for x in results)


def _told(result: Result) -> tuple[object, ...]:
    return (
        result.metric, result.status, result.value, result.seconds,
        result.peak_memory_mb, result.seed,
    )  # fmt: skip


def _verdict(lab: Lab, commit: Oid, config: Config, told: Told) -> Verdict | None:
    """Return the verdict that its maker gave, with the gain where it is known."""
    if told.verdict is None:
        return None
    known = lab.show(str(commit))
    reason = summary.redact(told.reason)[:300]
    if known.verdict is told.verdict and reason in ("", known.reason):
        return None
    verdict = Verdict(value=told.verdict, reason=reason or "as recorded")
    found = decided(lab, commit, config)
    if found is None or found.value is Judgement.RETEST:
        return verdict
    return replace(found, value=verdict.value, reason=verdict.reason)


def decided(lab: Lab, commit: Oid, config: Config) -> Verdict | None:
    """Return the verdict that the numbers give: the last run against its baseline.

    None for a commit without a run or without a parent.
    """
    known = lab.show(str(commit))
    results = lab.results_of(commit)
    if known.parent is None or not results:
        return None
    last = results[-1]
    runs = lab.results(protocol=last.protocol, platform=last.platform)
    values = [
        x.value
        for oid, x in runs
        if oid == known.parent and x.metric == last.metric and x.value is not None
    ]
    return judge.decide(
        config.metric,
        [item for oid, item in runs if oid == commit and item.metric == last.metric],
        baseline=known.parent,
        values=values,
        noise=judge.measured_noise(runs),
    )
