"""Anchors: the lines that an answer names as standing above a change.

`@@ class MLP` of a V4A patch and the heading that git puts behind `@@` both say
in which block a hunk is. They only ever break a tie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.loop.edits.target import columns

if TYPE_CHECKING:
    from collections.abc import Sequence


def block_of(lines: Sequence[str], anchors: Sequence[str]) -> range | None:
    """Return the numbers of the lines in the block that anchors lead to, each in turn.

    None where there is none, and where one is missing or stands there more than once.
    """
    if not anchors:
        return None
    block = range(len(lines))
    for anchor in anchors:
        wanted = anchor.strip()
        places = [at for at in block if lines[at].strip() == wanted]
        # git cuts a long heading
        places = places or [at for at in block if lines[at].strip().startswith(wanted)]
        if not wanted or len(places) != 1:
            return None
        block = range(places[0], _end(lines, places[0], block.stop))
    return block


def _end(lines: Sequence[str], start: int, stop: int) -> int:
    """Return where the block of a line ends: at the next line indented as little."""
    width = columns(lines[start])
    for at in range(start + 1, stop):
        line = lines[at]
        if line.strip() and columns(line) <= width and line.strip()[0] not in ")]}":
            return at
    return stop
