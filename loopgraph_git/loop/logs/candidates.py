"""A commit that may be an experiment, and what a history says of it later on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopgraph_git.loop.logs import commit_words, log_columns
from loopgraph_git.loop.logs.history import Row
from loopgraph_git.records import Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.git.linear import Change, Step
    from loopgraph_git.records import Metric


@dataclass
class Candidate:
    """A commit that changed code, and what is said of it.

    `told` is the text that tells its outcome, `undone` the commit that took it back.
    """

    step: Step
    code: Mapping[str, Change]
    value: float | None = None
    told: str = ""
    row: Row | None = None
    verdict: Judgement | None = None
    reason: str = ""
    decided: int = 0
    turn: int = 0
    undone: Step | None = None
    doubts: list[str] = field(default_factory=list)

    @property
    def is_tried(self) -> bool:
        """Say whether it is an experiment, by anything that is known of it."""
        return bool(
            self.verdict
            or self.row
            or self.value is not None
            or commit_words.is_labelled(self.step.subject)
        )

    @property
    def is_told(self) -> bool:
        """Say whether its outcome was told, and not only seen from what followed."""
        return bool(self.told or self.row)

    def measure(self, values: tuple[float, ...], text: str, metric: Metric) -> None:
        """Take the value that a text states, unless it states none or several."""
        if len(values) > 1:
            several = ", ".join(f"{value:g}" for value in values)
            self.doubts.append(f"which {metric.name} it had is not plain: {several}")
        elif values and log_columns.is_impossible(metric, values[0]):
            self.doubts.append(f"{metric.name} {values[0]:g} is out of bounds")
        elif values and self.value is None:
            self.value, self.told = values[0], text

    def judge(self, verdict: Judgement, reason: str, step: Step) -> None:
        """Give a verdict; a later one counts more."""
        self.verdict, self.reason = verdict, reason
        self.decided = max(self.decided, self.step.ts, step.ts)
        self.turn += 1

    def undo(self, step: Step) -> None:
        """Take the commit back: what is known to have crashed stays a crash."""
        self.undone = step
        if self.verdict not in (Judgement.DISCARD, Judgement.CRASH):
            self.judge(Judgement.DISCARD, f"taken back by {named(step)}", step)

    def redo(self, step: Step) -> None:
        """Put the commit back."""
        self.undone = None
        self.judge(Judgement.KEEP, f"put back by {named(step)}", step)

    def stay(self) -> None:
        """Note that it was left standing, where others were taken back."""
        if self.verdict is None:
            self.verdict = Judgement.KEEP
            self.reason = "it stays, where what failed was taken back"
            self.decided = self.step.ts

    def to_row(self, number: int) -> Row:
        """Return what is known of it as a row of a log."""
        row, step = self.row, self.step
        value = self.value if row is None or row.value is None else row.value
        crashed = self.verdict is Judgement.CRASH
        return Row(
            number=number,
            name=step.oid.short,
            commit=step.oid,
            verdict=self.verdict,
            word=row.word if row else "",
            reason=self.reason,
            value=None if crashed else value,
            description=commit_words.without_label(step.subject),
            memory_mb=row.memory_mb if row else None,
            seconds=row.seconds if row else 0.0,
            metrics=dict(row.metrics) if row else {},
            raw=row.raw if row else self.told or step.subject,
            time=step.ts,
            key=step.oid,
            measured=bool(row) or value is not None or crashed,
            decided=self.decided,
            turn=self.turn,
        )


def named(step: Step) -> str:
    """Return a commit as people quote it: the start of its oid, and its subject."""
    return f"{step.oid.short} {step.subject[:60]}"
