"""The cells of one row, by the columns of its log: read, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.loop.logs import log_columns
from loopgraph_git.loop.logs.cells import memory_of, number_of, seconds_of, time_of
from loopgraph_git.loop.logs.log_verdicts import has_only_run, judgement_of
from loopgraph_git.records import Judgement, Status

if TYPE_CHECKING:
    from loopgraph_git.loop.logs.log_columns import Columns
    from loopgraph_git.loop.logs.log_table import Line
    from loopgraph_git.records import Metric

_NOTHING = {"", "-", "--", "\u2013", "\u2014", "n/a", "#n/a", "na", "none", "null", "fail",
            "failed", "crash", "error", "oom", "timeout", "diverged", "nan", "inf",
            "+inf", "-inf", "infinity", "-infinity", "unknown", "tbd",
            "skipped"}  # fmt: skip
_ENDINGS = {str(item): item for item in Status}
_SHORT = 80


class Unreadable(Exception):  # noqa: N818  becomes a Problem, never an error
    """Why a row cannot be read."""


class Elsewhere(Unreadable):
    """Why a row belongs to another metric, which `name` is."""

    def __init__(self, name: str, ours: str) -> None:
        super().__init__(
            f"measured by {name[:_SHORT]!r}, not {ours}: import it with `--metric`"
        )
        self.name = name


class Untold(Exception):  # noqa: N818  as above
    """Why a row, which can be read, tells of no experiment's outcome."""


@dataclass(frozen=True)
class Cells:
    """One row, as many cells as its log has columns.

    `unit` is what every number of the metric has behind it in that log.
    """

    cells: list[str]
    columns: Columns
    unit: str = ""

    @classmethod
    def of(cls, line: Line, columns: Columns, unit: str = "") -> Cells:
        """Return the cells of a line; raises Unreadable where they do not fit.

        Only a free text in the last column may have been cut or torn: anywhere else
        a missing or surplus cell shifts others into the wrong column.
        """
        names = columns.names
        cells, surplus = line.cells, len(line.cells) - len(names)
        last = columns.description == len(names) - 1
        if surplus > 0 and last:
            cells = [*cells[: len(names) - 1], " ".join(cells[len(names) - 1 :])]
        elif surplus == -1 and last:
            cells = [*cells, ""]
        elif surplus > 0 and not any(cell.strip() for cell in cells[len(names) :]):
            cells = cells[: len(names)]
        elif surplus:
            raise Unreadable(
                f"{len(cells)} cells where there are {len(names)} columns: "
                f"{line.raw[:_SHORT]!r}"
            )
        elif line.torn and number_of(cells[-1]) is not None:
            raise Unreadable(
                "the file ends in this number: is the line still being written? End "
                "it with a newline"
            )
        return cls(cells, columns, unit)

    def at(self, place: int | None) -> str:
        """Return a cell, "" where the log has no such column."""
        return "" if place is None else self.cells[place].strip()

    def ending(self) -> Status | None:
        """Return how the run ended, where a column of its own says it."""
        # `done` and the like are said by the verdict, or by nobody
        return _ENDINGS.get(self.at(self.columns.ending).lower())

    def word(self) -> str:
        """Return the status as it is written, in whichever column holds it."""
        word, other = self.at(self.columns.status), self.at(self.columns.ending)
        # lines of JSON may say `kept: true` here and `status: keep` there
        if word or not other:
            return word
        return other if self.ending() is None and judgement_of(other) else ""

    def verdict(self) -> Judgement | None:
        """Return the verdict, None where the row tells of a run alone."""
        if self.columns.status is None:
            if self.at(self.columns.metric).lower() in _NOTHING:
                raise Untold("neither a value nor a verdict is told of it")
            return None
        word = self.word()
        verdict = self.columns.judgement_of(word)
        if not word and self.columns.ending is not None:
            if self.ending() is None:
                raise Untold("neither a run nor a verdict is told of it")
            return None
        if verdict is None and not has_only_run(word):
            raise Unreadable(
                f"status {word[:_SHORT]!r} is no known verdict such as keep, discard "
                "or crash"
            )
        return verdict

    def value(self, metric: Metric, *, crashed: bool) -> float | None:
        """Return what the run measured, None where the log says that it is nothing."""
        named = self.at(self.columns.metric_name)
        if named not in ("", metric.name):
            raise Elsewhere(named, metric.name)
        text = self.at(self.columns.metric)
        if text.lower() in _NOTHING:
            return None
        value = number_of(text.removesuffix(self.unit).rstrip())
        if value is None:
            raise Unreadable(f"{metric.name} {text[:_SHORT]!r} is not a number")
        if log_columns.says_nothing(metric, value, crashed=crashed):
            return None
        if log_columns.is_impossible(metric, value):
            raise Unreadable(
                f"{metric.name} {text[:_SHORT]} is out of bounds: no run can have "
                "measured it"
            )
        return value

    def memory_mb(self) -> float | None:
        """Return the peak of memory in MiB, None where nothing was measured."""
        text = self.at(self.columns.memory)
        if judgement_of(text) and text.lower() not in _NOTHING:
            raise Unreadable(
                f"a verdict, {text[:_SHORT]!r}, where the memory belongs: is a cell "
                "missing?"
            )
        return memory_of(text, self.columns.memory_unit_mb) or None

    def seconds(self) -> float:
        """Return how long the run took, 0 where the log does not say it."""
        return seconds_of(self.at(self.columns.seconds)) or 0.0

    def metrics(self) -> dict[str, float | str]:
        """Return what nothing else claims, and what was claimed but cannot be read."""
        found: dict[str, float | str] = {}
        for name, place in [*self.columns.others.items(), *self._unclear()]:
            text = self.at(place)
            number = number_of(text)
            if text:
                found[name] = text[:_SHORT] if number is None else number
        return found

    def _unclear(self) -> list[tuple[str, int]]:
        columns = self.columns
        readings = [
            (columns.memory, memory_of(self.at(columns.memory), 1.0)),
            (columns.seconds, seconds_of(self.at(columns.seconds))),
            (columns.time, time_of(self.at(columns.time))),
            (columns.ending, self.ending()),
        ]
        return [
            (columns.names[place], place)
            for place, reading in readings
            if place is not None and reading is None
            if self.at(place).lower() not in _NOTHING
        ]
