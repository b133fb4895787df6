"""A history that is its own log: `experiment: …` commits, and those that revert them.

    a commit that changes code ──▶ a candidate
    a later one reverts it ──────▶ its verdict is discard; a revert of that: keep
    a message or a row of a committed log tells its outcome ──▶ value and verdict
    nothing of this, and no `experiment:` ──▶ passed over, with the reason

What a history does not say is left out: no value is guessed, and without reverts in
it that a commit was left standing means nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.git import linear
from loopgraph_git.loop.logs import commit_words, committed_logs, history, log_metric
from loopgraph_git.loop.logs.candidates import Candidate
from loopgraph_git.loop.logs.log_table import Problem
from loopgraph_git.records import Metric
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from loopgraph_git.git.linear import Change, Line, Step
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.loop.logs.history import Log, Row
    from loopgraph_git.records import Direction

_HASH = re.compile(r"[0-9a-f]{7,64}\Z")


def read_commits(
    repo: Repo,
    line: Line,
    *,
    metric: str = "",
    direction: Direction | None = None,
    known: Metric | None = None,
    editable: Collection[str] = (),
) -> Log:
    """Read a line of history as a log.

    `metric` names what its values measure, by default `known`, the repository's.
    Files in `editable` are code, whatever their names look like. Raises UsageError
    for a metric whose direction nobody knows, and for a line without a commit.
    """
    known = known or Metric()
    steps = linear.read_line(repo, line)
    if not steps:
        raise UsageError(f"no commits {line.words}: nothing to import")
    called = metric or known.name
    way = direction or log_metric.direction_of(called, known)
    reader = _Reader(repo, Metric(called, way), steps, editable)
    if line.base is not None:
        reader.trees[line.base] = repo.tree(line.base)
    for step in steps:
        reader.take(step)
    tried = [item for item in reader.candidates if item.is_tried]
    if reader.undone:
        # the last one may not have been judged yet
        for item in tried[:-1]:
            item.stay()
    return history.Log(
        name=line.tip.short,
        metric=reader.metric,
        rows=tuple(item.to_row(number) for number, item in enumerate(tried, 1)),
        problems=(*reader.problems, *_doubts(tried)),
        passed=tuple(reader.all_passed()),
        origin=f"{len(steps)} {line.words}, {reader.undone} of them undo others",
    )


def _doubts(tried: list[Candidate]) -> list[Problem]:
    return [Problem(item.step.oid.short, why) for item in tried for why in item.doubts]


class _Reader:
    """Reads commits one after another, and remembers what is open."""

    def __init__(
        self, repo: Repo, metric: Metric, steps: list[Step], editable: Collection[str]
    ) -> None:
        self.metric = metric
        self.trees: dict[str, str] = {step.oid: step.tree for step in steps}
        self.candidates: list[Candidate] = []
        self._short: dict[str, list[str]] = {}
        for step in steps:
            self._short.setdefault(step.oid.short, []).append(step.oid)
        self.problems: list[Problem] = []
        self.undone = 0
        self._passed: list[Problem] = []
        self._editable = editable
        self._added = committed_logs.rows_added(repo, steps, metric)
        self._of: dict[str, Candidate] = {}
        self._before: set[str] = set()
        self._state: dict[str, str] = {}
        self._undid: dict[str, list[Candidate]] = {}
        self._metrics: Counter[str] = Counter()

    def take(self, step: Step) -> None:
        """Read one commit."""
        code = {
            path: change
            for path, change in step.changes.items()
            if path in self._editable or not committed_logs.is_prose(path)
        }
        self._state |= {path: change.new for path, change in code.items()}
        self._metrics.update(commit_words.metrics_named(step.message))
        newest = self._newest()
        if len(step.parents) > 1:
            self._pass(step, "a merge: import the branch that it merged by itself")
        elif not self._takes_back(step, code):
            if code:
                self._try(step, code)
            else:
                self._tell(step, newest)
        self._take_rows(step, newest)

    def _newest(self) -> Candidate | None:
        """Return the candidate that results would be told of."""
        last = self.candidates[-1] if self.candidates else None
        if last and (last.undone is None or not last.is_told):
            return last
        left = (item for item in reversed(self.candidates) if item.undone is None)
        return next(left, None)

    def _try(self, step: Step, code: Mapping[str, Change]) -> None:
        item = Candidate(step, code)
        self.candidates.append(item)
        self._of[step.oid] = item
        self._before.add(self._tree_before(step))
        said = commit_words.said_by(step.message, self.metric.name)
        item.measure(said.values, step.subject, self.metric)
        if said.verdict:
            item.judge(said.verdict, f"the commit says {said.word}", step)

    def _tell(self, step: Step, newest: Candidate | None) -> None:
        """Read a commit without code: it may tell the outcome of what was before it."""
        said = commit_words.said_by(step.message, self.metric.name, telling=True)
        telling = commit_words.is_telling(step.subject)
        if not telling or not (said.verdict or said.values):
            if step.oid not in self._added:
                self._pass(step, "it changes no code, and tells no outcome")
        elif newest is None or newest.is_told:
            self._pass(step, "it tells an outcome, but of which commit is not plain")
        else:
            newest.measure(said.values, step.subject, self.metric)
            newest.told = step.subject
            if said.verdict:
                newest.judge(said.verdict, f"{step.oid.short} says {said.word}", step)

    def _takes_back(self, step: Step, code: Mapping[str, Change]) -> bool:
        """Read a commit that undoes others; say whether it is one."""
        named = commit_words.reverted(step.message)
        if named:
            self._revert(step, named)
            return True
        says_so = commit_words.takes_back(step.subject)
        if not code or commit_words.is_labelled(step.subject):
            return False
        items = self._put_back(step, code, exactly=not says_so)
        for item in items:
            item.undo(step)
        self._undid[step.oid] = items
        self.undone += bool(items)
        if says_so and not items:
            self._pass(step, "it says that it undoes something, but not what")
        return bool(items) or says_so

    def _revert(self, step: Step, named: list[str]) -> None:
        """Undo what a message names; the revert of a revert puts it back."""
        self._undid[step.oid] = []
        found = [oid for name in named for oid in self._find(name)]
        for oid in found:
            for item in self._undid.get(oid, ()):
                item.redo(step)
            if oid in self._of:
                self._of[oid].undo(step)
                self._undid[step.oid].append(self._of[oid])
        self.undone += bool(found)
        if not found:
            self._pass(step, f"it reverts {named[0][:7]}, which is not one of these")

    def _find(self, name: str) -> list[str]:
        """Return the commits whose oids begin with a name of seven digits or more."""
        return [oid for oid in self._short.get(name[:7], ()) if oid.startswith(name)]

    def _tree_before(self, step: Step) -> str:
        return self.trees.get(step.parents[0], "") if step.parents else ""

    def _put_back(
        self, step: Step, code: Mapping[str, Change], *, exactly: bool
    ) -> list[Candidate]:
        """Return what is undone where files are again as they were before a commit.

        The newest such commit counts, and with it what changed the same files since.
        `exactly` asks for the whole tree to be as it was, logs included.
        """
        since: list[Candidate] = []
        if exactly and step.tree not in self._before:
            return []
        for item in reversed(self.candidates):
            if item.undone is not None:
                continue
            since.append(item)
            if not set(item.code) & set(code):
                continue
            if exactly:
                same = self._tree_before(item.step) == step.tree
            else:
                same = all(self._state[p] == x.old for p, x in item.code.items())
            if same:
                return [x for x in since if set(x.code) <= set(item.code)]
        return []

    def _take_rows(self, step: Step, newest: Candidate | None) -> None:
        """Give the rows that a commit adds to a log to the commits they tell of."""
        added = self._added.get(step.oid)
        if added is None:
            return
        for problem in added.problems:
            reason = f"{added.path}: {problem.reason}"
            self.problems.append(Problem(step.oid.short, reason))
        strangers = 0
        for row in added.rows:
            item = self._of_row(step, row, newest, alone=len(added.rows) == 1)
            strangers += item is None
            if item is not None and item.row is None:
                item.row = row
                if row.verdict:
                    item.judge(row.verdict, f"{added.path} says {row.word[:40]}", step)
        if strangers:
            self._pass(
                step,
                f"{counted(strangers, 'row')} of {added.path} of no commit here: import that "
                "file too",
            )

    def _of_row(
        self, step: Step, row: Row, newest: Candidate | None, *, alone: bool
    ) -> Candidate | None:
        name = row.commit.lower()
        if _HASH.match(name):
            found = self._find(name)
            return self._of.get(found[0]) if len(found) == 1 else None
        # a row beside an edit may tell of that edit, or of the one before it
        edits = any(item.step.oid == step.oid for item in self.candidates[-1:])
        return newest if alone and not edits else None

    def all_passed(self) -> list[Problem]:
        """Return the commits that are no experiments, with the reasons."""
        found = self._passed + [
            Problem(item.step.oid.short, "nothing says that it is an experiment")
            for item in self.candidates
            if not item.is_tried
        ]
        own = self._metrics.pop(self.metric.name.lower(), 0)
        if self._metrics and not own:
            name, count = self._metrics.most_common(1)[0]
            words = (
                f"{count} messages give a value of {name}, none of {self.metric.name}"
            )
            # first, for a long list is cut where it is shown
            found.insert(0, Problem("", f"{words}: `--metric {name}`?"))
        return found

    def _pass(self, step: Step, reason: str) -> None:
        self._passed.append(Problem(step.oid.short, reason))
