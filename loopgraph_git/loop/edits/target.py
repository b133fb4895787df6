"""The file that an edit is for: its lines, and how each rung of matching sees them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.library.layout import uses_tabs

if TYPE_CHECKING:
    from collections.abc import Callable

# What a word processor makes of plain text, and characters that cannot be seen.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
        "\u2026": "...",
        "\u2264": "<=",
        "\u2265": ">=",
        "\u2260": "!=",
        "\u00d7": "*",
    }
)
_TAB = 4


class Rung(NamedTuple):
    """One way to compare lines, each looser than the one before.

    `shifts` asks that all lines be moved sideways by the same width; without
    `blanks` blank lines are passed over.
    """

    name: str
    look: Callable[[str], str]
    shifts: bool = False
    blanks: bool = True


def plain(text: str) -> str:
    """Return a text in the punctuation of a keyboard."""
    return text if text.isascii() else text.translate(_PLAIN)


def expanded(line: str, tab: int = _TAB) -> str:
    """Return a line indented by spaces alone."""
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].expandtabs(tab) + body


def columns(line: str) -> int:
    """Return the column that a line's text begins at."""
    body = line.lstrip(" \t")
    return len(line[: len(line) - len(body)].expandtabs(_TAB))


def _same(line: str) -> str:
    return line


def _bare(line: str) -> str:
    return plain(line).strip()


RUNGS = (
    Rung("exact", _same),
    Rung("space", str.rstrip),
    Rung("tabs", lambda line: expanded(line).rstrip()),
    Rung("indent", str.strip, shifts=True),
    Rung("punctuation", _bare, shifts=True),
    Rung("blanks", _bare, shifts=True, blanks=False),
)
STRICT, LOOSE = RUNGS[:3], RUNGS[3:]
"""The rungs before and after the one that takes marks as forgotten."""
LADDER = (
    *(rung.name for rung in STRICT),
    "marks",
    *(rung.name for rung in LOOSE),
    "context",
    "runs",
)
"""The names of all rungs, the strictest first."""


class Change(NamedTuple):
    """Lines `start` to `end` (from 0, half-open) become others."""

    start: int
    end: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The lines of a file as a rung sees them, and where each can be found."""

    numbers: list[int]
    lines: list[str]
    places: dict[str, list[int]]

    def find(self, sought: list[str]) -> list[int]:
        """Return where a run of lines begins, counted in this view."""
        rare = min(range(len(sought)), key=lambda at: len(self._at(sought[at])))
        size = len(sought)
        return [
            at - rare
            for at in self._at(sought[rare])
            if at >= rare and self.lines[at - rare : at - rare + size] == sought
        ]

    def _at(self, line: str) -> list[int]:
        return self.places.get(line, [])


class Target:
    """A file's text as lines; newlines and a byte order mark are kept apart."""

    def __init__(self, text: str) -> None:
        self.mark = "\ufeff" if text.startswith("\ufeff") else ""
        body = text[len(self.mark) :]
        parts = re.split(r"(\r?\n)", body)
        self.lines = parts[0::2]
        self.newlines = parts[1::2]
        if not self.lines[-1]:
            self.lines.pop()
        self.ends = not body or len(self.newlines) == len(self.lines)
        windows = body.count("\r\n")
        self.newline = "\r\n" if windows * 2 > len(self.newlines) else "\n"
        self.tabs = uses_tabs(body)
        self._views: dict[str, View] = {}

    def view(self, rung: Rung) -> View:
        """Return the lines as a rung sees them."""
        if rung.name not in self._views:
            self._views[rung.name] = self._look(rung)
        return self._views[rung.name]

    def _look(self, rung: Rung) -> View:
        numbers = [
            number
            for number, line in enumerate(self.lines)
            if rung.blanks or line.strip()
        ]
        seen = [rung.look(self.lines[number]) for number in numbers]
        places: dict[str, list[int]] = {}
        for at, line in enumerate(seen):
            places.setdefault(line, []).append(at)
        return View(numbers, seen, places)

    def indented(self, line: str, shift: int) -> str:
        """Return a new line moved sideways by some columns, in this file's style."""
        if not line.strip():
            return line
        width = max(0, columns(line) + shift)
        body = line.lstrip(" \t")
        if self.tabs:
            return "\t" * (width // _TAB) + " " * (width % _TAB) + body
        return " " * width + body

    def replaced(self, changes: list[Change], *, ends: bool | None = None) -> str:
        """Return the text after changes that are in order and do not overlap."""
        lines: list[tuple[str, str]] = []
        at = 0
        for change in changes:
            lines += self._kept(at, change.start)
            lines += [(line, self.newline) for line in change.lines]
            at = change.end
        lines += self._kept(at, len(self.lines))
        text = "".join(line + end for line, end in lines[:-1])
        if lines:
            last, end = lines[-1]
            text += last + (end if (self.ends if ends is None else ends) else "")
        return self.mark + text

    def _kept(self, start: int, end: int) -> list[tuple[str, str]]:
        newlines = self.newlines[start:end]
        return list(
            itertools.zip_longest(
                self.lines[start:end], newlines, fillvalue=self.newline
            )
        )
