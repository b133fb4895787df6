"""The filters of a query as conditions of SQL, kind by kind.

Status, verdict, session, time and metric are said of experiments alone, so a query
that has one of these is about experiments. A method narrows experiments to those that
tried it, passages to those of its sources and
those that mention it, and methods to itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.researchfs.database import clean
from loopgraph_git.researchfs.query import ANY_METRIC

if TYPE_CHECKING:
    from loopgraph_git.researchfs.database import Database
    from loopgraph_git.researchfs.query import Filter, Query

_ONE_OF = "(SELECT value FROM json_each(?))"
_TRIED = f"""\
e.id IN (SELECT experiment FROM experiment_methods JOIN methods m ON m.id = method
          WHERE m.name IN {_ONE_OF}
         UNION SELECT experiment FROM recognised_methods JOIN methods m ON m.id = method
          WHERE m.name IN {_ONE_OF})"""  # noqa: S608
_CITED = f"""\
(EXISTS (SELECT 1 FROM method_sources s JOIN methods m ON m.id = s.method
          WHERE s.paper = c.paper AND m.name IN {_ONE_OF}
            AND (c.kind <> 'method' OR c.title = m.title))
 OR EXISTS (SELECT 1 FROM mentions t JOIN methods m ON m.id = t.method
             WHERE t.chunk = c.id AND m.name IN {_ONE_OF}))"""  # noqa: S608
_SCORED = """\
EXISTS (SELECT 1 FROM scores s
         WHERE s.experiment = e.id AND s.metric = ? AND s.value {sign} ?)"""
_ABOUT = {
    "experiment": {"kind", "method", "status", "verdict", "session", "since", "metric"},
    "method": {"kind", "method"},
    "chunk": {"kind", "method"},
    "code": {"kind"},
}


class Condition(NamedTuple):
    """What a WHERE clause has besides, beginning with AND, and its parameters."""

    sql: str = ""
    values: tuple[str | float, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        """Join two conditions."""
        return Condition(self.sql + other.sql, (*self.values, *other.values))


ALL = Condition()
OF_METHODS = Condition(
    " AND (c.paper IN (SELECT paper FROM method_sources)"
    " OR c.id IN (SELECT chunk FROM mentions))"
)
"""The passages that say something of a method: a library has many that do not."""


def kinds_of(query: Query) -> list[str]:
    """Return the kinds that the filters of a query can be said of."""
    names = {item.name for item in query.filters}
    return [kind for kind in query.kinds if names <= _ABOUT[kind]]


def of_experiments(query: Query) -> Condition:
    """Return the condition on a row `e` of experiments."""
    found = Condition()
    for name in ("status", "verdict", "session"):
        if values := query.values(name):
            found &= Condition(f" AND e.{name} IN {_ONE_OF}", (_listed(values),))
    if names := query.values("method"):
        found &= Condition(f" AND {_TRIED}", (_listed(names),) * 2)
    for item in query.filters:
        if item.name == "since":
            found &= Condition(" AND e.ts >= ?", (item.number,))
        elif item.name == "metric":
            found &= _measured(item)
    return found


def of_chunks(query: Query) -> Condition:
    """Return the condition on a row `c` of chunks."""
    names = query.values("method")
    if not names:
        return Condition()
    return Condition(f" AND {_CITED}", (_listed(names),) * 2)


def metric_names(db: Database) -> set[str]:
    """Return the names of all metrics that were measured."""
    return set(db.column("SELECT DISTINCT metric FROM scores"))


def _measured(item: Filter) -> Condition:
    if item.value == ANY_METRIC:
        return Condition(f" AND e.value {item.sign} ?", (item.number,))
    sql = _SCORED.format(sign=item.sign)
    return Condition(f" AND {sql}", (item.value, item.number))


def _listed(values: tuple[str, ...]) -> str:
    return json.dumps([clean(value) for value in values])
