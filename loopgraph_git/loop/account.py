"""The account of a session: what a person reads in the morning.

It is made from the records alone, so it can be asked for at any time, while the
session runs and after the machine was switched off.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.git import refs
from loopgraph_git.loop import judge
from loopgraph_git.loop.confirm import first_baseline
from loopgraph_git.records import Judgement, Kind, Oid
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from loopgraph_git.lab import Lab
    from loopgraph_git.records import Experiment

_SHOWN = 20
_MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of a session, or of its experiments since a time.

    `gain` is that of the session's best code over its first baseline, in the metric's
    units, positive when better; `noise` the deviation of repeated runs. `kept` is in
    the order of time. `failures` counts reasons. Seconds are those of training.
    """

    session: str
    metric: str
    start: str
    tip: str
    first: float | None
    last: float | None
    gain: float | None
    noise: float | None
    grade: str
    confirmed: str
    tried: int
    kept: tuple[Experiment, ...]
    discarded: int
    failures: tuple[tuple[str, int], ...]
    methods: tuple[tuple[str, int], ...]
    seconds: float
    tokens: int
    cost_usd: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return {**asdict(self), "kept": [item.to_dict() for item in self.kept]}


def account(lab: Lab, session: str, *, since: float = 0.0) -> Account | None:
    """Return the account of a session, None where there is no such session.

    With `since`, seconds since the epoch, the experiments from then on are counted.
    """
    tip = lab.repo.find(refs.session_branch(session))
    if tip is None:
        return None
    start = first_baseline(lab, Oid(tip))
    found = [
        item
        for item in lab.experiments(session=session)[::-1]
        if item.commit != start and item.ts >= int(since)
    ]
    ends = [lab.show(str(oid)) for oid in (start, tip)]
    values = [item.value if item.metric == ends[1].metric else None for item in ends]
    first, last = values
    known = first is not None and last is not None
    where = {"protocol": ends[1].protocol, "platform": ends[1].platform}
    noise = judge.measured_noise(lab.results(**where)) if ends[1].protocol else None
    verdict = _last_verdict(lab, Oid(tip))
    results = [lab.results_of(item.commit) for item in found]
    return Account(
        session=session,
        metric=lab.config.metric.name,
        start=str(start),
        tip=str(tip),
        first=first,
        last=last,
        gain=lab.config.metric.gain(first or 0.0, last or 0.0) if known else None,
        noise=noise.sigma if noise else None,
        grade=str(verdict.get("grade", "")),
        confirmed=str(verdict.get("reason", "")) if "confirmed" in verdict else "",
        tried=len(found),
        kept=tuple(item for item in found if item.verdict is Judgement.KEEP),
        discarded=sum(item.verdict is Judgement.DISCARD for item in found),
        failures=_counted(
            f"{item.status}: {item.reason}".removeprefix(
                f"{item.status}: {item.status}: "
            )
            for item in found
            if item.verdict is Judgement.CRASH
        ),
        methods=_counted(name for item in found for name in item.methods),
        seconds=sum(item.seconds for item in found),
        tokens=sum(item.tokens for item in found),
        cost_usd=sum(result.cost_usd for part in results for result in part),
    )


def _counted(words: Any) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(words).most_common())


def _last_verdict(lab: Lab, commit: Oid) -> dict[str, Any]:
    found = [item.body for item in lab.records_of(commit) if item.kind is Kind.VERDICT]
    return dict(found[-1]) if found else {}


def told(item: Account) -> list[str]:
    """Return an account in lines, the most important first."""
    lines = [_counts(item), *_gain(item)]
    if item.kept:
        lines += ["", "Kept, in this order:"]
        lines += [
            f"  {kept.commit.short}  {_signed(kept.delta):>9}  {kept.subject}"
            for kept in item.kept[-_SHOWN:]
        ]
    if item.failures:
        lines += ["", "Did not run, or was refused:"]
        lines += [f"  {count}x  {words[:90]}" for words, count in item.failures[:5]]
    if item.methods:
        often = ", ".join(f"{name} {count}x" for name, count in item.methods[:8])
        lines += ["", f"Methods tried: {often}"]
    if item.tokens:
        cost = f", ${item.cost_usd:.2f}" if item.cost_usd else ""
        lines += ["", f"The LLM took {item.tokens:,} tokens{cost}."]
    return [*lines, "", *_next(item)]


def _counts(item: Account) -> str:
    failed = sum(count for _, count in item.failures)
    return (
        f"{counted(item.tried, 'experiment')} on lg/{item.session}: {len(item.kept)} kept, "
        f"{item.discarded} discarded, {failed} did not run; "
        f"{_lasted(item.seconds)} of training"
    )


def _lasted(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes:02} min"


def _gain(item: Account) -> list[str]:
    if item.gain is None or item.first is None or item.last is None:
        return []
    if item.tip == item.start:
        return [f"Nothing was kept: {item.metric} is still {item.first:.6g}"]
    word = "better" if item.gain > 0 else "worse"
    noise = f"noise {item.noise:.2g}" if item.noise is not None else "noise unknown"
    line = (
        f"{item.metric} {item.first:.6g} -> {item.last:.6g}, {word} by "
        f"{abs(item.gain):.4g} ({noise})"
    )
    return [line, item.confirmed] if item.confirmed else [line]


def _next(item: Account) -> list[str]:
    steps = []
    if item.tip != item.start:
        if not item.confirmed:
            confirm = f"git lg experiment --confirm --session {item.session}"
            steps.append((confirm, "is the gain real?"))
        steps.append((f"git diff {item.start[:7]} lg/{item.session}", "what has won"))
    steps.append((f"git lg log --session {item.session}", "every experiment"))
    width = max(len(command) for command, _ in steps)
    return ["Next:", *(f"  {command:<{width}}   {why}" for command, why in steps)]


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4g}"
