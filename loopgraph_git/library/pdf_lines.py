"""The pages of a PDF as lines: where each stands, how large, and which are the text's.

A PDF has no lines, only pieces of text with a place. They come in the order in which
they were drawn; where that runs across two columns, the columns are put in order.
Running heads, page numbers and line numbers in the margin are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_EDGE = 0.09
_NUMBERS = re.compile(r"\d+")
_ONLY_NUMBER = re.compile(
    r"[-\u2013\u2014\s]*(?:page\s+)?\d{1,4}(?:\s*(?:of|/)\s*\d+)?\W*", re.IGNORECASE
)
_ROMAN = re.compile(r"[ivxlc]{1,6}")
_BOLD = re.compile(
    r"bold|black|heavy|medi|cmbx|sfbx|-bd|\bbx|semibold|demi", re.IGNORECASE
)
_MANY = 10
_WIDTH = 0.45
_RIGHT = 0.96


@dataclass(frozen=True)
class Piece:
    """A text that was drawn at a place; sizes and places are in points."""

    text: str
    x: float
    y: float
    size: float
    font: str


@dataclass(frozen=True)
class Page:
    """The pieces of a page in the order they were drawn."""

    number: int
    width: float
    height: float
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Line:
    """A line of text, and where it begins; `y` counts from the bottom of the page."""

    text: str
    page: int
    x: float
    y: float
    size: float
    bold: bool
    height: float

    @property
    def at_edge(self) -> bool:
        """Whether it stands where running heads and page numbers do."""
        return not _EDGE * self.height < self.y < (1 - _EDGE) * self.height


def lines_of(pages: Iterable[Page]) -> list[Line]:
    """Return the lines of the text, page by page."""
    found = [line for page in pages for line in _numbered_off(list(_page_lines(page)))]
    heads = _running_heads(found)
    places: dict[int, list[float]] = {}
    for line in found:
        places.setdefault(line.page, []).append(line.y)
    ends = {page: (min(ys), max(ys)) for page, ys in places.items()}
    return [x for x in found if not _is_furniture(x, heads, ends[x.page])]


def _page_lines(page: Page) -> Iterator[Line]:
    pieces = _in_columns(page)
    if pieces is None:
        yield from _drawn(page)
        return
    held: list[Piece] = []
    for piece in pieces:
        if held and abs(held[-1].y - piece.y) > piece.size / 2:
            yield from _line(" ".join(p.text.strip() for p in held), held, page)
            held = []
        held.append(piece)
    yield from _line(" ".join(p.text.strip() for p in held), held, page)


def _drawn(page: Page) -> Iterator[Line]:
    text, held = "", list[Piece]()
    for piece in page.pieces:
        first, *others = piece.text.split("\n")
        text += first
        if first.strip():
            held.append(piece)
        for other in others:
            yield from _line(text, held, page)
            text, held = other, [piece] if other.strip() else []
    yield from _line(text, held, page)


def _line(text: str, pieces: Sequence[Piece], page: Page) -> Iterator[Line]:
    plain = " ".join(text.split())
    if not plain or not pieces:
        return
    letters = Counter[tuple[float, bool]]()
    for piece in pieces:
        kind = (round(piece.size, 1), bool(_BOLD.search(piece.font)))
        letters[kind] += len(piece.text.strip())
    ((_, bold), _), *_ = letters.most_common(1)
    yield Line(
        text=plain,
        page=page.number,
        x=pieces[0].x,
        y=pieces[0].y,
        size=max(size for size, _ in letters),
        bold=bold,
        height=page.height,
    )


def _in_columns(page: Page) -> list[Piece] | None:
    """Return the pieces column by column, where they were drawn across both."""
    pieces = [piece for piece in page.pieces if piece.text.strip()]
    middle = page.width / 2
    if not _alternates(pieces, middle):
        return None
    ordered: list[Piece] = []
    columns: tuple[list[Piece], list[Piece]] = ([], [])
    for piece in pieces:
        if _crosses(piece, middle):
            # what goes over both ends the columns above it
            ordered += [*columns[0], *columns[1], piece]
            columns = ([], [])
        else:
            columns[piece.x >= middle * _RIGHT].append(piece)
    return [*ordered, *columns[0], *columns[1]]


def _alternates(pieces: Sequence[Piece], middle: float) -> bool:
    """Say whether two columns, each with an edge of its own, were drawn in turns."""
    sides = [piece.x >= middle * _RIGHT for piece in pieces]
    edges = []
    for side in (False, True):
        places = [
            round(p.x)
            for p, is_right in zip(pieces, sides, strict=True)
            if is_right is side
        ]
        edge, count = Counter(places).most_common(1)[0] if places else (0, 0)
        if count < _MANY or count * 2 < len(places):
            return False
        edges.append(edge)
    turned = [round(piece.x) == edges[1] for piece in pieces if round(piece.x) in edges]
    return sum(one != other for one, other in pairwise(turned)) >= _MANY


def _crosses(piece: Piece, middle: float) -> bool:
    end = piece.x + len(piece.text.strip()) * piece.size * _WIDTH
    return piece.x < middle * 0.9 and end > middle * 1.15


def _numbered_off(lines: list[Line]) -> list[Line]:
    """Leave out numbers of lines, as in papers under review."""
    numbers = [line for line in lines if line.text.isdigit()]
    places = Counter(round(line.x) for line in numbers)
    margins = {x for x, count in places.items() if count >= _MANY}
    return [x for x in lines if not (x.text.isdigit() and round(x.x) in margins)]


def _running_heads(lines: Sequence[Line]) -> set[str]:
    """Return what stands at the edge of several pages, numbers apart."""
    found = Counter(
        key for key, _ in {(_key(line), line.page) for line in lines if line.at_edge}
    )
    pages = len({line.page for line in lines})
    least = 2 if pages < _MANY else 3
    return {key for key, count in found.items() if count >= least}


def _key(line: Line) -> str:
    return _NUMBERS.sub("0", line.text.casefold())


def _is_furniture(line: Line, heads: set[str], ends: tuple[float, float]) -> bool:
    """Say whether a line is no text; `ends` are the lowest and highest of its page."""
    number = _ONLY_NUMBER.fullmatch(line.text) or _ROMAN.fullmatch(line.text)
    if line.at_edge:
        return bool(number) or _key(line) in heads
    return bool(number) and line.y in ends
