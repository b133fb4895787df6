"""Records go in: what came of experiments, and what was asked and answered.

A record that is known is passed over, one whose body says no sense is handed back.
The functions write inside the transaction that their caller holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import RecordError
from loopgraph_git.records import Kind, Record
from loopgraph_git.researchfs import bodies, stubs
from loopgraph_git.researchfs.database import clean, ids_json
from loopgraph_git.researchfs.imports import import_row
from loopgraph_git.researchfs.schema import row_id
from loopgraph_git.researchfs.texts import METHOD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopgraph_git.records import Retrieval, Verdict
    from loopgraph_git.researchfs.database import Database

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Skipped:
    """A record that was left out, and why."""

    record: Record
    reason: str


@dataclass
class _Batch:
    """The rows of many records, table by table, and the stubs that they need."""

    oids: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)
    records: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    retrievals: list[Row] = field(default_factory=list)
    suggestions: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    retractions: list[Row] = field(default_factory=list)
    imports: list[Row] = field(default_factory=list)

    def add(self, name: str, record: Record) -> None:
        """Add the rows of one record; raises RecordError before adding any."""
        row = row_id("record", name)
        experiment = row_id("commit", record.commit)
        line = _record_row(row, name, record)
        match record.kind:
            case Kind.RESULT:
                result = bodies.result_members(record.body)
                self.outcomes.append(_outcome_row(row, experiment, result))
            case Kind.VERDICT:
                verdict = bodies.verdict_of(record.body)
                self.verdicts.append(_verdict_row(row, experiment, verdict))
            case Kind.RETRIEVAL:
                self._add_retrieval(row, bodies.retrieval_of(record.body))
            case Kind.LINK:
                self._add_link(row, bodies.link_of(record.commit, record.body))
            case Kind.RETRACT:
                self._add_retraction(row, bodies.retraction_of(record.body))
        if (imported := import_row(row, record)) is not None:
            self.imports.append(imported)
        self.oids.add(record.commit)
        self.records.append(line)

    def _add_retrieval(self, row: int, value: Retrieval) -> None:
        self.retrievals.append(
            (row, clean(value.goal), clean(value.query), value.tokens)
        )
        # a name that could be no method's id is left out, and keeps no place
        named = [item for item in value.suggestions if METHOD_NAME.match(item.method)]
        for place, item in enumerate(named, start=1):
            self.methods.add(item.method)
            self.suggestions.append(
                (
                    row,
                    place,
                    row_id("method", item.method),
                    item.score,
                    clean(item.slot),
                    clean(item.why),
                    json.dumps(dict(item.factors), sort_keys=True),
                    json.dumps(item.outcomes),
                )
            )

    def _add_link(self, row: int, link: bodies.Link) -> None:
        self.oids.update((link.old, link.new))
        ends = (row_id("commit", link.old), row_id("commit", link.new))
        self.links.append((row, *ends, clean(link.how)))

    def _add_retraction(self, row: int, value: bodies.Retraction) -> None:
        self.targets.add(value.target)
        target = row_id("record", value.target)
        self.retractions.append((row, target, clean(value.reason)))


def put_records(db: Database, records: Iterable[Record]) -> list[Skipped]:
    """Write records that are not known yet; returns those that say no sense."""
    fresh, skipped = _named(records)
    known = db.column(
        "SELECT record FROM records WHERE kind <> ''"
        " AND id IN (SELECT value FROM json_each(?))",
        ids_json(row_id("record", name) for name in fresh),
    )
    for name in known:
        del fresh[name]
    batch = _Batch()
    for name, record in fresh.items():
        try:
            batch.add(name, record)
        except RecordError as error:
            skipped.append(Skipped(record, str(error)))
    _write(db, batch)
    return skipped


def _named(records: Iterable[Record]) -> tuple[dict[str, Record], list[Skipped]]:
    """Name every record by its id, which fails for what JSON cannot hold."""
    fresh: dict[str, Record] = {}
    skipped: list[Skipped] = []
    for record in records:
        if max(record.seq, record.ts) >= bodies.INTEGER_LIMIT:
            skipped.append(Skipped(record, "seq or ts is too large"))
            continue
        try:
            fresh[record.id] = record
        except RecordError as error:
            skipped.append(Skipped(record, str(error)))
    return fresh, skipped


def _record_row(row: int, name: str, record: Record) -> Row:
    return (
        row,
        name,
        str(record.kind),
        row_id("commit", record.commit),
        record.tree,
        clean(record.writer),
        record.seq,
        record.ts,
        record.encode(),
    )


def _outcome_row(row: int, experiment: int, result: Mapping[str, Any]) -> Row:
    get = result.get
    return (
        row,
        experiment,
        str(get("status")),
        clean(get("metric", "")),
        get("value"),
        get("seed"),
        get("seconds", 0.0),
        get("peak_memory_mb"),
        clean(get("protocol", "")),
        clean(get("platform", "")),
        clean(get("evaluation", "self_reported")),
        clean(get("excerpt", "") or get("reason", "")),
        get("tokens", 0),
    )


def _verdict_row(row: int, experiment: int, verdict: Verdict) -> Row:
    return (
        row,
        experiment,
        str(verdict.value),
        clean(verdict.reason),
        clean(verdict.baseline),
        verdict.delta,
        verdict.noise,
        verdict.n,
    )


_RECORD = """
INSERT INTO records(id, record, kind, experiment, tree, writer, seq, ts, line)
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(id) DO UPDATE SET kind = excluded.kind, experiment = excluded.experiment,
  tree = excluded.tree, writer = excluded.writer, seq = excluded.seq,
  ts = excluded.ts, line = excluded.line
"""
_RETRIEVAL = """
INSERT INTO retrievals(id, goal, query, tokens) VALUES(?, ?, ?, ?)
ON CONFLICT(id) DO UPDATE SET goal = excluded.goal, query = excluded.query,
  tokens = excluded.tokens
"""


def _write(db: Database, batch: _Batch) -> None:
    stubs.stub_experiments(db, batch.oids)
    stubs.stub_methods(db, batch.methods)
    db.write_many(_RECORD, sorted(batch.records))
    stubs.stub_records(db, batch.targets)
    db.write_many(_RETRIEVAL, sorted(batch.retrievals))
    for table, rows in (
        ("outcomes", batch.outcomes),
        ("verdicts", batch.verdicts),
        ("suggestions", batch.suggestions),
        ("links", batch.links),
        ("retractions", batch.retractions),
        ("imports", batch.imports),
    ):
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            db.write_many(f"INSERT INTO {table} VALUES({marks})", sorted(rows))
    db.touched.update(row_id("commit", oid) for oid in batch.oids)
    db.touched.update(_experiments_of(db, [row[1] for row in batch.retractions]))


def _experiments_of(db: Database, records: list[int]) -> list[int]:
    return db.column(
        "SELECT experiment FROM records WHERE experiment IS NOT NULL"
        " AND id IN (SELECT value FROM json_each(?))",
        ids_json(records),
    )
