r"""Who wrote a paper: the names in `\author`, without marks, thanks and addresses.

Styles differ in what parts two names (`\and`, a comma, a gap, the mark of an address)
and where the addresses begin. What is read as a name stands on the first line, or on
one that goes on with the names above it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_AND = frozenset(["\\and", "\\And", "\\AND"])
_GAPS = frozenset(["\\quad", "\\qquad", "\\hfill"])
# what stands in the braces behind these is no name; the first ones part two names
_PARTING = frozenset(["\\hspace", "\\textsuperscript", "\\IEEEauthorrefmark", "\\inst"])
_ASIDE = frozenset(
    [
        "\\thanks",
        "\\footnote",
        "\\vspace",
        "\\orcidlink",
        "\\email",
        "\\affiliation",
        "\\IEEEmembership",
        "\\IEEEcompsocitemizethanks",
        "\\IEEEauthorblockA",
    ]
)
_ADDRESS = re.compile(
    r"@|\b(?:Univ|Instit|Depart|College|School|Laborator|Research|Labs?\b|Inc\b|Google)"
)
_MARKS = re.compile(r"\^\{[^}]*\}|\^\S|[*†‡§¶\u2217⋆]|(?<=[^\W\d_])\d+\b")
_BETWEEN = re.compile(r",|;|(?:^|\s)(?:and|&)\s")
_MARK = ";"
_NOT_TEXT = frozenset([" ", "{", "}", "\n\n"])


def authors(tokens: Sequence[str]) -> Iterator[list[str]]:
    r"""Yield the lines of names in the argument of `\author`, marks made to signs that part them."""
    blocks = list(_arguments(tokens, "\\IEEEauthorblockN"))
    if blocks:
        for block in blocks:
            yield [*_parted([" " if p == "\\\\" else p for p in block])]
        return
    part: list[str] = []
    for piece in [*_parted(tokens), "\\and"]:
        if piece not in _AND:
            part.append(piece)
            continue
        yield from _lines_of_names(part)
        part = []


def names(text: str) -> list[str]:
    """Return the names in a line of them."""
    found = (name.strip(" .|") for name in _BETWEEN.split(_MARKS.sub("", text)))
    return [" ".join(name.split()) for name in found if any(map(str.isalpha, name))]


def _lines_of_names(tokens: Sequence[str]) -> Iterator[list[str]]:
    above: list[str] = []
    for line in _lines(tokens):
        if above and not _goes_on(above, line):
            return
        yield line
        above = line


def _goes_on(above: Sequence[str], line: Sequence[str]) -> bool:
    """Tell whether a line has names as the one above it has."""
    if _ADDRESS.search("".join(line)):
        return False
    last = next(piece for piece in reversed(above) if piece not in _NOT_TEXT)
    if last != _MARK:
        return last.endswith(",") or last == "and"
    # a mark stands behind a name, and before the address that it is the mark of
    return _MARK in line and line[0] != _MARK


def _lines(tokens: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for piece in tokens:
        if piece == "\\\\":
            found.append([])
        elif found[-1] or piece not in _NOT_TEXT:
            found[-1].append(piece)
    return [line for line in found if line]


def _parted(tokens: Sequence[str]) -> Iterator[str]:
    """Yield tokens without what is said beside the names; `_MARK` for each mark."""
    waiting = list(reversed(tokens))
    while waiting:
        piece = waiting.pop()
        if piece in _PARTING:
            _group(waiting)
            yield _MARK
        elif piece in _ASIDE:
            _group(waiting)
        elif piece == "$":
            yield from _mark(waiting)
        else:
            yield _MARK if piece in _GAPS else piece


def _mark(waiting: list[str]) -> Iterator[str]:
    """Take a formula: a raised one ends a name, another says nothing."""
    formula: list[str] = []
    while waiting and (piece := waiting.pop()) != "$":
        formula.append(piece)
    if "^" in formula:
        yield _MARK


def _group(waiting: list[str]) -> list[str]:
    """Take the argument that is next from tokens in reverse, a star before it too."""
    while waiting and waiting[-1] in (" ", "*"):
        waiting.pop()
    if not waiting or waiting[-1] != "{":
        return []
    found, depth = [], 0
    while waiting:
        piece = waiting.pop()
        depth += (piece == "{") - (piece == "}")
        if not depth:
            break
        found.append(piece)
    return found[1:]


def _arguments(tokens: Sequence[str], command: str) -> Iterator[list[str]]:
    """Yield the argument of each use of a command."""
    waiting = list(reversed(tokens))
    while waiting:
        if waiting.pop() == command:
            yield _group(waiting)
