"""Logs in Markdown: the tables of a document whose columns tell of experiments."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs.log_columns import is_header
from loopgraph_git.loop.logs.log_table import Line, Problem, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    # the lines of a file that are not empty, with their numbers
    Numbered = Sequence[tuple[int, str]]

# the line below a header: `|---|:--:|`
_RULE = re.compile(r"(?=.*-)[|:\s-]+\Z")
_BAR = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_SHORT = 80


def is_document(lines: Numbered) -> bool:
    """Say whether lines are Markdown: a table from the first, or one amid prose."""
    if _is_row(lines[0][1]):
        return True
    pairs = pairwise(text for _, text in lines)
    return any(_is_row(above) and _is_rule(below) for above, below in pairs)


def table(lines: Numbered, said: Mapping[str, str]) -> Table:
    """Return the rows of all tables that have a verdict, their headers among them.

    Raises UsageError where none has.
    """
    found: list[Line] = []
    problems: list[Problem] = []
    passed: list[Problem] = []
    for block in _blocks(lines):
        rows = [x for x in block if _is_row(x[1])]
        ruled = len(rows) > 1 and _is_rule(rows[1][1])
        if ruled and not is_header(_cells(rows[0][1])):
            named = ", ".join(_cells(rows[0][1]))[:_SHORT]
            passed.append(Problem(rows[0][0], f"a table without verdicts: {named}"))
            continue
        found += [Line(n, _cells(x), x) for n, x in rows if not _is_rule(x)]
        others = [n for n, x in block if not _is_row(x)]
        problems += [Problem(n, "not a row of the table") for n in others]
    if not found:
        raise UsageError("no table in it has a column of verdicts: name one `status`")
    return Table(tuple(found), said, tuple(problems), tuple(passed))


def _blocks(lines: Numbered) -> Iterator[list[tuple[int, str]]]:
    """Yield the tables, each with the lines that follow it without an empty one."""
    block: list[tuple[int, str]] = []
    for number, text in lines:
        if block and number != block[-1][0] + 1:
            yield block
            block = []
        if block or _is_row(text):
            block.append((number, text))
    if block:
        yield block


def _is_row(text: str) -> bool:
    return text.lstrip().startswith("|")


def _is_rule(text: str) -> bool:
    return _is_row(text) and bool(_RULE.match(text.strip()))


def _cells(text: str) -> list[str]:
    """Return the texts of a row, without marks of emphasis, code and links."""
    inner = text.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    cells = (_LINK.sub(r"\1", cell) for cell in _BAR.split(inner))
    return [cell.strip(" \t`*").replace("\\|", "|") for cell in cells]
