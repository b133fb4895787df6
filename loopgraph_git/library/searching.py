"""Search and replace: one match or none, never a guess.

Three rungs, each needing exactly one match: the text itself; whole lines without
regard to spaces at their ends; whole lines under another indentation, to which
the replacement is then moved. Nothing is ever matched by similarity.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.errors import AmbiguousError, RecipeError
from loopgraph_git.library.layout import (
    EOL,
    common_margin,
    shifted,
    tabbed,
    uses_tabs,
)
from loopgraph_git.library.source import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopgraph_git.library.source import Code

_WIDTH = 60


def search_and_replace(code: Code, search: str, replace: str) -> str:
    """Return the source with the one place that `search` names replaced.

    A search that ends in a newline stands for whole lines. Raises RecipeError
    where there is no match, or more than one.
    """
    needle, new = (EOL.sub("\n", text) for text in (search, replace))
    if not needle.strip():
        raise RecipeError("the text to search for is blank")
    if uses_tabs(code.text):
        needle, new = tabbed(needle), tabbed(new)
    for rung in (_fragments, _same_lines, _same_ends, _same_shape):
        found = rung(code, needle)
        if len(found) == 1:
            return _exchanged(code, found[0], needle=needle, new=new)
        if found:
            places = ", ".join(str(code.line_of(span.start)) for span in found[:5])
            message = f"the text was found {len(found)} times (lines {places})"
            raise AmbiguousError(message)
    raise RecipeError(f"the text was found 0 times: {_shown(needle)}")


def _shown(needle: str) -> str:
    first = needle.strip().split("\n")[0].strip()
    return repr(first if len(first) <= _WIDTH else f"{first[:_WIDTH]}...")


def _fragments(code: Code, needle: str) -> list[Span]:
    """Find the text anywhere, but never in the middle of a word."""
    if needle.endswith("\n"):
        return []
    text = needle.replace("\n", code.newline)
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", text) else ""
    pattern = f"{before}(?={re.escape(text)}{after})"
    return [
        Span(found.start(), found.start() + len(text))
        for found in re.finditer(pattern, code.text)
    ]


def _same_lines(code: Code, needle: str) -> list[Span]:
    return _windows(code, needle, lambda lines: lines)


def _same_ends(code: Code, needle: str) -> list[Span]:
    return _windows(code, needle, lambda lines: [line.rstrip() for line in lines])


def _same_shape(code: Code, needle: str) -> list[Span]:
    return _windows(code, needle, _shape)


def _shape(lines: list[str]) -> list[str]:
    margin = common_margin(lines)
    return [line.rstrip().removeprefix(margin) for line in lines]


def _windows(
    code: Code, needle: str, view: Callable[[list[str]], list[str]]
) -> list[Span]:
    """Find each run of whole lines that looks like the needle under a view."""
    wanted = needle.removesuffix("\n").split("\n")
    sought, first, size = view(wanted), wanted[0].strip(), len(wanted)
    lines = [code.text[line.start : line.end] for line in code.lines]
    return [
        Span(code.lines[at].start, code.lines[at + size - 1].end)
        for at in range(len(lines) - size + 1)
        if lines[at].strip() == first and view(lines[at : at + size]) == sought
    ]


def _exchanged(code: Code, span: Span, *, needle: str, new: str) -> str:
    old, new = EOL.sub("\n", code.slice(span)), new.removesuffix("\n")
    if old != needle:
        new = _placed(old, needle, new)
    if not new and needle.endswith("\n"):
        # Whole lines that are replaced by nothing take their last newline along.
        last = code.lines[code.line_of(span.end) - 1]
        span = Span(span.start, last.next)
    return code.replaced(span, new.replace("\n", code.newline))


def _placed(old: str, needle: str, new: str) -> str:
    """Return the replacement moved from the needle's indentation to the match's."""
    wanted = needle.split("\n")
    here, there = common_margin(wanted), common_margin(old.split("\n"))
    if here == there:
        return new
    if any(line.strip() and not line.startswith(here) for line in new.split("\n")):
        raise RecipeError("the replacement is indented less than the text it replaces")
    return shifted(new, there, margin=here)
