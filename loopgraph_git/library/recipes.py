"""Recipes: a method's ready-made edit, applied to somebody's training code.

The code is one source, or several files (path to source). A recipe applies as a whole or not at all. When it does not, the error names the
method, the step and what was not found, so that a person or an agent can carry
the idea over by hand.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import RecipeError, UnchangedError
from loopgraph_git.library.conditions import all_hold, describe, holds
from loopgraph_git.library.meaning import constants, normalised, same_meaning
from loopgraph_git.library.moves import moved
from loopgraph_git.library.operations import operation
from loopgraph_git.library.source import parse_code
from loopgraph_git.library.steps import StepError, carried_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.library.source import Code
    from loopgraph_git.records import Method, Operation

    Sources = str | Mapping[str, str]
    """A source, or files as path to source."""

__all__ = [
    "apply_operations",
    "apply_recipe",
    "apply_to_files",
    "constants",
    "detect",
    "detected",
    "knob_values",
    "lacks",
    "missing",
    "normalised",
    "operation",
    "python_files",
]


def apply_recipe(
    method: Method, source: str, *, knobs: Mapping[str, Any] | None = None
) -> str:
    """Return the source with a method's recipe applied, as a whole.

    `knobs` overrides the defaults. Raises RecipeError, naming method and step,
    where a step does not apply or the result is not new, working Python.
    """
    return apply_to_files(method, {"": source}, knobs=knobs)[""]


def apply_to_files(
    method: Method, files: Mapping[str, str], *, knobs: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return the files that a method's recipe changes, with it applied as a whole.

    `files` maps paths to sources. Raises RecipeError as `apply_recipe` does, and
    where a step has a place in more than one file.
    """
    if not method.recipe:
        raise RecipeError(f"{method.id} has no recipe: its edit is written by hand")
    values = knob_values(method, knobs)
    return _edited(method.recipe, files, name=method.id, knobs=values)


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
    return _edited(operations, {"": source}, name=name, knobs=knobs or {})[""]


def _edited(
    operations: Sequence[Operation],
    files: Mapping[str, str],
    *,
    name: str,
    knobs: Mapping[str, Any],
) -> dict[str, str]:
    before = python_files(files)
    try:
        after = carried_out(operations, before, knobs)
    except StepError as error:
        message = f"{name}: step {error.number} ({error.label}): {error}"
        raise RecipeError(message) from error
    changed = {path: text for path, text in after.items() if text != before[path]}
    for path, text in changed.items():
        _check_compiles(text, f"{name}: {path}" if path else name)
    if all(same_meaning(before[path], text) for path, text in changed.items()):
        raise UnchangedError(f"{name}: the source would mean the same as before")
    return changed


def python_files(files: Mapping[str, str]) -> Mapping[str, str]:
    """Return the files that a recipe may land in: one alone, else those named *.py."""
    if len(files) == 1:
        return files
    return {path: text for path, text in files.items() if path.endswith(".py")}


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
            # the tree is needed anyway, to see what it means
            compile(parse_code(source).tree, "train.py", "exec", dont_inherit=True)
    except RecipeError as error:
        reason = str(error).removeprefix("the source does not parse: ")
        raise RecipeError(f"{name}: the result does not compile: {reason}") from error
    except SyntaxError as error:
        reason = f"line {error.lineno}: {error.msg}"
        raise RecipeError(f"{name}: the result does not compile: {reason}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"{name}: the result does not compile: {error}") from error


def detect(method: Method, code: Sources) -> bool:
    """Tell whether the code already has a method.

    False for a method without `detect`, and for code that is not Python.
    """
    return _shows(method, code) is True


def lacks(method: Method, code: Sources) -> bool:
    """Tell whether code shows that it has not got a method.

    False for a method without `detect`, and for code that is not Python.
    """
    return _shows(method, code) is False


def _shows(method: Method, code: Sources) -> bool | None:
    """Tell whether code has a method, None where nothing tells."""
    if not method.detect:
        return None
    try:
        return all_hold(method.detect, parsed(code))
    except RecipeError:
        return None


def missing(method: Method, code: Sources) -> list[str]:
    """Return the requirements of a method that the code does not meet, in words."""
    try:
        codes = parsed(code)
    except RecipeError as error:
        return [str(error)]
    return [
        f"needs {describe(condition)}"
        for condition in method.requires
        if not holds(condition, codes)
    ]


def parsed(code: Sources) -> list[Code]:
    """Return code ready to be searched; raises RecipeError where it is not Python."""
    if isinstance(code, str):
        return [parse_code(code)]
    found = []
    for path, text in python_files(code).items():
        try:
            found.append(parse_code(text))
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}" if path else str(error)) from error
    return found


def detected(methods: Iterable[Method], before: Sources, after: Sources) -> list[str]:
    """Return the ids of the methods that a change from `before` to `after` brings.

    These are the methods that are detected only afterwards, and those whose
    recipe does nothing but `set`, where each target moved the recipe's way.
    """
    return [method.id for method in methods if _is_brought(method, before, after)]


def _is_brought(method: Method, before: Sources, after: Sources) -> bool:
    has_it = detect(method, after)
    if has_it and not detect(method, before):
        return True
    if method.detect and not has_it:
        return False
    try:
        return moved(method, parsed(before), parsed(after))
    except RecipeError:
        return False
