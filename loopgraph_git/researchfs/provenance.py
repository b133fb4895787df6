"""The chain behind an outcome: the question asked, the method, the passage, the paper.

Every link of it is a foreign key of the index, so that each answer can say where it
comes from, and what else was tried for the same purpose.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.records import Paper
from loopgraph_git.researchfs import reading, standings
from loopgraph_git.researchfs.knowledge import LIBRARY, PACK
from loopgraph_git.researchfs.schema import row_id

if TYPE_CHECKING:
    from loopgraph_git.records import Experiment
    from loopgraph_git.researchfs.store import Store

_EXCERPT = 400
_CITED = """\
SELECT p.id, p.key, p.title, p.authors, p.year, p.url, p.version, s.title, s.place
  FROM method_sources s JOIN papers p ON p.id = s.paper
 WHERE s.method = ? ORDER BY s.ord"""
_MENTIONED = """\
SELECT p.id, p.key, p.title, p.authors, p.year, p.url, p.version, '', '',
       c.title, c.place, c.body, c.ord
  FROM mentions t JOIN chunks c ON c.id = t.chunk JOIN papers p ON p.id = c.paper
 WHERE t.method = ?
   AND p.id NOT IN (SELECT paper FROM method_sources WHERE method = t.method)
 ORDER BY t.times DESC, p.key, c.ord"""
_PASSAGES = """\
SELECT c.id, c.origin, c.ord, c.place, coalesce(t.times, 0)
  FROM chunks c LEFT JOIN mentions t ON t.chunk = c.id AND t.method = ?
 WHERE c.paper = ? AND (c.kind <> 'method' OR c.title = ?)"""
_PASSAGE = "SELECT title, place, body, ord FROM chunks WHERE id = ?"
_HEADED = re.compile(r"(?:sections?|sec\.|appendix|§)\s*", re.IGNORECASE)
_LISTED = re.compile(r"\s*(?:[,;]|\band\b)\s*")
_IN_IT, _BELOW_IT = 2, 1
_MORE = 3
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
    """A paper that a method comes from, and the passage of it that says so.

    `place` is where the pack says that it stands, `section` where the passage does.
    `chunk` names the passage as a search does, and is empty for a pack's own words.
    """

    paper: Paper
    place: str
    title: str
    passage: str
    section: str = ""
    chunk: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A method and its sources; `title` is empty for one that no pack defines.

    `mentioned` are passages of other papers that were ingested, the best of each.
    """

    id: str
    title: str
    family: str
    pack: str
    summary: str
    cited: tuple[Cited, ...]
    mentioned: tuple[Cited, ...] = ()


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
        cited=tuple(
            _cited(store, row, title, item) for item in store.db.rows(_CITED, row)
        ),
        mentioned=tuple(_mentioned(store, row)),
    )


def _mentioned(store: Store, method: int) -> list[Cited]:
    """Return what other papers say of a method: of each that mentions it, one passage."""
    best: dict[str, Cited] = {}
    for row in store.db.rows(_MENTIONED, method):
        *paper, head, section, body, number = row
        made = _said(tuple(paper), (head, section, body, number))
        best.setdefault(made.paper.key, made)
    return list(best.values())[:_MORE]


def _cited(store: Store, method: int, title: str, row: tuple[Any, ...]) -> Cited:
    found = _passage(store, method, title, paper=row[0], said=row[-1])
    return _said(row, found or ("", "", "", None))


def _said(row: tuple[Any, ...], passage: tuple[str, str, str, int | None]) -> Cited:
    _, key, named, authors, year, url, version, cited_as, place = row
    head, section, body, number = passage
    paper = Paper(
        key=key,
        title=named or cited_as,
        authors=authors,
        year=year,
        url=url,
        version=version,
    )
    return Cited(
        paper=paper,
        place=place or section,
        title=head,
        passage=body[:_EXCERPT],
        section=section,
        chunk="" if number is None else f"{key}#{number}",
    )


def _passage(
    store: Store, method: int, title: str, *, paper: int, said: str
) -> tuple[str, str, str, int | None] | None:
    """Return the passage of a paper that a method comes from: title, place, text, ord.

    The section that the pack cites comes first, then what mentions the method most,
    and the pack's own words last.
    """
    found = []
    for row, origin, ord_, place, times in store.db.rows(
        _PASSAGES, method, paper, title
    ):
        here = in_section(said, place) if origin == LIBRARY else 0
        if here or times or origin == PACK:
            found.append((-here, -times, ord_, row, origin))
    if not found:
        return None
    *_, best, origin = min(found)
    ((head, place, body, ord_),) = store.db.rows(_PASSAGE, best)
    return head, place, body, ord_ if origin == LIBRARY else None


def in_section(said: str, place: str) -> int:
    """Return 2 where a place is the section that is said, 1 below it, else 0.

    `2` says the section `2 SwiGLU`, `Section 3.2` the section `3.2 Learning rate`, and
    so does its title.
    """
    return max((_in_one(part, place) for part in _LISTED.split(said)), default=0)


def _in_one(said: str, place: str) -> int:
    wanted = _HEADED.sub("", said).strip(" .").casefold()
    here = _HEADED.sub("", place).casefold()
    if not wanted:
        return 0
    if here == wanted or here.startswith((f"{wanted} ", f"{wanted}:")):
        return _IN_IT
    if here.endswith(f" {wanted}"):
        return _IN_IT
    return _BELOW_IT if here.startswith(f"{wanted}.") else 0


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
