"""Which number decides in a log, and which way it improves: told, or plain, or asked for.

A log says it in a comment, in a column or by the name of the number. Where none of
them leaves it beyond doubt, the rows that were kept must not speak against it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs import log_columns
from loopgraph_git.records import Direction, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loopgraph_git.loop.logs.log_columns import Columns
    from loopgraph_git.loop.logs.log_table import Line

_T = TypeVar("_T")
_UNIT = re.compile(r"[+-]?[\d.,]+(?:e[+-]?\d+)?\s*([^\d\s.,-]*)\Z", re.IGNORECASE)
# fewer may be noise that was kept for being simpler
_TOO_OFTEN = 3


def metric_of(
    columns: Columns,
    lines: Sequence[Line],
    *,
    wanted: str,
    way: Direction | None,
    known: Metric,
) -> tuple[Metric, bool]:
    """Return the metric of a log, and whether anything states its direction.

    `way` is what the user or a comment states; else a column may. `known` is the
    metric of the repository. It gives a column its name that has none of its own,
    unless the log says that its number improves the other way. Raises UsageError
    where nobody knows the direction.
    """
    column = columns.names[columns.metric]
    nameless = log_columns.is_nameless(column)
    told = _commonest(_cells(lines, columns.metric_name))
    name = wanted or told or ("" if nameless else column)
    way = way or _way_told(columns, lines, name)
    if not name:
        name = known.name if way in (None, known.direction) else column
    return Metric(name, way or direction_of(name, known)), way is not None


def names_told(header: Sequence[str], lines: Iterable[Line]) -> list[str]:
    """Return the names that rows give to their number, the most common first."""
    place = log_columns.place_of_name(header)
    return [name for name, _ in Counter(_cells(lines, place)).most_common()]


def _way_told(columns: Columns, lines: Sequence[Line], name: str) -> Direction | None:
    """Return the direction that a column gives to the rows of one metric."""
    named = log_columns.place_of_name(columns.names)
    own = [x for x in lines if _cell(x, named) in ("", name)]
    words = map(log_columns.read_direction, _cells(own, columns.way))
    return _commonest(word for word in words if word)


def unit_of(columns: Columns, lines: Iterable[Line]) -> str:
    """Return what follows every number of the metric, such as %; "" if they differ.

    What multiplies a number (12.3k) is no unit.
    """
    found = {match[1] for cell in _cells(lines, columns.metric)
             if (match := _UNIT.match(cell))}  # fmt: skip
    unit = found.pop() if len(found) == 1 else ""
    return "" if unit in set("kKMGBT") else unit


def direction_of(name: str, known: Metric) -> Direction:
    """Return which way a metric improves; raises UsageError where nobody knows."""
    if name == known.name:
        return known.direction
    found = log_columns.direction_of(name)
    if found is None:
        raise UsageError(
            f"is a lower or a higher {name} better? Say so with `--direction`"
        )
    return found


def check(metric: Metric, columns: Columns, kept: Iterable[float]) -> None:
    """Raise UsageError where all that was kept is worse than what was kept first.

    Then another number decided, or this one improves the other way. A loss on held-out
    data leaves no doubt, whatever was kept; a speed or an error rate is taken only where
    something that was kept improved it.
    """
    column, names = columns.names[columns.metric], columns.names
    first, *later = [*kept] or [0.0]
    gains = [metric.gain(first, value) for value in later]
    worse = 0 if any(gain > 0 for gain in gains) else sum(gain < 0 for gain in gains)
    doubt = log_columns.is_in_doubt(column, names)
    if doubt and not any(gain > 0 for gain in gains):
        raise UsageError(
            f"nothing that was kept says that {metric.name} decides: name the number "
            "that does with `--metric`"
        )
    if worse >= _TOO_OFTEN and not log_columns.is_beyond_doubt(column):
        raise UsageError(
            f"it keeps {worse} times what is worse by a {metric.direction} "
            f"{metric.name}, and never what is better: name the number that decides "
            "with `--metric`, and say with `--direction` which is better"
        )


def _cells(lines: Iterable[Line], place: int | None) -> Iterator[str]:
    return filter(None, (_cell(line, place) for line in lines))


def _cell(line: Line, place: int | None) -> str:
    return "" if place is None else "".join(line.cells[place : place + 1]).strip()


def _commonest(found: Iterable[_T]) -> _T | None:
    counted = Counter(found).most_common(1)
    return counted[0][0] if counted else None
