"""Constant expressions: read without running them, written the way people do.

`2**19` is evaluated by walking its tree, never by `eval`; a number that would
not fit in a few hundred digits is refused before it is computed.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Constant = int | float | str | bool | None | tuple[Any, ...]

BITS_LIMIT = 1024
LENGTH_LIMIT = 10_000
_NO_NAMES: Mapping[str, Constant] = MappingProxyType({})
_POWER_OF_TWO = re.compile(r"2\s*\*\*\s*\d+\Z")
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Pow: operator.pow,
        ast.LShift: operator.lshift,
        ast.RShift: operator.rshift,
    }
)
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = MappingProxyType(
    {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
)


class NotConstantError(ValueError):
    """An expression depends on more than constants, or is too large to compute."""


def evaluate(node: ast.expr, names: Mapping[str, Constant] = _NO_NAMES) -> Constant:
    """Return the value of a constant expression; lists are returned as tuples.

    `names` gives the values of names that may be used. Raises NotConstantError.
    """
    try:
        value = _evaluate(node, names)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotConstantError(str(error)) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise NotConstantError("not a finite number")
    return value


def _evaluate(node: ast.expr, names: Mapping[str, Constant]) -> Constant:
    match node:
        case ast.Constant(value=(int() | float() | str() | None) as value):
            return value
        case ast.Tuple() | ast.List():
            return tuple(_evaluate(item, names) for item in node.elts)
        case ast.Name() if node.id in names:
            return names[node.id]
        case ast.UnaryOp() if type(node.op) in _UNARY:
            result = _UNARY[type(node.op)](_evaluate(node.operand, names))
            return _checked(result)
        case ast.BinOp() if type(node.op) in _BINARY:
            left, right = _evaluate(node.left, names), _evaluate(node.right, names)
            _guard(node.op, left, right)
            return _checked(_BINARY[type(node.op)](left, right))
        case _:
            return _converted(node, names)


def _converted(node: ast.expr, names: Mapping[str, Constant]) -> Constant:
    """Return the value of `int(1e9)` and `float(2)`, often seen among constants."""
    match node:
        case ast.Call(func=ast.Name(id="int" | "float" as name), args=[item]):
            value = _evaluate(item, names)
            if is_number(value) and not node.keywords:
                return _checked(int(value) if name == "int" else float(value))
        case _:
            pass
    raise NotConstantError("not a constant expression")


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is an int or a float; a bool is neither here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _guard(operation: ast.operator, left: Constant, right: Constant) -> None:
    """Refuse what would be huge before computing it, and what is not arithmetic."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        _guard_numbers(operation, left, right)
    elif isinstance(operation, ast.Mult):
        sized, count = (right, left) if isinstance(left, int) else (left, right)
        if not isinstance(sized, str | tuple) or not isinstance(count, int):
            raise NotConstantError("not arithmetic")
        if len(sized) * count > LENGTH_LIMIT:
            raise NotConstantError("too long")
    elif not isinstance(operation, ast.Add) or type(left) is not type(right):
        raise NotConstantError("not arithmetic")


def _guard_numbers(operation: ast.operator, left: float, right: float) -> None:
    if not isinstance(left, int) or not isinstance(right, int):
        return
    bits = left.bit_length()
    if isinstance(operation, ast.Pow) and bits * right > BITS_LIMIT:
        raise NotConstantError("too large")
    if isinstance(operation, ast.LShift) and bits + right > BITS_LIMIT:
        raise NotConstantError("too large")


def _checked(value: Any) -> Constant:
    if isinstance(value, complex) or not isinstance(value, int | float | str | tuple):
        raise NotConstantError("not a number")
    if isinstance(value, int) and value.bit_length() > BITS_LIMIT:
        raise NotConstantError("too large")
    return value


def scaled(old: float, factor: float) -> int | float:
    """Return `old * factor` computed in decimals, so without rounding noise.

    An int stays an int where the product is whole. Raises NotConstantError where
    a number is not finite or the product too large.
    """
    try:
        exact = Fraction(repr(old)) * Fraction(repr(factor))
        if isinstance(old, int) and exact.denominator == 1:
            return exact.numerator
        return old if factor == 1 else float(f"{float(exact):.15g}")
    except (ValueError, OverflowError) as error:
        raise NotConstantError(f"{old} * {factor} is not a finite number") from error


def written(value: Constant | list[Any], *, like: str = "") -> str:
    """Return a value as Python, in the style of the text that it replaces.

    `2**19` is followed by `2**18`, `3e-4` by `6e-4`, `[1, 2]` by a list.
    """
    if isinstance(value, tuple | list):
        parts = [written(item) for item in value]
        if like.startswith("["):
            return f"[{', '.join(parts)}]"
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if isinstance(value, str):
        return _quoted(value, like)
    if isinstance(value, float):
        return _float(value, like)
    if is_number(value) and _POWER_OF_TWO.match(like):
        return _power(int(value))
    return repr(value)


def _quoted(value: str, like: str) -> str:
    text = repr(value)
    if like.startswith("'") or '"' in value or not text.startswith("'"):
        return text
    return f'"{text[1:-1]}"'


def _float(value: float, like: str) -> str:
    text = repr(value)
    if "e" in text or "e" in like.lower():
        text = f"{Decimal(text).normalize():e}".replace("e+", "e")
    return text


def _power(value: int) -> str:
    exponent = value.bit_length() - 1
    return f"2**{exponent}" if value > 0 and value == 1 << exponent else repr(value)
