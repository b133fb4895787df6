"""A short map of a source file: where each definition is, what each constant holds.

An agent that is told `L51 DEPTH = 8 (x3)` and `L120-180 class GPT → Block, norm` need
not be sent the whole file to know where to edit: what a thing is, what it calls of the
same file, and how often it is used. A map takes at most a tenth of a long file.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

VALUE_LIMIT = 40
CALLS_SHOWN = 5
_SHARE = 10
_LONG_FILE = 4000
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNED = re.compile(
    r"^([ \t]*)([A-Za-z_]\w*)[ \t]*(?::[^=\n]+)?=(?!=)[ \t]*([^\n]+)"
)
_PLAIN = re.compile(r"""[-+]?[\d.(\[{"'][^#]*|True\b.*|False\b.*|None\b.*""")
_UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class _Entry:
    """One line of a map; `names` is what an edit of it may be after."""

    text: str
    names: frozenset[str]
    uses: int = 0
    calls: tuple[str, ...] = ()
    field: bool = False

    def line(self, *, detail: bool) -> str:
        """Return the line, with calls and uses where there is room for them."""
        calls = f" → {', '.join(self.calls[:CALLS_SHOWN])}" if self.calls else ""
        uses = f" (x{self.uses})" if self.uses > 1 else ""
        return f"{self.text}{calls}{uses}" if detail else self.text


def parsed(source: str) -> ast.Module | None:
    """Return the syntax tree of a source, or None where it is not Python."""
    tree = _tree(source)
    return None if isinstance(tree, str) else tree


def parses(source: str) -> bool:
    """Say whether a source is Python."""
    return parsed(source) is not None


def code_map(source: str, *, about: Collection[str] = ()) -> str:
    """Return one line per constant, class and function, with its line number.

    What is named in `about` comes first, the rest in the order of the file. A file
    that does not parse still gives its constants, and says what is wrong.
    """
    limit = len(source) // _SHARE if len(source) > _LONG_FILE else None
    tree = _tree(source)
    if isinstance(tree, str):
        lines = [f"(does not parse: {tree}; constants only)"]
        return _cut(lines + _constants_by_pattern(source), limit)
    entries = list(_entries(tree))
    if about:
        entries.sort(key=lambda entry: not entry.names & set(about))
    return _cut(_fitting(entries, limit), limit)


def _fitting(entries: Sequence[_Entry], limit: int | None) -> list[str]:
    """Return the lines with as much detail as there is room for."""
    lines: list[str] = []
    for detail, fields in ((True, True), (True, False), (False, False)):
        lines = [x.line(detail=detail) for x in entries if fields or not x.field]
        if limit is None or _size(lines) <= limit:
            break
    return lines


def _tree(source: str) -> ast.Module | str:
    """Return the syntax tree, or why there is none."""
    try:
        with warnings.catch_warnings():
            # a file's own "invalid escape sequence" is its author's business
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except _UNPARSED as error:
        if isinstance(error, SyntaxError):
            return f"line {error.lineno}: {error.msg}"
        return str(error) or type(error).__name__


def names_used(tree: ast.AST) -> Counter[str]:
    """Return how often each name is read in a tree, as a name or an attribute."""
    return Counter(
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


def _entries(tree: ast.Module) -> Iterator[_Entry]:
    uses = names_used(tree)
    own = {node.name for node in tree.body if isinstance(node, DEFINED)}
    for node in tree.body:
        if isinstance(node, DEFINED):
            yield _definition(node, own, uses[node.name])
        else:
            yield from _constant(node, "", uses)
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                yield from _constant(item, f"{node.name}.", uses)


def _definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
    own: set[str],
    uses: int,
) -> _Entry:
    is_class = isinstance(node, ast.ClassDef)
    kind = "class" if is_class else "def"
    inside = _inside(node) if is_class else ""
    named = names_used(node)
    return _Entry(
        text=f"L{node.lineno}-{node.end_lineno} {kind} {node.name}{inside}",
        names=frozenset({node.name, *_assigned(node)}),
        uses=uses,
        calls=tuple(name for name in sorted(own & set(named)) if name != node.name),
    )


def _assigned(node: ast.AST) -> Iterator[str]:
    """Yield what is assigned inside a definition: names, attributes, methods."""
    for item in ast.walk(node):
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            yield item.id
        elif isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store):
            yield item.attr
        elif isinstance(item, DEFINED):
            yield item.name
        elif isinstance(item, ast.keyword) and item.arg:
            yield item.arg


def _inside(node: ast.AST) -> str:
    methods = [
        f"{item.name} L{item.lineno}"
        for item in ast.iter_child_nodes(node)
        if isinstance(item, DEFINED)
    ]
    return f": {', '.join(methods)}" if methods else ""


def _constant(node: ast.stmt, owner: str, uses: Counter[str]) -> Iterator[_Entry]:
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return
    text = ast.unparse(value)
    for target in targets:
        if isinstance(target, ast.Name) and (target.id.isupper() or _is_plain(value)):
            yield _Entry(
                text=f"L{node.lineno} {owner}{target.id} = {_short(text)}",
                names=frozenset({target.id}),
                uses=0 if owner else uses[target.id],
                field=bool(owner),
            )


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
