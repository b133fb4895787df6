"""What is said of a commit: results, verdicts, retrievals; and what is answered."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loopgraph_git.records.line import RECORD_LIMIT_BYTES, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.records.values import Judgement, Oid, Status

CURVE_LIMIT = 32


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run measured, or how it failed.

    `flags` are what was odd about it, for a person to look at.
    """

    status: Status
    metric: str
    value: float | None = None
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    seed: int | None = None
    seconds: float = 0.0
    budget_seconds: float | None = None
    peak_memory_mb: float | None = None
    protocol: str = ""
    platform: str = ""
    evaluation: str = "self_reported"
    sandbox: str = ""
    flags: tuple[str, ...] = ()
    reason: str = ""
    excerpt: str = ""
    log_sha256: str = ""
    log_bytes: int = 0
    curve: tuple[tuple[float, float], ...] = ()
    tokens: int = 0
    cost_usd: float = 0.0
    edit: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was decided about an experiment, against which baseline, and why.

    `delta` is the gain over the baseline in the metric's units, positive when
    better; `noise` is the standard deviation of repeated baselines, and `n` the
    number of runs it was measured from. `grade` says how much is behind a `keep`;
    `confirmed` what a confirmation measured, against the session's first baseline.
    """

    value: Judgement
    reason: str = ""
    baseline: str = ""
    delta: float | None = None
    noise: float | None = None
    n: int = 0
    grade: str = ""
    confirmed: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One ranked method, with every factor of its score."""

    method: str
    score: float
    factors: Mapping[str, float] = field(default_factory=dict)
    slot: str = "exploit"
    why: str = ""
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """One question asked of the memory, and what it answered.

    `state` is a digest of the question and of what was known when it was asked.
    """

    goal: str
    query: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    tokens: int = 0
    state: str = ""


def body_of(value: Result | Verdict | Retrieval) -> dict[str, Any]:
    """Return the fields of a value as a record body, empty ones left out."""
    return {
        name: item
        for name, item in asdict(value).items()
        if item not in (None, "", (), {}, [])
    }


def fitted(result: Result, *, limit: int = RECORD_LIMIT_BYTES - 512) -> Result:
    """Return the result with excerpt, metrics and curve cut to fit one line."""
    clean = replace(result, metrics=_finite(result.metrics))
    for keep in (1500, 1000, 600, 300, 0):
        small = replace(clean, excerpt=clean.excerpt[-keep:] if keep else "")
        if len(canonical(body_of(small))) <= limit:
            return small
    return replace(clean, excerpt="", curve=(), metrics={}, reason=clean.reason[:300])


def fitted_retrieval(
    retrieval: Retrieval, *, limit: int = RECORD_LIMIT_BYTES - 512
) -> Retrieval:
    """Return the retrieval cut to fit one line: outcome ids, reasons, then the tail."""
    short = [
        replace(item, why=item.why[:120], outcomes=item.outcomes[:3])
        for item in retrieval.suggestions
    ]
    small = replace(retrieval, goal=retrieval.goal[:300], query=retrieval.query[:300])
    while (
        short
        and len(canonical(body_of(replace(small, suggestions=tuple(short))))) > limit
    ):
        short.pop()
    return replace(small, suggestions=tuple(short))


def _finite(metrics: Mapping[str, float | str]) -> dict[str, float | str]:
    kept: dict[str, float | str] = {}
    for name, value in list(metrics.items())[:24]:
        bad = isinstance(value, float) and not math.isfinite(value)
        kept[name[:40]] = str(value)[:80] if bad or isinstance(value, str) else value
    return kept


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What the index needs to know of one commit; `ts` is seconds since the epoch.

    `trailers` are the Loopgraph-* trailers, `diff` the change against the first
    parent, cut to a few thousand characters, or None where it was not read yet.
    """

    oid: Oid
    tree: Oid
    parent: Oid | None
    ts: int
    subject: str
    body: str = ""
    trailers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    diff: str | None = ""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One commit and what came of it, as the index answers it.

    `value` is the mean over the runs that measured the metric, `delta` the gain
    that the verdict recorded (positive is better), `ts` the commit's time in
    seconds since the epoch.
    """

    commit: Oid
    tree: Oid
    parent: Oid | None
    ts: int
    subject: str
    session: str = ""
    proposer: str = ""
    methods: tuple[str, ...] = ()
    retrieval: str = ""
    status: Status | None = None
    verdict: Judgement | None = None
    reason: str = ""
    baseline: str = ""
    metric: str = ""
    value: float | None = None
    runs: int = 0
    delta: float | None = None
    noise: float | None = None
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    protocol: str = ""
    platform: str = ""
    excerpt: str = ""
    tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One answer of a search: what it is, where to find it, and why it matched.

    `marks` are the places in the snippet that matched, begin and end.
    """

    kind: str
    key: str
    title: str
    snippet: str
    score: float
    marks: tuple[tuple[int, int], ...] = ()
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return asdict(self)
