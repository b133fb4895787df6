"""What the index can tell the ranking: trials by time, and suggestions in vain."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from loopgraph_git.records import Judgement, Status
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.recognised import TRIED
from loopgraph_git.researchfs.schema import row_id
from loopgraph_git.researchfs.trials import Asked, Trial

if TYPE_CHECKING:
    from loopgraph_git.researchfs.store import Store

QUESTIONS = 200
"""How far back unacted suggestions are read; a weight of 2^-10 is left by then."""

_METHODS = f"""
SELECT x.experiment, m.name FROM ({TRIED}) x JOIN methods m ON m.id = x.method
 ORDER BY x.experiment, m.name
"""  # noqa: S608
_OUTCOMES = f"""
SELECT o.experiment, r.record FROM outcomes o JOIN records r USING(id)
 WHERE o.id NOT IN (SELECT target FROM retractions)
   AND o.experiment IN (SELECT experiment FROM ({TRIED}))
 ORDER BY o.experiment, r.ts, r.seq, r.record
"""  # noqa: S608
# What was rejected or crashed measured nothing, under whatever metric. A baseline that
# was measured for the first time was not tried: it is what others are compared with.
_TRIALS = f"""
SELECT e.id, e.oid, e.delta, e.status, e.verdict, e.session, e.ts, e.noise, e.seed_only,
       coalesce(nullif(p.tree, ''), e.parent, ''), e.platform,
       e.id NOT IN (SELECT experiment FROM experiment_methods)
  FROM experiments e LEFT JOIN experiments p ON p.oid = e.parent
 WHERE e.listed = 1 AND (e.verdict IS NOT NULL OR e.status IS NOT NULL)
   AND e.id IN (SELECT experiment FROM ({TRIED})) AND e.reason <> 'baseline'
   AND (? = '' OR e.metric IN (?, '') OR e.status <> 'ok')
 ORDER BY e.ts, e.oid
"""  # noqa: S608
_QUESTIONS = """
SELECT r.id, r.record, r.ts / 1000, coalesce(b.oid, '') FROM records r
  LEFT JOIN experiments b ON b.id = r.experiment
 WHERE r.kind = 'retrieval' AND r.id NOT IN (SELECT target FROM retractions)
 ORDER BY r.ts DESC, r.seq DESC, r.record DESC LIMIT ?
"""
_SUGGESTED = """
SELECT s.retrieval, m.name FROM suggestions s JOIN methods m ON m.id = s.method
 WHERE s.retrieval IN (SELECT value FROM json_each(?)) ORDER BY s.retrieval, m.name
"""
_FOLLOWED = f"""
SELECT e.retrieval, e.parent, e.committed, m.name FROM experiments e
  JOIN ({TRIED}) x ON x.experiment = e.id JOIN methods m ON m.id = x.method
 WHERE e.id IN (
   SELECT id FROM experiments WHERE retrieval IN (SELECT value FROM json_each(?1))
   UNION
   SELECT id FROM experiments WHERE parent IN (SELECT value FROM json_each(?2))
      AND retrieval IS NULL AND known = 1 AND committed >= ?3)
 ORDER BY e.id
"""  # noqa: S608
_ASKED_OF = f"""
SELECT r.record FROM experiments e JOIN experiments b ON b.oid = e.parent
  JOIN records r ON r.experiment = b.id
 WHERE e.id = ? AND r.kind = 'retrieval' AND r.ts / 1000 <= e.committed
   AND r.id NOT IN (SELECT target FROM retractions)
   AND EXISTS (SELECT 1 FROM suggestions s JOIN ({TRIED}) x ON x.method = s.method
                WHERE s.retrieval = r.id AND x.experiment = e.id)
 ORDER BY r.ts DESC, r.seq DESC, r.record DESC LIMIT 1
"""  # noqa: S608


def trials(store: Store, metric: str = "") -> list[Trial]:
    """Return every experiment with a method and an outcome, the oldest first.

    With a metric, only what was measured by it, and what failed to run. A gain is the
    delta of the last verdict.
    """
    methods = _grouped(store, _METHODS)
    outcomes = _grouped(store, _OUTCOMES)
    return [
        Trial(
            experiment=oid,
            methods=methods[row],
            gain=delta,
            status=Status(status) if status else None,
            verdict=Judgement(verdict) if verdict else None,
            session=session,
            ts=ts,
            noise=noise,
            seed_only=bool(seed_only),
            state=state,
            outcomes=outcomes.get(row, ()),
            platform=platform,
            recognised=bool(recognised),
        )
        for (
            row, oid, delta, status, verdict, session, ts, noise, seed_only, state,
            platform, recognised,
        ) in store.db.rows(_TRIALS, metric, metric)
    ]  # fmt: skip


@dataclass(frozen=True)
class _Question:
    """One question: when it was asked, of which commit, and what it suggested."""

    row: int
    record: str
    second: int
    baseline: str
    suggested: tuple[str, ...]


def asked(store: Store, *, before: str = "") -> list[Asked]:
    """Return suggestions that no experiment took up, the latest question first.

    The age of a suggestion is the number of questions asked after it. With `before`,
    the id of a question's record, as it was when that was asked.
    """
    # what was asked since tells on which question a commit acted
    questions = _questions(store, -1 if before else QUESTIONS)
    acted = _acted(store, questions)
    places = [n for n, item in enumerate(questions, 1) if item.record == before]
    counted = questions[places[0] :] if places else questions
    return [
        Asked(name, age)
        for age, question in enumerate(counted[:QUESTIONS])
        for name in question.suggested
        if (question.row, name) not in acted
    ]


def _questions(store: Store, limit: int) -> list[_Question]:
    rows = store.db.rows(_QUESTIONS, limit)
    suggested = _grouped(store, _SUGGESTED, ids_json(row[0] for row in rows))
    return [
        _Question(row, record, second, baseline, suggested.get(row, ()))
        for row, record, second, baseline in rows
    ]


def _acted(store: Store, questions: list[_Question]) -> set[tuple[int, str]]:
    """Return the suggestions that a commit acted on, by question and method.

    A commit acts on the question that its trailer names; without one, on the last that
    was asked of its parent before it was made and suggests a method of its own.
    """
    rows = store.db.rows(
        _FOLLOWED,
        ids_json(question.row for question in questions),
        json.dumps(sorted({question.baseline for question in questions})),
        min((question.second for question in questions), default=0),
    )
    by_baseline: dict[str, list[_Question]] = defaultdict(list)
    for question in questions:
        by_baseline[question.baseline].append(question)
    acted = set()
    for retrieval, parent, committed, name in rows:
        if retrieval is not None:
            acted.add((retrieval, name))
            continue
        earlier = (
            question.row
            for question in by_baseline[parent]
            if question.second <= committed and name in question.suggested
        )
        acted |= {(row, name) for row in islice(earlier, 1)}
    return acted


def acted_on(store: Store, commit: str) -> tuple[str, bool] | None:
    """Return the question that a commit acted on, and whether that is inferred.

    The question is the id of its record. None where nobody was asked.
    """
    row = row_id("commit", commit)
    said = store.db.column(
        "SELECT r.record FROM experiments e JOIN records r ON r.id = e.retrieval"
        " WHERE e.id = ?",
        row,
    )
    found = said or store.db.column(_ASKED_OF, row)
    return (str(found[0]), not said) if found else None


def newest_platform(store: Store) -> str:
    """Return where the newest result that names a platform was measured."""
    found = store.db.column(
        "SELECT platform FROM experiments WHERE listed = 1 AND platform <> ''"
        " ORDER BY ts DESC, id DESC LIMIT 1"
    )
    return str(found[0]) if found else ""


def states_of(store: Store, *names: str) -> frozenset[str]:
    """Return every name of a state of the code: commits, and the trees they hold."""
    trees = [
        tree
        for name in names
        for tree in store.db.column("SELECT tree FROM experiments WHERE oid = ?", name)
    ]
    return frozenset(filter(None, (*names, *trees)))


def _grouped(store: Store, sql: str, *values: str) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for row, name in store.db.rows(sql, *values):
        found.setdefault(row, []).append(name)
    return {row: tuple(names) for row, names in found.items()}
