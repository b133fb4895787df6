"""What a source means, apart from how it is written.

Two edits that end in the same constants and the same tree are one experiment,
whatever their comments, formatting and arithmetic look like.
"""

from __future__ import annotations

import ast
import re
from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.index import dotted
from loopgraph_git.library.literals import NotConstantError, evaluate
from loopgraph_git.library.source import (
    Code,
    docstrings,
    keyword_of,
    owners,
    parse_code,
    parse_tree,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.library.index import Binding
    from loopgraph_git.library.literals import Constant

# A name, or a call's keyword, where need be of the call that passes an argument.
TARGET = re.compile(
    r"(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)"
    r"(?:(?:\[(?P<passing>[^\n]+)\])?\((?P<keyword>\w+)\))?\Z"
)


def constants(source: str) -> dict[str, Constant]:
    """Return the effective constants of a module and of its classes' fields.

    A name that is also assigned in a branch or a loop, augmented, or declared
    `global` is not a constant. A source that does not parse has none.
    """
    try:
        return dict(constants_of(parse_code(source)))
    except RecipeError:
        return {}


@lru_cache(maxsize=32)
def constants_of(code: Code) -> Mapping[str, Constant]:
    """Return the effective constants of a parsed source, by qualified name."""
    found: dict[str, Constant] = {}
    for binding in _fixed(code):
        # A field sees its class's earlier fields before the module's names.
        prefix = dotted(binding.scope, "")
        own = {
            name.removeprefix(prefix): value
            for name, value in found.items()
            if binding.scope and name.startswith(prefix)
        }
        found.pop(binding.name, None)
        try:
            found[binding.name] = evaluate(binding.value, {**found, **own})
        except NotConstantError:
            continue
    return found


def _fixed(code: Code) -> list[Binding]:
    """Return the unconditional bindings of the module and its classes, in order."""
    index = code.index
    classes = {node.name for node in code.tree.body if isinstance(node, ast.ClassDef)}
    found = [
        binding
        for name, bindings in index.bindings.items()
        if TARGET.match(name)
        and name not in index.globals
        and len(bindings) >= index.stored[name]
        and all(item.direct for item in bindings)
        for binding in bindings
        if not binding.scope
        or (len(binding.scope) == 1 and binding.scope[0] in classes)
    ]
    return sorted(found, key=lambda item: (item.value.lineno, item.value.col_offset))


def expression(code: Code, target: str) -> tuple[ast.expr, tuple[str, ...]] | None:
    """Return the expression that a target names, and the scope it stands in.

    A target is a qualified name or a call's keyword, `AdamW(lr)`, of one call
    among several `dict[params=head](lr)`. None where it is missing or not unique.
    """
    parts = TARGET.match(target)
    if not parts:
        return None
    if parts["keyword"] is None and parts["name"] not in code.index.bindings:
        return None  # without looking for the nearest name, which takes a while
    try:
        if parts["keyword"] is None:
            binding = code.binding(parts["name"])
            return binding.value, binding.scope
        call = code.call(parts["name"], parts["keyword"], passing=parts["passing"])
    except RecipeError:
        return None
    keyword = keyword_of(call, parts["keyword"])
    return (keyword.value, call.scope) if keyword else None


def value_of(code: Code, target: str) -> Constant:
    """Return the effective value of a target; raises NotConstantError."""
    known = constants_of(code)
    if target in known:
        return known[target]
    found = expression(code, target)
    if found is None:
        raise NotConstantError(f"{target} is not in the source")
    return evaluate(found[0], visible(code, found[1], known))


def visible(
    code: Code, scope: tuple[str, ...], known: Mapping[str, Constant]
) -> dict[str, Constant]:
    """Return the module's constants that no local name of the scope hides."""
    scopes = [scope[:depth] for depth in range(1, len(scope) + 1)]
    return {
        name: value
        for name, value in known.items()
        if not any(dotted(outer, name) in code.index.stored for outer in scopes)
    }


def same_meaning(before: str, after: str) -> bool:
    """Tell whether two sources do the same thing; see `normalised`.

    They are compared by statement, of which an edit leaves most as they were.
    """
    try:
        old, new = _statements(before), _statements(after)
    except RecipeError:
        return before.strip() == after.strip()
    return len(old) == len(new) and all(
        one == other or normalised(one) == normalised(other)
        for one, other in zip(old, new, strict=True)
    )


def _statements(source: str) -> list[str]:
    """Return a module's statements as texts, the comments above each included.

    Texts that stand alone, as a docstring does, are left out: they do nothing.
    """
    code = parse_code(source)
    found, start = [], 0
    for node in code.tree.body:
        end = code.span(node).end
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            found.append(source[start:end].lstrip("; \t\ufeff"))
        start = end
    return found


@lru_cache(maxsize=1024)
def normalised(source: str) -> str:
    """Return a text that is equal for sources that do the same thing.

    It is the tree without comments, docstrings and formatting, with constant
    arithmetic computed; the stripped text itself where it is not Python. Compare
    only within one version of Python, whose trees differ.
    """
    try:
        return ast.dump(folded_tree(source))
    except RecipeError:
        return source.strip()


def folded_tree(source: str) -> ast.Module:
    """Return a tree without docstrings, constant arithmetic computed.

    Raises RecipeError where the source is not Python.
    """
    # A tree of its own, since it is folded; those of parse_code are shared.
    tree = parse_tree(Code(source).plain)
    dropped = set(map(id, docstrings(tree)))
    for node in owners(tree):
        node.body = [item for item in node.body if id(item) not in dropped]
    _Folded().visit(tree)
    return tree


def folded(node: ast.expr) -> str:
    """Return a text that is equal for expressions that have the same value."""
    return ast.dump(_Folded().visit(deepcopy(node)))


class _Folded(ast.NodeTransformer):
    """Exchanges constant arithmetic for its value."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Fold `a + b`."""
        return self._fold(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Fold `-a`."""
        return self._fold(node)

    def _fold(self, node: ast.expr) -> ast.AST:
        try:
            value = evaluate(node)
        except NotConstantError:
            return self.generic_visit(node)
        return node if isinstance(value, tuple) else ast.Constant(value)
