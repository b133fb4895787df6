"""A file cut to the room there is: its constants and what the brief speaks of first.

What does not fit keeps its first line, and a comment says how much is missing, so that
a reader knows what is there and copies nothing of it.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import NamedTuple

from loopgraph_git.loop.usage import estimated_tokens

_WORD = re.compile(r"[A-Za-z_]\w{2,}")
_BLOCK_LINES = 40


class _Part(NamedTuple):
    """Lines of a file that belong together, by number from 0, the end left out."""

    start: int
    end: int
    is_code: bool


def excerpt(code: str, *, room: int, words: str = "") -> str:
    """Return a file in at most `room` estimated tokens; whole where it fits.

    `words` is the text whose names decide what is kept: the more of them a function
    mentions for its length, the earlier.
    """
    if estimated_tokens(code) <= room:
        return code
    lines = code.split("\n")
    parts = _parts(code, len(lines))
    wanted = set(_WORD.findall(words))
    outline = {part: _outline(lines, part) for part in parts}
    left = room - sum(estimated_tokens(text) + 1 for text in outline.values())
    for part in sorted(parts, key=lambda item: _weight(lines, item, wanted)):
        text = "\n".join(lines[part.start : part.end])
        more = estimated_tokens(text) - estimated_tokens(outline[part])
        if more <= left:
            outline[part], left = text, left - more
    whole = "\n".join(outline[part] for part in parts)
    if estimated_tokens(whole) <= room:
        return whole
    # thousands of small parts: what is left of them is the beginning
    return whole.encode("utf-8", "replace")[: room * 3].decode("utf-8", "ignore")


def _parts(code: str, count: int) -> list[_Part]:
    """Cut a file into its statements, or into blocks where it does not parse."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        cuts = [*range(0, count, _BLOCK_LINES), count]
        return [_Part(one, two, is_code=True) for one, two in pairwise(cuts)]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    parts: list[_Part] = []
    start = 0
    for node in body:
        end = node.end_lineno or node.lineno
        if end <= start:
            continue
        first = min(
            [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]
        )
        if isinstance(node, kinds) and first - 1 > start:
            parts.append(_Part(start, first - 1, is_code=False))
            start = first - 1
        parts.append(_Part(start, end, is_code=isinstance(node, kinds)))
        start = end
    if start < count:
        parts.append(_Part(start, count, is_code=False))
    return parts


def _outline(lines: list[str], part: _Part) -> str:
    hidden = part.end - part.start - 1
    first = lines[part.start][:200]
    note = f"# [{hidden} more lines, not shown]"
    return f"{first}\n{note}" if hidden > 0 else first


def _weight(lines: list[str], part: _Part, wanted: set[str]) -> tuple[bool, float, int]:
    """Order parts: settings first, then what speaks of the wanted names."""
    names = _WORD.findall("\n".join(lines[part.start : part.end]))
    about = sum(name in wanted for name in names) / (len(names) or 1)
    return part.is_code, -about, part.start
