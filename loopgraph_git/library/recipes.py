"""Recipes: a method's ready-made edit, applied to somebody's training script.

A recipe applies as a whole or not at all. When it does not, the error names the
method, the step and what was not found, so that a person or an agent can carry
the idea over by hand.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.conditions import all_hold, describe, holds
from loopgraph_git.library.meaning import constants, normalised
from loopgraph_git.library.moves import moved
from loopgraph_git.library.operations import label, operation, perform
from loopgraph_git.library.source import parse_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.records import Method, Operation

__all__ = [
    "apply_operations",
    "apply_recipe",
    "constants",
    "detect",
    "detected",
    "knob_values",
    "missing",
    "normalised",
    "operation",
]


def apply_recipe(
    method: Method, source: str, *, knobs: Mapping[str, Any] | None = None
) -> str:
    """Return the source with a method's recipe applied, as a whole.

    `knobs` overrides the defaults. Raises RecipeError, naming method and step,
    where a step does not apply or the result is not new, working Python.
    """
    if not method.recipe:
        raise RecipeError(f"{method.id} has no recipe: its edit is written by hand")
    values = knob_values(method, knobs)
    return apply_operations(method.recipe, source, name=method.id, knobs=values)


def apply_operations(
    operations: Sequence[Operation],
    source: str,
    *,
    name: str = "edit",
    knobs: Mapping[str, Any] | None = None,
) -> str:
    """Return the source after every operation, in order, all or nothing.

    Raises RecipeError that begins with `name` and the step that failed, also
    where the result does not compile or means the same as before.
    """
    result = source
    for number, step in enumerate(operations, 1):
        try:
            result = perform(step, result, knobs or {})
        except RecipeError as error:
            message = f"{name}: step {number} ({label(step)}): {error}"
            raise RecipeError(message) from error
    _check_compiles(result, name)
    if result == source or normalised(result) == normalised(source):
        raise RecipeError(f"{name}: the source would mean the same as before")
    return result


def knob_values(
    method: Method, knobs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the value of each knob; raises RecipeError on one it does not have."""
    values: dict[str, Any] = {knob.name: knob.default for knob in method.knobs}
    unknown = [name for name in knobs or {} if name not in values]
    if unknown:
        known = ", ".join(values) or "none"
        raise RecipeError(f"{method.id} has no knob {unknown[0]}; its knobs: {known}")
    return {**values, **(knobs or {})}


def _check_compiles(source: str, name: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = source.removeprefix("\ufeff")
            compile(text, "train.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        reason = f"line {error.lineno}: {error.msg}"
        raise RecipeError(f"{name}: the result does not compile: {reason}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"{name}: the result does not compile: {error}") from error


def detect(method: Method, source: str) -> bool:
    """Tell whether the source already has a method.

    False for a method without `detect`, and for a source that is not Python.
    """
    if not method.detect:
        return False
    try:
        code = parse_code(source)
    except RecipeError:
        return False
    return all_hold(method.detect, code)


def missing(method: Method, source: str) -> list[str]:
    """Return the requirements of a method that a source does not meet, in words."""
    try:
        code = parse_code(source)
    except RecipeError as error:
        return [str(error)]
    return [
        f"needs {describe(condition)}"
        for condition in method.requires
        if not holds(condition, code)
    ]


def detected(methods: Iterable[Method], before: str, after: str) -> list[str]:
    """Return the ids of the methods that a change from `before` to `after` brings.

    These are the methods that are detected only afterwards, and those whose
    recipe does nothing but `set`, where each target moved the recipe's way.
    """
    return [method.id for method in methods if _is_brought(method, before, after)]


def _is_brought(method: Method, before: str, after: str) -> bool:
    has_it = detect(method, after)
    if has_it and not detect(method, before):
        return True
    if method.detect and not has_it:
        return False
    try:
        return moved(method, parse_code(before), parse_code(after))
    except RecipeError:
        return False
