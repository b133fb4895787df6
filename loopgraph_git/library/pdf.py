"""PDF as sections, by pypdf: words in reading order, without what each page repeats.

What others made may be damaged, locked, without text, or made to take for ever: the
pages, the bytes and the seconds are bounded, and every failure is the one error.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import time
import unicodedata
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.pdf_lines import Page, Piece, lines_of
from loopgraph_git.library.pdf_sections import Read, plain_title, read_lines
from loopgraph_git.library.section import Document, clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypdf import PdfReader

PAGE_LIMIT = 400
SIZE_LIMIT = 64 << 20
SECONDS_LIMIT = 60.0
"""How much of a PDF is read: pages, bytes, and seconds."""

_PIECES_LIMIT = 200_000
_CONTENT_LIMIT = 20 << 20
_TOO_LARGE = "its drawing is too large"
_OUTLINE_DEPTH = 6
_STAMP = re.compile(r"arXiv:\S+\s+\[[\w.-]+\]\s+\d{1,2}\s+\w{3,9}\s+(\d{4})")
_DATED = re.compile(
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+"
    r"(?:\d{1,2},?\s+)?((?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(
    r"untitled|microsoft word|\.(?:dvi|tex|docx?|pdf)\Z", re.IGNORECASE
)
_ACCENTS = {
    "\u00a8": "\u0308", "\u00b4": "\u0301", "\u00af": "\u0304", "\u00b8": "\u0327",
    "\u02c6": "\u0302", "\u02c7": "\u030c", "\u02d8": "\u0306", "\u02d9": "\u0307",
    "\u02da": "\u030a", "\u02dc": "\u0303", "\u02dd": "\u030b",
}  # fmt: skip
_DRAWN_ACCENT = re.compile(rf"([{''.join(_ACCENTS)}])([A-Za-z\u0131\u0237])")
_JOINT = re.compile(r"\s*(?:,|;| and )\s*")


def read_pdf(data: bytes, name: str, *, seconds: float = SECONDS_LIMIT) -> Document:
    """Return what a PDF says, as far as it can be read in so many seconds.

    Raises DocumentError where it is damaged, locked or has no text in it.
    """
    if len(data) > SIZE_LIMIT:
        raise DocumentError(
            f"{name} is larger than {SIZE_LIMIT >> 20} MB: "
            "give its LaTeX source, or the part of it that you mean"
        )
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        return _Pdf(data, name, seconds).document()
    except _failures() as error:
        raise DocumentError(
            f"{name} cannot be read as a PDF ({_said_by(error)}): "
            "fetch it again, or give its LaTeX source"
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """Return all that pypdf raises on what is damaged."""
    from pypdf.errors import DependencyError, DeprecationError, PyPdfError  # noqa: PLC0415

    damaged = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError)
    limits = (MemoryError, RuntimeError, TypeError, ValueError)
    formats = (struct.error, zlib.error)
    return (PyPdfError, DependencyError, DeprecationError, *damaged, *limits, *formats)


def _said_by(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


class _TooLong(Exception):  # noqa: N818  it ends a page, and is no error
    """The time for this PDF is up."""


class _Drawn:
    """What one page draws, until the time is up or it is too much.

    `turned` is text that runs up the side, as the stamp of arXiv does.
    """

    def __init__(self, until: float) -> None:
        self._until = until
        self.pieces: list[Piece] = []
        self.turned: list[str] = []
        self.late = False

    def text(
        self, text: str, matrix: list[float], place: list[float], font: Any, size: float
    ) -> None:
        """Take a text that was drawn."""
        if not text or self.late:
            return
        if piece := _piece(text, matrix, place, font, size):
            self.pieces.append(piece)
        else:
            self.turned.append(_readable(text))
        self.late = len(self.pieces) > _PIECES_LIMIT

    def step(self, *_: object) -> None:
        """End a page that takes too long."""
        self.late = self.late or time.monotonic() > self._until
        if self.late:
            # pypdf goes on after what a drawing within a drawing raises
            raise _TooLong


class _Pdf:
    """One PDF while it is read."""

    def __init__(self, data: bytes, name: str, seconds: float) -> None:
        from pypdf import PdfReader  # noqa: PLC0415  costs 150 ms

        self._name = name
        self._until = time.monotonic() + seconds
        self._reader = PdfReader(io.BytesIO(data), strict=False)
        self._left_out: list[str] = []
        self._turned: list[str] = []
        self._late = False
        self._unlock(self._reader)

    def _unlock(self, reader: PdfReader) -> None:
        """Open what needs no password; raises DocumentError for the rest."""
        if not reader.is_encrypted:
            return
        try:
            opened = bool(reader.decrypt(""))
        except _failures():
            opened = False
        if not opened:
            raise DocumentError(
                f"{self._name} is locked by a password: "
                "save it without one, or give its LaTeX source"
            )

    def document(self) -> Document:
        pages = list(self._pages())
        lines = lines_of(pages)
        if not any(char.isalpha() for line in lines for char in line.text):
            raise self._without_text()
        found = read_lines(lines, dict(self._outline()))
        return Document(
            title=self._title(found) or self._name,
            authors=self._authors(found),
            year=_year_of(pages, "".join(self._turned)),
            abstract=found.abstract,
            sections=found.sections,
            kind="pdf",
            left_out=tuple(self._left_out),
        )

    def _without_text(self) -> DocumentError:
        if self._left_out:
            return DocumentError(
                f"{self._name} has no text that can be read ({self._left_out[0]}): "
                "give its LaTeX source"
            )
        return DocumentError(
            f"{self._name} has no text in it, only pictures of pages: "
            "run text recognition on it first, or give its LaTeX source"
        )

    def _pages(self) -> Iterator[Page]:
        total = len(self._reader.pages)
        for number in range(min(total, PAGE_LIMIT)):
            try:
                yield self._page(number)
            except _failures() as error:
                self._left_out.append(f"page {number + 1}: {_said_by(error)}")
            if self._late:
                self._left_out.append(f"from page {number + 1} on: it takes too long")
                return
        if total > PAGE_LIMIT:
            self._left_out.append(f"pages from {PAGE_LIMIT + 1} on: too many")

    def _page(self, number: int) -> Page:
        page = self._reader.pages[number]
        content = page.get_contents()
        if content is not None and len(content.get_data()) > _CONTENT_LIMIT:
            raise ValueError(_TOO_LARGE)
        drawn = _Drawn(self._until)
        with suppress(_TooLong):
            page.extract_text(
                visitor_text=drawn.text, visitor_operand_before=drawn.step
            )
        self._late = drawn.late
        if number == 0:
            self._turned = drawn.turned
        box = page.mediabox
        size = float(box.width), float(box.height)
        return Page(number + 1, *size, tuple(drawn.pieces))

    def _outline(self) -> Iterator[tuple[str, int]]:
        """Yield the titles of the file's own table of contents, and their levels."""
        try:
            found = self._reader.outline
        except _failures():
            return
        yield from _levels(found, 1)

    def _title(self, found: Read) -> str:
        given = self._said("/Title")
        seen = plain_title(found.title)
        if given and not _NO_TITLE.search(given) and plain_title(given) != seen:
            return given if not seen else found.title
        return found.title or given

    def _authors(self, found: Read) -> str:
        given = self._said("/Author")
        names = _JOINT.split(given or (found.front[0] if found.front else ""))
        return ", ".join(name.strip(" *\u2020\u2021") for name in names if name.strip())

    def _said(self, key: str) -> str:
        try:
            said = self._reader.metadata
            value = said.get(key) if said else None
        except _failures():
            return ""
        return _readable(str(value)).strip() if value else ""


def _levels(items: Iterable[Any], level: int) -> Iterator[tuple[str, int]]:
    if level > _OUTLINE_DEPTH:
        return
    for item in items:
        if isinstance(item, list):
            yield from _levels(item, level + 1)
        elif title := plain_title(_readable(str(item.get("/Title", "")))):
            yield title, level


def _piece(
    text: str, matrix: list[float], place: list[float], font: Any, size: float
) -> Piece | None:
    """Return a text where it stands, or None where it is turned."""
    if abs(place[1]) > abs(place[0]):
        return None
    scale = (place[0] ** 2 + place[1] ** 2) ** 0.5 * (
        matrix[0] ** 2 + matrix[1] ** 2
    ) ** 0.5
    x = place[4] * matrix[0] + place[5] * matrix[2] + matrix[4]
    y = place[4] * matrix[1] + place[5] * matrix[3] + matrix[5]
    name = str(font.get("/BaseFont", "")) if font else ""
    return Piece(_readable(text), x, y, abs(size) * scale or 1.0, name)


def _readable(text: str) -> str:
    """Return a text with ligatures, styled letters and drawn accents as plain ones."""
    joined = _DRAWN_ACCENT.sub(_accented, text)
    return clean(unicodedata.normalize("NFKC", joined))


def _accented(found: re.Match[str]) -> str:
    """Put a letter below the accent that was drawn before it, as old TeX fonts do."""
    letter = {"\u0131": "i", "\u0237": "j"}.get(found[2], found[2])
    return letter + _ACCENTS[found[1]]


def _year_of(pages: list[Page], stamp: str) -> int | None:
    first = "".join(piece.text for piece in pages[0].pieces) if pages else ""
    found = _STAMP.search(stamp) or _DATED.search(first[:3000])
    return int(found[1]) if found else None
