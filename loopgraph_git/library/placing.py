"""Where new code goes: definitions exchanged, blocks inserted, imports added.

Blocks are written as the file is (indentation, tabs, newlines) and set apart by
blank lines the way people do; nothing that was there before is moved.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.index import DEFINED
from loopgraph_git.library.layout import fitted, margin_of
from loopgraph_git.library.source import Code, Span, parse_tree

if TYPE_CHECKING:
    from loopgraph_git.library.index import Defined

_DEFINITION = re.compile(r"\s*(?:#.*\n\s*)*(?:@|def\b|class\b|async\s+def\b)")
PLACES = ("imports", "start", "end")
# A call as a place, where need be the call that passes an argument.
CALLED = re.compile(
    r"(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?:\[(?P<passing>[^\n]+)\])?\(\)"
)


@dataclass(frozen=True)
class _Anchor:
    """Whole lines that a block can stand before or after, numbered from 1.

    `apart` is how many blank lines they want around them; `leaves` means that what
    stands after them is never reached.
    """

    first: int
    last: int
    indent: str
    apart: int = 0
    leaves: bool = False


def replace_definition(code: Code, name: str, new: str) -> str:
    """Return the source with a class or function exchanged, decorators included.

    Comments right above it are kept, unless the new text begins with its own.
    Raises RecipeError where the name is missing or ambiguous.
    """
    node = code.definition(name)
    first = _first_line(code, node, comments=new.lstrip().startswith("#"))
    indent = margin_of(code.line_text(first))
    start = code.lines[first - 1].start + len(indent)
    block = fitted(new.strip("\r\n"), indent, like=code.text)
    return code.replaced(Span(start, code.span(node).end), block.removeprefix(indent))


def delete(code: Code, name: str) -> str:
    """Return the source without a definition or an assignment, by whole lines.

    A definition takes the comments above it and the blank lines below it along.
    """
    anchor = _anchor(code, name, comments=True)
    last = anchor.last
    while anchor.apart and _is_blank(code, last + 1):
        last += 1
    return code.replaced(
        Span(code.lines[anchor.first - 1].start, code.lines[last - 1].next), ""
    )


def insert_after(code: Code, name: str, text: str) -> str:
    """Return the source with a block on the lines after a definition or constant."""
    anchor = _anchor(code, name)
    if anchor.leaves:
        raise RecipeError(f"{name} stands in a statement that nothing can follow")
    return _after(code, anchor, text)


def insert_before(code: Code, name: str, text: str) -> str:
    """Return the source with a block before a definition or constant.

    The comments right above a definition stay with it.
    """
    return _before(code, _anchor(code, name, comments=True), text)


def insert_at(code: Code, place: str, text: str) -> str:
    """Return the source with a block at its start, its end or after its imports.

    `start` is below the docstring and the `__future__` imports, where code may
    begin; `imports` is below the last import that precedes any definition.
    """
    body = code.tree.body
    if not body or place == "end":
        return _at_end(code, text)
    head = _imports(body) if place == "imports" else []
    above = head or _preamble(body)
    if above:
        return _after(code, _statement(code, above[-1]), text)
    return _before(code, _statement(code, body[0], comments=True), text)


def add_import(code: Code, text: str) -> str:
    """Return the source with the imports that it lacks, or as it is."""
    known = {
        item
        for scope, node in code.index.imports
        if not scope
        for item in _imported(node)
    }
    for node in parse_tree(text.strip()).body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            raise RecipeError(f"not an import: {text.strip()}")
        node.names = [
            alias
            for alias, item in zip(node.names, _imported(node), strict=True)
            if item not in known
        ]
        if node.names:
            place = "start" if _is_future(node) else "imports"
            code = Code(insert_at(code, place, ast.unparse(node)))
    return code.text


def _imported(
    node: ast.Import | ast.ImportFrom,
) -> list[tuple[str | None, str, str | None]]:
    module = None
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
    return [(module, alias.name, alias.asname) for alias in node.names]


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _preamble(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the docstring and the `__future__` imports that a module begins with."""
    found: list[ast.stmt] = []
    for node in body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not _is_future(node) and (found or not is_text):
            break
        found.append(node)
    return found


def _imports(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the imports before the first definition, guarded ones included."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, DEFINED):
            break
        inside = [node, *ast.walk(node)] if isinstance(node, ast.Try) else [node]
        if any(isinstance(item, ast.Import | ast.ImportFrom) for item in inside):
            found.append(node)
    return found


def _anchor(code: Code, name: str, *, comments: bool = False) -> _Anchor:
    """Return the lines of a definition, of an assignment, or of what calls `name()`."""
    called = CALLED.fullmatch(name)
    if called:
        return _statement(code, _caller(code, called["name"], called["passing"]))
    if name not in code.index.bindings or name in code.index.definitions:
        if name not in code.index.definitions:
            raise RecipeError(f"no definition or constant {name} in the source")
        return _statement(code, code.definition(name), comments=comments)
    binding = code.binding(name)
    if binding.statement is None:
        raise RecipeError(f"{name} is a parameter, not a statement")
    return _statement(code, binding.statement)


def _caller(code: Code, name: str, passing: str | None) -> ast.stmt:
    """Return the innermost statement that a call of a name stands in."""
    call = code.call(name, "", passing=passing).node
    holders = [
        node
        for node in ast.walk(code.tree)
        if isinstance(node, ast.stmt) and _contains(node, call)
    ]
    return holders[-1]  # the walk is by levels: the last one is the deepest


def _contains(node: ast.stmt, inner: ast.expr) -> bool:
    """Tell by their places whether a statement holds an expression."""
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    place = inner.lineno, inner.col_offset
    return first <= place and last >= (inner.end_lineno, inner.end_col_offset)


def _statement(code: Code, node: ast.stmt, *, comments: bool = False) -> _Anchor:
    """Return the lines of a statement; raises RecipeError where it shares one."""
    first, last = node.lineno, node.end_lineno or node.lineno
    if isinstance(node, DEFINED):
        first = _first_line(code, node, comments=comments)
    span = code.span(node)
    before = code.text[code.lines[node.lineno - 1].start : span.start]
    rest = code.text[span.end : code.lines[last - 1].end].strip()
    if before.strip() or (rest and not rest.startswith("#")):
        raise RecipeError(f"line {node.lineno} holds other code beside the place")
    indent = margin_of(code.line_text(first))
    leaves = isinstance(node, ast.Return | ast.Raise | ast.Break | ast.Continue)
    return _Anchor(first, last, indent, _apart(node, indent), leaves)


def _apart(node: ast.stmt, indent: str) -> int:
    if isinstance(node, DEFINED):
        return 1 if indent else 2
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return 1 if is_text else 0


def _first_line(code: Code, node: Defined, *, comments: bool) -> int:
    """Return the line where a definition begins: decorators, comments if asked."""
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    # most definitions have none, and to find the comments of a file takes long
    if not comments or not code.line_text(max(first - 1, 1)).lstrip().startswith("#"):
        return first
    indent = margin_of(code.line_text(first))
    own_line = {
        token.start[0]
        for token in code.comments
        if not code.line_text(token.start[0])[: token.start[1]].strip()
    }
    while first - 1 in own_line and margin_of(code.line_text(first - 1)) == indent:
        first -= 1
    return first


def _is_blank(code: Code, number: int) -> bool:
    inside = number < len(code.lines) or (
        number == len(code.lines) and bool(code.line_text(number))
    )
    return inside and not code.line_text(number).strip()


def _gap(text: str, anchor: _Anchor) -> int:
    """Return how many blank lines belong between a block and its anchor."""
    own = (1 if anchor.indent else 2) if _DEFINITION.match(text) else 0
    return max(own, anchor.apart)


def _after(code: Code, anchor: _Anchor, text: str) -> str:
    gap, end = _gap(text, anchor), code.lines[anchor.last - 1].end
    block = fitted(text.strip("\r\n"), anchor.indent, like=code.text)
    new = code.newline * (gap + 1) + block
    is_last = anchor.last >= len(code.lines) - (not code.line_text(len(code.lines)))
    if _DEFINITION.match(text) and not is_last and not _is_blank(code, anchor.last + 1):
        new += code.newline * gap
    return code.replaced(Span(end, end), new)


def _before(code: Code, anchor: _Anchor, text: str) -> str:
    start = code.lines[anchor.first - 1].start
    block = fitted(text.strip("\r\n"), anchor.indent, like=code.text)
    new = block + code.newline * (_gap(text, anchor) + 1)
    return code.replaced(Span(start, start), new)


def _at_end(code: Code, text: str) -> str:
    block = fitted(text.strip("\r\n"), "", like=code.text)
    if not code.text.strip("\ufeff \t\r\n\f"):
        return code.text + block + code.newline
    ended = not code.line_text(len(code.lines))
    last = code.tree.body[-1] if code.tree.body else None
    gap = _gap(text, _Anchor(0, 0, "", 2 if isinstance(last, DEFINED) else 0))
    apart = code.newline * (gap if ended else gap + 1)
    return code.text + apart + block + (code.newline if ended else "")
