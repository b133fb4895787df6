"""LoopGraph: git and the memory joined.

Git is the record. Every command first *reconciles*: it reads what refs and notes
say that the index has not seen yet. Deleting the database and calling `reindex`
gives the same answers.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from loopgraph_git.client import Answer, ResearchFSClient
from loopgraph_git.config import CONFIG_NAME, Config, load_config
from loopgraph_git.errors import ConfigError, GitError, StoreError, StoreKeptError
from loopgraph_git.git import bulk, sync
from loopgraph_git.git.repo import Repo
from loopgraph_git.ledger import Ledger
from loopgraph_git.reconcile import reconcile
from loopgraph_git.records import (
    Experiment,
    Kind,
    Oid,
    Record,
    Result,
    Retrieval,
    Status,
    Verdict,
    body_of,
    fitted_retrieval,
)
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loopgraph_git.records import Hit, Judgement, Method

_PARSED = 300


class Synced(NamedTuple):
    """What a sync moved, or would move: experiments and records, out and in.

    `refused` has git's words where the remote took nothing, `left_out` names what of
    the remote was not taken, `writer` is this clone's id where it had to change.
    """

    remote: str
    experiments_sent: int
    records_sent: int
    experiments_new: int = 0
    records_new: int = 0
    left_out: tuple[str, ...] = ()
    refused: str = ""
    writer: str = ""


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector away: a million small values that all stay cost it a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class LoopGraph(Closing):
    """The memory of one repository: its experiments, and what is known besides.

    Use it in a `with` statement, or close it. `config` is None-safe: without a
    `.loopgraph.yml` the defaults hold until a command needs the real one.
    """

    def __init__(
        self, repo: Repo, client: ResearchFSClient, config: Config | None = None
    ) -> None:
        self.repo = repo
        self.client = client
        self.ledger = Ledger(repo, client.store)
        self.notes = self.ledger.notes
        self.trusted_config = config or Config()
        self.config = self.trusted_config
        self.configured = config is not None
        self._meanings: dict[str, tuple[str, ...]] = {}

    @classmethod
    def open(cls, folder: Path | str = ".", *, fresh: bool = False) -> Self:
        """Open the repository that a folder is in.

        With `fresh` an index that cannot be read is thrown away; it is derived. One
        that is busy, newer or something else's is not.
        Raises NotARepositoryError, ConfigError or StoreError.
        """
        repo = Repo(Path(folder))
        config = None
        if not repo.bare and (repo.root / CONFIG_NAME).exists():
            config = load_config(repo.root)
        packs = [] if repo.bare else [repo.root / (config or Config()).packs]
        path = repo.home / "researchfs.db"
        try:
            client = ResearchFSClient(path, packs=packs)
        except StoreError as error:
            if not fresh or isinstance(error, StoreKeptError):
                raise
            ResearchFSClient.discard(path)
            client = ResearchFSClient(path, packs=packs)
        return cls(repo, client, config)

    def close(self) -> None:
        """Close the index; closing twice is fine."""
        self.client.close()

    def require_config(self) -> None:
        """Raise ConfigError when the repository has no `.loopgraph.yml`."""
        if not self.configured:
            raise ConfigError(
                f"no {CONFIG_NAME} in {self.repo.root}: run `git lg init` to write one"
            )

    def reconcile(self) -> None:
        """Index what refs, notes and hooks say that the index has not seen yet."""
        reconcile(self.ledger, self.config.branches)

    def reindex(self) -> dict[str, int]:
        """Build the index anew from refs, notes and packs; returns what it holds."""
        with self.client.in_memory() as client, _uncollected():
            built = LoopGraph(self.repo, client, self.trusted_config)
            built.reconcile()
            self.client.store.become(client.store)
        return self.client.store.counts()

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
        sync.check_remote(self.repo, remote)
        if dry_run:
            waiting = sync.pending(self.repo, remote)
            return Synced(remote, waiting.experiments, waiting.records)
        self.reconcile()
        before = self.client.store.counts()
        moved = sync.exchange(
            self.repo, remote, self.notes.writer(), push=push, ask=ask
        )
        self.reconcile()
        after = self.client.store.counts()
        return Synced(
            remote,
            moved.experiments,
            moved.records,
            after["experiments"] - before["experiments"],
            after["records"] - before["records"],
            moved.left_out,
            moved.refused,
            moved.writer,
        )

    def record(self, commit: Oid, result: Result) -> Record:
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
    ) -> list[Experiment]:
        """Return experiments, the newest first."""
        return self.client.store.experiments(
            session=session, verdict=verdict, limit=limit
        )

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
        same = (item for item in came if item.tree == trees.get(found.commit))
        return next(same, None)

    def records_of(self, commit: Oid) -> list[Record]:
        """Return every record about a commit, the oldest first."""
        return self.client.store.records_of(commit)

    def results_of(self, commit: Oid) -> list[Result]:
        """Return the runs of a commit, the oldest first."""
        return self.client.store.results_of(commit)

    def results(self, *, protocol: str, platform: str = "") -> list[tuple[Oid, Result]]:
        """Return all runs of one protocol (and platform), with their commits."""
        return self.client.store.results(protocol=protocol, platform=platform)

    def best(self, k: int = 10) -> list[Experiment]:
        """Return the k best experiments among those that compare.

        Results compare within one protocol and platform: that of the newest result.
        """
        newest = self.client.store.newest_measured()
        if newest is None:
            return []
        return self.client.store.best(
            k,
            self.config.metric.direction,
            metric=newest.metric,
            protocol=newest.protocol,
            platform=newest.platform,
        )

    def tried(self, files: Mapping[str, str], *, protocol: str) -> Experiment | None:
        """Return an experiment that measured these editable files, or None.

        Code that differs in comments and formatting alone is the same. It is looked
        for among the newest few hundred, since each has to be parsed once.
        """
        meaning = self._meant(files)
        earlier = (
            item
            for item in self.experiments(limit=_PARSED)
            if item.protocol == protocol and item.status not in (None, Status.REJECTED)
        )
        return next((x for x in earlier if self._meaning(x.tree) == meaning), None)

    def _meaning(self, tree: Oid) -> tuple[str, ...]:
        """Return the editable code of a tree without comments and formatting."""
        if tree not in self._meanings:
            files = {
                path: self.repo.file(tree, path) or "" for path in self.config.editable
            }
            self._meanings[tree] = self._meant(files)
        return self._meanings[tree]

    def _meant(self, files: Mapping[str, str]) -> tuple[str, ...]:
        # the library takes 80 ms to import, and only proposals need it
        from loopgraph_git.library.meaning import normalised  # noqa: PLC0415

        return tuple(normalised(files[path]) for path in self.config.editable)

    def diff(self, commit: Oid) -> str:
        """Return what a commit changed against its first parent."""
        return self.repo.text(
            "diff-tree", "-p", "--root", "--no-commit-id", "--no-ext-diff",
            "--no-textconv", "--first-parent", "-m", commit,
        )  # fmt: skip

    def code(self, rev: str) -> str:
        """Return the editable code at a rev, "" where there is none."""
        texts = [self.repo.file(rev, path) for path in self.config.editable]
        return "\n".join(text for text in texts if text)

    def methods(self) -> list[Method]:
        """Return every method that a pack defines."""
        return self.client.methods()

    def search(
        self, query: str, *, k: int = 10, kinds: Sequence[str] | None = None
    ) -> list[Hit]:
        """Search papers, methods and experiments; any text is a query."""
        self.ledger.read_texts()
        return self.client.search(query, k=k, kinds=kinds)

    def rank(self, *, goal: str = "", rev: str = "HEAD") -> Answer:
        """Rank all methods for the code at a rev, without recording the question."""
        self.ledger.read_texts()
        return self.client.rank(
            goal=goal or self.config.goal,
            current_code=self.code(rev),
            metric=self.config.metric,
            baseline=self.repo.find(rev) or "",
        )

    def suggest_query(
        self,
        goal: str = "",
        current_code: str | None = None,
        *,
        baseline: Oid | None = None,
        session: str = "",
        k: int = 5,
        token_limit: int = 600,
    ) -> Answer:
        """Ask what to try next, and record the question on the baseline.

        Without `current_code` the code at the baseline counts, without `baseline`
        the commit at HEAD.
        """
        baseline = baseline or self.repo.oid("HEAD")
        self.ledger.read_texts()
        answer = self.client.suggest_query(
            goal=goal or self.config.goal,
            current_code=self.code(baseline) if current_code is None else current_code,
            k=k,
            token_limit=token_limit,
            metric=self.config.metric,
            session=session,
            baseline=baseline,
        )
        retrieval = Retrieval(
            goal=answer.goal, suggestions=answer.suggestions, tokens=answer.tokens
        )
        body = body_of(fitted_retrieval(retrieval))
        return answer.recorded(self.ledger.new(Kind.RETRIEVAL, baseline, body))

    def dump(self) -> Iterator[str]:
        """Yield every row of the index as a line of JSON."""
        self.ledger.read_texts()
        return self.client.store.dump()
