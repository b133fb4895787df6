"""The lines that a failed block may have meant: shown, and never applied."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_SURE = 0.9
_CLOSE = 0.6
_LINES = 40
_WIDTH = 200
_BY_CHARACTERS = 1000
_FILE_LINES = 20_000
_CANDIDATES = 3


class Nearest(NamedTuple):
    """Lines of a file from `start` (from 0), and how like the block they are."""

    start: int
    lines: tuple[str, ...]
    likeness: float

    def __str__(self) -> str:
        said = "Did you mean" if self.likeness >= _SURE else "The nearest lines are"
        end = self.start + len(self.lines)
        head = f"{said} lines {self.start + 1} to {end}:"
        return "\n".join([head, *self.lines])


def nearest(lines: Sequence[str], sought: Sequence[str]) -> Nearest | None:
    """Return the run of lines most like the one that was sought, if any is close."""
    wanted = [line.strip()[:_WIDTH] for line in sought[:_LINES]]
    known = [line.strip()[:_WIDTH] for line in lines[:_FILE_LINES]]
    best = None
    text = "\n".join(wanted)
    for start in _offsets(known, wanted):
        window = known[start : start + len(wanted)]
        likeness = _likeness("\n".join(window), text)
        if best is None or likeness > best.likeness:
            shown = tuple(lines[start : start + len(wanted)])
            best = Nearest(start, shown, likeness)
    return best if best and best.likeness >= _CLOSE else None


def _likeness(one: str, other: str) -> float:
    """Compare two texts by their characters, longer ones by their words."""
    if len(one) + len(other) <= _BY_CHARACTERS:
        return SequenceMatcher(None, one, other, autojunk=False).ratio()
    words, others = (re.findall(r"\w+|[^\w\s]", text) for text in (one, other))
    return SequenceMatcher(None, words, others, autojunk=False).ratio()


def _offsets(known: list[str], wanted: list[str]) -> list[int]:
    """Return where a run may begin: most of its lines stand where they should."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(known):
        places.setdefault(line, []).append(number)
    votes: Counter[int] = Counter()
    for number, line in enumerate(wanted):
        here = places.get(line, []) if line else []
        for place in here[:_LINES]:
            votes[place - number] += 1
    if not votes:
        longest = max(range(len(wanted)), key=lambda number: len(wanted[number]))
        for line in get_close_matches(wanted[longest], places, _CANDIDATES, _CLOSE):
            votes[places[line][0] - longest] += 1
    return [max(0, start) for start, _ in votes.most_common(_CANDIDATES)]
