"""What the index can tell the ranking: trials by time, and suggestions in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.records import Judgement, Status
from loopgraph_git.researchfs.trials import Asked, Trial

if TYPE_CHECKING:
    from loopgraph_git.researchfs.store import Store

QUESTIONS = 200
"""How far back unacted suggestions are read; a weight of 2^-10 is left by then."""

_METHODS = """
SELECT x.experiment, m.name FROM experiment_methods x JOIN methods m ON m.id = x.method
 ORDER BY x.experiment, m.name
"""
_OUTCOMES = """
SELECT o.experiment, r.record FROM outcomes o JOIN records r USING(id)
 WHERE o.id NOT IN (SELECT target FROM retractions)
   AND o.experiment IN (SELECT experiment FROM experiment_methods)
 ORDER BY o.experiment, r.ts, r.seq, r.record
"""
# what was rejected or crashed measured nothing, under whatever metric
_TRIALS = """
SELECT e.id, e.oid, e.delta, e.status, e.verdict, e.session, e.ts, e.noise, e.seed_only,
       coalesce(nullif(p.tree, ''), e.parent, '')
  FROM experiments e LEFT JOIN experiments p ON p.oid = e.parent
 WHERE e.listed = 1 AND (e.verdict IS NOT NULL OR e.status IS NOT NULL)
   AND e.id IN (SELECT experiment FROM experiment_methods)
   AND (? = '' OR e.metric IN (?, '') OR e.status <> 'ok')
 ORDER BY e.ts, e.oid
"""
_UNACTED = """
SELECT m.name, q.age
  FROM (SELECT r.id, row_number() OVER (ORDER BY r.ts DESC, r.seq DESC, r.record DESC)
               - 1 AS age
          FROM records r WHERE r.kind = 'retrieval'
           AND r.id NOT IN (SELECT target FROM retractions)) q
  JOIN suggestions s ON s.retrieval = q.id JOIN methods m ON m.id = s.method
 WHERE q.age < ? AND NOT EXISTS (
   SELECT 1 FROM experiments e JOIN experiment_methods x ON x.experiment = e.id
    WHERE e.retrieval = q.id AND x.method = s.method)
 ORDER BY q.age, m.name
"""


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
        )
        for (
            row, oid, delta, status, verdict, session, ts, noise, seed_only, state,
        ) in store.db.rows(_TRIALS, metric, metric)
    ]  # fmt: skip


def asked(store: Store) -> list[Asked]:
    """Return suggestions that no experiment took up, the latest question first.

    The age of a suggestion is the number of questions asked after it.
    """
    return [Asked(name, age) for name, age in store.db.rows(_UNACTED, QUESTIONS)]


def states_of(store: Store, *names: str) -> frozenset[str]:
    """Return every name of a state of the code: commits, and the trees they hold."""
    trees = [
        tree
        for name in names
        for tree in store.db.column("SELECT tree FROM experiments WHERE oid = ?", name)
    ]
    return frozenset(filter(None, (*names, *trees)))


def _grouped(store: Store, sql: str) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for row, name in store.db.rows(sql):
        found.setdefault(row, []).append(name)
    return {row: tuple(names) for row, names in found.items()}
