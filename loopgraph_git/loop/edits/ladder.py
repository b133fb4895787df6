"""The ladder: where in a file a hunk belongs, each rung looser than the one before.

A rung needs exactly one match. With none the next one is tried; with several the
hunk is refused, for a looser rung would only find more. The line number that an
answer gives may break a tie, and nothing is ever matched by likeness.

    exact        the lines as they are
    space        without regard to spaces at their ends
    tabs         with tabs and spaces at their beginning taken as equal
    marks        as if the mark of every context line had been forgotten
    indent       all moved sideways by the same width; what is added moves along
    punctuation  typographic quotes, dashes and spaces taken as plain ones
    blanks       blank lines passed over
    context      without some of the outermost context lines
    runs         each run of changed lines for itself, in their order
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError
from loopgraph_git.loop.edits.anchors import block_of
from loopgraph_git.loop.edits.matching import Found, Match, made_of, matches_of
from loopgraph_git.loop.edits.target import LOOSE, RUNGS, STRICT, Change, Rung

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.loop.edits.hunks import Hunk, Line
    from loopgraph_git.loop.edits.target import Target

_TIE_LINES = 3
_LEAST_CHARACTERS = 10
_TRIMMED_LINES = 12
_NEAR_LINES = 10
_SHOWN_PLACES = 5
_LONGEST = 2000


class AbsentError(EditError):
    """No rung finds a hunk's lines in the file."""


def locate(target: Target, hunk: Hunk) -> Found:
    """Return the one place of a hunk in a file.

    Raises EditError where there are several, AbsentError where there is none.
    """
    if not any(text.strip() for text in hunk.before):
        if target.lines:
            raise EditError("it adds lines and does not say between which")
        return Found((Change(0, 0, tuple(hunk.after)),), "exact", 0)
    if sum(1 for text in hunk.before if text.strip()) > len(target.lines):
        raise AbsentError("it is about more lines than the file has")
    if all(line.mark == " " for line in hunk.lines) and matches_of(target, hunk)[1]:
        # it changes nothing: what stands before or behind dots
        return Found((), RUNGS[0].name, 0)
    found = _climbed(target, hunk, STRICT)
    if found is None and hunk.lost_marks:
        # before all is moved sideways, which would move what is added as well
        found = _climbed(target, hunk.with_lines(hunk.lost_marks), STRICT)
        found = found and found._replace(rung="marks")
    found = found or _climbed(target, hunk, LOOSE)
    if found is None and _has_removed(target, hunk):
        found = _trimmed(target, hunk) or _in_runs(target, hunk)
    if found is None:
        raise AbsentError("its lines are not in the file")
    return found


def _has_removed(target: Target, hunk: Hunk) -> bool:
    """Say whether all that is to be removed is in the file, somewhere."""
    loosest = RUNGS[-1]
    view = target.view(loosest)
    removed = [line.text for line in hunk.lines if line.mark == "-"]
    return all(loosest.look(x) in view.places for x in removed if x.strip())


def _climbed(target: Target, hunk: Hunk, rungs: Sequence[Rung]) -> Found | None:
    rung, matches = matches_of(target, hunk, rungs)
    if len(matches) > 1:
        matches = _tie_broken(target, hunk, matches)
    if len(matches) > 1:
        first = [match.numbers[0] for match in matches[:_SHOWN_PLACES]]
        places = ", ".join(str(number + 1) for number in first if number is not None)
        raise EditError(
            f"its lines are in the file {len(matches)} times (lines {places}): "
            "give more of the lines around them"
        )
    return made_of(target, hunk, rung, matches[0]) if matches else None


def _tie_broken(target: Target, hunk: Hunk, matches: list[Match]) -> list[Match]:
    """Return the matches near the line that the answer names, and under its anchors."""
    hint, block = hunk.hint, block_of(target.lines, hunk.anchors)
    at = [match.numbers[0] or 0 for match in matches]
    near = {x for x in at if hint is not None and abs(x + 1 - hint) <= _TIE_LINES}
    inside = {x for x in at if block is not None and x in block}
    left = near & inside if near and inside else near | inside
    return [matches[at.index(*left)]] if len(left) == 1 else matches


def _trimmed(target: Target, hunk: Hunk) -> Found | None:
    """Return the place that is left when the least context is given up.

    Context may be given up above or below, and all ways have to lead to the same
    change: lines left out between context and addition would move it.
    """
    if len(hunk.lines) > _LONGEST:
        return None
    found = list(_trims(target, hunk))
    if None in found or len({item.changes for item in found if item}) != 1:
        return None
    return found[0]


def _trims(target: Target, hunk: Hunk) -> Iterator[Found | None]:
    """Yield what each smallest trim comes to, None where it leaves a doubt."""
    top, bottom = _context(hunk.lines), _context(hunk.lines[::-1])
    limit = bottom + 1
    for above in _steps(top):
        for below in _steps(bottom):
            part = hunk.with_lines(hunk.lines[above : len(hunk.lines) - below])
            if below >= limit or not _weighs_enough(part.lines):
                break
            rung, matches = (
                matches_of(target, part) if above + below else (RUNGS[0], [])
            )
            if not matches:
                continue
            # giving up more than this, on both sides, only finds more
            limit = below
            if len(matches) == 1:
                made = made_of(target, part, rung, matches[0])
                sure = _is_sure(target, hunk.lines, (above, below), matches[0])
                fuzz = made.fuzz + above + below
                yield made._replace(rung="context", fuzz=fuzz) if sure else None
            break


def _context(lines: Sequence[Line]) -> int:
    """Return how many context lines a hunk begins with."""
    for number, line in enumerate(lines):
        if line.mark != " ":
            return number
    return 0


def _steps(size: int) -> list[int]:
    """Return how many lines of context are given up in turn: each, then all."""
    return [*range(min(size, _TRIMMED_LINES) + 1), *[size] * (size > _TRIMMED_LINES)]


def _weighs_enough(lines: Sequence[Line]) -> bool:
    texts = ["".join(line.text.split()) for line in lines if line.mark != "+"]
    return sum(map(len, texts)) >= _LEAST_CHARACTERS


def _is_sure(
    target: Target, lines: Sequence[Line], given_up: tuple[int, int], match: Match
) -> bool:
    """Say whether what was given up leaves no doubt about where additions go.

    An addition at the very end of what is left stood next to a line that was given
    up. Where that line is near, but not next, others were left out between them.
    """
    numbers = [number for number in match.numbers if number is not None]
    above = _with_blanks(lines, given_up[0])
    if given_up[0] and lines[above].mark == "+":
        near = target.lines[max(0, numbers[0] - _NEAR_LINES) : numbers[0]]
        if not _follows([x.text for x in lines[:above]][::-1], near[::-1]):
            return False
    below = _with_blanks(lines[::-1], given_up[1])
    end = len(lines) - below
    if given_up[1] and lines[end - 1].mark == "+":
        last = numbers[-1] + 1
        near = target.lines[last : last + _NEAR_LINES]
        if not _follows([x.text for x in lines[end:]], near):
            return False
    return True


def _with_blanks(lines: Sequence[Line], given_up: int) -> int:
    """Return how much is given up with the blank context next to it: it holds nothing."""
    while lines[given_up].mark == " " and not lines[given_up].text.strip():
        given_up += 1
    return given_up


def _follows(given_up: list[str], near: list[str]) -> bool:
    """Say whether the line that was given up is next, or nowhere near."""
    wanted = given_up[0].strip()
    if near and near[0].strip() == wanted:
        return True
    wanted = next((text.strip() for text in given_up if text.strip()), "")
    return not wanted or wanted not in [line.strip() for line in near]


def _in_runs(target: Target, hunk: Hunk) -> Found | None:
    """Return the places of the single runs of changes, where they are in order."""
    parts = list(_runs(hunk.lines))
    if len(parts) == 1:
        return None
    found = []
    for part in parts:
        alone = replace(hunk.with_lines(part), hint=None, anchors=())
        if not _weighs_enough(part):
            return None
        rung, matches = matches_of(target, alone)
        if len(matches) > 1:
            return None
        made = made_of(target, alone, rung, matches[0]) if matches else None
        made = made or _trimmed(target, alone)
        if made is None:
            return None
        found.append(made)
    changes = [change for item in found for change in item.changes]
    if any(a.end > b.start for a, b in itertools.pairwise(changes)):
        return None
    return Found(
        tuple(changes),
        "runs",
        sum(item.fuzz for item in found),
        any(item.mangled for item in found),
    )


def _runs(lines: tuple[Line, ...]) -> Iterator[tuple[Line, ...]]:
    """Yield each run of changed lines with the context up to its neighbours."""
    changed = [line.mark != " " for line in lines]
    starts = [i for i, x in enumerate(changed) if x and not (i and changed[i - 1])]
    ends = [
        i + 1
        for i, x in enumerate(changed)
        if x and not (i + 1 < len(lines) and changed[i + 1])
    ]
    first = [0, *ends[:-1]]
    last = [*starts[1:], len(lines)]
    for start, end in zip(first, last, strict=True):
        yield lines[start:end]
