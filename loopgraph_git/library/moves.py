"""Whether a change of values is the one that a method's recipe would make.

A diff that nobody labelled still says what it did: `MATRIX_LR` went up. A method
that raises it is recognised, one that lowers it is not, and the exact number
does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.library.conditions import plain, same
from loopgraph_git.library.literals import NotConstantError, is_number
from loopgraph_git.library.meaning import value_of
from loopgraph_git.library.operations import knobs_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.library.source import Code
    from loopgraph_git.records import Method, Operation


@dataclass(frozen=True)
class _Change:
    """A change of one source that may be a method's."""

    method: Method
    before: Code
    after: Code


def moved(method: Method, before: Code, after: Code) -> bool:
    """Tell whether every target of a recipe that only sets values moved its way.

    False for a recipe that does anything besides, imports aside.
    """
    return _all_moved(method.recipe, _Change(method, before, after))


def _all_moved(steps: Sequence[Operation], change: _Change) -> bool:
    judged = [step for step in steps if step.verb != "import"]
    return bool(judged) and all(_moved(step, change) for step in judged)


def _moved(step: Operation, change: _Change) -> bool:
    if step.verb == "any":
        return any(_all_moved(steps, change) for steps in step.arguments["any"])
    if step.verb != "set":
        return False
    try:
        old = value_of(change.before, step.arguments["set"])
        new = value_of(change.after, step.arguments["set"])
    except NotConstantError:
        return False
    return not same(old, new) and _is_its_way(step, change.method, old=old, new=new)


def _is_its_way(step: Operation, method: Method, *, old: Any, new: Any) -> bool:
    numbers = is_number(old) and is_number(new)
    if "times" in step.arguments:
        return numbers and any(
            is_number(factor) and (new - old) * (old * factor - old) > 0
            for factor in _candidates(step, "times", method)
        )
    if "code" in step.arguments:
        return True
    goals = _candidates(step, "to", method)
    if numbers:
        return any(
            is_number(goal) and abs(new - goal) < abs(old - goal) for goal in goals
        )
    # A knob's values are examples: any other value is the same method, turned.
    return bool(knobs_in(step.arguments)) or any(same(new, goal) for goal in goals)


def _candidates(step: Operation, key: str, method: Method) -> list[Any]:
    """Return the values that an argument may take: itself, or those of its knob."""
    names = knobs_in({key: step.arguments[key]})
    if not names:
        return [plain(step.arguments[key])]
    return [
        value
        for knob in method.knobs
        if knob.name in names
        for value in (knob.default, *knob.values)
    ]
