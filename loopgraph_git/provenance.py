"""Why something is as it is: from a commit, a line or a method back to a paper.

    outcome <- commit <- retrieval <- method <- chunk <- paper

and beside each step what else was tried for the same purpose, and lost.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import UsageError
from loopgraph_git.git import bulk
from loopgraph_git.git.blame import Line, blame, parse_place
from loopgraph_git.git.commits import read_commits
from loopgraph_git.researchfs import provenance

if TYPE_CHECKING:
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Experiment, Oid
    from loopgraph_git.researchfs.provenance import Asked, Known
    from loopgraph_git.researchfs.store import Store

_BASELINE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Why:
    """What is behind a commit, a line or a method.

    `experiment` is None where no experiment is behind it: then `commit` and `subject`
    say which commit is. `siblings` were tried on the same code, `tries` are others of
    the same methods.
    """

    asked_about: str
    line: Line | None = None
    commit: Oid | None = None
    subject: str = ""
    experiment: Experiment | None = None
    retrieval: Asked | None = None
    methods: tuple[Known, ...] = ()
    siblings: tuple[Experiment, ...] = ()
    tries: tuple[Experiment, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        plain = asdict(self)
        plain["line"] = self.line._asdict() if self.line else None
        return plain


def why(repo: Repo, store: Store, what: str) -> Why:
    """Return what is behind a rev, `[REV:]PATH:LINE`, or the id of a method.

    Raises UsageError for what is none of them.
    """
    place = parse_place(what)
    if place is not None and repo.find(what) is None:
        line = blame(repo, place)
        return _of_commit(repo, store, what, line.commit, line)
    method = provenance.known(store, what)
    if method is not None:
        return Why(
            asked_about=what,
            methods=(method,),
            tries=tuple(provenance.tries(store, what)),
        )
    found = store.experiment(what)
    commit = found.commit if found else repo.find(what)
    if commit is None:
        raise UsageError(
            f"{what!r} is no commit, no line such as train.py:42 and no method: "
            "`git lg log` lists experiments, `git lg rank` methods"
        )
    return _of_commit(repo, store, what, commit, None)


def _of_commit(
    repo: Repo, store: Store, what: str, commit: Oid, line: Line | None
) -> Why:
    experiment = _behind(repo, store, commit)
    if line and experiment and experiment.reason == _BASELINE:
        # it was trained, but nobody tried anything with it
        experiment = None
    if experiment is None:
        subject = next((item.subject for item in read_commits(repo, [commit])), "")
        return Why(asked_about=what, line=line, commit=commit, subject=subject)
    methods = (provenance.known(store, name) for name in experiment.methods)
    tries = {
        item.commit: item
        for name in experiment.methods
        for item in provenance.tries(store, name)
        if item.commit != experiment.commit
    }
    return Why(
        asked_about=what,
        line=line,
        commit=commit,
        subject=experiment.subject,
        experiment=experiment,
        retrieval=provenance.asked(store, experiment.retrieval),
        methods=tuple(item for item in methods if item),
        siblings=tuple(provenance.siblings(store, experiment)),
        tries=tuple(tries.values()),
    )


def _behind(repo: Repo, store: Store, commit: Oid) -> Experiment | None:
    """Return the experiment that a commit is, or came from; None for neither.

    What a squash brought in is that of the experiment with the same tree, or else of
    the newest one.
    """
    found = store.experiment(commit)
    if found is not None and (found.status or found.verdict):
        return found
    came = store.landed_from(commit)
    if not came:
        # a baseline is known too, but only because something was asked about it
        return found if found and (found.session or found.methods) else None
    tree = bulk.trees(repo, [commit]).get(commit)
    return next((item for item in came if item.tree == tree), came[0])
