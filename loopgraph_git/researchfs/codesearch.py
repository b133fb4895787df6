"""The code as it is: the definitions of a few files, found by their words.

A file is cut into its functions, methods, classes and constants and the statements
between them. Nothing of it is kept: the files are those that an agent may edit, and
they are read anew for every question. What the code was in an experiment is found by
the experiment's change.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.records.texts import flat
from loopgraph_git.researchfs.bm25 import bm25, query_stems, weigh
from loopgraph_git.researchfs.codemap import DEFINED, parsed
from loopgraph_git.researchfs.matches import in_fields, marked_by_stem
from loopgraph_git.researchfs.words import identifiers

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from loopgraph_git.researchfs.matches import Spans

_LINES = 40
_LONGEST = 160


class Definition(NamedTuple):
    """Some lines of a file; `key` is `train.py:12`, the place to open in an editor."""

    key: str
    title: str
    text: str


class FoundCode(NamedTuple):
    """A definition that matched: the line that did, where in it, and why."""

    definition: Definition
    snippet: str
    marks: Spans
    why: str


def find_code(files: Mapping[str, str], query: str) -> list[FoundCode]:
    """Return the definitions that share a word with the query, best first."""
    known = {item.key: item for path, text in files.items() for item in cut(path, text)}
    words = {key: _weighed(item.title, item.text) for key, item in known.items()}
    stems = query_stems(query)
    return [_found(known[key], stems) for key, _ in bm25(words, query)]


@lru_cache(maxsize=64)
def cut(path: str, text: str) -> tuple[Definition, ...]:
    """Cut a file into definitions; one that is not Python into pieces of 40 lines."""
    tree = parsed(text)
    # lines as the parser counts them: not at a form feed
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    starts = range(1, len(lines) + 1, _LINES) if tree is None else _starts(tree)
    firsts = sorted({1, *starts})
    pieces = zip(firsts, [*firsts[1:], len(lines) + 1], strict=True)
    return tuple(
        Definition(f"{path}:{first}", *_titled(lines[first - 1 : last - 1]))
        for first, last in pieces
    )


def _starts(tree: ast.Module) -> Iterator[int]:
    """Yield the lines at which definitions begin, and the statements between them."""
    before = False
    for node in tree.body:
        whole = isinstance(node, (*DEFINED, ast.Assign, ast.AnnAssign))
        if whole or not before:
            yield _line(node)
        before = not whole
        if isinstance(node, ast.ClassDef):
            yield from (_line(item) for item in node.body if isinstance(item, DEFINED))


def _line(node: ast.stmt) -> int:
    decorated = node.decorator_list if isinstance(node, DEFINED) else []
    return min([node.lineno, *(item.lineno for item in decorated)])


def _titled(lines: list[str]) -> tuple[str, str]:
    first = next((line for line in lines if not line.lstrip().startswith("@")), "")
    return flat(first)[:_LONGEST], "\n".join(lines)


@lru_cache(maxsize=4096)
def _weighed(title: str, text: str) -> Counter[str]:
    return weigh(((title, 3.0), (text, 1.0), (identifiers(text), 0.5)))


def _found(item: Definition, stems: frozenset[str]) -> FoundCode:
    lines = [flat(line)[:_LONGEST] for line in item.text.split("\n")]
    marked = [(line, marked_by_stem(line, stems)) for line in lines]
    snippet, marks = max(marked, key=lambda line: len(line[1]))
    words = [line[first:last] for line, spans in marked for first, last in spans]
    return FoundCode(item, snippet, marks, in_fields({"code": words}))
