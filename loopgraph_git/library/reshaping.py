"""Calls taken into larger expressions, and functions given another parameter.

These edit a line that other recipes may have edited before: what stands around
the call, its arguments included, stays as it is.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.source import Span

if TYPE_CHECKING:
    from loopgraph_git.library.source import Code

PARTS = ("$call", "$term", "$argument")
_SUMS = (ast.Add, ast.Sub)
_ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript)
# Operators that bind more tightly than the sum that a term stands in.
_TIGHT = (ast.Mult, ast.MatMult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def wrap(code: Code, name: str, wrapper: str) -> str:
    """Return the source with a call inside another expression.

    `wrapper` is that expression, where `$call` stands for the call, `$term` for
    the whole term of the sum that it stands in, `$argument` for its first
    argument. Raises RecipeError where there is not one such call, term or argument.
    """
    call = code.call(name, "").node
    above = _parents(code.tree)
    place = _term(call, above, name) if "$term" in wrapper else call
    new = wrapper.strip()
    if "$argument" in new:
        if not call.args or isinstance(call.args[0], ast.Starred):
            raise RecipeError(f"the call of {name} has no first argument")
        new = new.replace("$argument", code.slice(code.span(call.args[0])))
    text = code.slice(code.span(place))
    if not isinstance(place, _ATOMS):
        text = f"({text})"
    new = new.replace("$term", text).replace("$call", text)
    return code.replaced(code.span(place), _fitting(new, place, above))


def filled(wrapper: str) -> str:
    """Return a wrapper with a name for each part that it may refer to."""
    for part in PARTS:
        wrapper = wrapper.replace(part, "x")
    return wrapper


def _parents(tree: ast.Module) -> dict[ast.AST, ast.AST]:
    return {
        child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
    }


def _term(call: ast.Call, above: dict[ast.AST, ast.AST], name: str) -> ast.expr:
    """Return the operand of the nearest sum around a call that the call is in."""
    node: ast.AST = call
    while isinstance(node, ast.expr):
        parent = above[node]
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, _SUMS):
            return node
        node = parent
    raise RecipeError(f"the call of {name} stands in no sum")


def _fitting(text: str, place: ast.expr, above: dict[ast.AST, ast.AST]) -> str:
    """Return an expression in brackets where its neighbours would pull it apart."""
    try:
        node = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"not an expression: {text}") from error
    parent = above[place]
    apart = not isinstance(parent, ast.expr) or (
        isinstance(parent, ast.Call) and place is not parent.func
    )
    in_sum = isinstance(parent, ast.BinOp) and isinstance(parent.op, _SUMS)
    is_product = isinstance(node, ast.BinOp) and isinstance(node.op, _TIGHT)
    if apart or isinstance(node, _ATOMS) or (in_sum and is_product):
        return text
    return f"({text})"


def add_parameter(code: Code, name: str, parameter: str) -> str:
    """Return the source with a parameter after the last plain one of a function.

    `parameter` is written as in a signature, `x0: torch.Tensor`. Raises
    RecipeError where the function is missing, takes none, or has it already.
    """
    node = code.definition(name)
    if isinstance(node, ast.ClassDef):
        raise RecipeError(f"{name} is a class, not a function")
    new = parsed_parameter(parameter)
    plain = [*node.args.posonlyargs, *node.args.args]
    known = [*plain, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    if new in [item.arg for item in known if item]:
        raise RecipeError(f"{name} has a parameter {new} already")
    if not plain:
        raise RecipeError(f"{name} has no parameter to stand after")
    last = plain[-1]
    line, column = last.end_lineno or last.lineno, last.end_col_offset or 0
    if node.args.defaults:
        end = code.span(node.args.defaults[-1]).end
    else:
        end = code.offset(line, column)
    return code.replaced(Span(end, end), f", {parameter.strip()}")


def parsed_parameter(text: str) -> str:
    """Return the name of one plain parameter; raises RecipeError if it is not one."""
    try:
        tree = ast.parse(f"def function(*, {text.strip()}): pass")
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"not a parameter: {text.strip()}") from error
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101
    arguments = function.args
    if len(tree.body) != 1 or len(arguments.kwonlyargs) != 1 or arguments.kwarg:
        raise RecipeError(f"not one parameter: {text.strip()}")
    return arguments.kwonlyargs[0].arg
