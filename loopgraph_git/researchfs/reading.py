"""Questions about experiments, methods and papers, answered as values.

Every answer has one order; ties are broken by the natural key. Limits are part of
the SQL, so that the newest twenty of 100,000 cost as much as of 100.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import LineUnreadError, StoreError
from loopgraph_git.records import (
    Direction,
    Experiment,
    Judgement,
    Method,
    Oid,
    Paper,
    Record,
    Result,
    Status,
)
from loopgraph_git.researchfs.bodies import INTEGER_LIMIT, result_of
from loopgraph_git.researchfs.database import ids_json
from loopgraph_git.researchfs.definitions import decode_method
from loopgraph_git.researchfs.schema import LANDED, row_id, table_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from loopgraph_git.researchfs.database import Database

_FIELDS = (
    "oid", "tree", "parent", "ts", "subject", "session", "proposer", "status",
    "verdict", "reason", "baseline", "delta", "noise", "seconds", "peak_memory_mb",
    "excerpt", "tokens",
)  # fmt: skip
_COLUMNS = f"""
  {", ".join(f"e.{name}" for name in _FIELDS)},
  (SELECT record FROM records r WHERE r.id = e.retrieval),
  (SELECT json_group_array(m.name) FROM experiment_methods x
     JOIN methods m ON m.id = x.method WHERE x.experiment = e.id)
"""  # noqa: S608
_OWN_SCORE = "e.metric, e.value, e.runs, e.protocol, e.platform"
# an experiment that was measured in several ways has one place, its best one
_BEST = f"""
SELECT {_COLUMNS}, s.metric, s.value, s.runs, s.protocol, s.platform
  FROM scores s CROSS JOIN experiments e ON e.id = s.experiment
 WHERE e.listed = 1{{also}} AND NOT EXISTS (
   SELECT 1 FROM scores t WHERE t.experiment = s.experiment{{other}}
      AND (t.value, t.metric, t.protocol, t.platform) {{better}}
          (s.value, s.metric, s.protocol, s.platform))
"""  # noqa: S608
_COUNTS = {
    "experiments": "SELECT count(*) FROM experiments WHERE known = 1",
    "records": "SELECT count(*) FROM records WHERE kind <> ''",
    "results": "SELECT count(*) FROM outcomes",
    "verdicts": "SELECT count(*) FROM verdicts",
    "retrievals": "SELECT count(*) FROM records WHERE kind = 'retrieval'",
    "methods": "SELECT count(*) FROM methods WHERE definition <> ''",
    "papers": "SELECT count(*) FROM papers",
    "chunks": "SELECT count(*) FROM chunks",
}
_PREFIX = 4
# a result belongs to the tree of its commit, where that is known
_BELIEVED = (
    "r.id NOT IN (SELECT target FROM retractions) AND (e.known = 0 OR r.tree = e.tree)"
)


def experiments(
    db: Database,
    *,
    session: str | None = None,
    verdict: Judgement | str | None = None,
    limit: int | None = None,
    newest_first: bool = True,
) -> list[Experiment]:
    """Return experiments by time; see Store.experiments."""
    wanted = {"session": session, "verdict": verdict and str(verdict)}
    given = {name: value for name, value in wanted.items() if value is not None}
    also = "".join(f" AND e.{name} = ?" for name in given)
    order = "DESC" if newest_first else "ASC"
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e WHERE e.listed = 1{also}"  # noqa: S608
        f" ORDER BY e.ts {order}, e.id {order} LIMIT ?",
        *given.values(),
        _limit(limit),
    )
    return [_experiment(row) for row in rows]


def tried_on(db: Database, states: Collection[str]) -> list[Experiment]:
    """Return what was tried on a state of the code; see Store.tried_on."""
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e"  # noqa: S608
        " WHERE e.listed = 1 AND (e.parent IN (SELECT value FROM json_each(?1))"
        " OR e.parent IN (SELECT p.oid FROM experiments p"
        "   WHERE p.tree IN (SELECT value FROM json_each(?1))))"
        " ORDER BY e.ts DESC, e.oid DESC",
        json.dumps(sorted(states)),
    )
    return [_experiment(row) for row in rows]


def of_trees(db: Database, trees: Collection[str]) -> list[Experiment]:
    """Return the experiments that have one of these trees, the newest first."""
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e"  # noqa: S608
        " WHERE e.listed = 1 AND e.tree IN (SELECT value FROM json_each(?))"
        " ORDER BY e.ts DESC, e.oid DESC",
        json.dumps(sorted(trees)),
    )
    return [_experiment(row) for row in rows]


def of_rows(db: Database, rows: Sequence[int]) -> list[Experiment]:
    """Return experiments by their primary keys, in the order given."""
    found = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e"  # noqa: S608
        " JOIN json_each(?) wanted ON wanted.value = e.id ORDER BY wanted.key",
        json.dumps(list(rows)),
    )
    return [_experiment(row) for row in found]


def experiment(db: Database, prefix: str) -> Experiment | None:
    """Return one experiment by its oid or the beginning of it; see Store.experiment."""
    text = prefix.lower()
    if not set(text) <= set("0123456789abcdef") or len(text) < _PREFIX:
        return None
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e"  # noqa: S608
        " WHERE e.oid >= ? AND e.oid < ?"
        # code that a question was about, and nothing else
        " AND (e.known = 1 OR e.listed = 1 OR EXISTS"
        "   (SELECT 1 FROM links WHERE e.id IN (old, new)))"
        " ORDER BY e.oid LIMIT 3",
        text,
        f"{text}g",
    )
    if len(rows) > 1 and rows[0][0] != text:
        several = ", ".join(row[0][:12] for row in rows)
        raise StoreError(
            f"{prefix} is short for more than one experiment ({several}, …): "
            "give more characters"
        )
    return _experiment(rows[0]) if rows else None


def landed_from(db: Database, commit: str) -> list[Experiment]:
    """Return the experiments that became another commit; see Store.landed_from."""
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e"  # noqa: S608
        " WHERE e.id IN (SELECT old FROM links WHERE new = ?"
        f"   AND how IN {LANDED}"
        "   AND id NOT IN (SELECT target FROM retractions))"
        " ORDER BY e.ts DESC, e.oid DESC",
        row_id("commit", commit),
    )
    return [_experiment(row) for row in rows]


def best(
    db: Database,
    k: int,
    direction: Direction,
    **wanted: str | None,
) -> list[Experiment]:
    """Return the k best experiments; see Store.best."""
    given = {name: value for name, value in wanted.items() if value is not None}
    also = "".join(f" AND s.{name} = ?" for name in given)
    order, better = ("DESC", ">") if direction is Direction.HIGHER else ("ASC", "<")
    rows = db.rows(
        _BEST.format(also=also, other=also.replace(" s.", " t."), better=better)
        + f" ORDER BY s.value {order}, e.oid LIMIT ?",
        *given.values(),
        *given.values(),
        _limit(k),
    )
    return [_experiment(row) for row in rows]


def newest_measured(db: Database) -> Experiment | None:
    """Return the newest experiment with a value; see Store.newest_measured."""
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_OWN_SCORE} FROM experiments e"  # noqa: S608
        " WHERE e.listed = 1 AND e.value IS NOT NULL"
        " ORDER BY e.ts DESC, e.id DESC LIMIT 1"
    )
    return _experiment(rows[0]) if rows else None


def _limit(limit: int | None) -> int:
    # SQLite refuses to count further, and nothing is longer
    return -1 if limit is None else min(max(limit, 0), INTEGER_LIMIT - 1)


def _experiment(row: tuple[Any, ...]) -> Experiment:
    plain = dict(zip(_FIELDS, row, strict=False))
    retrieval, methods, metric, value, runs, protocol, platform = row[len(_FIELDS) :]
    oid, tree, parent = plain.pop("oid"), plain.pop("tree"), plain.pop("parent")
    status, verdict = plain.pop("status"), plain.pop("verdict")
    return Experiment(
        commit=Oid(oid),
        tree=Oid(tree or oid),
        parent=Oid(parent) if parent else None,
        status=Status(status) if status else None,
        verdict=Judgement(verdict) if verdict else None,
        retrieval=retrieval or "",
        methods=tuple(sorted(json.loads(methods))),
        metric=metric,
        value=value,
        runs=runs,
        protocol=protocol,
        platform=platform,
        **plain,
    )


def records_of(db: Database, commit: str) -> list[Record]:
    """Return every record about a commit; see Store.records_of."""
    rows = db.rows(
        "SELECT record, line FROM records WHERE experiment = ?"
        " ORDER BY ts, seq, record",
        row_id("commit", commit),
    )
    return [Record.decode(line) for line in _lines(rows)]


def results_of(db: Database, commit: str) -> list[Result]:
    """Return the runs of a commit that count; see Store.results_of."""
    rows = db.rows(
        "SELECT r.record, r.line FROM records r JOIN outcomes o USING(id)"  # noqa: S608
        " JOIN experiments e ON e.id = r.experiment"
        f" WHERE r.experiment = ? AND {_BELIEVED}"
        " ORDER BY r.ts, r.seq, r.record",
        row_id("commit", commit),
    )
    return [result_of(line) for line in _lines(rows)]


def results(
    db: Database, *, protocol: str, platform: str = ""
) -> list[tuple[Oid, Result]]:
    """Return the runs of one protocol; see Store.results."""
    rows = db.rows(
        "SELECT r.record, r.line, e.oid FROM outcomes o"  # noqa: S608
        " JOIN records r USING(id) JOIN experiments e ON e.id = o.experiment"
        " WHERE o.protocol = ? AND ? IN ('', o.platform)"
        f" AND {_BELIEVED}"
        " ORDER BY r.ts, r.seq, r.record",
        protocol,
        platform,
    )
    found = zip(rows, _lines(rows), strict=True)
    return [(Oid(row[2]), result_of(line)) for row, line in found]


def _lines(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of records, of rows that begin with name and line."""
    lines = [row[1] for row in rows]
    if "" in lines:
        raise LineUnreadError(
            f"record {rows[lines.index('')][0]} is in the index and its line is not, "
            "nor found in git: run `git lg reindex`"
        )
    return lines


def links_of(db: Database, commit: str) -> set[str]:
    """Return where links from a commit lead; see Store.links_of."""
    found = db.column(
        "SELECT e.oid FROM links l JOIN experiments e ON e.id = l.new WHERE l.old = ?",
        row_id("commit", commit),
    )
    return set(found)


def known(db: Database, oids: Iterable[str]) -> set[str]:
    """Return those of some commits that were indexed; see Store.known."""
    if not db.rows("SELECT 1 FROM experiments LIMIT 1"):
        return set()
    rows = [row_id("commit", oid) for oid in oids]
    sql = (
        "SELECT oid FROM experiments WHERE known = 1"
        " AND id IN (SELECT value FROM json_each(?))"
    )
    return set(db.column(sql, ids_json(rows)))


def counts(db: Database) -> dict[str, int]:
    """Return how much is known of each kind, stubs left out."""
    return {name: db.column(sql)[0] for name, sql in _COUNTS.items()}


def methods(db: Database) -> list[Method]:
    """Return every method that a pack defines, by id."""
    found = db.column(
        "SELECT definition FROM methods WHERE definition <> '' ORDER BY name"
    )
    return [decode_method(text) for text in found]


def papers(db: Database) -> list[Paper]:
    """Return every paper that was given or cited, by key."""
    rows = db.rows(
        "SELECT key, title, authors, year, url, version FROM papers ORDER BY key"
    )
    names = ("key", "title", "authors", "year", "url", "version")
    return [Paper(**dict(zip(names, row, strict=True))) for row in rows]


def sessions(db: Database) -> list[str]:
    """Return the names of all sessions, the one that was begun first in front."""
    return db.column(
        "SELECT session FROM experiments WHERE listed = 1 AND session <> ''"
        " GROUP BY session ORDER BY min(ts), session"
    )


def dump(db: Database) -> Iterator[str]:
    """Yield every row of every table as a line of JSON; see Store.dump."""
    for table in table_names():
        info = db.pragma(f"table_info({table})")
        names = [row[1] for row in info]
        key = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]
        rows = db.rows(
            f"SELECT {', '.join(names)} FROM {table} ORDER BY {', '.join(key)}"  # noqa: S608
        )
        for row in rows:
            plain = {"table": table, **dict(zip(names, row, strict=True))}
            yield json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
