"""Edits applied to files in memory: all of an answer's, or none."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError, RecipeError
from loopgraph_git.library.operations import apply_verb
from loopgraph_git.loop import paths
from loopgraph_git.loop.edits.hunks import Exchange, Setting, Whole, refuse_gaps
from loopgraph_git.loop.edits.ladder import AbsentError, locate
from loopgraph_git.loop.edits.nearest import nearest
from loopgraph_git.loop.edits.target import LADDER, Change, Target, plain
from loopgraph_git.records import Operation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from loopgraph_git.loop.edits.hunks import Edit, Hunk
    from loopgraph_git.loop.edits.matching import Found

_WHOLE_FILE_SHARE = 0.5
_SHOWN = 2000
_SHOWN_FAILURES = 3
_TRIED_FAILURES = 20


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A block that cannot be applied: its number from 1, its text, why, what is near."""

    number: int
    block: str
    problem: str
    near: str = ""

    def __str__(self) -> str:
        parts = [f"block {self.number}: {self.problem}", self.block[:_SHOWN], self.near]
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the edits of one answer.

    `files` are the changed files, without meaning while there are failures; `kept`
    are the edits that fit. `rung` is the loosest that any edit needed, `fuzz` the
    number of lines that were not as the answer has them.
    """

    files: dict[str, str]
    failures: tuple[Failure, ...]
    kept: tuple[Edit, ...]
    rung: str
    fuzz: int


def apply(
    edits: Sequence[Edit], before: Mapping[str, str], protected: Collection[str] = ()
) -> Outcome:
    """Apply edits in their order; an edit sees what those before it have done."""
    bench = _Bench(before, protected, edits)
    if any(item.mangled for item in bench.found):
        # whatever changed the punctuation of one block changed that of all
        bench = _Bench(before, protected, edits, plainly=True)
    return Outcome(
        files={path: bench.files[path] for path in bench.touched},
        failures=tuple(bench.failures),
        kept=tuple(bench.kept),
        rung=max((x.rung for x in bench.found), key=LADDER.index, default=LADDER[0]),
        fuzz=sum(item.fuzz for item in bench.found),
    )


class _Bench:
    """The files as the edits so far have made them."""

    def __init__(
        self,
        before: Mapping[str, str],
        protected: Collection[str],
        edits: Iterable[Edit],
        *,
        plainly: bool = False,
    ) -> None:
        self.files = dict(before)
        self.protected = protected
        self.plainly = plainly
        self.touched: dict[str, None] = {}
        self.failures: list[Failure] = []
        self.kept: list[Edit] = []
        self.found: list[Found] = []
        self.blocks = 0
        for edit in edits:
            self.apply(edit)

    def apply(self, edit: Edit) -> None:
        """Apply one edit, or note why it cannot be."""
        try:
            path = _path(edit, self.files, self.protected)
            if isinstance(edit, Exchange):
                self._exchange(edit, path)
                return
            text = self.files[path]
            made = (
                _set(edit, text)
                if isinstance(edit, Setting)
                else _whole(edit, text, path)
            )
        except EditError as error:
            self._fail(str(edit), str(error))
            return
        self.blocks += 1
        self._keep(edit, path, made)

    def _exchange(self, edit: Exchange, path: str) -> None:
        """Apply the hunks of a file together, or say for each that fails why."""
        target = Target(self.files[path])
        found: list[tuple[Hunk, Found]] = []
        for hunk in edit.hunks:
            if len(self.failures) > _TRIED_FAILURES:
                break
            try:
                refuse_gaps(hunk.after, known_lines(target))
                found.append((hunk, locate(target, hunk)))
            except EditError as error:
                absent = isinstance(error, AbsentError)
                shown = absent and len(self.failures) < _SHOWN_FAILURES
                near = nearest(target.lines, hunk.before) if shown else None
                self._fail(edit.shown(hunk), str(error), str(near or ""))
            else:
                self.blocks += 1
        if not found:
            return
        fitting = replace(edit, hunks=tuple(hunk for hunk, _ in found))
        places = [place for _, place in found]
        try:
            changes = ordered(fitting, places)
        except EditError as error:
            self._fail(str(fitting), str(error))
            return
        text = exchanged(target, fitting, changes, path, plainly=self.plainly)
        self._keep(fitting, path, text)
        self.found += places

    def _keep(self, edit: Edit, path: str, text: str) -> None:
        self.files[path] = text
        self.touched[path] = None
        self.kept.append(edit)

    def _fail(self, block: str, problem: str, near: str = "") -> None:
        self.blocks += 1
        failure = Failure(number=self.blocks, block=block, problem=problem, near=near)
        self.failures.append(failure)


def _path(edit: Edit, files: Mapping[str, str], protected: Collection[str]) -> str:
    """Return the file that an edit is for; a name that one file alone has will do."""
    if edit.path or not isinstance(edit, Setting) or len(files) == 1:
        return paths.resolved(edit.path, files, protected)
    having = []
    for path, text in files.items():
        try:
            _set(edit, text)
        except EditError:
            continue
        having.append(path)
    if len(having) == 1:
        return having[0]
    raise EditError(
        f"{edit.name} is in {len(having)} of the files: put the path on the line above"
    )


def _set(edit: Setting, text: str) -> str:
    how = "times" if edit.times else "code" if isinstance(edit.value, str) else "to"
    arguments = {"set": edit.name, how: edit.value}
    try:
        return apply_verb(Operation(verb="set", arguments=arguments), text, {})
    except RecipeError as error:
        raise EditError(str(error)) from error


def _whole(edit: Whole, text: str, path: str) -> str:
    """Return a whole file with the newlines of the one it replaces."""
    new = edit.text
    if path.endswith(".py"):
        # the longest that is Python: a fence in the code may have cut it short
        new = next((x for x in edit.others if parses(x)), new)
    if len(new) < _WHOLE_FILE_SHARE * len(text):
        raise EditError(
            f"the block for {path} is no whole file, and has no SEARCH and REPLACE"
        )
    target = Target(text)
    lines = tuple(new.removeprefix("\ufeff").removesuffix("\n").split("\n"))
    refuse_gaps(list(lines), known_lines(target))
    return target.replaced([Change(0, len(target.lines), lines)])


def parses(text: str) -> bool:
    """Say whether a text is Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def known_lines(target: Target) -> set[str]:
    """Return the lines of a file without their indentation."""
    return {line.strip() for line in target.lines}


def ordered(edit: Exchange, found: Sequence[Found]) -> list[Change]:
    """Return the changes of all hunks in order; raises EditError where they clash."""
    changes = [change for item in found for change in item.changes]
    firsts = [item.changes[0].start for item in found if item.changes]
    if edit.form == "search" and firsts != sorted(firsts):
        raise EditError("its parts are in another order in the file")
    changes.sort(key=lambda change: change.start)
    if any(a.end > b.start for a, b in pairwise(changes)):
        raise EditError("two blocks change the same lines")
    return changes


def exchanged(
    target: Target, edit: Exchange, changes: list[Change], path: str, *, plainly: bool
) -> str:
    """Return the file with changes applied, `plainly` in the punctuation of a keyboard."""
    if plainly:
        changes = list(_plain(changes))
    if path.endswith(".py") and _is_other_style(target, edit.hunks):
        changes = [_restyled(target, change) for change in changes]
    ends = next((hunk.ends for hunk in edit.hunks if hunk.ends is not None), None)
    new = target.replaced(changes, ends=ends)
    if path.endswith(".py") and not _is_ascii(changes) and not parses(new):
        # typographic quotes are no Python
        new = target.replaced(list(_plain(changes)), ends=ends)
    return new


def _plain(changes: Iterable[Change]) -> Iterable[Change]:
    for change in changes:
        lines = tuple(plain(line) for line in change.lines)
        yield change._replace(lines=lines)


def _is_ascii(changes: Iterable[Change]) -> bool:
    return all(line.isascii() for change in changes for line in change.lines)


def _is_other_style(target: Target, hunks: Iterable[Hunk]) -> bool:
    """Say whether an answer is indented by tabs all through, and the file never is.

    Or the other way round.
    """
    ours = {line[0] for line in target.lines if line[:1] in (" ", "\t")}
    texts = [line.text for hunk in hunks for line in hunk.lines if line.text.strip()]
    theirs = {text[0] for text in texts if text[0] in " \t"}
    return len(ours) == len(theirs) == 1 and ours != theirs


def _restyled(target: Target, change: Change) -> Change:
    lines = tuple(target.indented(line, 0) for line in change.lines)
    return change._replace(lines=lines)
