"""Rules for what a pack says about Python: conditions and recipes.

Everything that can be known without a training script is checked here: that
names are names, regular expressions compile, code parses, and a replacement
defines what it replaces.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.conditions import COMPARISONS, KINDS
from loopgraph_git.library.fields import (
    Rule,
    check_fields,
    each,
    joined,
    literal,
    matching,
    one_of,
    one_word_of,
    text,
    unknown,
)
from loopgraph_git.library.index import DEFINED
from loopgraph_git.library.layout import shifted
from loopgraph_git.library.literals import is_number
from loopgraph_git.library.meaning import TARGET
from loopgraph_git.library.operations import (
    VERBS,
    as_expression,
    knobs_in,
    substituted,
    verb_of,
)
from loopgraph_git.library.placing import CALLED, PLACES
from loopgraph_git.library.reshaping import PARTS, filled, parsed_parameter
from loopgraph_git.library.source import parse_tree

if TYPE_CHECKING:
    from loopgraph_git.library.yaml_tree import Entry, Report

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_dotted = matching(_NAME, "a dotted name")
_place = matching(rf"{CALLED.pattern}|{_NAME}", "a dotted name, or a call's with ()")
_target = matching(TARGET.pattern.removesuffix(r"\Z"), "a name or a call(keyword)")
_PATTERN_LIMIT = 500


def check_conditions(report: Report, entry: Entry, key: str) -> None:
    """Expect a condition, or a list of conditions that must all hold."""
    if isinstance(entry.value, list):
        each(check_condition)(report, entry, key)
    else:
        check_condition(report, entry, key)


def check_condition(report: Report, entry: Entry, key: str) -> None:
    """Expect a mapping with one kind of condition."""
    if not isinstance(entry.value, Mapping):
        report.add(entry.line, key, f"expected a condition, not {entry.kind}")
        return
    if not any(kind in entry.value for kind in KINDS) and entry.value:
        report.add(entry.line, key, unknown(next(iter(entry.value)), KINDS))
        return
    kind = one_of(report, entry, key, names=KINDS)
    if kind:
        extra = dict.fromkeys(COMPARISONS, literal) if kind == "constant" else {}
        fields = {kind: _CONDITIONS[kind], **extra}
        check_fields(report, entry, key, fields=fields)


def _pattern(report: Report, entry: Entry, key: str) -> None:
    text(report, entry, key)
    if len(entry.text) > _PATTERN_LIMIT:
        report.add(entry.line, key, f"longer than {_PATTERN_LIMIT} characters")
    try:
        re.compile(entry.text)
    except (re.error, RecursionError, OverflowError) as error:
        report.add(entry.line, key, f"not a regular expression: {error}")


def _pair(report: Report, entry: Entry, key: str) -> None:
    each(_target)(report, entry, key)
    if isinstance(entry.value, list) and len(entry.value) != len("AB"):
        report.add(entry.line, key, "expected two names")


_CONDITIONS: Mapping[str, Rule] = {
    "defines": _dotted,
    "calls": _dotted,
    "constant": _target,
    "pattern": _pattern,
    "imports": _dotted,
    "equal": _pair,
    "differ": _pair,
    "any": each(check_conditions),
    "not": check_conditions,
}


def check_recipe(
    report: Report, entry: Entry, key: str, *, knobs: Mapping[str, Any]
) -> None:
    """Expect a list of operations; `knobs` are the defaults that they may use."""

    def operation(report: Report, item: Entry, path: str) -> None:
        check_operation(report, item, path, knobs=knobs)

    each(operation)(report, entry, key)
    if entry.value == []:
        report.add(entry.line, key, "expected at least one operation")


def check_operation(
    report: Report, entry: Entry, key: str, *, knobs: Mapping[str, Any]
) -> None:
    """Expect a mapping with one verb and its arguments."""
    if not isinstance(entry.value, Mapping):
        report.add(entry.line, key, f"expected an operation, not {entry.kind}")
        return
    try:
        verb = verb_of(entry.value)
    except RecipeError:
        _no_verb(report, entry, key)
        return
    shape = VERBS[verb]
    fields = {name: _ARGUMENTS[name] for name in shape.arguments}
    fields[verb] = _alternatives(knobs) if verb == "any" else _ARGUMENTS[verb]
    if verb == "search":
        fields["replace"] = _any_text
    before = len(report.problems)
    check_fields(report, entry, key, fields=fields, required=shape.required)
    if shape.one_of:
        one_of(report, entry, key, names=shape.one_of)
    if len(report.problems) == before:
        _check_code(report, entry, key, knobs=knobs)


def _no_verb(report: Report, entry: Entry, key: str) -> None:
    close = [get_close_matches(name, VERBS, n=1) for name in entry.value]
    hint = next((f"; did you mean {names[0]}?" for names in close if names), "")
    wanted = f"expected exactly one of {', '.join(VERBS)}"
    report.add(entry.line, key, f"{wanted}{hint}")


def _alternatives(knobs: Mapping[str, Any]) -> Rule:
    def recipe(report: Report, entry: Entry, key: str) -> None:
        check_recipe(report, entry, key, knobs=knobs)

    return each(recipe)


def _factor(report: Report, entry: Entry, key: str) -> None:
    if not is_number(entry.value) and not knobs_in({"times": entry.text}):
        report.add(entry.line, key, f"expected a number or $knob, not {entry.kind}")


def _any_text(report: Report, entry: Entry, key: str) -> None:
    """Expect text that may be empty: code is removed by replacing it with nothing."""
    if isinstance(entry.value, Mapping | list):
        report.add(entry.line, key, f"expected text, not {entry.kind}")


_ARGUMENTS: Mapping[str, Rule] = {
    "set": _target,
    "to": literal,
    "times": _factor,
    "code": text,
    "replace": _dotted,
    "with": text,
    "search": text,
    "insert": text,
    "after": _place,
    "before": _place,
    "wrap": _dotted,
    "as": text,
    "parameter": text,
    "of": _dotted,
    "at": one_word_of(PLACES),
    "import": text,
    "delete": _dotted,
    "unless": check_conditions,
}


def _check_code(
    report: Report, entry: Entry, key: str, *, knobs: Mapping[str, Any]
) -> None:
    """Check that code parses once the knobs are filled in."""
    given = {
        name: child.text
        for name, child in entry.value.items()
        if not isinstance(child.value, Mapping | list)
    }
    try:
        filled = substituted(given, knobs)
    except RecipeError as error:
        report.add(entry.line, key, str(error))
        return
    for name, check in _PARSED.items():
        if name in filled:
            try:
                check(filled)
            except RecipeError as error:
                child = entry.value[name]
                report.add(child.line, joined(key, name), str(error))


def _check_definition(given: Mapping[str, Any]) -> None:
    name = given["replace"].rpartition(".")[2]
    tree = _fragment(given["with"])
    defined = [node.name for node in tree.body if isinstance(node, DEFINED)]
    if name not in defined:
        raise RecipeError(f"does not define {name}")


def _check_import(given: Mapping[str, Any]) -> None:
    for node in _fragment(given["import"]).body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            raise RecipeError(f"not an import: {given['import'].strip()}")


def _check_wrapper(given: Mapping[str, Any]) -> None:
    if not any(part in given["as"] for part in PARTS):
        raise RecipeError(f"expected one of {', '.join(PARTS)} in it")
    as_expression(filled(given["as"]))


def _fragment(code: str) -> ast.Module:
    try:
        return parse_tree(shifted(code, ""))
    except RecipeError as error:
        reason = str(error).replace("the source does", "does")
        raise RecipeError(reason) from error


_PARSED: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "code": lambda given: as_expression(given["code"]),
    "with": _check_definition,
    "insert": lambda given: _fragment(given["insert"]),
    "import": _check_import,
    "as": _check_wrapper,
    "parameter": lambda given: parsed_parameter(given["parameter"]),
}
