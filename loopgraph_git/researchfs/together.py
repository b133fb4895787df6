"""Commits and their records go in together, as when an index is built anew.

Then all that is known of most experiments is at hand at once: their summary is written
with their first row, and not read back from the rows beneath it.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.researchfs import outcomes
from loopgraph_git.researchfs.aside import begin, keep_touched, take_in
from loopgraph_git.researchfs.commits import put_commits
from loopgraph_git.researchfs.outcomes import Said, known_records
from loopgraph_git.researchfs.summary import write_scores
from loopgraph_git.researchfs.summing import (
    Outcome,
    Verdict,
    score_columns,
    scores_of,
    summed,
    summed_once,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.researchfs.commits import Row, Told
    from loopgraph_git.researchfs.database import Database
    from loopgraph_git.researchfs.outcomes import Sum

_BULK = 1000
# places in a row of the table of records
_NAME, _ABOUT, _TREE, _SEQ, _TS = 1, 3, 4, 6, 7
_NOTHING: Sum = ("", summed((), (), ()), [])
_INDEXED = ("experiments", "experiment_methods", "records", "scores")


class Part(NamedTuple):
    """Commits, and records about them and others, none of them written yet."""

    told: Iterable[Told]
    said: Said


def put_together(db: Database, parts: Iterable[Part | Path]) -> None:
    """Write commits and records that are not known yet, part after part.

    A part may be a database that another process has put aside.
    """
    with ExitStack() as after:
        for part in parts:
            if isinstance(part, Path):
                take_in(db, part)
                continue
            if len(part.said.records) >= _BULK:
                after.enter_context(db.indexed_afterwards(_INDEXED))
            _put(db, part.told, part.said)


def put_aside(path: Path, part: Part) -> None:
    """Write commits and records into a new database, which `put_together` can take."""
    with closing(begin(path)) as db, db.transaction():
        _put(db, part.told, part.said)
        keep_touched(db)


def _put(db: Database, told: Iterable[Told], said: Said) -> None:
    if db.rows("SELECT 1 FROM records LIMIT 1"):
        said.leave_out(known_records(db, said))
    sums = _Sums(db, said)
    put_commits(db, told, sums.of)
    said.write(db, settled=sums.scores)
    write_scores(db, sums.scores)


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
    runs, verdicts = _by_experiment(said.outcomes), _by_experiment(said.verdicts)
    for experiment in runs | verdicts:
        measured, judged = runs.get(experiment, []), verdicts.get(experiment, [])
        if len(measured) == 1 and len(judged) <= 1:
            tree = rows[measured[0][0]][_TREE]
            told = [row[1:] for row in (*measured, *judged)]
            said.sums[experiment] = (tree, *summed_once(*told))
        else:
            said.sums[experiment] = _sum(rows, measured, judged)
    return said


def _by_experiment(table: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in table:
        found.setdefault(row[1], []).append(row)
    return found


def _sum(rows: dict[int, Row], measured: list[Row], judged: list[Row]) -> Sum | None:
    """Sum up runs and verdicts, whose records are among `rows`."""
    trees = {rows[row[0]][_TREE] for row in measured} or {""}
    if len(trees) > 1:
        return None
    runs = [Outcome._make(row) for row in _by_age(rows, measured)]
    verdicts = [Verdict._make(row) for row in _by_age(rows, judged)]
    scores = scores_of(runs)
    return trees.pop(), summed(runs, verdicts, scores), score_columns(scores)


def _by_age(rows: dict[int, Row], table: list[Row]) -> list[Row]:
    """Return rows of a table, the oldest first, without id and with their time."""
    pairs = [(rows[row[0]], row) for row in table]
    pairs.sort(key=lambda pair: (pair[0][_TS], pair[0][_SEQ], pair[0][_NAME]))
    return [(*row[1:], line[_TS]) for line, row in pairs]
