"""Python source as spans: found by name, changed by slice, every other byte kept.

`ast` says where a thing stands, and the text around it is never rewritten: so
comments, formatting, CRLF, tabs and a missing last newline all survive. `ast`
counts columns in UTF-8 bytes and lines by any newline; here everything is an
offset in characters.
"""

from __future__ import annotations

import ast
import tokenize
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from loopgraph_git.errors import AmbiguousError, RecipeError
from loopgraph_git.library.index import OWNERS, Index, children, dotted, is_suffix
from loopgraph_git.library.layout import EOL, newline_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loopgraph_git.library.index import Binding, Call, Defined, Owner

# Deep enough for any program people write, shallow enough for recursive walks.
DEPTH_LIMIT = 200
SHOWN = 5
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Span:
    """A half-open range of character offsets in a text."""

    start: int
    end: int


@dataclass(frozen=True)
class Line:
    """One line: where it starts, where its text ends, where the next begins."""

    start: int
    end: int
    next: int


class Code:
    """One Python source: its text, its tree, and what stands where."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = newline_of(text)
        self.lines = _lines(text)
        self.plain = "\n".join(text[line.start : line.end] for line in self.lines)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; raises RecipeError where the text is not Python."""
        return parse_tree(self.plain)

    @cached_property
    def index(self) -> Index:
        """Everything in this source that has a name."""
        return Index(self.tree)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What each imported name stands for: `F` → `torch.nn.functional`."""
        found: dict[str, str] = {}
        for _, node in self.index.imports:
            module = node.module if isinstance(node, ast.ImportFrom) else ""
            prefix = f"{module}." if module else ""
            for name in node.names:
                if name.asname or prefix:
                    found[name.asname or name.name] = prefix + name.name
        return found

    @cached_property
    def comments(self) -> list[tokenize.TokenInfo]:
        """Every comment of this source as a token."""
        found = tokens_of(self.plain)
        return [token for token in found if token.type == tokenize.COMMENT]

    @cached_property
    def bare(self) -> str:
        """The text without comments and docstrings."""
        spans = [self._token_span(token) for token in self.comments]
        spans += [self.span(node) for node in docstrings(self.tree)]
        kept, end = [], 0
        for span in sorted(spans, key=lambda span: span.start):
            kept.append(self.text[end : span.start])
            end = span.end
        return "".join([*kept, self.text[end:]])

    def offset(self, line: int, column: int) -> int:
        """Return the character offset of a line (from 1) and a column in bytes."""
        where = self.lines[line - 1]
        text = self.text[where.start : where.end]
        if text.isascii():
            return where.start + column
        return where.start + len(text.encode()[:column].decode(errors="ignore"))

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """Return where a node of the tree stands in the text."""
        last = node.end_lineno or node.lineno
        return Span(
            self.offset(node.lineno, node.col_offset),
            self.offset(last, node.end_col_offset or 0),
        )

    def _token_span(self, token: tokenize.TokenInfo) -> Span:
        first, last = self.lines[token.start[0] - 1], self.lines[token.end[0] - 1]
        return Span(first.start + token.start[1], last.start + token.end[1])

    def tokens(self, span: Span) -> list[tuple[str, Span]]:
        """Return the tokens inside a span; layout and comments are left out."""
        found = [
            (token.string, self._token_span(token))
            for token in tokens_of(self.plain)
            if token.type not in _LAYOUT
        ]
        return [
            (text, where)
            for text, where in found
            if span.start <= where.start and where.end <= span.end
        ]

    def slice(self, span: Span) -> str:
        """Return the text of a span."""
        return self.text[span.start : span.end]

    def replaced(self, span: Span, new: str) -> str:
        """Return the whole text with one span exchanged."""
        return self.text[: span.start] + new + self.text[span.end :]

    def line_of(self, offset: int) -> int:
        """Return the line number, from 1, that an offset stands on."""
        return sum(1 for line in self.lines[1:] if line.start <= offset) + 1

    def line_text(self, number: int) -> str:
        """Return the text of a line (from 1) without its newline."""
        line = self.lines[number - 1]
        return self.text[line.start : line.end]

    def definition(self, name: str) -> Defined:
        """Return the one class or function of a qualified name.

        Raises RecipeError where there is none or more than one.
        """
        found = self.index.definitions.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            places = _places(node.lineno for node in found)
            raise AmbiguousError(f"{name} is defined {len(found)} times ({places})")
        hint = nearest(name, self.index.definitions)
        raise RecipeError(f"no definition of {name} in the source{hint}")

    def binding(self, name: str) -> Binding:
        """Return the one assignment, field or parameter of a qualified name.

        Raises RecipeError where there is none or more than one.
        """
        found = self.index.bindings.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            places = _places(item.value.lineno for item in found)
            raise AmbiguousError(f"{name} is assigned {len(found)} times ({places})")
        hint = nearest(name, self.index.bindings)
        raise RecipeError(f"no constant {name} in the source{hint}")

    def calls(self, name: str) -> list[Call]:
        """Return the calls whose dotted name ends with `name`, imports resolved.

        A name may begin with the scope to look in: `GPT.forward.F.relu`.
        """
        known = self._calls_by_end.get(_end(name), [])
        found = [
            call
            for call in known
            if is_suffix(name, call.name) or is_suffix(name, self._resolved(call))
        ]
        return found or [
            call
            for call in known
            if call.name and is_suffix(name, dotted(call.scope, call.name))
        ]

    @cached_property
    def _calls_by_end(self) -> dict[str, list[Call]]:
        """The calls by the last part of their names, as written and as resolved."""
        found: dict[str, list[Call]] = {}
        for call in self.index.calls:
            for end in {_end(call.name), _end(self._resolved(call))}:
                found.setdefault(end, []).append(call)
        return found

    def _resolved(self, call: Call) -> str:
        head, dot, rest = call.name.partition(".")
        return self.aliases.get(head, head) + dot + rest

    def call(self, name: str, keyword: str, *, passing: str | None = None) -> Call:
        """Return the one call of a name, or the one that passes the keyword.

        Only calls with the argument `passing` count where one is given. Raises
        RecipeError where that does not single out one call.
        """
        found = [
            call for call in self.calls(name) if not passing or _passes(call, passing)
        ]
        name = f"{name}[{passing}]" if passing else name
        keyed = [call for call in found if keyword_of(call, keyword)]
        for choice in (found, keyed):
            if len(choice) == 1:
                return choice[0]
        if not found:
            raise RecipeError(f"no call of {name} in the source")
        places = _places(call.node.lineno for call in found)
        raise AmbiguousError(f"{name} is called {len(found)} times ({places})")


def _end(name: str) -> str:
    return name.rpartition(".")[2]


def keyword_of(call: Call, name: str) -> ast.keyword | None:
    """Return the keyword of a call, or None where the call does not pass it."""
    for keyword in call.node.keywords:
        if keyword.arg == name:
            return keyword
    return None


def _passes(call: Call, argument: str) -> bool:
    """Tell whether a call has an argument, `"--depth"` or `params=head`, so written."""
    node = call.node
    return _spelled(argument) in {
        ast.unparse(item) for item in (*node.args, *node.keywords)
    }


def _spelled(argument: str) -> str:
    """Return an argument of a call the way that Python writes it, else as it is."""
    try:
        node = ast.parse(f"call({argument})", mode="eval").body
    except (SyntaxError, ValueError):
        return argument
    return ast.unparse(node).removeprefix("call(").removesuffix(")")


def docstrings(tree: ast.Module) -> Iterator[ast.Expr]:
    """Yield every docstring of a tree as its statement."""
    for node in owners(tree):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and _is_string(first.value):
            yield first


def owners(tree: ast.Module) -> Iterator[Owner]:
    """Yield the module and every class and function, which have bodies of their own."""
    level: list[ast.AST] = [tree]
    while level:
        yield from (node for node in level if isinstance(node, OWNERS))
        level = [
            child
            for node in level
            for child in ast.iter_child_nodes(node)
            # an expression holds no statements, and most of a tree is expressions
            if isinstance(child, _BLOCKS)
        ]


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the words that point to the most similar known name, or nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; the nearest is {close[0]}" if close else ""


@lru_cache(maxsize=32)
def parse_code(text: str) -> Code:
    """Return a source ready to be searched; raises RecipeError if not Python."""
    code = Code(text)
    _ = code.tree
    return code


def _places(lines: Iterable[int]) -> str:
    numbers = sorted(lines)
    shown = ", ".join(str(number) for number in numbers[:SHOWN])
    return f"lines {shown}{', ...' if len(numbers) > SHOWN else ''}"


def _lines(text: str) -> list[Line]:
    # A byte order mark belongs to the file, not to its first line.
    start = 1 if text.startswith("\ufeff") else 0
    lines = []
    for found in EOL.finditer(text):
        lines.append(Line(start, found.start(), found.end()))
        start = found.end()
    return [*lines, Line(start, len(text), len(text))]


def parse_tree(plain: str) -> ast.Module:
    """Return a fresh tree; raises RecipeError if not Python, or nested too deep."""
    tree = parse_any(plain)
    if _is_deeper(tree, DEPTH_LIMIT):
        reason = f"it nests deeper than {DEPTH_LIMIT} levels"
        raise RecipeError(f"the source does not parse: {reason}")
    return tree


def parse_any(plain: str) -> ast.Module:
    """Return a tree that is not to be walked whole; raises RecipeError if not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(plain)
    except SyntaxError as error:
        reason = f"line {error.lineno}: {error.msg}"
        raise RecipeError(f"the source does not parse: {reason}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"the source does not parse: {error}") from error


def _is_deeper(tree: ast.AST, limit: int) -> bool:
    level = [tree]
    for _ in range(limit):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True
