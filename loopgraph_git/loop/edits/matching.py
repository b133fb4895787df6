"""One rung: where a hunk matches under one way of comparing lines, and what it does."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.loop.edits.target import RUNGS, Change, Rung, columns, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.loop.edits.hunks import Hunk, Line
    from loopgraph_git.loop.edits.target import Target

# up to here, what is added stands as the answer has it
_AS_WRITTEN = ("exact", "space")


class Found(NamedTuple):
    """Where a hunk belongs: the changes it makes, and how it was matched.

    `fuzz` counts the lines that are not as the answer has them, `mangled` says
    that its punctuation was not the file's.
    """

    changes: tuple[Change, ...]
    rung: str
    fuzz: int
    mangled: bool = False


class Match(NamedTuple):
    """For each line of `before` its number in the file, and the width they moved."""

    numbers: list[int | None]
    shift: int


def matches_of(
    target: Target, hunk: Hunk, rungs: Sequence[Rung] = RUNGS
) -> tuple[Rung, list[Match]]:
    """Return the first rung that finds anything, and all that it finds."""
    for rung in rungs:
        found = list(_on_rung(target, hunk.before, rung))
        if found:
            return rung, found
    return RUNGS[-1], []


def _on_rung(target: Target, before: Sequence[str], rung: Rung) -> Iterator[Match]:
    view = target.view(rung)
    wanted = [at for at, line in enumerate(before) if rung.blanks or line.strip()]
    for start in view.find([rung.look(before[at]) for at in wanted]):
        numbers: list[int | None] = [None] * len(before)
        for offset, at in enumerate(wanted):
            numbers[at] = view.numbers[start + offset]
        shift = _shift(target, before, numbers) if rung.shifts else 0
        if shift is not None:
            yield Match(numbers, shift)


def _shift(
    target: Target, before: Sequence[str], numbers: Sequence[int | None]
) -> int | None:
    """Return the width that all lines are moved by, None where they disagree."""
    widths = {
        columns(target.lines[number]) - columns(plain(line))
        for line, number in zip(before, numbers, strict=True)
        if number is not None and line.strip()
    }
    return widths.pop() if len(widths) == 1 else None


def made_of(target: Target, hunk: Hunk, rung: Rung, match: Match) -> Found:
    """Return what a hunk does at one of its matches."""
    pairs = list(zip(hunk.before, match.numbers, strict=True))
    differing = [
        (line, target.lines[number])
        for line, number in pairs
        if number is not None and line != target.lines[number]
    ]
    known = [number for _, number in pairs if number is not None]
    # blank lines that one side has and the other has not
    passed = len(pairs) - len(known) + known[-1] - known[0] + 1 - len(known)
    return Found(
        tuple(
            _changes(target, hunk.lines, match, restyled=rung.name not in _AS_WRITTEN)
        ),
        rung.name,
        len(differing) + passed,
        any(plain(line) != line and plain(old) == old for line, old in differing),
    )


def _changes(
    target: Target, lines: Sequence[Line], match: Match, *, restyled: bool
) -> Iterator[Change]:
    """Yield what a matched hunk removes and adds; its context stays as the file has it."""
    known = [number for number in match.numbers if number is not None]
    numbers = iter(match.numbers)
    at = known[0]
    removing = False
    for mark, run in itertools.groupby(lines, key=lambda line: line.mark):
        texts = [line.text for line in run]
        if mark == "+":
            new = [
                target.indented(text, match.shift) if restyled else text
                for text in texts
            ]
            following = next((number for number in known if number >= at), at)
            place = following if _goes_below(target, new, at, following) else at
            yield Change(place, place, tuple(new))
            continue
        for _ in texts:
            number = next(numbers)
            if number is None:
                # a blank line that may be there or not
                if at == len(target.lines) or target.lines[at].strip():
                    continue
                number = at
            if mark == "-":
                # blank lines between two removed ones go with them
                yield Change(at if removing else number, number + 1, ())
            removing = mark == "-"
            at = number + 1


def _goes_below(target: Target, new: list[str], above: int, below: int) -> bool:
    """Say on which side of blank lines, that an answer passed over, new lines belong."""
    if above >= below or any(line.strip() for line in target.lines[above:below]):
        return False
    if not new[0].strip() or not new[-1].strip():
        return bool(new[0].strip())
    like_above = above > 0 and columns(new[-1]) == columns(target.lines[above - 1])
    return columns(new[0]) == columns(target.lines[below]) and not like_above
