"""Records go in: what came of experiments, and what was asked and answered.

A record that is known is passed over, one whose body says no sense is handed back.
The functions write inside the transaction that their caller holds.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from loopgraph_git.errors import RecordError
from loopgraph_git.records import Kind, Record
from loopgraph_git.researchfs import bodies, stubs
from loopgraph_git.researchfs.database import clean, ids_json
from loopgraph_git.researchfs.imports import import_row
from loopgraph_git.researchfs.schema import hash_id, row_id
from loopgraph_git.researchfs.texts import METHOD_NAME

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from loopgraph_git.records import Retrieval
    from loopgraph_git.researchfs.database import Database

Row = tuple[Any, ...]
Sum = tuple[str, Row, list[Row]]
"""The tree that was measured ("" where none was), the summary, the rows of scores."""

_BATCH = 200


@dataclass(frozen=True)
class Skipped:
    """A record that was left out, and why."""

    record: Record
    reason: str


class Said(Struct):
    """The rows of many records, table by table, and the stubs that they need.

    `oids`, `methods` and `targets` are names by row id, `about` the commits that the
    records are about. `sums` are by experiment: what its runs and verdicts come to, or
    None where that takes more than these rows to say.
    """

    about: set[str] = set()
    oids: dict[int, str] = {}
    methods: dict[int, str] = {}
    targets: dict[int, str] = {}
    records: list[Row] = []
    outcomes: list[Row] = []
    verdicts: list[Row] = []
    retrievals: list[Row] = []
    suggestions: list[Row] = []
    links: list[Row] = []
    retractions: list[Row] = []
    imports: list[Row] = []
    sums: dict[int, Sum | None] = {}

    def add(self, record: Record) -> None:
        """Add the rows of one record; raises RecordError before adding any."""
        name, line = record.id, record.encode()
        if max(record.seq, record.ts) >= bodies.INTEGER_LIMIT:
            raise RecordError("seq or ts is too large")
        row, experiment = hash_id(name), hash_id(record.commit)
        match record.kind:
            case Kind.RESULT:
                self.outcomes.append((row, experiment, *bodies.outcome_row(line)))
            case Kind.VERDICT:
                self.verdicts.append((row, experiment, *bodies.verdict_row(line)))
            case Kind.RETRIEVAL:
                self._add_retrieval(row, bodies.retrieval_of(line))
            case Kind.LINK:
                self._add_link(row, bodies.link_of(record.commit, line))
            case Kind.RETRACT:
                self._add_retraction(row, bodies.retraction_of(line))
        if (imported := import_row(row, record)) is not None:
            self.imports.append(imported)
        self.oids[experiment] = str(record.commit)
        # plain texts: SQLite asks of every other one what it might be
        self.records.append(
            (
                row,
                name,
                str(record.kind),
                experiment,
                str(record.tree),
                clean(record.writer),
                record.seq,
                record.ts,
                line,
            )
        )

    def add_read(
        self, it: bodies.OutcomeLine | bodies.VerdictLine, line: bytes
    ) -> None:
        """Add the rows of a line that was read already: the same, and quicker.

        The line itself is left in git, where it is asked for when it is wanted.
        """
        row, experiment = hash_id(it.id), hash_id(it.commit)
        if isinstance(it, bodies.OutcomeLine):
            kind = "result"
            self.outcomes.append((row, experiment, *bodies.outcome_columns(it, line)))
        else:
            kind = "verdict"
            self.verdicts.append((row, experiment, *bodies.verdict_columns(it, line)))
        self.oids[experiment] = it.commit
        self.records.append(
            (row, it.id, kind, experiment, it.tree, it.writer, it.seq, it.ts, "")
        )

    def _add_retrieval(self, row: int, value: Retrieval) -> None:
        self.retrievals.append(
            (row, clean(value.goal), clean(value.query), value.tokens)
        )
        # a name that could be no method's id is left out, and keeps no place
        named = [item for item in value.suggestions if METHOD_NAME.match(item.method)]
        for place, item in enumerate(named, start=1):
            method = row_id("method", item.method)
            self.methods[method] = item.method
            self.suggestions.append(
                (
                    row,
                    place,
                    method,
                    item.score,
                    clean(item.slot),
                    clean(item.why),
                    json.dumps(dict(item.factors), sort_keys=True),
                    json.dumps(item.outcomes),
                )
            )

    def _add_link(self, row: int, link: bodies.Link) -> None:
        old, new = hash_id(link.old), hash_id(link.new)
        self.oids |= {old: str(link.old), new: str(link.new)}
        self.links.append((row, old, new, clean(link.how)))

    def _add_retraction(self, row: int, value: bodies.Retraction) -> None:
        target = hash_id(value.target)
        self.targets[target] = value.target
        self.retractions.append((row, target, clean(value.reason)))

    def leave_out(self, known: set[int]) -> None:
        """Leave out the rows of records that are known."""
        if known.isdisjoint(row[0] for row in self.records):
            return
        self.sums |= dict.fromkeys(row[3] for row in self.records if row[0] in known)
        for rows in (self.records, self.retrievals, *self._tables().values()):
            rows[:] = [row for row in rows if row[0] not in known]
        ends = {end for row in self.links for end in row[1:3]}
        named = ends.union(row[3] for row in self.records)
        self.oids = {row: oid for row, oid in self.oids.items() if row in named}

    def _tables(self) -> dict[str, list[Row]]:
        """Return the rows of the tables that only ever get new ones."""
        return {
            "outcomes": self.outcomes,
            "verdicts": self.verdicts,
            "suggestions": self.suggestions,
            "links": self.links,
            "retractions": self.retractions,
            "imports": self.imports,
        }

    def write(self, db: Database, settled: Container[int] = ()) -> None:
        """Write the rows; the summaries of `settled` experiments are written already."""
        fresh = {row: oid for row, oid in self.oids.items() if row not in settled}
        stubs.stub_experiments(db, fresh.values())
        stubs.stub_methods(db, self.methods.values())
        db.write_many(_RECORD, sorted(self.records))
        stubs.stub_records(db, self.targets.values())
        db.write_many(_RETRIEVAL, sorted(self.retrievals))
        for table, rows in self._tables().items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                db.write_many(f"INSERT INTO {table} VALUES({marks})", sorted(rows))
        db.touched.update(fresh)
        db.touched.update(experiments_of(db, [row[1] for row in self.retractions]))


def gather(lines: Iterable[bytes]) -> Said:
    """Return the rows of the records among lines of notes, each of them once.

    What is no record, or says no sense, is passed over; nothing is written yet.
    """
    said, seen, left = Said(), set[str](), iter(lines)
    # some hundreds at a time: reading lines and making rows in turn, one by one, makes
    # the processor forget each time how the other is done, and takes a fifth longer
    while batch := list(islice(left, _BATCH)):
        for line, told in zip(batch, bodies.quickly(batch), strict=True):
            if told is None:
                with suppress(RecordError):
                    _add(said, seen, Record.decode(line.decode("utf-8", "replace")))
                continue
            said.about.add(told.commit)
            if told.id not in seen:
                seen.add(told.id)
                said.add_read(told, line)
    return said


def _add(said: Said, seen: set[str], record: Record) -> None:
    """Add a record if it was not seen; raises RecordError when it says no sense."""
    # a question is no experiment with the code that it was about
    if record.kind is not Kind.RETRIEVAL:
        said.about.add(str(record.commit))
    if record.id not in seen:
        seen.add(record.id)
        said.add(record)


def put_records(db: Database, records: Iterable[Record]) -> list[Skipped]:
    """Write records that are not known yet; returns those that say no sense."""
    said, seen, skipped = Said(), set[str](), []
    for record in records:
        try:
            _add(said, seen, record)
        except RecordError as error:
            skipped.append(Skipped(record, str(error)))
    said.leave_out(known_records(db, said))
    said.write(db)
    return skipped


def put_lines(db: Database, lines: Iterable[bytes]) -> None:
    """Write the lines of records that are known without."""
    left = iter(lines)
    while batch := list(islice(left, _BATCH)):
        told = zip(bodies.quickly(batch), batch, strict=True)
        found = [(line.decode(), hash_id(it.id)) for it, line in told if it]
        db.write_many(
            "UPDATE records SET line = ? WHERE id = ? AND line = '' AND kind <> ''",
            found,
        )


def known_records(db: Database, said: Said) -> set[int]:
    """Return the row ids of the records that are known, stubs left out."""
    found = db.column(
        "SELECT id FROM records WHERE kind <> ''"
        " AND id IN (SELECT value FROM json_each(?))",
        ids_json(row[0] for row in said.records),
    )
    return set(found)


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


def experiments_of(db: Database, records: list[int]) -> list[int]:
    """Return the experiments that records are about, as far as those are known."""
    return db.column(
        "SELECT experiment FROM records WHERE experiment IS NOT NULL"
        " AND id IN (SELECT value FROM json_each(?))",
        ids_json(records),
    )
