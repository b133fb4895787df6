"""A log as a table: its rows as cells, and what is no row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Problem(NamedTuple):
    """What could not be read, and why: a line, by its number, or a commit."""

    line: int | str
    reason: str


class Line(NamedTuple):
    """The cells of one row, the line they begin on, and the text they come from.

    A line that the file ends in may be torn: somebody may still be writing it.
    """

    number: int
    cells: list[str]
    raw: str
    torn: bool = False


class Table(NamedTuple):
    """The rows of a log (a header is the first), and what comments say of them.

    `said` may hold `metric` and `direction`. `passed` are lines of another kind.
    """

    lines: tuple[Line, ...]
    said: Mapping[str, str]
    problems: tuple[Problem, ...]
    passed: tuple[Problem, ...] = ()
