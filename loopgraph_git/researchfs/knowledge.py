"""Knowledge goes in: packs as a whole, papers and their passages one by one.

A pack may be edited or taken away, so what packs brought is replaced together. What
an experiment or a retrieval names stays, as a stub. The functions write inside the
transaction that their caller holds.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from loopgraph_git.researchfs import stubs
from loopgraph_git.researchfs.database import clean, ids_json
from loopgraph_git.researchfs.definitions import (
    encode_method,
    source_key,
    source_place,
)
from loopgraph_git.researchfs.schema import row_id
from loopgraph_git.researchfs.words import identifiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.records import Chunk, Method, Paper
    from loopgraph_git.researchfs.database import Database

PACK, LIBRARY = "pack", "library"
PACKS = "packs"
"""The fact of `meta` that says which packs were read, and what their methods are."""
SHELF_STAMP = "library"
"""The fact of `meta` that says which state of the shelf is indexed."""


def put_packs(
    db: Database,
    papers: Iterable[Paper],
    chunks: Iterable[Chunk],
    methods: Iterable[Method],
) -> None:
    """Replace everything that packs brought before by what they bring now."""
    _forget_recognised(db)
    # they name methods that may go, and are found anew for those that come
    db.write("DELETE FROM mentions")
    db.write("DELETE FROM meta WHERE key = ?", SHELF_STAMP)
    db.write("UPDATE papers SET from_pack = 0")
    _upsert_papers(db, papers, PACK)
    _replace_chunks(db, list(chunks))
    _replace_methods(db, {method.id: method for method in methods})
    _settle_stubs(db)


def methods_digest(db: Database) -> str:
    """Return a digest of all methods that packs define."""
    found = db.column(
        "SELECT definition FROM methods WHERE definition <> '' ORDER BY name"
    )
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


def _forget_recognised(db: Database) -> None:
    """Forget what was recognised in experiments: other packs recognise otherwise."""
    db.write("DELETE FROM recognised_methods")
    db.write("UPDATE experiments SET recognised = 0 WHERE recognised = 1")


def put_papers(db: Database, papers: Iterable[Paper]) -> None:
    """Write ingested papers; what is known under the same key is overwritten."""
    _upsert_papers(db, papers, LIBRARY)
    _settle_stubs(db)


def put_chunks(db: Database, chunks: Iterable[Chunk]) -> None:
    """Write ingested passages, by paper and position; the paper may come later."""
    _upsert_chunks(db, list(chunks), LIBRARY)
    _settle_stubs(db)


def forget_chunks(db: Database, papers: Iterable[str]) -> None:
    """Delete the ingested passages of papers, before new versions of them."""
    rows = ids_json(row_id("paper", paper) for paper in papers)
    which = "origin = ? AND paper IN (SELECT value FROM json_each(?))"
    db.write(
        f"DELETE FROM mentions WHERE chunk IN (SELECT id FROM chunks WHERE {which})",  # noqa: S608
        LIBRARY,
        rows,
    )
    db.write(f"DELETE FROM chunks WHERE {which}", LIBRARY, rows)  # noqa: S608
    _settle_stubs(db)


def _settle_stubs(db: Database) -> None:
    """Leave papers that are only named the same words, whoever named them first."""
    db.write(
        "DELETE FROM papers WHERE from_pack = 0 AND from_library = 0"
        " AND id NOT IN (SELECT paper FROM chunks)"
        " AND id NOT IN (SELECT paper FROM method_sources)"
    )
    db.write(
        "UPDATE papers SET authors = '', year = NULL, url = '', version = '',"
        " title = coalesce((SELECT max(title) FROM method_sources"
        "   WHERE paper = papers.id AND title <> ''), key)"
        " WHERE from_pack = 0 AND from_library = 0"
    )


_PAPER = """
INSERT INTO papers(id, key, title, authors, year, url, version, {flag}, {other})
VALUES(?, ?, ?, ?, ?, ?, ?, 1, 0)
ON CONFLICT(id) DO UPDATE SET {flag} = 1
"""
_PAPER_WORDS = """
UPDATE papers SET title = ?, authors = ?, year = ?, url = ?, version = ?
WHERE id = ? AND (from_library = 0 OR ?)
"""


def _upsert_papers(db: Database, papers: Iterable[Paper], origin: str) -> None:
    rows = sorted(
        {row_id("paper", paper.key): _paper_row(paper) for paper in papers}.items()
    )
    flags = ("from_pack", "from_library")
    flag, other = flags if origin == PACK else flags[::-1]
    db.write_many(
        _PAPER.format(flag=flag, other=other), [(row, *words) for row, words in rows]
    )
    db.write_many(
        _PAPER_WORDS, [(*words[1:], row, origin == LIBRARY) for row, words in rows]
    )


def _paper_row(paper: Paper) -> tuple[Any, ...]:
    return (
        clean(paper.key),
        clean(paper.title),
        clean(paper.authors),
        paper.year,
        clean(paper.url),
        clean(paper.version),
    )


_CHUNK = """
INSERT INTO chunks(id, paper, origin, ord, kind, place, title, body, idents)
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(id) DO UPDATE SET kind = excluded.kind, place = excluded.place,
  title = excluded.title, body = excluded.body, idents = excluded.idents
WHERE (chunks.kind, chunks.place, chunks.title, chunks.body)
  IS NOT (excluded.kind, excluded.place, excluded.title, excluded.body)
"""


def _upsert_chunks(db: Database, chunks: list[Chunk], origin: str) -> list[int]:
    stubs.stub_papers(db, {clean(chunk.paper) for chunk in chunks})
    rows = {row[0]: row for row in (_chunk_row(chunk, origin) for chunk in chunks)}
    ordered = sorted(rows)
    db.write_searched("chunks", _CHUNK, [rows[row] for row in ordered])
    return ordered


def _chunk_row(chunk: Chunk, origin: str) -> tuple[Any, ...]:
    title, body = clean(chunk.title), clean(chunk.body)
    return (
        row_id("chunk", chunk.paper, origin, str(chunk.ord)),
        row_id("paper", chunk.paper),
        origin,
        chunk.ord,
        clean(chunk.kind),
        clean(chunk.place),
        title,
        body,
        identifiers(f"{title}\n{body}"),
    )


def _replace_chunks(db: Database, chunks: list[Chunk]) -> None:
    kept = _upsert_chunks(db, chunks, PACK)
    db.write(
        "DELETE FROM chunks WHERE origin = ?"
        " AND id NOT IN (SELECT value FROM json_each(?))",
        PACK,
        ids_json(kept),
    )


_METHOD = """
INSERT INTO methods(id, name, title, family, pack, definition)
VALUES(?, ?, ?, ?, ?, ?)
ON CONFLICT(id) DO UPDATE SET title = excluded.title, family = excluded.family,
  pack = excluded.pack, definition = excluded.definition
"""


def _replace_methods(db: Database, methods: dict[str, Method]) -> None:
    db.write("DELETE FROM method_sources")
    db.write(
        "UPDATE methods SET title = name, family = '', pack = '', definition = ''"
        " WHERE definition <> ''"
    )
    db.write_many(
        _METHOD, sorted(_method_row(method) for _, method in sorted(methods.items()))
    )
    db.write(
        "DELETE FROM methods WHERE definition = ''"
        " AND id NOT IN (SELECT method FROM suggestions)"
        " AND id NOT IN (SELECT method FROM experiment_methods)"
    )
    _put_sources(db, methods)


def _method_row(method: Method) -> tuple[Any, ...]:
    return (
        row_id("method", method.id),
        clean(method.id),
        clean(method.title),
        clean(method.family),
        clean(method.pack),
        encode_method(method),
    )


def _put_sources(db: Database, methods: dict[str, Method]) -> None:
    rows = sorted(
        (
            row_id("method", name),
            place,
            clean(source_key(source, method.pack)),
            clean(source.title) if source and source.arxiv else "",
            clean(source_place(source)),
        )
        for name, method in methods.items()
        for place, source in enumerate(method.sources or (None,))
    )
    stubs.stub_papers(db, {key for _, _, key, _, _ in rows})
    db.write_many(
        "INSERT INTO method_sources(method, ord, paper, title, place)"
        " VALUES(?, ?, ?, ?, ?)",
        [(row, place, row_id("paper", key), *said) for row, place, key, *said in rows],
    )
