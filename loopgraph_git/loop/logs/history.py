"""Experiment logs as others keep them: results.tsv, CSV or JSON lines, read.

The reader is strict where a guess could be wrong and lenient where it cannot: every
row comes out as a row or as a problem that names its line, never as neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.git import refs
from loopgraph_git.loop.logs import log_columns, log_lines, log_metric
from loopgraph_git.loop.logs.cells import names_in, time_of
from loopgraph_git.loop.logs.log_cells import Cells, Elsewhere, Unreadable, Untold
from loopgraph_git.loop.logs.log_table import Line, Problem
from loopgraph_git.records import Direction, Judgement, Metric, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.loop.logs.log_columns import Columns

# each costs another reading of the whole file
_METRICS = 20


@dataclass(frozen=True, kw_only=True)
class Row:
    """One experiment of a log.

    `number` counts the rows from 1, `line` the lines of the file; `name` is what the
    log calls the experiment (mostly a commit), `word` the status as it is written.
    There is no verdict where the log says none. `time` is in seconds since the epoch.

    A row that was made of a commit has no line, but a `key` that it keeps while its
    branch grows. `measured` says whether it tells of a run; `decided` is when its
    verdict was given, and `turn` which verdict on the same commit it is.
    """

    line: int = 0
    number: int
    name: str
    commit: str
    verdict: Judgement | None
    word: str
    reason: str = ""
    ending: Status | None = None
    value: float | None = None
    description: str = ""
    memory_mb: float | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    raw: str = ""
    session: str = ""
    time: int | None = None
    methods: tuple[str, ...] = ()
    key: str = ""
    measured: bool = True
    decided: int = 0
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log that was read: its metric, its rows, and what could not be read.

    `passed` is what was read and is no experiment, with the reason. `session` is
    what its experiments are called together, `origin` where a history was read from.
    `elsewhere` has the lines of rows that were measured by other metrics.
    """

    name: str
    metric: Metric
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()
    passed: tuple[Problem, ...] = ()
    session: str = ""
    origin: str = ""
    elsewhere: Mapping[str, frozenset[int]] = field(default_factory=dict)


def read_log(
    text: str,
    name: str,
    *,
    metric: str = "",
    direction: Direction | None = None,
    known: Metric | None = None,
    judged: bool = False,
) -> Log:
    """Read a log; `metric` and `direction` win over what it says itself.

    `known` is the metric of the repository: it gives a nameless column its name, and
    its direction where the names agree. Raises UsageError when the file as a whole
    cannot be read: no rows, no metric, or one that cannot be meant, and, where it is
    to be `judged`, no verdicts.
    """
    known = known or Metric()
    try:
        table = log_lines.split(text)
        wanted = metric or table.said.get("metric", "")
        columns, rows = _columns(table.lines, wanted, known, judged=judged)
        way = direction or log_columns.read_direction(table.said.get("direction", ""))
        decides, stated = log_metric.metric_of(
            columns, rows, wanted=wanted, way=way, known=known
        )
        reader = _Reader(columns, decides, log_metric.unit_of(columns, rows))
        read, problems, passed = reader.read(rows, wanted)
        column = columns.names[columns.metric]
        if not (wanted or stated or column == known.name):
            log_metric.check(decides, columns, _kept(read))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    return Log(
        name=name,
        metric=reader.metric,
        rows=tuple(read),
        problems=tuple(
            sorted([*table.problems, *problems], key=lambda found: int(found.line))
        ),
        passed=tuple(
            sorted([*table.passed, *passed], key=lambda found: int(found.line))
        ),
        elsewhere={name: frozenset(lines) for name, lines in reader.elsewhere.items()},
    )


def read_metrics(
    text: str, name: str, *, direction: Direction | None = None, known: Metric
) -> list[Log]:
    """Read a log that may have changed its metric, as one for each of them.

    `direction` is that of the first. Rows of metrics that cannot be read, or are too
    many, stay problems of the first log. Raises UsageError as `read_log` does.
    """
    first = read_log(text, name, direction=direction, known=known)
    logs = [first]
    for metric, lines in islice(first.elsewhere.items(), _METRICS):
        try:
            log = read_log(text, name, metric=metric, known=known)
        except UsageError:
            continue
        own = tuple(x for x in log.problems if x.line in lines)
        logs.append(replace(log, problems=own, passed=(), elsewhere={}))
        left = tuple(x for x in logs[0].problems if x.line not in lines)
        logs[0] = replace(logs[0], problems=left)
    return logs


def _kept(rows: Iterable[Row]) -> Iterator[float]:
    for row in rows:
        if row.verdict is Judgement.KEEP and row.value is not None:
            yield row.value


def by_session(log: Log, usual: str, *, only: bool = False) -> list[Log]:
    """Return a log in parts, by the session that its rows name; `usual` has the rest.

    With `only` all of them belong to `usual`.
    """
    parts: dict[str, list[Row]] = {usual: []}
    for row in log.rows:
        named = refs.slug(row.session) if row.session and not only else usual
        parts.setdefault(named, []).append(row)
    logs = [
        replace(log, rows=tuple(rows), session=name, problems=(), passed=())
        for name, rows in parts.items()
        if rows
    ] or [replace(log, session=usual)]
    # what could not be read is told once
    return [replace(logs[0], problems=log.problems, passed=log.passed), *logs[1:]]


def _columns(
    lines: tuple[Line, ...], wanted: str, known: Metric, *, judged: bool
) -> tuple[Columns, list[Line]]:
    """Return the columns, and the lines below the header if there is one."""
    if not lines:
        raise UsageError("no rows in it: is it an experiment log?")
    first = lines[0].cells
    # objects of JSON name their cells, on no line of the file
    unjudged = log_columns.is_unjudged(first)
    if unjudged and judged:
        raise UsageError("it has no column of verdicts: name one `status`")
    header = unjudged or log_columns.is_header(first)
    if lines[0].number and not header:
        return log_columns.without_header(first), list(lines)
    told = log_metric.names_told(first, lines[1:])
    if wanted in told and any(map(log_columns.is_nameless, first)):
        wanted = ""
    elif not wanted and not told and known.name in map(log_columns.plain, first):
        wanted = known.name
    return log_columns.from_header(first, wanted, told), list(lines[1:])


class _Reader:
    """Makes rows of cells, by the columns and the metric of one log."""

    def __init__(self, columns: Columns, metric: Metric, unit: str) -> None:
        self.columns = columns
        self.unit = unit
        self.metric = metric
        self.elsewhere: dict[str, list[int]] = {}
        self._strange = False

    def read(
        self, lines: Iterable[Line], wanted: str
    ) -> tuple[list[Row], list[Problem], list[Problem]]:
        """Return the rows, what could not be read, and what is no experiment."""
        rows: list[Row] = []
        problems: list[Problem] = []
        passed: list[Problem] = []
        for number, line in enumerate(lines, 1):
            try:
                if not self.turned(line, wanted):
                    rows.append(self.row(line, number))
            except Unreadable as error:
                if isinstance(error, Elsewhere):
                    self.elsewhere.setdefault(error.name, []).append(line.number)
                problems.append(Problem(line.number, str(error)))
            except Untold as error:
                passed.append(Problem(line.number, str(error)))
        return rows, problems, passed

    def turned(self, line: Line, wanted: str) -> bool:
        """Say whether a line is a header: of another log in the same file."""
        cells, columns = line.cells, self.columns
        place = columns.status
        pairs = zip(cells, columns.names, strict=False)
        if len(cells) == len(columns.names) and all(
            log_columns.plain(cell) == name for cell, name in pairs
        ):
            return True
        verdict = "" if place is None else "".join(cells[place : place + 1])
        if not log_columns.is_header(cells) or columns.judgement_of(verdict):
            return False
        try:
            other = log_columns.from_header(cells, wanted)
        except UsageError as error:
            self._strange = True
            raise Unreadable(f"another header: {error}") from error
        self._strange = other.names[other.metric] != columns.names[columns.metric]
        if self._strange:
            raise Unreadable(
                f"a header with another metric, {other.names[other.metric]}"
            )
        self.columns = other
        return True

    def row(self, line: Line, number: int) -> Row:
        if self._strange:
            raise Unreadable("below a header that does not fit: make it another file")
        cells = Cells.of(line, self.columns, self.unit)
        verdict, ending = cells.verdict(), cells.ending()
        crashed = verdict is Judgement.CRASH or ending not in (None, Status.OK)
        value = cells.value(self.metric, crashed=crashed)
        metrics = cells.metrics()
        if value is not None and crashed:
            # a run that crashed has no value that counts; what it showed is kept
            metrics, value = {self.metric.name: value, **metrics}, None
        columns = self.columns
        commit = cells.at(columns.commit)
        return Row(
            line=line.number,
            number=number,
            name=commit or cells.at(columns.run),
            commit=commit,
            verdict=verdict,
            word=cells.word(),
            ending=ending,
            value=value,
            description=" ".join(cells.at(columns.description).split()),
            memory_mb=cells.memory_mb(),
            seconds=cells.seconds(),
            metrics=metrics,
            raw=line.raw,
            session=cells.at(columns.session),
            time=time_of(cells.at(columns.time)),
            methods=names_in(cells.at(columns.methods)),
        )
