"""How lines are laid out: newlines, indentation, and what must not be touched.

A recipe is written once, with spaces and plain newlines, and has to land in a
file that may use tabs and CRLF. A line that begins inside a multi-line string is
content, not layout: shifting it would change the program.
"""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EOL = re.compile(r"\r\n|\r|\n")
_MARGIN = re.compile(r"[ \t]*")
# Python 3.12 splits f-strings into parts; only the literal parts are content.
_LITERAL = {"STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE"}


def newline_of(text: str) -> str:
    r"""Return the newline most used in a text, `\n` where it has none."""
    counts = {"\n": 0, "\r\n": 0, "\r": 0}
    for found in EOL.finditer(text):
        counts[found.group()] += 1
    return max(counts, key=lambda newline: counts[newline])


def uses_tabs(text: str) -> bool:
    """Tell whether the first indented line of a text is indented by a tab."""
    found = re.search(r"(?:^|[\r\n])([ \t]+)[^\s#]", text)
    return bool(found and found.group(1).startswith("\t"))


def margin_of(line: str) -> str:
    """Return the spaces and tabs that a line begins with."""
    found = _MARGIN.match(line)
    return found.group() if found else ""


def common_margin(lines: list[str]) -> str:
    """Return the longest indentation that all lines share, blank ones ignored."""
    margins = [margin_of(line) for line in lines if line.strip()]
    if not margins:
        return ""
    low, high = min(margins), max(margins)
    shared = 0
    while shared < min(len(low), len(high)) and low[shared] == high[shared]:
        shared += 1
    return low[:shared]


def tokens_of(text: str) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens of a fragment, ending quietly where it cannot be read."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError):
        return


def string_lines(text: str) -> frozenset[int]:
    r"""Return the line numbers, from 0, that begin inside a string; `\n` only."""
    inside: set[int] = set()
    for token in tokens_of(text):
        if tokenize.tok_name[token.type] in _LITERAL:
            inside.update(range(token.start[0], token.end[0]))
    return frozenset(inside)


def shifted(text: str, prefix: str, *, margin: str | None = None) -> str:
    """Return a text with `margin` (its own, if None) exchanged for `prefix`.

    Blank lines become empty; lines inside strings stay as they are.
    """
    lines = EOL.sub("\n", text).split("\n")
    inside = string_lines("\n".join(lines))
    layout = [line for number, line in enumerate(lines) if number not in inside]
    remove = common_margin(layout) if margin is None else margin
    return "\n".join(
        line if number in inside else _moved(line, remove, prefix)
        for number, line in enumerate(lines)
    )


def _moved(line: str, remove: str, prefix: str) -> str:
    if not line.strip():
        return ""
    return prefix + line.removeprefix(remove)


def tabbed(text: str) -> str:
    """Return a text with every four leading spaces written as one tab."""
    inside = string_lines(text)
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if number not in inside:
            width = len(line) - len(line.lstrip(" "))
            lines[number] = "\t" * (width // 4) + line[width // 4 * 4 :]
    return "\n".join(lines)


def fitted(text: str, prefix: str, *, like: str) -> str:
    """Return a block as it would be written in the file `like`, at an indent.

    The block takes that file's newlines, and its tabs where it has tabs.
    """
    plain = shifted(text, "")
    if uses_tabs(like):
        plain = tabbed(plain)
    return shifted(plain, prefix, margin="").replace("\n", newline_of(like))
