"""ResearchFS: what is known, one query away.

    packs, papers ─┐                        ┌─▶ experiments(), best(), search()
                   ├─▶ SQLite + FTS5 index ─┤
    commits, notes ┘                        └─▶ trials() for the ranking

Git is the record and this is an index: everything about experiments can be built
again from refs and notes, and the same facts make the same rows in whatever order
they arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from loopgraph_git.researchfs import (
    checking,
    commits,
    connection,
    database,
    knowledge,
    outcomes,
    reading,
    schema,
    shelved,
    summary,
    texts,
    together,
)
from loopgraph_git.researchfs.database import Database
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from loopgraph_git.records import (
        Chunk,
        Commit,
        Direction,
        Experiment,
        Judgement,
        Method,
        Oid,
        Paper,
        Record,
        Result,
    )
    from loopgraph_git.researchfs.outcomes import Skipped
    from loopgraph_git.researchfs.shelved import Ingest
    from loopgraph_git.researchfs.together import Part


class Store(Closing):
    """An open ResearchFS database; use it in a `with` statement, or close it.

    Several threads may share one store, and several processes one file. Every
    method raises StoreError, which names the file and the next step, when the
    database cannot be used.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        db.before_commit = self._settle

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the database at a path, making it and its folder when they are absent.

        Raises StoreError for a file that is no ResearchFS database, or a newer one.
        """
        return cls(Database.open(path))

    @staticmethod
    def discard(path: Path | str) -> None:
        """Delete a database that cannot be read, so that it can be built anew."""
        connection.discard(path)

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        self.db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Hold one write transaction; nested ones are savepoints.

        Summaries and search texts are derived when the outermost one commits: put
        commits and their records inside one transaction, and they are written once.
        """
        return self.db.transaction()

    def _settle(self) -> None:
        summary.settle(self.db)

    def put_packs(
        self,
        papers: Iterable[Paper],
        chunks: Iterable[Chunk],
        methods: Iterable[Method],
    ) -> None:
        """Replace everything that packs brought before by what they bring now.

        Methods that experiments and retrievals name stay known by their id.
        """
        with self.transaction():
            knowledge.put_packs(self.db, papers, chunks, methods)

    def packs(self) -> str:
        """Return the digest of the packs that were read last, or an empty text."""
        return self.meta(knowledge.PACKS).partition(" ")[0]

    def set_packs(self, digest: str) -> None:
        """Remember which packs were read, and what their methods are now."""
        self.set_meta(knowledge.PACKS, f"{digest} {knowledge.methods_digest(self.db)}")

    def methods_of_packs(self, digest: str) -> list[Method] | None:
        """Return the methods of packs that were read before, by id.

        None where others were read, or where a method is not what it was then.
        """
        told = f"{digest} {knowledge.methods_digest(self.db)}"
        return self.methods() if self.meta(knowledge.PACKS) == told else None

    def put_papers(self, papers: Iterable[Paper]) -> None:
        """Write ingested papers; their words win over a pack's under the same key."""
        with self.transaction():
            knowledge.put_papers(self.db, papers)

    def put_chunks(self, chunks: Iterable[Chunk]) -> None:
        """Write ingested passages, each known by its paper and position."""
        with self.transaction():
            knowledge.put_chunks(self.db, chunks)

    def forget_chunks(self, paper: str) -> None:
        """Delete a paper's ingested passages, before those of a new version."""
        with self.transaction():
            knowledge.forget_chunks(self.db, [paper])

    def put_shelved(self, items: Sequence[Ingest]) -> None:
        """Write ingested papers with their passages, each in place of its older one."""
        with self.transaction():
            shelved.put(self.db, items)

    def forget_shelved(self, keys: Iterable[str]) -> None:
        """Delete ingested papers; load the packs again, which may name them too."""
        with self.transaction():
            shelved.forget(self.db, keys)

    def shelf_state(self) -> str | None:
        """Return the state of the shelf that is indexed, None where it has to be."""
        return shelved.stamp(self.db)

    def mentioned(self, key: str) -> dict[str, int]:
        """Return how often a paper speaks of each method, the most first."""
        return shelved.mentioned(self.db, key)

    def put_commits(self, given: Iterable[Commit]) -> int:
        """Index commits that are not known yet; returns how many were new."""
        with self.transaction():
            return commits.put_commits(self.db, map(commits.told, given))

    def put_records(self, records: Iterable[Record]) -> list[Skipped]:
        """Index records that are not known yet; returns those that say no sense.

        A record may come before its commit, and thousands in one call.
        """
        with self.transaction():
            return outcomes.put_records(self.db, records)

    def put_together(self, parts: Iterable[Part | Path]) -> None:
        """Do what `put_commits` and `put_records` do, quicker with most in one call.

        A part may be a database that another process has put aside.
        """
        with self.transaction():
            together.put_together(self.db, parts)

    def unread(self) -> list[str]:
        """Return the commits whose message and change were not read yet."""
        return texts.unread(self.db)

    def put_texts(self, oids: Iterable[str], given: Iterable[Commit]) -> None:
        """Index messages and changes of unread commits; what is not given is gone."""
        with self.transaction():
            texts.put_texts(self.db, oids, given)

    def ref_tips(self) -> dict[str, str]:
        """Return where every ref pointed when it was last indexed."""
        return dict(self.db.rows("SELECT name, oid FROM refs ORDER BY name"))

    def set_ref_tips(self, tips: Mapping[str, str]) -> None:
        """Remember where the refs point now; refs not named are forgotten."""
        with self.transaction():
            self.db.write("DELETE FROM refs")
            self.db.write_many(
                "INSERT INTO refs(name, oid) VALUES(?, ?)",
                sorted((database.clean(name), str(oid)) for name, oid in tips.items()),
            )

    def meta(self, key: str) -> str:
        """Return a fact about the index itself, or an empty text."""
        found = self.db.column("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0]) if found else ""

    def set_meta(self, key: str, value: str) -> None:
        """Remember a fact about the index itself, such as a digest of the packs."""
        with self.transaction():
            self.db.write(
                "INSERT INTO meta(key, value) VALUES(?, ?)"
                " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                key,
                value,
            )

    def optimise(self) -> None:
        """Merge the search index and shorten the log; worth it after a bulk write."""
        with self.transaction():
            for table in schema.SEARCHED_TABLES:
                self.db.write(f"INSERT INTO {table}_fts({table}_fts) VALUES('optimize')")  # fmt: skip
        self.db.pragma("wal_checkpoint(TRUNCATE)")

    def experiments(
        self,
        *,
        session: str | None = None,
        verdict: Judgement | str | None = None,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> list[Experiment]:
        """Return experiments by commit time, ties by oid.

        A commit that was rewritten with the same tree is left out: the new one has
        its results.
        """
        return reading.experiments(
            self.db,
            session=session,
            verdict=verdict,
            limit=limit,
            newest_first=newest_first,
        )

    def tried_on(self, states: Collection[str]) -> list[Experiment]:
        """Return experiments whose parent is one of these commits or has the tree.

        The newest comes first, ties by oid.
        """
        return reading.tried_on(self.db, states)

    def experiment(self, prefix: str) -> Experiment | None:
        """Return the experiment whose oid is or begins with `prefix` (4 or more).

        Raises StoreError when several begin with it.
        """
        return reading.experiment(self.db, prefix)

    def landed_from(self, commit: str) -> list[Experiment]:
        """Return the experiments that a squash, a cherry-pick or a merge came from."""
        return reading.landed_from(self.db, commit)

    def newest_measured(self) -> Experiment | None:
        """Return the newest experiment that ran to its end, or None."""
        return reading.newest_measured(self.db)

    def best(
        self,
        k: int,
        direction: Direction,
        *,
        metric: str | None = None,
        protocol: str | None = None,
        platform: str | None = None,
    ) -> list[Experiment]:
        """Return the k best experiments that ran to the end, best first, ties by oid.

        The value is the mean over runs of one metric, protocol and platform; each
        experiment has one place. Values compare only where these three are given.
        """
        return reading.best(
            self.db, k, direction, metric=metric, protocol=protocol, platform=platform
        )

    def put_lines(self, lines: Iterable[bytes]) -> None:
        """Write lines of records that were read in bulk; others are passed over."""
        with self.transaction():
            outcomes.put_lines(self.db, lines)

    def links_of(self, commit: str) -> set[str]:
        """Return the commits that links lead to from a commit, retracted ones too."""
        return reading.links_of(self.db, commit)

    def records_of(self, commit: str) -> list[Record]:
        """Return every record about a commit by (ts, seq, id), retracted ones too.

        Like the next two it raises LineUnreadError where `put_lines` has to bring one.
        """
        return reading.records_of(self.db, commit)

    def results_of(self, commit: str) -> list[Result]:
        """Return the runs of a commit that were not retracted, the oldest first."""
        return reading.results_of(self.db, commit)

    def results(self, *, protocol: str, platform: str = "") -> list[tuple[Oid, Result]]:
        """Return what `results_of` does, of one protocol and platform, with commits."""
        return reading.results(self.db, protocol=protocol, platform=platform)

    def known(self, oids: Iterable[str]) -> set[str]:
        """Return those of some commits that were indexed, stubs left out."""
        return reading.known(self.db, oids)

    def knows(self, commit: str) -> bool:
        """Say whether a commit was indexed."""
        return bool(self.known([commit]))

    def counts(self) -> dict[str, int]:
        """Return how many experiments, records, methods, ... are known."""
        return reading.counts(self.db)

    def methods(self) -> list[Method]:
        """Return every method that a pack defines, by id."""
        return reading.methods(self.db)

    def papers(self) -> list[Paper]:
        """Return every paper that was given or is cited, by key."""
        return reading.papers(self.db)

    def sessions(self) -> list[str]:
        """Return the names of all sessions, the earliest begun first."""
        return reading.sessions(self.db)

    def dump(self) -> Iterator[str]:
        """Yield every row as a line of JSON, by table and primary key.

        Two databases with the same lines answer every question alike.
        """
        return reading.dump(self.db)

    def check(self) -> list[str]:
        """Return what is wrong with the database, in words; nothing if all is well."""
        return checking.check(self.db)

    def repair(self) -> None:
        """Build the search index anew from its tables, and what keeps it so."""
        with self.transaction():
            for name, statement in schema.triggers().items():
                self.db.write(f"DROP TRIGGER IF EXISTS {name}")
                self.db.write(statement)
            for table in schema.SEARCHED_TABLES:
                self.db.write(f"INSERT INTO {table}_fts({table}_fts) VALUES('rebuild')")  # fmt: skip
