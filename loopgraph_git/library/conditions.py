"""Conditions: what a pack can say about code, in a dozen words of YAML.

The code is one file or several: what is there is in any of them, and a name that has
to be unique is so among all of them.

`detect` and `requires` are lists of conditions that must all hold; `unless` is
one or a list. A condition is a mapping with one kind as its key:

    defines: MLP                          a class, function or assignment
    calls: F.relu                         a call whose name ends so
    constant: DEPTH                       there; or with one or more of
      equals, not_equals, above, below, contains
    pattern: 'silu|swish'                 in the code without comments
    imports: torch                        the module or something inside it
    equal: [A, B]    differ: [A, B]       two values compared
    any: [...]       not: ...             nest
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.index import dotted, is_suffix
from loopgraph_git.library.literals import NotConstantError, is_number
from loopgraph_git.library.meaning import expression, value_of

if TYPE_CHECKING:
    from loopgraph_git.library.literals import Constant
    from loopgraph_git.library.source import Code

    Codes = Sequence[Code]

Condition = Mapping[str, Any]


def all_hold(conditions: Condition | Sequence[Condition], codes: Codes) -> bool:
    """Tell whether one condition, or each of a list, holds for some code."""
    return all(holds(condition, codes) for condition in _listed(conditions))


def holds(condition: Condition, codes: Codes) -> bool:
    """Tell whether a condition holds; raises RecipeError on an unknown kind."""
    return _KINDS[kind_of(condition)].test(condition, codes)


def describe(condition: Condition) -> str:
    """Return a condition as words that complete "needs ..."."""
    return _KINDS[kind_of(condition)].words(condition)


def kind_of(condition: Condition) -> str:
    """Return the kind of a condition; raises RecipeError where it has not one."""
    found = [kind for kind in _KINDS if kind in condition]
    if len(found) != 1:
        known = ", ".join(_KINDS)
        raise RecipeError(f"a condition needs exactly one of {known}")
    return found[0]


def _listed(conditions: Condition | Sequence[Condition]) -> Sequence[Condition]:
    return [conditions] if isinstance(conditions, Mapping) else conditions


def _defines(condition: Condition, codes: Codes) -> bool:
    wanted = condition["defines"]
    return any(is_suffix(wanted, name) for code in codes for name in _defined(code))


def _defined(code: Code) -> list[str]:
    assigned = [
        name
        for name, bindings in code.index.bindings.items()
        if any(item.statement for item in bindings)
    ]
    return [*code.index.definitions, *assigned]


def _calls(condition: Condition, codes: Codes) -> bool:
    return any(code.calls(condition["calls"]) for code in codes)


def _pattern(condition: Condition, codes: Codes) -> bool:
    pattern = re.compile(condition["pattern"], re.MULTILINE)
    return any(pattern.search(code.bare) for code in codes)


def _imports(condition: Condition, codes: Codes) -> bool:
    wanted = condition["imports"]
    return any(
        name == wanted or name.startswith(f"{wanted}.")
        for code in codes
        for name in _imported(code)
    )


def _imported(code: Code) -> list[str]:
    names = []
    for _, node in code.index.imports:
        scope = (node.module,) if isinstance(node, ast.ImportFrom) else ()
        known = tuple(part for part in scope if part)
        names += [dotted(known, alias.name) for alias in node.names]
    return names


def _constant(condition: Condition, codes: Codes) -> bool:
    target = condition["constant"]
    tests = [name for name in COMPARISONS if name in condition]
    if not tests:
        return len(found_in(codes, target)) == 1
    try:
        value = the_value(codes, target)
    except NotConstantError:
        return False
    return all(COMPARISONS[name](value, plain(condition[name])) for name in tests)


def found_in(codes: Codes, target: str) -> list[tuple[Code, ast.expr]]:
    """Return each code in which a target is, with its expression there."""
    pairs = ((code, expression(code, target)) for code in codes)
    return [(code, found[0]) for code, found in pairs if found]


def the_value(codes: Codes, target: str) -> Constant:
    """Return the value of a target that is constant in one code alone.

    Raises NotConstantError.
    """
    values = []
    for code in codes:
        with suppress(NotConstantError):
            values.append(value_of(code, target))
    if len(values) != 1:
        raise NotConstantError(f"{target} has {len(values)} values")
    return values[0]


def plain(value: Any) -> Any:
    """Return a value as constants are compared: lists as tuples, all the way."""
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def same(left: Constant, right: Constant) -> bool:
    """Tell whether two constants are equal; True and 1 are not."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _above(value: Constant, limit: Constant) -> bool:
    return is_number(value) and is_number(limit) and value > limit


def _below(value: Constant, limit: Constant) -> bool:
    return is_number(value) and is_number(limit) and value < limit


def _contains(value: Constant, part: Constant) -> bool:
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    return isinstance(value, tuple) and part in value


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "equals": same,
        "not_equals": lambda value, other: not same(value, other),
        "above": _above,
        "below": _below,
        "contains": _contains,
    }
)


def _equal(condition: Condition, codes: Codes) -> bool:
    return _compared(condition["equal"], codes) is True


def _differ(condition: Condition, codes: Codes) -> bool:
    return _compared(condition["differ"], codes) is False


def _compared(targets: Sequence[str], codes: Codes) -> bool | None:
    """Compare two targets by value, or as expressions; None where one is missing."""
    found = [found_in(codes, target) for target in targets]
    if any(len(items) != 1 for items in found):
        return None
    (first, left), (second, right) = (items[0] for items in found)
    try:
        return same(value_of(first, targets[0]), value_of(second, targets[1]))
    except NotConstantError:
        return ast.dump(left) == ast.dump(right)


def _any(condition: Condition, codes: Codes) -> bool:
    return any(all_hold(item, codes) for item in condition["any"])


def _not(condition: Condition, codes: Codes) -> bool:
    return not all_hold(condition["not"], codes)


def _joined(conditions: Condition | Sequence[Condition], word: str) -> str:
    return f" {word} ".join(describe(item) for item in _listed(conditions))


_COMPARED = MappingProxyType(
    {
        "equals": "equal to",
        "not_equals": "not equal to",
        "above": "above",
        "below": "below",
        "contains": "containing",
    }
)


def _constant_words(condition: Condition) -> str:
    tests = [
        f"{words} {condition[name]!r}"
        for name, words in _COMPARED.items()
        if name in condition
    ]
    return f"the constant {condition['constant']} {' and '.join(tests)}".rstrip()


class _Kind:
    """One kind of condition: how it is tested and how it is said."""

    def __init__(
        self,
        test: Callable[[Condition, Codes], bool],
        words: Callable[[Condition], str],
    ) -> None:
        self.test = test
        self.words = words


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "defines": _Kind(_defines, lambda c: f"a definition of {c['defines']}"),
        "calls": _Kind(_calls, lambda c: f"a call of {c['calls']}"),
        "constant": _Kind(_constant, _constant_words),
        "pattern": _Kind(_pattern, lambda c: f"code that matches /{c['pattern']}/"),
        "imports": _Kind(_imports, lambda c: f"an import of {c['imports']}"),
        "equal": _Kind(_equal, lambda c: f"{' and '.join(c['equal'])} to be equal"),
        "differ": _Kind(_differ, lambda c: f"{' and '.join(c['differ'])} to differ"),
        "any": _Kind(
            _any, lambda c: " or ".join(_joined(item, "and") for item in c["any"])
        ),
        "not": _Kind(_not, lambda c: f"the absence of {_joined(c['not'], 'and')}"),
    }
)
KINDS = tuple(_KINDS)
