"""A source cut into its top-level statements, each of which is parsed once.

A thousand versions of a training script share nearly all of their lines. A *piece*
is a run of whole statements that parses by itself, so what it says can be kept by
its text alone, and a new version costs no more than the pieces that it changed.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loopgraph_git.library.index import DEFINED, Index
from loopgraph_git.library.layout import EOL
from loopgraph_git.library.literals import NotConstantError, evaluate
from loopgraph_git.library.meaning import TARGET, folded_tree
from loopgraph_git.library.source import parse_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.library.index import Binding
    from loopgraph_git.library.literals import Constant

MEANING = "1"
"""Changes when the same code would be told by other digests than before."""

# strings and comments are passed over, brackets are counted, and a line that begins
# with anything but a blank, a comment or a closing bracket may begin a statement
_MARK = re.compile(
    r"(?P<quoted>'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\""
    r"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|\#[^\n]*)"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])"
    r"|(?P<line>(?<!\\)\n(?=[^\s#)\]}]))",
    re.DOTALL,
)
_GOES_ON = re.compile(r"(?:elif|else|except|finally)\b")


@dataclass(frozen=True)
class Bound:
    """A name given a value in a module or class body; `plain` where it is a literal.

    `value` is that literal, or else the expression as text; `direct` means that it
    stands in the body itself and not inside an `if` or a loop.
    """

    name: str
    scope: tuple[str, ...]
    direct: bool
    plain: bool
    value: Any


@dataclass(frozen=True)
class Piece:
    """What a run of statements says: a digest of each, and the names it gives values.

    `frames` are digests of its definitions, and of what else stands in module and
    class bodies, without the values of names.
    """

    statements: tuple[str, ...]
    frames: tuple[tuple[str, str], ...]
    bound: tuple[Bound, ...]
    stored: dict[str, int]
    globals: tuple[str, ...]
    classes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Piece:
        """Read a piece back; raises KeyError, TypeError or ValueError."""
        return cls(
            statements=tuple(plain["statements"]),
            frames=tuple((name, digest) for name, digest in plain["frames"]),
            bound=tuple(_bound_of(item) for item in plain["bound"]),
            stored=dict(plain["stored"]),
            globals=tuple(plain["globals"]),
            classes=tuple(plain["classes"]),
        )


def _bound_of(plain: dict[str, Any]) -> Bound:
    return Bound(
        name=plain["name"],
        scope=tuple(plain["scope"]),
        direct=plain["direct"],
        plain=plain["plain"],
        value=_tupled(plain["value"]),
    )


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def cut(source: str) -> list[str]:
    """Return the texts of a source's pieces, in order; all of it where in doubt."""
    text = _plain(source)
    depth, start, found = 0, 0, []
    for mark in _MARK.finditer(text):
        kind = mark.lastgroup
        depth += (kind == "open") - (kind == "close")
        if kind == "line" and depth <= 0:
            found.append(text[start : mark.end()])
            start = mark.end()
    return list(_joined([*found, text[start:]]))


def _plain(source: str) -> str:
    """Return a source with one kind of newline and no byte order mark."""
    text = source.removeprefix("\ufeff")
    return EOL.sub("\n", text) if "\r" in text else text


def _joined(texts: Sequence[str]) -> Iterator[str]:
    """Put decorators to what they decorate, and `else` to its `if`."""
    held = ""
    for number, text in enumerate(texts):
        held += text
        after = texts[number + 1] if number + 1 < len(texts) else ""
        if after and (text.startswith("@") or _GOES_ON.match(after)):
            continue
        if held.strip():
            yield held
        held = ""


def pieces_of_tree(source: str) -> list[str]:
    """Return the pieces by the syntax tree, however the lines are laid out.

    Raises RecipeError where the source is not Python.
    """
    text = _plain(source)
    lines = text.split("\n")
    found: list[tuple[int, int]] = []
    for node in parse_tree(text).body:
        first = min([node.lineno, *(x.lineno for x in _decorators(node))])
        last = node.end_lineno or node.lineno
        if found and found[-1][1] >= first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return ["\n".join(lines[first - 1 : last]) for first, last in found]


def _decorators(node: ast.stmt) -> list[ast.expr]:
    return node.decorator_list if isinstance(node, DEFINED) else []


def piece_key(text: str) -> str:
    """Return the name of a piece by its text, and by the Python that reads it."""
    named = f"{sys.version_info[:2]} {MEANING}\0{text}".encode("utf-8", "replace")
    return hashlib.blake2b(named, digest_size=16).hexdigest()


def digest(text: str) -> str:
    """Return the name by which a text is compared: 16 hex digits of its hash."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def read_piece(text: str) -> Piece:
    """Parse a piece; raises RecipeError where it does not stand by itself."""
    # what is folded has lost its place, and takes that of its statement
    tree = ast.fix_missing_locations(folded_tree(text))
    index = Index(tree)
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    statements = tuple(digest(ast.dump(node)) for node in tree.body)
    bound = [
        item
        for bindings in index.bindings.values()
        for item in bindings
        if not item.scope or (len(item.scope) == 1 and item.scope[0] in classes)
    ]
    names = {item.name for item in bound}
    return Piece(
        statements=statements,
        frames=tuple(_frames(tree.body, "", names)),
        bound=tuple(_read_bound(item) for item in _in_order(bound)),
        # a name is no constant where anything else gives it a value too
        stored={name: n for name, n in index.stored.items() if name.count(".") < 2},  # noqa: PLR2004
        globals=tuple(sorted(index.globals)),
        classes=tuple(sorted(classes)),
    )


def _in_order(bound: list[Binding]) -> list[Binding]:
    return sorted(bound, key=lambda item: (item.value.lineno, item.value.col_offset))


def _read_bound(item: Binding) -> Bound:
    direct = item.direct and bool(TARGET.match(item.name))
    try:
        value: Constant | str = evaluate(item.value)
        return Bound(item.name, item.scope, direct, plain=True, value=value)
    except NotConstantError:
        text = ast.unparse(item.value)
        return Bound(item.name, item.scope, direct, plain=False, value=text)


def _frames(
    body: Sequence[ast.stmt], scope: str, names: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield a digest of every definition, and one of each other statement's form.

    A statement that only gives a name a value is told by the name and the value.
    """
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _frames(node.body, f"{scope}{node.name}.", names)
            node.body = []
            yield f"{scope}{node.name}", digest(ast.dump(node))
        elif isinstance(node, DEFINED):
            yield f"{scope}{node.name}", digest(ast.dump(node))
        elif not (_names(node, scope) and _names(node, scope) <= names):
            yield scope.rstrip("."), digest(ast.dump(node))


def _names(node: ast.stmt, scope: str) -> set[str]:
    """Return what a plain assignment gives a value to, qualified."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    found: set[str] = set()
    for target in targets:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        found |= {f"{scope}{ast.unparse(part)}" for part in parts}
    return found
