"""The steps of a recipe, carried out on one file or on several.

Each step lands in the one file where its place is. A step without a place of its own
(an import, a block at the start or the end of a file) goes where the next step lands,
or else where the last one did. Conditions see all files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import AmbiguousError, RecipeError
from loopgraph_git.library.conditions import all_hold
from loopgraph_git.library.operations import apply_verb, label
from loopgraph_git.library.source import parse_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.library.operations import Knobs
    from loopgraph_git.records import Operation


class StepError(RecipeError):
    """A step that does not apply: which one of how many, and why."""

    def __init__(self, number: int, step: Operation, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.label = label(step)


@dataclass(frozen=True)
class _Draft:
    """Files under way, and the one in which the last step landed."""

    files: Mapping[str, str]
    home: str = ""


def carried_out(
    steps: Sequence[Operation], files: Mapping[str, str], knobs: Knobs
) -> dict[str, str]:
    """Return files (path to source) after every step, in order.

    Raises StepError for the first step that has no place, or more than one.
    """
    return dict(_run(steps, _Draft(files), knobs).files)


def _run(steps: Sequence[Operation], draft: _Draft, knobs: Knobs) -> _Draft:
    waiting: list[Operation] = []
    for number, step in enumerate(steps, 1):
        try:
            if _is_skipped(step, draft.files):
                continue
            if len(draft.files) > 1 and _is_placeless(step):
                waiting.append(step)
                continue
            carry = _any if step.verb == "any" else _landed
            draft = carry([*waiting, step], draft, knobs)
        except RecipeError as error:
            raise StepError(number, step, str(error)) from error
        waiting = []
    return _left_over(waiting, draft, knobs, number=len(steps))


def _is_skipped(step: Operation, files: Mapping[str, str]) -> bool:
    unless = step.arguments.get("unless")
    return unless is not None and all_hold(
        unless, list(map(parse_code, files.values()))
    )


def _is_placeless(step: Operation) -> bool:
    return step.verb == "import" or "at" in step.arguments


def _left_over(
    waiting: Sequence[Operation], draft: _Draft, knobs: Knobs, *, number: int
) -> _Draft:
    """Carry out the steps after the last one that has a place."""
    for step in waiting:
        if not draft.home:
            reason = f"it could go into any of {', '.join(draft.files)}"
            raise StepError(number, step, reason)
        try:
            text = apply_verb(step, draft.files[draft.home], knobs)
        except RecipeError as error:
            raise StepError(number, step, str(error)) from error
        draft = replace(draft, files={**draft.files, draft.home: text})
    return draft


def _any(steps: Sequence[Operation], draft: _Draft, knobs: Knobs) -> _Draft:
    """Carry out the first alternative of which every step applies.

    The steps that wait for a place go in front of each alternative.
    """
    *waiting, step = steps
    reasons = []
    alternatives = step.arguments["any"]
    for number, alternative in enumerate(alternatives, 1):
        try:
            return _run([*waiting, *alternative], draft, knobs)
        except StepError as error:
            reasons.append(f"({number}) {error.label}: {error}")
    tried = f"none of {len(alternatives)} alternatives applies"
    raise RecipeError(f"{tried}: {'; '.join(reasons)}")


def _landed(steps: Sequence[Operation], draft: _Draft, knobs: Knobs) -> _Draft:
    """Carry out steps that belong together in the one file where they apply."""
    done: dict[str, str] = {}
    reasons: dict[str, list[str]] = {}
    rivals: list[str] = []
    for path, source in draft.files.items():
        try:
            done[path] = _in_one_file(steps, source, knobs)
        except RecipeError as error:
            reasons.setdefault(str(error), []).append(path)
            rivals += [path] if isinstance(error, AmbiguousError) else []
    if not done:
        raise RecipeError(_why_not(reasons))
    if len(done) + len(rivals) > 1:
        places = [path for path in draft.files if path in done or path in rivals]
        raise AmbiguousError(f"it has a place in {' and in '.join(places)}")
    home, text = next(iter(done.items()))
    return _Draft({**draft.files, home: text}, home)


def _in_one_file(steps: Sequence[Operation], source: str, knobs: Knobs) -> str:
    for step in steps:
        source = apply_verb(step, source, knobs)
    return source


def _why_not(reasons: Mapping[str, Sequence[str]]) -> str:
    """Return why no file has a place for a step; by file where the reasons differ."""
    if len(reasons) == 1:
        return next(iter(reasons))
    return "; ".join(
        f"{', '.join(paths)}: {reason}" for reason, paths in reasons.items()
    )
