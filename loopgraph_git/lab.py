"""Lab: git and the memory joined.

Git is the record. Every command first *reconciles*: it reads what refs and notes
say that the index has not seen yet. Deleting the database and calling `reindex`
gives the same answers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from loopgraph_git.asking import Asked, ask
from loopgraph_git.config import CONFIG_NAME, Config
from loopgraph_git.errors import ConfigError, GitError, StoreKeptError
from loopgraph_git.exchange import Synced, exchange, pending
from loopgraph_git.git import bulk
from loopgraph_git.ledger import Ledger
from loopgraph_git.mapping import map_repository
from loopgraph_git.opening import open_index, rebuild
from loopgraph_git.recognition import NEWEST, recognise
from loopgraph_git.reconcile import reconcile
from loopgraph_git.records import (
    Experiment,
    Found,
    Kind,
    Oid,
    Record,
    Result,
    Verdict,
    body_of,
)
from loopgraph_git.researchfs.recognised import recognised_in
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from loopgraph_git.client import Answer
    from loopgraph_git.ingest.holdings import Wishes
    from loopgraph_git.ingest.taken import Ingested
    from loopgraph_git.provenance import Why
    from loopgraph_git.records import Hit, Judgement, Method
    from loopgraph_git.repeats import Checked, Repeats
    from loopgraph_git.researchfs.repomap import MappedFile


class Lab(Closing):
    """The memory of one repository: its experiments, and what is known besides.

    Use it in a `with` statement, or close it. Without a `.loopgraph.yml` the
    defaults hold until a command needs the real one.

    Threads may share it; after a fork, open it again. Where the repository cannot be
    written (`read_only`) questions are answered, and nothing is kept.

    With `fresh` an index that cannot be read is thrown away; it is derived. One that
    is busy, newer or something else's is not.
    Raises NotARepositoryError, ConfigError or StoreError.
    """

    def __init__(self, folder: Path | str = ".", *, fresh: bool = False) -> None:
        repo, client, config, self.read_only = open_index(folder, fresh=fresh)
        self.repo = repo
        self.client = client
        self.ledger = Ledger(repo, client.store)
        self.notes = self.ledger.notes
        self.config = self.trusted_config = config or Config()
        self.configured = config is not None
        self._seen: Repeats | None = None

    @classmethod
    def open(cls, folder: Path | str = ".", *, fresh: bool = False) -> Self:
        """Open the repository that a folder is in."""
        return cls(folder, fresh=fresh)

    def close(self) -> None:
        """Close the index; closing twice is fine."""
        if self._seen is not None:
            self._seen.close()
        self.client.close()

    def require_config(self) -> None:
        """Raise ConfigError when the repository has no `.loopgraph.yml`."""
        if not self.configured:
            raise ConfigError(
                f"no {CONFIG_NAME} in {self.repo.root}: run `git lg init` to write one"
            )

    def require_writable(self) -> None:
        """Raise StoreKeptError where nothing can be recorded."""
        if self.read_only:
            raise StoreKeptError(
                f"{self.repo.home} cannot be written: questions are answered, and "
                "nothing is recorded"
            )

    def reconcile(self) -> None:
        """Index what refs, notes and hooks say that the index has not seen yet."""
        reconcile(self.ledger, self.config.branches)

    def reindex(self) -> dict[str, int]:
        """Build the index anew from refs, notes, packs and papers; returns the counts.

        Raises StoreKeptError where it cannot be written.
        """
        self.require_writable()
        return rebuild(self.repo, self.client, self.config.branches)

    def sync(
        self,
        remote: str,
        *,
        dry_run: bool = False,
        push: bool = True,
        ask: bool = False,
    ) -> Synced:
        """Fetch what others pushed to a remote, index it, and push what is ours.

        `dry_run` asks nobody: it tells what was not sent yet. With `ask` git may ask
        for a password. Raises UsageError for an unknown remote, GitError when it
        cannot be read; nothing is lost by that, and the next sync sends it all.
        """
        if dry_run:
            return pending(self.ledger, remote)
        return exchange(self.ledger, self.config.branches, remote, push=push, ask=ask)

    def record_result(self, commit: Oid, result: Result) -> Record:
        """Write the result of a run: a note in git first, then the index."""
        return self.ledger.new(Kind.RESULT, commit, body_of(result))

    def judge(self, commit: Oid, verdict: Verdict) -> Record:
        """Write a verdict on an experiment."""
        return self.ledger.new(Kind.VERDICT, commit, body_of(verdict))

    def write(self, record: Record, *, fresh: bool = True) -> None:
        """Write a record that was made before; with `fresh=False`, at most once."""
        self.ledger.write(record, fresh=fresh)

    def experiments(
        self,
        *,
        session: str | None = None,
        verdict: Judgement | None = None,
        limit: int | None = None,
    ) -> Found[Experiment]:
        """Return experiments, the newest first."""
        return self.client.experiments(session=session, verdict=verdict, limit=limit)

    # the command line's word for it
    log = experiments

    def show(self, rev: str) -> Experiment:
        """Return the experiment that a rev or the start of an oid names."""
        found = self.client.store.experiment(rev)
        if found is None:
            with suppress(GitError):
                found = self.client.store.experiment(self.repo.oid(rev))
        if found is None:
            raise GitError(f"{rev!r} is no experiment: `git lg log` lists them")
        return self._landed(found) or found

    def _landed(self, found: Experiment) -> Experiment | None:
        """Return the experiment that a commit without outcomes of its own came from.

        A squash or a merge with another tree was never trained, and stays itself.
        """
        if found.status or found.verdict:
            return None
        came = self.client.store.landed_from(found.commit)
        trees = bulk.trees(self.repo, [found.commit]) if came else {}
        return next((x for x in came if x.tree == trees.get(found.commit)), None)

    def records_of(self, commit: Oid) -> list[Record]:
        """Return every record about a commit, the oldest first."""
        return self.ledger.records_of(commit)

    def results_of(self, commit: Oid) -> list[Result]:
        """Return the runs of a commit, the oldest first."""
        return self.ledger.results_of(commit)

    def results(self, *, protocol: str, platform: str = "") -> list[tuple[Oid, Result]]:
        """Return all runs of one protocol (and platform), with their commits."""
        return self.ledger.results(protocol=protocol, platform=platform)

    def best(self, k: int = 10) -> Found[Experiment]:
        """Return the k best experiments among those that compare.

        Results compare within one protocol and platform: that of the newest result.
        """
        return self.client.best(k, self.config.metric.direction)

    def check(
        self,
        rev: str | None = None,
        *,
        text: str | None = None,
        patch: bytes | None = None,
        staged: bool = False,
        say: Callable[[str], None] = lambda _text: None,
    ) -> Checked:
        """Say whether an edit, a commit or an idea was tried before; see repeats.py.

        Without any of these the uncommitted changes to the editable files count.
        """
        seen = self._repeats()
        if text is not None:
            self.ledger.read_texts()
            return seen.check_text(text)
        seen.catch_up(say)
        return seen.check(seen.draft(rev, patch=patch, staged=staged))

    def tried(
        self, before: Mapping[str, str], after: Mapping[str, str], *, protocol: str
    ) -> Experiment | None:
        """Return an experiment that measured this edit in the same way, or None."""
        seen = self._repeats()
        seen.catch_up()
        return seen.tried(before, after, protocol=protocol)

    def why(self, what: str) -> Why:
        """Return what is behind a rev, `[REV:]PATH:LINE` or a method; see provenance.py."""
        from loopgraph_git.provenance import why  # noqa: PLC0415

        return why(self.repo, self.client.store, what)

    def _repeats(self) -> Repeats:
        # the library takes long to import, and only proposals need it
        from loopgraph_git.repeats import Repeats  # noqa: PLC0415

        if self._seen is None:
            self._seen = Repeats(self.repo, self.client.store, self.config.editable)
        return self._seen

    def diff(self, commit: Oid) -> str:
        """Return what a commit changed against its first parent."""
        return self.repo.text(
            "diff-tree", "-p", "--root", "--no-commit-id", "--no-ext-diff",
            "--no-textconv", "--first-parent", "-m", commit,
        )  # fmt: skip

    def code(self, rev: str) -> dict[str, str]:
        """Return the editable files that are there at a rev, path to text."""
        texts = {path: self.repo.file(rev, path) for path in self.config.editable}
        return {path: text for path, text in texts.items() if text is not None}

    def methods(self) -> list[Method]:
        """Return every method that a pack defines."""
        return self.client.methods()

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        kinds: Sequence[str] | None = None,
        prefix: bool = False,
    ) -> Found[Hit]:
        """Search papers, methods, experiments and the code; any text is a query."""
        self.ledger.read_texts()
        # a partial clone would fetch what it does not have
        paths = () if self.repo.partial else self.config.editable
        code = {path: self.repo.file("HEAD", path) or "" for path in paths}
        return self.client.search(query, k=k, kinds=kinds, prefix=prefix, code=code)

    def ingest(self, *targets: str, **wishes: Unpack[Wishes]) -> Found[Ingested]:
        """Take in papers, files, repositories and packs; see docs/ingest.md.

        What failed is in the answer too, with its `error`. Raises StoreKeptError
        where nothing can be kept.
        """
        self.require_writable()
        wishes.setdefault("root", self.repo.root)
        return self.client.ingest(*targets, **wishes)

    def rank(self, *, goal: str = "", rev: str = "HEAD") -> Answer:
        """Rank all methods for the code at a rev, without recording the question."""
        self.recognise()
        return self.client.rank(
            goal=goal or self.config.goal,
            current_code=self.code(rev),
            metric=self.config.metric,
            baseline=self.repo.find(rev) or "",
        )

    def suggest_query(
        self,
        goal: str = "",
        current_code: str | Mapping[str, str] | None = None,
        *,
        baseline: Oid | None = None,
        session: str = "",
        k: int = 5,
        token_limit: int = 600,
    ) -> Answer:
        """Ask what to try next, and record the question on the baseline.

        Without `current_code` the code at the baseline counts, without `baseline`
        the commit at HEAD. Where nothing can be written, nothing is recorded.
        """
        baseline = baseline or self.repo.oid("HEAD")
        self.recognise()
        asked = Asked(
            goal=goal or self.config.goal,
            code=self.code(baseline) if current_code is None else current_code,
            baseline=baseline,
            session=session,
            k=k,
            token_limit=token_limit,
        )
        return ask(
            self.ledger, self.client, self.config, asked, write=not self.read_only
        )

    # the command line's word for it
    suggest = suggest_query

    def recognise(self, commit: str = "", *, limit: int | None = NEWEST) -> None:
        """Read off their changes which methods were tried in commits that name none.

        The newest are read first; with a `commit`, that one alone.
        """
        if not commit:
            self.ledger.read_texts()
        paths = self.config.editable
        recognise(self.repo, self.client.store, paths, limit=limit, commit=commit)

    def recognised(self, commit: Oid) -> tuple[str, ...]:
        """Return the methods that were recognised in a commit that names none."""
        self.recognise(commit)
        return recognised_in(self.client.store, [commit]).get(commit, ())

    def acted_on(self, commit: Oid) -> tuple[str, bool] | None:
        """Return the question that a commit acted on, and whether that is inferred."""
        from loopgraph_git.researchfs.standings import acted_on  # noqa: PLC0415

        self.recognise(commit)
        return acted_on(self.client.store, commit)

    def map(self, rev: str = "HEAD") -> list[MappedFile]:
        """Return the Python files at a rev, what the others stand on first."""
        return map_repository(self.repo, self.repo.oid(rev))

    def dump(self) -> Iterator[str]:
        """Yield every row of the index as a line of JSON."""
        self.recognise(limit=None)
        self.ledger.read_lines()
        return self.client.store.dump()
