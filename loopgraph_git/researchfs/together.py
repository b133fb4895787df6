"""Commits and their records go in together, as when an index is built anew.

Then all that is known of most experiments is at hand at once: their summary is written
with their first row, and not read back from the rows beneath it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, msgpack

from loopgraph_git.researchfs import outcomes
from loopgraph_git.researchfs.commits import Told, put_commits
from loopgraph_git.researchfs.outcomes import Said, known_records
from loopgraph_git.researchfs.summary import write_scores
from loopgraph_git.researchfs.summing import (
    Outcome,
    Verdict,
    score_columns,
    scores_of,
    summed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from mmap import mmap

    from loopgraph_git.researchfs.commits import Row
    from loopgraph_git.researchfs.database import Database
    from loopgraph_git.researchfs.outcomes import Sum

_BULK = 1000
# places in a row of the table of records
_NAME, _ABOUT, _TREE, _SEQ, _TS = 1, 3, 4, 6, 7
_NOTHING: Sum = ("", summed((), (), ()), [])
_INDEXED = ("experiments", "experiment_methods", "records", "scores")


def put_together(db: Database, given: Iterable[Told], said: Said) -> int:
    """Write commits and records that are not known yet; returns how many commits."""
    if db.rows("SELECT 1 FROM records LIMIT 1"):
        said.leave_out(known_records(db, said))
    bulk = len(said.records) >= _BULK
    with db.indexed_afterwards(_INDEXED if bulk else ()):
        sums = _Sums(db, said)
        count = put_commits(db, given, sums.of)
        said.write(db, settled=sums.scores)
        write_scores(db, sums.scores)
    return count


class Beside(Struct):
    """What another process has read: commits, those that are kept, and records."""

    kept: set[str]
    told: list[Told]
    said: Said

    def packed(self) -> bytes:
        """Return all of it as bytes."""
        return msgpack.encode(self)

    @staticmethod
    def unpacked(packed: bytes | mmap) -> Beside:
        """Return what was packed."""
        return _PACKED.decode(packed)


_PACKED = msgpack.Decoder(Beside)


class _Sums:
    """What records come to, experiment by experiment; `scores` of those given out."""

    def __init__(self, db: Database, said: Said) -> None:
        self.scores: dict[int, list[Row]] = {}
        self._sums = said.sums
        self._aside = _entangled(db, said)

    def of(self, commit: Told) -> Row | None:
        """Return the summary of an experiment where it depends on nothing else.

        One whose change was read has a text besides, which is derived with it.
        """
        experiment = commit.row[0]
        if commit.message is not None or experiment in self._aside:
            return None
        found = self._sums.get(experiment, _NOTHING)
        # of another tree it was not measured
        if found is None or found[0] not in (commit.tree, ""):
            return None
        self.scores[experiment] = found[2]
        return found[1]


def _entangled(db: Database, said: Said) -> set[int]:
    """Return the experiments that links, retractions or imports have a say in."""
    lines = {row[0]: row for row in said.records}
    ends = {end for row in said.links for end in row[1:3]}
    adopted = {lines[row[0]][_ABOUT] for row in said.imports}
    targets = {*said.targets, *db.column("SELECT target FROM retractions")}
    taken_back = {lines[row][_ABOUT] for row in targets if row in lines}
    return ends | adopted | taken_back


def gather(lines: Iterable[bytes]) -> Said:
    """Return the rows of the records among lines of notes, and what they come to."""
    said = outcomes.gather(lines)
    rows = {row[0]: row for row in said.records}
    told: dict[int, tuple[list[Row], list[Row]]] = {}
    for place, table in enumerate((said.outcomes, said.verdicts)):
        for row in table:
            told.setdefault(row[1], ([], []))[place].append(row)
    for experiment, (runs, verdicts) in told.items():
        measured = [(rows[row[0]], row) for row in runs]
        judged = [(rows[row[0]], row) for row in verdicts]
        said.sums[experiment] = _sum(measured, judged)
    return said


def _sum(measured: list[tuple[Row, Row]], judged: list[tuple[Row, Row]]) -> Sum | None:
    """Sum up runs and verdicts, each behind its record's row."""
    trees = {line[_TREE] for line, _ in measured} or {""}
    if len(trees) > 1:
        return None
    for rows in (measured, judged):
        if len(rows) > 1:
            rows.sort(key=lambda pair: (pair[0][_TS], pair[0][_SEQ], pair[0][_NAME]))
    runs = [Outcome._make((*row[1:], line[_TS])) for line, row in measured]
    verdicts = [Verdict._make((*row[1:], line[_TS])) for line, row in judged]
    scores = scores_of(runs)
    return trees.pop(), summed(runs, verdicts, scores), score_columns(scores)
