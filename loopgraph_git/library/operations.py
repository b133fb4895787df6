"""The verbs of a recipe: each takes a source and returns a new one, or says why not.

An operation is a mapping with one verb, the verb's arguments, and optionally
`unless`, a condition under which it is skipped. `docs/packs.md` shows each.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import RecipeError
from loopgraph_git.library import placing, reshaping
from loopgraph_git.library.conditions import plain
from loopgraph_git.library.layout import margin_of
from loopgraph_git.library.literals import (
    NotConstantError,
    evaluate,
    is_number,
    scaled,
    written,
)
from loopgraph_git.library.meaning import TARGET, constants_of, visible
from loopgraph_git.library.searching import search_and_replace
from loopgraph_git.library.source import Code, Span, keyword_of, parse_code
from loopgraph_git.records import Operation

if TYPE_CHECKING:
    from loopgraph_git.library.index import Call

Arguments = Mapping[str, Any]
Knobs = Mapping[str, Any]
_KNOB = re.compile(r"\$([a-z][a-z0-9_]*)")
_SCALARS = ("to", "times")
_CODE = ("code", "with", "insert", "search", "replace", "as")
_NAMES = ("set", "import", "delete", "after", "before", "at", "wrap", "parameter", "of")
_TEXTS = (*_CODE, *_NAMES)


@dataclass(frozen=True)
class Shape:
    """What a verb takes: arguments it must have, and a group of which exactly one."""

    apply: Callable[[Code, Arguments], str]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """Every argument that may be given beside the verb."""
        return (*self.required, *self.one_of, "unless")


def operation(given: Mapping[str, Any]) -> Operation:
    """Return a mapping as an operation, alternatives included.

    Raises RecipeError where it has no verb, several, or the wrong arguments.
    """
    verb = verb_of(given)
    problem = misfit(verb, given)
    if problem:
        raise RecipeError(problem)
    arguments = dict(given)
    if verb == "any":
        arguments["any"] = tuple(
            tuple(operation(item) for item in alternative)
            for alternative in given[verb]
        )
    return Operation(verb=verb, arguments=arguments)


def verb_of(given: Mapping[str, Any]) -> str:
    """Return the verb of a mapping; raises RecipeError where it has not one."""
    found = [verb for verb in VERBS if verb in given]
    if found == ["replace", "search"]:
        return "search"
    if len(found) != 1:
        raise RecipeError(f"an operation needs exactly one of {', '.join(VERBS)}")
    return found[0]


def misfit(verb: str, given: Mapping[str, Any]) -> str:
    """Return what is wrong with the arguments of a verb, or nothing."""
    shape = VERBS[verb]
    unknown = [key for key in given if key not in (verb, *shape.arguments)]
    wrong = [key for key in _TEXTS if not isinstance(given.get(key, ""), str)]
    missing = [key for key in shape.required if key not in given]
    chosen = [key for key in shape.one_of if key in given]
    if unknown:
        known = ", ".join(shape.arguments)
        return f"{verb} takes {known}, not {', '.join(map(str, unknown))}"
    if missing:
        return f"{verb} needs {', '.join(missing)}"
    if shape.one_of and len(chosen) != 1:
        return f"{verb} needs exactly one of {', '.join(shape.one_of)}"
    return f"{', '.join(wrong)} must be text" if wrong else ""


def label(step: Operation) -> str:
    """Return a short name of an operation for messages: `set DEPTH`."""
    if step.verb == "any":
        return "any"
    lines = str(step.arguments.get(step.verb, "")).strip().splitlines()
    return f"{step.verb} {lines[0][:40]}" if lines else step.verb


def apply_verb(step: Operation, source: str, knobs: Knobs) -> str:
    """Return a source after one operation; `unless` is not looked at.

    Raises RecipeError, without the operation's name, where it does not apply.
    """
    if step.verb not in VERBS:
        raise RecipeError(f"unknown verb {step.verb}")
    problem = misfit(step.verb, step.arguments)
    if problem:
        raise RecipeError(problem)
    # Text can be searched while a later step has yet to make it Python again.
    code = Code(source) if step.verb == "search" else parse_code(source)
    return VERBS[step.verb].apply(code, substituted(step.arguments, knobs))


def substituted(arguments: Arguments, knobs: Knobs) -> dict[str, Any]:
    """Return the arguments with `$knob` exchanged for the knob's value.

    A whole `to` or `times` takes the value itself, code takes it as Python.
    Raises RecipeError where an argument names a knob that has no value.
    """
    result = dict(arguments)
    for key in _SCALARS:
        found = _KNOB.fullmatch(str(arguments.get(key, "")))
        if found:
            result[key] = _knob(found.group(1), knobs)
    for key in _CODE:
        if isinstance(arguments.get(key), str):
            result[key] = _filled(arguments[key], knobs, strict=key == "code")
    return result


def knobs_in(arguments: Arguments) -> set[str]:
    """Return the names of the knobs that `to`, `times` and `code` refer to."""
    texts = [arguments.get(key) for key in (*_SCALARS, *_CODE)]
    return {
        name for text in texts if isinstance(text, str) for name in _KNOB.findall(text)
    }


def _filled(text: str, knobs: Knobs, *, strict: bool) -> str:
    def value(found: re.Match[str]) -> str:
        # A dollar outside `code` may be part of a string of the program.
        if not strict and found.group(1) not in knobs:
            return found.group()
        return written(_knob(found.group(1), knobs))

    return _KNOB.sub(value, text)


def _knob(name: str, knobs: Knobs) -> Any:
    if knobs.get(name) is None:
        raise RecipeError(f"the knob ${name} has no value")
    return knobs[name]


def _set(code: Code, arguments: Arguments) -> str:
    target = str(arguments["set"])
    parts = TARGET.match(target)
    if not parts:
        raise RecipeError(f"{target} is not a name or a call(keyword)")
    if parts["keyword"]:
        call = code.call(parts["name"], parts["keyword"], passing=parts["passing"])
        return _set_keyword(code, arguments, call=call, keyword=parts["keyword"])
    binding = code.binding(target)
    if binding.shared:
        raise RecipeError(f"{target} shares its value with other names")
    return _set_value(code, binding.value, scope=binding.scope, arguments=arguments)


def _set_value(
    code: Code, node: ast.expr, *, scope: tuple[str, ...], arguments: Arguments
) -> str:
    span = code.span(node)
    old = code.slice(span)
    if "times" in arguments:
        try:
            known = visible(code, scope, constants_of(code))
            new = _product(evaluate(node, known), arguments["times"], old)
        except NotConstantError as error:
            reason = f"its value {old} cannot be multiplied: {error}"
            raise RecipeError(reason) from error
        return code.replaced(span, new)
    return code.replaced(span, _new_value(arguments, old))


def _product(old: Any, factor: Any, text: str) -> str:
    if not is_number(old) or not is_number(factor):
        raise NotConstantError(
            f"{written(old if is_number(factor) else factor)} is not a number"
        )
    return written(scaled(old, factor), like=text)


def _new_value(arguments: Arguments, old: str) -> str:
    if "to" in arguments:
        return written(plain(arguments["to"]), like=old)
    return as_expression(str(arguments["code"]))


def as_expression(text: str) -> str:
    """Return code that stands as one value wherever a value may stand.

    Raises RecipeError where it is not an expression.
    """
    text = text.strip()
    try:
        node = parse_expression(f"({text}\n)")
        if "\n" not in text:
            parse_expression(text)
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"not an expression: {text}") from error
    # A bare tuple would fall apart as an argument, a broken line as a statement.
    bare = isinstance(node, ast.Tuple) and node.col_offset == 0
    return f"({text})" if bare or "\n" in text else text


def parse_expression(text: str) -> ast.expr:
    """Return the tree of an expression, quietly; raises SyntaxError, ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def _set_keyword(code: Code, arguments: Arguments, *, call: Call, keyword: str) -> str:
    name = ast.unparse(call.node.func)
    found = keyword_of(call, keyword)
    if found:
        return _set_value(code, found.value, scope=call.scope, arguments=arguments)
    if "times" in arguments:
        raise RecipeError(f"the call of {name} has no {keyword} to multiply")
    if any(item.arg is None for item in call.node.keywords):
        raise RecipeError(f"the call of {name} may pass {keyword} in its **mapping")
    tokens = code.tokens(code.span(call.node))
    return _add_keyword(code, tokens, f"{keyword}={_new_value(arguments, '')}")


def _add_keyword(code: Code, tokens: list[tuple[str, Span]], text: str) -> str:
    """Write a keyword after the last argument, in the style of the call."""
    (last, place), (_, closing) = tokens[-2], tokens[-1]
    if last != ",":
        text = text if last == "(" else f", {text}"
        return code.replaced(Span(place.end, place.end), text)
    line = code.lines[code.line_of(closing.start) - 1]
    if code.text[line.start : closing.start].strip():
        return code.replaced(Span(place.end, place.end), f" {text}")
    indent = margin_of(code.line_text(code.line_of(place.start)))
    return code.replaced(Span(line.start, line.start), f"{indent}{text},{code.newline}")


def _replace(code: Code, arguments: Arguments) -> str:
    return placing.replace_definition(code, arguments["replace"], arguments["with"])


def _search(code: Code, arguments: Arguments) -> str:
    return search_and_replace(code, arguments["search"], arguments["replace"])


def _insert(code: Code, arguments: Arguments) -> str:
    text = arguments["insert"]
    if not text.strip():
        raise RecipeError("the text to insert is blank")
    if "after" in arguments:
        return placing.insert_after(code, arguments["after"], text)
    if "before" in arguments:
        return placing.insert_before(code, arguments["before"], text)
    if arguments["at"] not in placing.PLACES:
        raise RecipeError(f"at takes {', '.join(placing.PLACES)}")
    return placing.insert_at(code, arguments["at"], text)


def _import(code: Code, arguments: Arguments) -> str:
    return placing.add_import(code, arguments["import"])


def _delete(code: Code, arguments: Arguments) -> str:
    return placing.delete(code, arguments["delete"])


def _wrap(code: Code, arguments: Arguments) -> str:
    return reshaping.wrap(code, arguments["wrap"], arguments["as"])


def _parameter(code: Code, arguments: Arguments) -> str:
    return reshaping.add_parameter(code, arguments["of"], arguments["parameter"])


def _unchanged(code: Code, arguments: Arguments) -> str:  # noqa: ARG001
    return code.text


VERBS: Mapping[str, Shape] = MappingProxyType(
    {
        "set": Shape(_set, one_of=("to", "times", "code")),
        "replace": Shape(_replace, required=("with",)),
        "search": Shape(_search, required=("replace",)),
        "insert": Shape(_insert, one_of=("after", "before", "at")),
        "import": Shape(_import),
        "delete": Shape(_delete),
        "wrap": Shape(_wrap, required=("as",)),
        "parameter": Shape(_parameter, required=("of",)),
        # Its alternatives are carried out in steps.py: they need the knobs.
        "any": Shape(_unchanged),
    }
)
