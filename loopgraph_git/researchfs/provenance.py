"""The chain behind an outcome: the question asked, the method, the passage, the paper.

Every link of it is a foreign key of the index, so that each answer can say where it
comes from, and what else was tried for the same purpose.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.records import Paper
from loopgraph_git.researchfs import reading, standings
from loopgraph_git.researchfs.schema import row_id

if TYPE_CHECKING:
    from loopgraph_git.records import Experiment
    from loopgraph_git.researchfs.store import Store

_EXCERPT = 400
_CITED = """\
SELECT p.key, p.title, p.authors, p.year, p.url, p.version, s.title, s.place,
       coalesce(c.title, ''), coalesce(c.body, ''), coalesce(c.place, '')
  FROM method_sources s JOIN methods m ON m.id = s.method
  JOIN papers p ON p.id = s.paper
  LEFT JOIN chunks c ON c.id = (
    SELECT x.id FROM chunks x WHERE x.paper = s.paper
       AND (x.title = m.title OR (x.kind <> 'method' AND x.place = s.place))
     ORDER BY x.origin, x.ord LIMIT 1)
 WHERE s.method = ? ORDER BY s.ord"""
_ASKED = """\
SELECT r.record, q.goal, r.ts / 1000, coalesce(e.oid, '')
  FROM retrievals q JOIN records r USING(id)
  LEFT JOIN experiments e ON e.id = r.experiment WHERE r.record = ? AND q.id = ?"""
_SUGGESTED = """\
SELECT s.rank, m.name, s.score, s.slot, s.why FROM suggestions s
  JOIN methods m ON m.id = s.method WHERE s.retrieval = ? ORDER BY s.rank"""
_ACTED = """\
SELECT m.name, e.id FROM experiments e JOIN experiment_methods x ON x.experiment = e.id
  JOIN methods m ON m.id = x.method WHERE e.retrieval = ? AND e.listed = 1
 ORDER BY e.ts, e.oid"""
_TRIES = """\
SELECT e.id FROM experiment_methods x JOIN experiments e ON e.id = x.experiment
 WHERE x.method = ? AND e.listed = 1 ORDER BY e.ts DESC, e.oid DESC"""


@dataclass(frozen=True, kw_only=True)
class Cited:
    """A paper that a method comes from, and the passage of it that says so."""

    paper: Paper
    place: str
    title: str
    passage: str


@dataclass(frozen=True, kw_only=True)
class Known:
    """A method and its sources; `title` is empty for one that no pack defines."""

    id: str
    title: str
    family: str
    pack: str
    summary: str
    cited: tuple[Cited, ...]


@dataclass(frozen=True, kw_only=True)
class Suggested:
    """A method that a retrieval ranked, and the experiments that acted on it."""

    rank: int
    method: str
    score: float
    slot: str
    why: str
    tries: tuple[Experiment, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A retrieval: its record, what was asked on which baseline, what was answered."""

    record: str
    goal: str
    ts: int
    baseline: str
    suggested: tuple[Suggested, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return asdict(self)


def known(store: Store, method: str) -> Known | None:
    """Return a method and where it comes from, or None where nothing names it."""
    row = row_id("method", method)
    rows = store.db.rows(
        "SELECT name, title, family, pack, definition <> '',"
        " coalesce(json_extract(nullif(definition, ''), '$.summary'), '')"
        " FROM methods WHERE id = ? AND name = ?",
        row,
        method,
    )
    if not rows:
        return None
    name, title, family, pack, defined, summary = rows[0]
    return Known(
        id=name,
        title=title if defined else "",
        family=family,
        pack=pack,
        summary=summary,
        cited=tuple(_cited(item) for item in store.db.rows(_CITED, row)),
    )


def _cited(row: tuple[Any, ...]) -> Cited:
    key, title, authors, year, url, version, named, said, chunk, body, place = row
    paper = Paper(
        key=key,
        title=title or named,
        authors=authors,
        year=year,
        url=url,
        version=version,
    )
    return Cited(paper=paper, place=said or place, title=chunk, passage=body[:_EXCERPT])


def asked(store: Store, record: str) -> Asked | None:
    """Return a retrieval by the id of its record, or None where it is not here."""
    row = row_id("record", record)
    rows = store.db.rows(_ASKED, record, row)
    if not rows:
        return None
    acted: dict[str, list[int]] = {}
    for method, experiment in store.db.rows(_ACTED, row):
        acted.setdefault(method, []).append(experiment)
    suggested = tuple(
        Suggested(
            rank=rank,
            method=method,
            score=score,
            slot=slot,
            why=why,
            tries=tuple(reading.of_rows(store.db, acted.get(method, []))),
        )
        for rank, method, score, slot, why in store.db.rows(_SUGGESTED, row)
    )
    name, goal, ts, baseline = rows[0]
    return Asked(record=name, goal=goal, ts=ts, baseline=baseline, suggested=suggested)


def tries(store: Store, method: str) -> list[Experiment]:
    """Return the experiments that tried a method, the newest first."""
    rows = store.db.column(_TRIES, row_id("method", method))
    return reading.of_rows(store.db, rows)


def siblings(store: Store, experiment: Experiment) -> list[Experiment]:
    """Return what else was tried on the code that an experiment started from."""
    if experiment.parent is None:
        return []
    states = standings.states_of(store, experiment.parent)
    found = reading.tried_on(store.db, states)
    return [item for item in found if item.commit != experiment.commit]
