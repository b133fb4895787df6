"""Commits go in: what was known of an experiment before it was trained.

Rows go in by ascending primary key, which FTS5 needs to build its index in one pass.
The functions write inside the transaction that their caller holds.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from loopgraph_git.researchfs import stubs
from loopgraph_git.researchfs.bodies import INTEGER_LIMIT
from loopgraph_git.researchfs.database import clean, ids_json
from loopgraph_git.researchfs.schema import hash_id, row_id
from loopgraph_git.researchfs.summing import COLUMNS
from loopgraph_git.researchfs.texts import (
    forget_texts,
    is_seed_only,
    message_of,
    methods_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loopgraph_git.records import Commit
    from loopgraph_git.researchfs.database import Database

Row = tuple[Any, ...]

_RECORD_ID = re.compile(r"[0-9a-f]{16}\Z")
_BATCH = 2000


class Told(NamedTuple):
    """What a commit alone says of its experiment: a row as `_NAMES` has it, and more.

    `retrieval` is the id of the record that it names, or an empty text; `message` the
    title and text that a search sees, None where its change was not read. The commit
    itself is let go: thousands of them take longer to keep than to read.
    """

    row: Row
    retrieval: str
    methods: list[str]
    message: tuple[str, str] | None

    @property
    def tree(self) -> str:
        """The name of its tree."""
        return str(self.row[_TREE])


def told(commit: Commit) -> Told:
    """Work out what a commit says, without a database."""
    retrieval, session = _retrieval_id(commit), _trailer(commit, "Session")
    row = (
        hash_id(commit.oid),
        # plain texts: SQLite asks of every other one what it might be
        str(commit.oid),
        str(commit.tree),
        str(commit.parent) if commit.parent else None,
        1,
        min(max(commit.ts, 0), INTEGER_LIMIT - 1),
        clean(commit.subject),
        session,
        session,
        _trailer(commit, "Proposer"),
        hash_id(retrieval) if retrieval else None,
        None if commit.diff is None else int(is_seed_only(commit.diff)),
    )
    message = None if commit.diff is None else message_of(commit)
    return Told(row, retrieval, methods_of(commit), message)


def put_commits(
    db: Database,
    given: Iterable[Told],
    summed: Callable[[Told], Row | None] = lambda _told: None,
) -> int:
    """Write commits that are not known yet; returns how many were new.

    `summed` may know the summary of one that nothing named before (`summing.COLUMNS`);
    the others are derived when the transaction ends.
    """
    left, count = iter(given), 0
    while batch := list(islice(left, _BATCH)):
        count += _put_batch(db, {item.row[0]: item for item in batch}, summed)
    return count


def _put_batch(
    db: Database, fresh: dict[int, Told], summed: Callable[[Told], Row | None]
) -> int:
    named = db.rows(
        "SELECT id, known FROM experiments"
        " WHERE id IN (SELECT value FROM json_each(?))",
        ids_json(fresh),
    )
    for row, known in named:
        if known:
            del fresh[row]
    ordered = sorted(fresh.items())
    stubs.stub_retrievals(db, {item.retrieval for item in fresh.values()} - {""})
    stubbed = {row for row, known in named if not known}
    forget_texts(db, [row for row in stubbed if fresh[row].message is None])
    bare, whole = [], []
    for row, item in ordered:
        summary = None if row in stubbed else summed(item)
        if summary is None:
            bare.append(item.row)
            db.touched.add(row)
        else:
            whole.append((*item.row, 1, item.row[_COMMITTED], *summary))
    db.write_many(_EXPERIMENT, bare)
    db.write_many(_WHOLE, whole)
    _put_experiment_methods(db, [(row, item.methods) for row, item in ordered])
    db.write_many(
        "INSERT OR REPLACE INTO temp.messages VALUES(?, ?, ?)",
        [(row, *item.message) for row, item in ordered if item.message is not None],
    )
    return len(fresh)


_NAMES = (
    "id", "oid", "tree", "parent", "known", "committed", "subject", "trailer",
    "session", "proposer", "retrieval", "seed_only",
)  # fmt: skip
_TREE = _NAMES.index("tree")
_COMMITTED = _NAMES.index("committed")
_EXPERIMENT = f"""
INSERT INTO experiments({", ".join(_NAMES)}) VALUES({", ".join("?" * len(_NAMES))})
ON CONFLICT(id) DO UPDATE SET tree = excluded.tree, parent = excluded.parent,
  known = 1, committed = excluded.committed, subject = excluded.subject,
  trailer = excluded.trailer, session = excluded.session, proposer = excluded.proposer,
  retrieval = excluded.retrieval, seed_only = excluded.seed_only
"""
_ALL_NAMES = (*_NAMES, "listed", "ts", *COLUMNS)
_WHOLE = f"""
INSERT INTO experiments({", ".join(_ALL_NAMES)})
VALUES({", ".join("?" * len(_ALL_NAMES))})
"""


def _trailer(commit: Commit, name: str) -> str:
    values = commit.trailers.get(f"Loopgraph-{name}", ())
    return clean(values[-1])[:200] if values else ""


def _retrieval_id(commit: Commit) -> str:
    value = _trailer(commit, "Retrieval")
    return value if _RECORD_ID.match(value) else ""


def _put_experiment_methods(db: Database, named: list[tuple[int, list[str]]]) -> None:
    stubs.stub_methods(db, {name for _, names in named for name in names})
    db.write_many(
        "INSERT INTO experiment_methods(experiment, method, share) VALUES(?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        sorted(
            (row, row_id("method", name), 1 / len(names))
            for row, names in named
            for name in names
        ),
    )
