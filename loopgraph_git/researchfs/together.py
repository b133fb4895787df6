"""Commits and their records go in together, as when an index is built anew.

Then all that is known of most experiments is at hand at once: their summary is written
with their first row, and not read back from the rows beneath it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.researchfs.commits import put_commits
from loopgraph_git.researchfs.outcomes import known_records
from loopgraph_git.researchfs.summary import write_scores
from loopgraph_git.researchfs.summing import (
    Outcome,
    Score,
    Verdict,
    scores_of,
    summed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.records import Commit
    from loopgraph_git.researchfs.commits import Row
    from loopgraph_git.researchfs.database import Database
    from loopgraph_git.researchfs.outcomes import Said

_BULK = 1000
# places in a row of the table of records
_NAME, _ABOUT, _TREE, _SEQ, _TS = 1, 3, 4, 6, 7
_INDEXED = ("experiments", "experiment_methods", "records", "scores")


def put_together(db: Database, commits: Iterable[Commit], said: Said) -> int:
    """Write commits and records that are not known yet; returns how many commits."""
    if db.rows("SELECT 1 FROM records LIMIT 1"):
        said.leave_out(known_records(db, said))
    bulk = len(said.records) >= _BULK
    with db.indexed_afterwards(_INDEXED if bulk else ()):
        sums = _Sums(db, said)
        count = put_commits(db, commits, sums.of)
        said.write(db, settled=sums.scores)
        write_scores(db, sums.scores)
    return count


class _Sums:
    """What records come to, experiment by experiment; `scores` of those given out."""

    def __init__(self, db: Database, said: Said) -> None:
        self.scores: dict[int, list[Score]] = {}
        self._lines = {row[0]: row for row in said.records}
        self._aside = _entangled(db, said, self._lines)
        self._outcomes = _by_experiment(said.outcomes)
        self._verdicts = _by_experiment(said.verdicts)

    def of(self, experiment: int, commit: Commit) -> Row | None:
        """Return the summary of an experiment where it depends on nothing else.

        One whose change was read has a text besides, which is derived with it.
        """
        if commit.diff is not None or experiment in self._aside:
            return None
        outcomes = [
            Outcome._make((*row[1:], line[_TS]))
            for line, row in self._said(self._outcomes.get(experiment, ()))
            if line[_TREE] == commit.tree
        ]
        verdicts = [
            Verdict._make((*row[1:], line[_TS]))
            for line, row in self._said(self._verdicts.get(experiment, ()))
        ]
        scores = self.scores[experiment] = scores_of(outcomes)
        return summed(outcomes, verdicts, scores)

    def _said(self, rows: Iterable[Row]) -> list[tuple[Row, Row]]:
        """Return rows behind their records' rows, the oldest first."""
        found = [(self._lines[row[0]], row) for row in rows]
        if len(found) > 1:
            found.sort(key=lambda pair: (pair[0][_TS], pair[0][_SEQ], pair[0][_NAME]))
        return found


def _by_experiment(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(row)
    return found


def _entangled(db: Database, said: Said, lines: dict[int, Row]) -> set[int]:
    """Return the experiments that links, retractions or imports have a say in."""
    ends = {end for row in said.links for end in row[1:3]}
    adopted = {lines[row[0]][_ABOUT] for row in said.imports}
    targets = {*said.targets, *db.column("SELECT target FROM retractions")}
    taken_back = {lines[row][_ABOUT] for row in targets if row in lines}
    return ends | adopted | taken_back
