"""ResearchFSClient: the memory as a program sees it, with or without a repository.

client = ResearchFSClient("researchfs.db")
context = client.suggest_query(goal="lower val_bpb", current_code=train_py)
print(context.brief)
"""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from loopgraph_git.errors import UsageError
from loopgraph_git.ingest.holdings import Holdings
from loopgraph_git.records import Direction, Found, dataframe
from loopgraph_git.researchfs.brief import Brief, estimate_tokens, render_brief
from loopgraph_git.researchfs.codemap import code_map
from loopgraph_git.researchfs.naming import targets
from loopgraph_git.researchfs.store import Store
from loopgraph_git.resources import Closing, resource_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Unpack

    from loopgraph_git.ingest.holdings import Wishes
    from loopgraph_git.ingest.taken import Ingested
    from loopgraph_git.records import (
        Context,
        Experiment,
        Hit,
        Judgement,
        Method,
        Metric,
        Record,
        Suggestion,
    )
    from loopgraph_git.researchfs.trials import Standing


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the memory answers: ranked methods, a pack of them, and a brief.

    `ranking` holds every method, best first, `suggestions` the few that were chosen
    from it, `standings` what is known of each. `brief` is the text an agent is given,
    `tokens` its size by estimate. `record` is the note that keeps the question, and
    `reused` how often it was answered from that note, this time included.
    """

    goal: str
    ranking: tuple[Suggestion, ...]
    suggestions: tuple[Suggestion, ...]
    standings: Mapping[str, Standing]
    methods: Mapping[str, Method] = field(repr=False)
    brief: str = ""
    record: Record | None = None
    reused: int = 0

    @property
    def tokens(self) -> int:
        """The size of the brief, estimated."""
        return estimate_tokens(self.brief)

    @property
    def targets(self) -> frozenset[str]:
        """The names in the code that the recipes of the suggestions change."""
        recipes = (self.methods[item.method].recipe for item in self.suggestions)
        return frozenset(name for recipe in recipes for name in targets(recipe))

    def recorded(self, record: Record) -> Self:
        """Return the answer with the record that keeps it."""
        return replace(self, record=record)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: goal, suggestions with factors, brief, tokens."""
        return {
            "goal": self.goal,
            "suggestions": [self.method_dict(item) for item in self.suggestions],
            "brief": self.brief,
            "tokens": self.tokens,
            "retrieval": self.record.id if self.record else None,
            "reused": self.reused,
        }

    def to_dataframe(self) -> Any:
        """Return the whole ranking as a pandas DataFrame, a row a method."""
        return dataframe([self.method_dict(item) for item in self.ranking])

    def method_dict(self, item: Suggestion) -> dict[str, Any]:
        """Return one suggestion with all that is known of its method."""
        standing, method = self.standings[item.method], self.methods[item.method]
        known = {
            name: getattr(standing, name)
            for name in (
                "n", "wins", "crashes", "win_rate", "win_interval", "mean_gain",
                "gain_interval", "last_ts", "recognised",
            )
        }  # fmt: skip
        named = {"title": method.title, "family": method.family, **known}
        return {**asdict(item), **named, "outcomes": list(standing.outcomes)}


class ResearchFSClient(Closing):
    """The memory in one database file: methods, papers, experiments, outcomes.

    Use it in a `with` statement, or close it. The method packs that ship with the
    package are loaded first, then those of the folders in `packs`, overriding by id.
    What is ingested is kept in `library`, by default a folder of that name beside it.

    Threads may share one client, processes one file; after a fork, open it again. A
    file that cannot be written answers as it is (`read_only`), and is never changed.
    """

    def __init__(
        self,
        path: Path | str = "researchfs.db",
        *,
        packs: Sequence[Path] = (),
        library: Path | None = None,
    ) -> None:
        self.store = Store.open(path)
        if library is None and str(path) != ":memory:":
            library = Path(path).with_name("library")
        self.holdings = Holdings(
            store=self.store,
            folders=(resource_dir("packs"), *packs),
            library=library,
        )
        try:
            self.holdings.load()
        except BaseException:
            self.store.close()
            raise

    @property
    def read_only(self) -> bool:
        """Say whether this is a copy in memory of a file that cannot be written."""
        return self.store.db.read_only

    @staticmethod
    def discard(path: Path | str) -> None:
        """Delete a database that cannot be read, so that it can be built anew."""
        Store.discard(path)

    def in_memory(self) -> Self:
        """Return a memory of the same packs and papers, gone when it is closed.

        It is made to be filled at once: foreign keys are not looked up for every row.
        """
        made = copy(self)
        made.store = Store.open(":memory:")
        made.store.db.pragma("foreign_keys=OFF")
        made.holdings = replace(self.holdings, store=made.store)
        try:
            made.holdings.load(like=self.store)
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        self.store.close()

    def ingest(self, *targets: str, **wishes: Unpack[Wishes]) -> Found[Ingested]:
        """Take in papers, files, repositories and packs; see docs/ingest.md.

        Nothing is fetched twice. What failed is in the answer too, with its `error`.
        """
        return Found(self.holdings.ingest(*targets, **wishes))

    def methods(self) -> list[Method]:
        """Return every method that a pack defines, by id."""
        return self.store.methods()

    def experiments(
        self,
        *,
        session: str | None = None,
        verdict: Judgement | None = None,
        limit: int | None = None,
    ) -> Found[Experiment]:
        """Return the experiments that the database holds, the newest first."""
        found = self.store.experiments(session=session, verdict=verdict, limit=limit)
        return Found(found)

    # the command line's word for it
    log = experiments

    def show(self, commit: str) -> Experiment:
        """Return the experiment that an oid, or the start of one, names."""
        found = self.store.experiment(commit)
        if found is None:
            raise UsageError(
                f"{commit!r} is no experiment of {self.store.db.path}: `experiments()` "
                "lists them"
            )
        return found

    def best(
        self, k: int = 10, direction: Direction = Direction.LOWER
    ) -> Found[Experiment]:
        """Return the k best experiments among those that compare.

        Results compare within one metric, protocol and platform: those of the newest
        result count.
        """
        newest = self.store.newest_measured()
        if newest is None:
            return Found()
        found = self.store.best(
            k,
            direction,
            metric=newest.metric,
            protocol=newest.protocol,
            platform=newest.platform,
        )
        return Found(found)

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        kinds: Sequence[str] | None = None,
        prefix: bool = False,
        code: Mapping[str, str] | None = None,
    ) -> Found[Hit]:
        """Return the k best answers; any text is a query, and `code` searched too."""
        # lists and tables need no search, and no ranking below
        from loopgraph_git.researchfs.search import search  # noqa: PLC0415

        found = search(self.store, query, kinds, k, prefix=prefix, code=code)
        return Found(found)

    def rank(  # noqa: PLR0913  the question, and what it is about
        self,
        *,
        goal: str = "",
        current_code: str | Mapping[str, str] = "",
        metric: Metric | None = None,
        session: str = "",
        baseline: str = "",
        k: int = 5,
        before: str = "",
    ) -> Answer:
        """Rank every method for some code; nothing is recorded.

        The code is one source, or files as path to source.
        `baseline` names the commit that the code is at: tries on it tire a method.
        With `before`, the id of a question's record, no later question counts.
        """
        from loopgraph_git.researchfs import ranking, standings  # noqa: PLC0415
        from loopgraph_git.researchfs.search import method_ranks  # noqa: PLC0415
        from loopgraph_git.researchfs.trials import Question  # noqa: PLC0415

        methods = self.methods()
        trials = standings.trials(self.store, metric.name if metric else "")
        question = Question(
            session=session,
            states=self._states(baseline),
            contexts=contexts(methods, current_code),
            asked=standings.asked(self.store, before=before),
            relevance=method_ranks(self.store, goal),
            platform=standings.newest_platform(self.store),
        )
        ranked, known = ranking.rank(methods, trials, question)
        chosen = ranking.pack_of(k, ranked, methods=methods, standings=known)
        return Answer(
            goal=goal,
            ranking=tuple(ranked),
            suggestions=tuple(chosen),
            standings=MappingProxyType(known),
            methods=MappingProxyType({method.id: method for method in methods}),
        )

    def suggest_query(  # noqa: PLR0913  the question, and what it is about
        self,
        goal: str,
        current_code: str | Mapping[str, str] = "",
        *,
        k: int = 5,
        token_limit: int = 600,
        metric: Metric | None = None,
        session: str = "",
        baseline: str = "",
        before: str = "",
        mapped: Callable[[frozenset[str]], str] | None = None,
    ) -> Answer:
        """Return a ranked pack of k methods and a brief of at most `token_limit`.

        `mapped` makes the map of the code, those names first, where it is of several
        files.
        """
        answer = self.rank(
            goal=goal,
            current_code=current_code,
            metric=metric,
            session=session,
            baseline=baseline,
            k=k,
            before=before,
        )
        about = answer.targets
        shown = mapped(about) if mapped else _mapped(current_code, about)
        brief = Brief(
            goal=goal,
            suggestions=answer.suggestions,
            methods=answer.methods,
            standings=answer.standings,
            tried=self.store.tried_on(self._states(baseline)),
            code_map=shown,
        )
        return replace(answer, brief=render_brief(brief, token_limit=token_limit))

    # the command line's word for it
    suggest = suggest_query

    def _states(self, baseline: str) -> frozenset[str]:
        """Return the names of the code at a commit: the commit, and its tree."""
        from loopgraph_git.researchfs import standings  # noqa: PLC0415

        return standings.states_of(self.store, baseline) if baseline else frozenset()


def _mapped(code: str | Mapping[str, str], about: frozenset[str]) -> str:
    sources = [code] if isinstance(code, str) else code.values()
    return "\n".join(code_map(source, about=about) for source in sources)


def contexts(
    methods: Sequence[Method], code: str | Mapping[str, str]
) -> dict[str, Context]:
    """Return how each method stands to some code: present, in conflict, missing, fit."""
    if not code:
        return {}
    from loopgraph_git.library import fitting  # noqa: PLC0415

    return fitting.contexts(methods, code)
