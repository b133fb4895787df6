"""Texts of others, before anybody sees them: nothing may move or hide what is there.

Commits, notes, logs and settings come from anywhere. A terminal obeys the control
characters in them, and a reader is misled by text that runs backwards or has no width.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# C0 and C1 controls, soft hyphens, marks and overrides of direction, separators of
# lines, what has no width, halves of surrogates, tags. The joiners stay: emoji and
# some scripts need them. Tabs and newlines are for the caller to judge.
HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def flat(text: str) -> str:
    """Return a text as one line of words, without what cannot be seen."""
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line
    return " ".join(HIDDEN.sub("", line).split())


def counted(number: int, thing: str) -> str:
    """Return a number of things: `1 pin`, `2 pins`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def tallied(counts: Mapping[str, int]) -> str:
    """Return how many there are of each thing that a plural names."""
    return ", ".join(counted(n, name.removesuffix("s")) for name, n in counts.items())


def visible(text: str) -> str:
    r"""Return a text with what cannot be seen written out, as `\x1b` or `\u202e`."""
    return HIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)
