"""Ingested papers: the entry that the passages of each are from, and what they mention.

What stands here is made from the shelf and the packs alone. The functions write inside
the transaction that their caller holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.researchfs import knowledge, stubs
from loopgraph_git.researchfs.database import clean
from loopgraph_git.researchfs.schema import row_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.records import Chunk, Paper
    from loopgraph_git.researchfs.database import Database

_STAMP = f"SELECT value FROM meta WHERE key = '{knowledge.SHELF_STAMP}'"  # noqa: S608


class Ingest(NamedTuple):
    """A paper with its passages, the entry they are from, and how that was read."""

    paper: Paper
    entry: str
    how: str
    chunks: Sequence[Chunk]


def entries(db: Database) -> dict[str, str]:
    """Return the entry of every paper that is here, by the paper's key."""
    return dict(
        db.rows("SELECT p.key, s.entry FROM shelved s JOIN papers p ON p.id = s.paper")
    )


def put(db: Database, items: Sequence[Ingest]) -> None:
    """Write papers with their passages, in the place of what was known of them."""
    knowledge.forget_chunks(db, [item.paper.key for item in items])
    knowledge.put_papers(db, [item.paper for item in items])
    knowledge.put_chunks(db, [chunk for item in items for chunk in item.chunks])
    db.write_many(
        "INSERT INTO shelved(paper, entry, how) VALUES(?, ?, ?)"
        " ON CONFLICT(paper) DO UPDATE SET entry = excluded.entry, how = excluded.how",
        sorted((row_id("paper", item.paper.key), item.entry, item.how) for item in items),
    )  # fmt: skip


def forget(db: Database, keys: Iterable[str]) -> None:
    """Delete papers that are on the shelf no more; what packs say of them stays."""
    gone = list(keys)
    rows = [(row_id("paper", key),) for key in gone]
    db.write_many("DELETE FROM shelved WHERE paper = ?", rows)
    db.write_many("UPDATE papers SET from_library = 0 WHERE id = ?", rows)
    knowledge.forget_chunks(db, gone)


def passages(db: Database, keys: Iterable[str] | None = None) -> list[tuple[int, str]]:
    """Return the ingested passages, of some papers or of all, with their row."""
    rows = db.rows(
        "SELECT c.id, p.key, c.title || char(10) || c.body FROM chunks c"
        " JOIN papers p ON p.id = c.paper WHERE c.origin = ? ORDER BY c.id",
        knowledge.LIBRARY,
    )
    wanted = None if keys is None else set(keys)
    return [(row, text) for row, key, text in rows if wanted is None or key in wanted]


def put_mentions(db: Database, found: Iterable[tuple[int, Mapping[str, int]]]) -> None:
    """Write which methods passages speak of, and how often."""
    rows = [(chunk, name, times) for chunk, by in found for name, times in by.items()]
    stubs.stub_methods(db, {clean(name) for _, name, _ in rows})
    db.write_many(
        "INSERT INTO mentions(chunk, method, times) VALUES(?, ?, ?)"
        " ON CONFLICT DO UPDATE SET times = excluded.times",
        sorted((chunk, row_id("method", name), times) for chunk, name, times in rows),
    )


def mentioned(db: Database, key: str) -> dict[str, int]:
    """Return how often the passages of a paper speak of each method, most first."""
    rows = db.rows(
        "SELECT m.name, sum(t.times) AS times FROM mentions t"
        " JOIN chunks c ON c.id = t.chunk JOIN methods m ON m.id = t.method"
        " WHERE c.paper = ? GROUP BY m.name ORDER BY times DESC, m.name",
        row_id("paper", key),
    )
    return dict(rows)


def stamp(db: Database) -> str | None:
    """Return the state of the shelf that was indexed; None where packs came after."""
    return next(iter(db.column(_STAMP)), None)


def set_stamp(db: Database, state: str) -> None:
    """Remember the state of the shelf that is indexed; an empty one leaves no trace."""
    db.write(f"DELETE FROM meta WHERE key = '{knowledge.SHELF_STAMP}'")  # noqa: S608
    if state:
        db.write("INSERT INTO meta VALUES(?, ?)", knowledge.SHELF_STAMP, state)
