"""Health: what `git lg doctor` looks at, and what it can mend.

    tools     settings     hooks      records     index     places
    versions  git's and    which of   notes,      SQLite    worktrees, journals,
              ours         them run   pins, refs  and FTS5  locks, disk

Looking never raises for what is broken: that is a finding. Mending touches what is
ours alone, and only what can be made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.health import hooks, index, places, records, settings, tools
from loopgraph_git.health.finding import Finding
from loopgraph_git.health.mending import mend
from loopgraph_git.health.settings import read_settings
from loopgraph_git.health.survey import survey

if TYPE_CHECKING:
    from loopgraph_git.git.repo import Repo

__all__ = ["Finding", "examine", "mend"]


def examine(repo: Repo) -> list[Finding]:
    """Look at everything; the index is brought up to date on the way."""
    found = read_settings(repo)
    # first, since it pins what was committed meanwhile
    indexed = index.examine(repo, found.config)
    seen = survey(repo)
    lines = records.read_lines(repo, seen)
    return [
        *tools.findings(repo),
        *settings.findings(repo, found),
        *hooks.findings(repo, found),
        *records.findings(repo, seen, lines),
        *indexed.findings,
        *index.compared(indexed, len(lines.records)),
        *places.findings(repo),
    ]
