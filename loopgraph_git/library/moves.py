"""Whether a change of values is the one that a method's recipe would make.

A diff that nobody labelled still says what it did: `MATRIX_LR` went up. A method
that raises it is recognised, one that lowers it is not, and the exact number
does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.library.conditions import all_hold, found_in, plain, same, the_value
from loopgraph_git.library.literals import NotConstantError, is_number
from loopgraph_git.library.meaning import folded
from loopgraph_git.library.operations import knobs_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.library.conditions import Codes
    from loopgraph_git.records import Method, Operation


@dataclass(frozen=True)
class _Change:
    """A change of some code that may be a method's."""

    method: Method
    before: Codes
    after: Codes


def moved(method: Method, before: Codes, after: Codes) -> bool:
    """Tell whether every target of a recipe that only sets values moved its way.

    False for a recipe that does anything besides, imports aside.
    """
    return _all_moved(method.recipe, _Change(method, before, after))


def _all_moved(steps: Sequence[Operation], change: _Change) -> bool:
    judged = [step for step in steps if not _is_idle(step, change)]
    return bool(judged) and all(_moved(step, change) for step in judged)


def _is_idle(step: Operation, change: _Change) -> bool:
    """Tell whether a step says nothing: an import, or one that would be skipped."""
    unless = step.arguments.get("unless")
    return step.verb == "import" or (
        unless is not None and all_hold(unless, change.before)
    )


def _moved(step: Operation, change: _Change) -> bool:
    if step.verb == "any":
        return any(_all_moved(steps, change) for steps in step.arguments["any"])
    if step.verb != "set":
        return False
    target = step.arguments["set"]
    if "code" in step.arguments:
        return _is_rewritten(target, change)
    try:
        new = the_value(change.after, target)
        if not found_in(change.before, target):
            # A keyword that was added; a name that was added is another's doing.
            return target.endswith(")") and _is_goal(step, change.method, new)
        old = the_value(change.before, target)
    except NotConstantError:
        return False
    return not same(old, new) and _is_its_way(step, change.method, old=old, new=new)


def _is_rewritten(target: str, change: _Change) -> bool:
    """Tell whether a target has another expression, not only another spelling."""
    places = found_in(change.before, target), found_in(change.after, target)
    before, after = ([folded(node) for _, node in found] for found in places)
    added = not before and target.endswith(")")
    return len(after) == 1 and before != after and (added or len(before) == 1)


def _is_its_way(step: Operation, method: Method, *, old: Any, new: Any) -> bool:
    numbers = is_number(old) and is_number(new)
    if "times" in step.arguments:
        return numbers and any(
            is_number(factor) and (new - old) * (old * factor - old) > 0
            for factor in _candidates(step, "times", method)
        )
    if numbers:
        return any(
            is_number(goal) and abs(new - goal) < abs(old - goal)
            for goal in _candidates(step, "to", method)
        )
    return _is_goal(step, method, new)


def _is_goal(step: Operation, method: Method, new: Any) -> bool:
    # A knob's values are examples: any other value is the same method, turned.
    return bool(knobs_in(step.arguments)) or any(
        same(new, goal) for goal in _candidates(step, "to", method)
    )


def _candidates(step: Operation, key: str, method: Method) -> list[Any]:
    """Return the values that an argument may take: itself, or those of its knob."""
    if key not in step.arguments:
        return []
    names = knobs_in({key: step.arguments[key]})
    if not names:
        return [plain(step.arguments[key])]
    return [
        value
        for knob in method.knobs
        if knob.name in names
        for value in (knob.default, *knob.values)
    ]
