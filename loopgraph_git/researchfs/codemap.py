"""A short map of a source file: where each definition is, what each constant holds.

An agent that is told `L51 DEPTH = 8` and `L120-180 class GPT` need not be sent the
whole file to know where to edit. A map takes at most a tenth of a long file.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE_LIMIT = 40
_SHARE = 10
_LONG_FILE = 4000
_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNED = re.compile(
    r"^([ \t]*)([A-Za-z_]\w*)[ \t]*(?::[^=\n]+)?=(?!=)[ \t]*([^\n]+)"
)
_PLAIN = re.compile(r"""[-+]?[\d.(\[{"'][^#]*|True\b.*|False\b.*|None\b.*""")


def code_map(source: str) -> str:
    """Return one line per constant, class and function, with its line number.

    A file that does not parse still gives its constants, and says what is wrong.
    """
    try:
        tree = _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        lines = [f"(does not parse: {_reason(error)}; constants only)"]
        lines += _constants_by_pattern(source)
    else:
        lines = list(_body(tree, detail=True))
        if len(source) > _LONG_FILE and _size(lines) > len(source) // _SHARE:
            lines = list(_body(tree, detail=False))
    return _cut(lines, len(source) // _SHARE if len(source) > _LONG_FILE else None)


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        # a file's own "invalid escape sequence" is its author's business
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return str(error) or type(error).__name__


def _body(tree: ast.Module, *, detail: bool) -> Iterator[str]:
    for node in tree.body:
        yield from _statement(node, detail=detail)


def _statement(node: ast.stmt, *, detail: bool) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield f"L{node.lineno}-{node.end_lineno} class {node.name}{_inside(node)}"
        if detail:
            for field in node.body:
                yield from _constant(field, f"{node.name}.")
    elif isinstance(node, _DEFINED):
        yield f"L{node.lineno}-{node.end_lineno} def {node.name}"
    else:
        yield from _constant(node, "")


def _inside(node: ast.ClassDef) -> str:
    methods = [
        f"{item.name} L{item.lineno}"
        for item in node.body
        if isinstance(item, _DEFINED)
    ]
    return f": {', '.join(methods)}" if methods else ""


def _constant(node: ast.stmt, owner: str) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return
    text = ast.unparse(value)
    for target in targets:
        if isinstance(target, ast.Name) and (target.id.isupper() or _is_plain(value)):
            yield f"L{node.lineno} {owner}{target.id} = {_short(text)}"


def _is_plain(value: ast.expr) -> bool:
    """Say whether a value is spelt out: a number, a text, or numbers in a tuple."""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _constants_by_pattern(source: str) -> list[str]:
    found = []
    for number, line in enumerate(source.splitlines(), start=1):
        match = _ASSIGNED.match(line)
        if match and (match[2].isupper() or _PLAIN.match(match[3])):
            value = match[3].split("  #")[0].strip()
            found.append(f"L{number} {match[2]} = {_short(value)}")
    return found


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= VALUE_LIMIT else f"{flat[: VALUE_LIMIT - 1]}…"


def _size(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _cut(lines: list[str], limit: int | None) -> str:
    """Leave out lines at the end, and say how many, until the map fits."""
    kept, room = list(lines), (limit or 0) - len("… and 9999 more\n")
    while limit is not None and kept and _size(kept) > room:
        kept.pop()
    if len(kept) < len(lines):
        kept.append(f"… and {len(lines) - len(kept)} more")
    return "\n".join(kept)
