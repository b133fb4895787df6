"""Experiment logs as others keep them: results.tsv, CSV or JSON lines, read.

The reader is strict where a guess could be wrong and lenient where it cannot: every
row comes out as a row or as a problem that names its line, never as neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.loop import log_columns, log_lines
from loopgraph_git.loop.log_lines import Line, Problem
from loopgraph_git.records import Direction, Judgement, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.loop.log_columns import Columns

_NOTHING = {"", "-", "--", "n/a", "na", "none", "null", "fail", "failed", "crash",
            "error", "oom", "nan", "inf", "-inf", "unknown"}  # fmt: skip
_SHORT = 80


@dataclass(frozen=True, kw_only=True)
class Row:
    """One experiment of a log.

    `number` counts the rows from 1, `line` the lines of the file; `name` is what the
    log calls the experiment (mostly a commit), `word` the status as it is written.
    """

    line: int
    number: int
    name: str
    commit: str
    verdict: Judgement
    word: str
    value: float | None = None
    description: str = ""
    memory_mb: float | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    raw: str = ""


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log that was read: its metric, its rows, and what could not be read."""

    name: str
    metric: Metric
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()


class _Unreadable(Exception):  # noqa: N818  becomes a Problem, never an error
    """Why a row cannot be read."""


def read_log(
    text: str,
    name: str,
    *,
    metric: str = "",
    direction: Direction | None = None,
    known: Metric | None = None,
) -> Log:
    """Read a log; `metric` and `direction` win over what it says itself.

    `known` is the metric of the repository: it gives a nameless column its name, and
    its direction where the names agree. Raises UsageError when the file as a whole
    cannot be read: no rows, no verdicts, no metric.
    """
    known = known or Metric()
    try:
        table = log_lines.split(text)
        wanted = metric or table.said.get("metric", "")
        columns, rows = _columns(table.lines, wanted)
        name_of = _metric_name(columns, wanted, known)
        way = direction or _direction(name_of, table.said, known)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    reader = _Reader(columns, Metric(name_of, way))
    problems = list(table.problems)
    read: list[Row] = []
    for number, line in enumerate(rows, 1):
        try:
            read.append(reader.row(line, number))
        except _Unreadable as error:
            problems.append(Problem(line.number, str(error)))
    return Log(
        name=name,
        metric=reader.metric,
        rows=tuple(read),
        problems=tuple(sorted(problems)),
    )


def _columns(lines: tuple[Line, ...], wanted: str) -> tuple[Columns, list[Line]]:
    """Return the columns and the rows; a header that is repeated is no row."""
    if not lines:
        raise UsageError("no rows in it: is it an experiment log?")
    first = lines[0].cells
    if log_columns.is_header(first):
        rows = [line for line in lines if line.cells != first]
        return log_columns.from_header(first, wanted), rows
    return log_columns.without_header(first), list(lines)


def _metric_name(columns: Columns, wanted: str, known: Metric) -> str:
    column = columns.names[columns.metric]
    if wanted or not log_columns.is_nameless(column):
        return wanted or column
    return known.name


def _direction(name: str, said: Mapping[str, str], known: Metric) -> Direction:
    found = log_columns.read_direction(said.get("direction", ""))
    if found is None and name == known.name:
        found = known.direction
    found = found or log_columns.direction_of(name)
    if found is None:
        raise UsageError(
            f"is a lower or a higher {name} better? Say so with `--direction`"
        )
    return found


class _Reader:
    """Makes rows of cells, by the columns and the metric of one log."""

    def __init__(self, columns: Columns, metric: Metric) -> None:
        self.columns = columns
        self.metric = metric

    def row(self, line: Line, number: int) -> Row:
        cells = self._fitted(line)
        columns = self.columns
        verdict = self._verdict(cells)
        word = cells[columns.status].strip()
        value = self._value(cells, verdict)
        metrics = self._metrics(cells)
        if value is not None and verdict is Judgement.CRASH:
            # a run that crashed has no value that counts; what it showed is kept
            metrics, value = {self.metric.name: value, **metrics}, None
        commit = self._cell(cells, columns.commit)
        return Row(
            line=line.number,
            number=number,
            name=commit or self._cell(cells, columns.run),
            commit=commit,
            verdict=verdict,
            word=word,
            value=value,
            description=" ".join(self._cell(cells, columns.description).split()),
            memory_mb=self._memory(cells),
            seconds=max(0.0, _number(self._cell(cells, columns.seconds)) or 0.0),
            metrics=metrics,
            raw=line.raw,
        )

    def _fitted(self, line: Line) -> list[str]:
        """Return as many cells as columns, where it is plain how; else say so.

        Only a free text in the last column may have been cut or torn: anywhere else
        a missing or surplus cell shifts others into the wrong column.
        """
        names = self.columns.names
        cells, surplus = line.cells, len(line.cells) - len(names)
        last = self.columns.description == len(names) - 1
        if surplus > 0 and last:
            return [*cells[: len(names) - 1], " ".join(cells[len(names) - 1 :])]
        if surplus == -1 and last:
            return [*cells, ""]
        if surplus > 0 and not any(cell.strip() for cell in cells[len(names) :]):
            return cells[: len(names)]
        if surplus:
            raise _Unreadable(
                f"{len(cells)} cells where there are {len(names)} columns: "
                f"{line.raw[:_SHORT]!r}"
            )
        return cells

    def _verdict(self, cells: list[str]) -> Judgement:
        word = cells[self.columns.status].strip()
        verdict = log_columns.judgement_of(word)
        if verdict is None:
            raise _Unreadable(
                f"status {word[:_SHORT]!r} is no known verdict such as keep, discard "
                "or crash"
            )
        return verdict

    def _value(self, cells: list[str], verdict: Judgement) -> float | None:
        text = cells[self.columns.metric].strip()
        if text.lower() in _NOTHING:
            return None
        value = _number(text)
        if value is None:
            raise _Unreadable(f"{self.metric.name} {text[:_SHORT]!r} is not a number")
        if log_columns.says_nothing(self.metric, verdict, value):
            return None
        if log_columns.is_impossible(self.metric, value):
            raise _Unreadable(
                f"{self.metric.name} {text[:_SHORT]} is out of bounds: no run can "
                "have measured it"
            )
        return value

    def _memory(self, cells: list[str]) -> float | None:
        amount = _number(self._cell(cells, self.columns.memory))
        return amount * self.columns.memory_unit_mb if amount and amount > 0 else None

    def _metrics(self, cells: list[str]) -> dict[str, float | str]:
        found: dict[str, float | str] = {}
        for name, place in self.columns.others.items():
            text = cells[place].strip()
            number = _number(text)
            if text:
                found[name] = text[:_SHORT] if number is None else number
        return found

    @staticmethod
    def _cell(cells: list[str], place: int | None) -> str:
        return "" if place is None else cells[place].strip()


def _number(text: str) -> float | None:
    """Return a finite number, or None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    # Python reads 1_000 as a number; a log that holds it means a name
    return value if math.isfinite(value) and "_" not in text else None
