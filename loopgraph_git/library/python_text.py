"""Python as passages by definition: every class and function under its own name.

The source is parsed, never imported. What stands between definitions goes with what
follows it, so that a comment stays with its function and no line is lost; a class
that is long is parted into its methods. What is not Python is parted as lines.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.index import DEFINED
from loopgraph_git.library.section import Section
from loopgraph_git.library.source import parse_any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.library.index import Defined

WHOLE_CLASS = 2000
"""How long a class may be, in characters, to stay one passage."""


def sections_of_python(text: str, path: str) -> list[Section]:
    """Return a source by its definitions, with places such as `train.py:MLP.forward`."""
    try:
        tree = parse_any(text)
    except RecipeError:
        return [_section(text, path, "")] if text.strip() else []
    source = _Source(text.split("\n"), path)
    return list(source.cut(tree.body, "", 0, len(source.lines)))


def _section(text: str, path: str, name: str) -> Section:
    place = f"{path}:{name}" if name else path
    return Section(name or path, 1, text.strip("\n"), place, "code")


@dataclass(frozen=True)
class _Source:
    """The lines of a file, counted from 0."""

    lines: list[str]
    path: str

    def cut(
        self, body: Sequence[ast.stmt], owner: str, first: int, last: int
    ) -> Iterator[Section]:
        """Yield the sections of the lines from `first` up to `last`."""
        start = first
        for node in body:
            if not isinstance(node, DEFINED):
                continue
            begin, end = self._begins(node, start), node.end_lineno or node.lineno
            yield from self._part(start, begin, owner)
            name = f"{owner}.{node.name}" if owner else node.name
            if isinstance(node, ast.ClassDef) and self._size(begin, end) > WHOLE_CLASS:
                yield from self.cut(node.body, name, begin, end)
            else:
                yield from self._part(begin, end, name)
            start = max(start, end)
        yield from self._part(start, last, owner)

    def _begins(self, node: Defined, least: int) -> int:
        """Return where a definition begins: its decorators, comments right above."""
        first = min([node.lineno, *(item.lineno for item in node.decorator_list)]) - 1
        while first > least and self.lines[first - 1].lstrip().startswith("#"):
            first -= 1
        return max(first, least)

    def _part(self, first: int, last: int, name: str) -> Iterator[Section]:
        text = "\n".join(self.lines[first:last])
        if text.strip():
            yield _section(text, self.path, name)

    def _size(self, first: int, last: int) -> int:
        return sum(len(line) + 1 for line in self.lines[first:last])
