"""The nouns of an edit: what an answer asks for, before it meets a file.

Every form of edit comes down to three: set a value, exchange lines, or write the
whole file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import NamedTuple, Self

from loopgraph_git.errors import EditError

# A comparison of longer blocks line by line would take seconds.
_COMPARED_LINES = 400
_MOST_GAPS = 20
_LEFT_OUT = re.compile(
    r"""\s*(?:
        (?:\#|//|--|/\*)\s*[\[(<{]?\s*(?:\.{3,}|…).*      # "# ... existing code ..."
      | (?:\#|//)\s*[\[(<{]?\s*(?:the\s+)?(?:rest|remainder)\b
        [\w\s.'"`]{0,60}\b(?:unchanged|same|before|omitted|here)\b.*
      | (?:\#|//)\s*[\[(<{]?\s*(?:existing|unchanged|remaining|previous|other)\s+
        (?:code|lines|methods|functions|parts?)\b.{0,60}(?:\.{3}|…|here|[\])>}])\s*
    )\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_DOTS = re.compile(r"\s*(?:\.{3,}|…)\s*\Z")


class Line(NamedTuple):
    """A line of a hunk: context (` `), removed (`-`) or added (`+`)."""

    mark: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """A run of lines to be found, and what becomes of them.

    `hint` is the number of its first line (from 1) as the answer has it, `anchors`
    the lines that it names as standing above. `ends` says whether the file ends
    in a newline afterwards, None where the answer does not say. `lost_marks` holds
    the same lines read as if the mark of every context line had been forgotten.
    """

    lines: tuple[Line, ...]
    hint: int | None = None
    anchors: tuple[str, ...] = ()
    ends: bool | None = None
    lost_marks: tuple[Line, ...] = ()

    @property
    def before(self) -> list[str]:
        """The lines that have to be there."""
        return [line.text for line in self.lines if line.mark != "+"]

    @property
    def after(self) -> list[str]:
        """The lines that are there afterwards."""
        return [line.text for line in self.lines if line.mark != "-"]

    def with_lines(self, lines: tuple[Line, ...] | list[Line]) -> Self:
        """Return the hunk with other lines, and no second reading of them."""
        return replace(self, lines=tuple(lines), lost_marks=())


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`SET NAME = value`: `value` is Python, or a factor where `times` is set."""

    path: str
    name: str
    value: object
    times: bool = False
    form: str = "set"
    blocks: int = 1

    def __str__(self) -> str:
        return f"SET {self.name} {'*=' if self.times else '='} {self.value}"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Lines of one file exchanged for others: every hunk meets the file as it was."""

    path: str
    hunks: tuple[Hunk, ...]
    form: str

    def __str__(self) -> str:
        return "\n".join(map(self.shown, self.hunks))

    @property
    def blocks(self) -> int:
        """The number of places that it changes."""
        return len(self.hunks)

    def shown(self, hunk: Hunk) -> str:
        """Return a hunk as it is written in this form."""
        if self.form == "search":
            old, new = "\n".join(hunk.before), "\n".join(hunk.after)
            return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"
        return "\n".join(line.mark + line.text for line in hunk.lines)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole file, written out.

    `others` are all ways to read where it begins and ends, the longest first.
    """

    path: str
    text: str
    others: tuple[str, ...] = ()
    form: str = "whole"
    blocks: int = 1

    def __str__(self) -> str:
        return self.text


Edit = Setting | Exchange | Whole


def from_blocks(search: list[str], replacement: list[str]) -> tuple[Hunk, ...]:
    """Return the hunks of a search/replace block, one for each part between dots.

    Raises EditError where only one side leaves lines out.
    """
    cuts, seams = _pieces(search), _pieces(replacement)
    if len(cuts) == len(seams) > 1:
        pairs = zip(cuts, seams, strict=True)
        return tuple(_hunk(old, new) for old, new in pairs if _says(old) or _says(new))
    return (_hunk(search, replacement),)


def _says(lines: list[str]) -> bool:
    return any(line.strip() for line in lines)


def _pieces(lines: list[str]) -> list[list[str]]:
    """Cut lines where something is left out."""
    pieces: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        if is_gap(lines, number):
            pieces.append([])
            if len(pieces) > _MOST_GAPS:
                raise EditError("a block leaves lines out in too many places")
        else:
            pieces[-1].append(line)
    return pieces


def _hunk(old: list[str], new: list[str]) -> Hunk:
    """Return two texts as one hunk; what they share is context."""
    lines: list[Line] = []
    for tag, start, end, first, last in _compared(old, new):
        if tag == "equal":
            lines += [Line(" ", text) for text in old[start:end]]
        else:
            lines += [Line("-", text) for text in old[start:end]]
            lines += [Line("+", text) for text in new[first:last]]
    return Hunk(lines=tuple(lines))


def _compared(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    if len(old) + len(new) > _COMPARED_LINES:
        return [("replace", 0, len(old), 0, len(new))]
    return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())


def is_gap(lines: list[str], number: int) -> bool:
    """Say whether a line stands for lines that are left out.

    Three dots are Python too, where they are all that a body holds.
    """
    line = lines[number]
    if not _DOTS.match(line):
        return ("#" in line or "/" in line) and bool(_LEFT_OUT.match(line))
    above = _next(lines, number, -1)
    below = _next(lines, number, 1)
    is_body = above.rstrip().endswith(":")
    return not is_body or (bool(below) and width(below) >= width(line))


def _next(lines: list[str], number: int, step: int) -> str:
    """Return the next line that is not blank, above or below."""
    number += step
    while 0 <= number < len(lines):
        if lines[number].strip():
            return lines[number]
        number += step
    return ""


def width(line: str) -> int:
    """Return how many characters a line is indented by."""
    return len(line) - len(line.lstrip(" \t"))


def refuse_gaps(written: list[str], known: set[str]) -> None:
    """Raise EditError where a line to be written stands for others that are not there.

    `known` are the lines of the file without their indentation.
    """
    for number, line in enumerate(written):
        if line.strip() not in known and is_gap(written, number):
            raise EditError(
                f"`{line.strip()[:60]}` stands for lines that would be lost: write "
                "every line"
            )


def split_at_gaps(hunk: Hunk) -> list[Hunk]:
    """Return the parts of a hunk between context lines that leave lines out."""
    texts = [line.text for line in hunk.lines]
    parts: list[list[Line]] = [[]]
    for number, line in enumerate(hunk.lines):
        if line.mark == " " and len(parts) < _MOST_GAPS and is_gap(texts, number):
            parts.append([])
        else:
            parts[-1].append(line)
    if len(parts) == 1:
        return [hunk]
    changing = [part for part in parts if any(line.mark != " " for line in part)]
    return [replace(hunk.with_lines(part), hint=None) for part in changing]
