"""What the other sessions of a clone are trying at this moment.

The memory knows what came of an edit; before that, only the journal of the session
that trains it does. Two sessions with one memory would else begin with the same idea.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.errors import LoopGraphError
from loopgraph_git.git.lock import is_held
from loopgraph_git.loop.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def elsewhere(journal: Path, files: Mapping[str, str]) -> str:
    """Return the other running session that is trying the same texts, or "".

    `journal` is one's own, the others are beside it. One that nobody works on stands
    in nobody's way.
    """
    for path in sorted(journal.parent.glob("*.json")):
        if path == journal or not is_held(path.with_suffix(".lock")):
            continue
        try:
            entry = Journal(path).entry
        except LoopGraphError:
            continue  # its own session tells of it
        if entry and not entry.failure and entry.files == dict(files):
            return path.stem
    return ""
