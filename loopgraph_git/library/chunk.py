"""A document as passages of about a thousand characters, the size that is searched.

A passage never reaches over a section, so that its place is right. Paragraphs are
packed whole, long ones by sentences; code and formulas are cut only where they are
far too long, and then between lines. Every word is kept, in order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.records import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.library.section import Document, Section

SIZE = 1000
"""How many characters a passage aims at."""

SOLID_LIMIT = 2000
"""How long code or a formula may be and still stay whole."""

# quotation marks of all shapes may stand around a sentence
_SENTENCE = re.compile(
    r"(?<=[.!?])[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018]?[A-Z0-9$\\])"
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,}|\$\$)")


def chunks_of_document(document: Document, paper: str) -> list[Chunk]:
    """Return the passages of a document, the abstract first, numbered from 0."""
    return [
        Chunk(paper=paper, ord=ord_, title=title, body=body, kind=kind, place=place)
        for ord_, (title, body, kind, place) in enumerate(_passages(document))
    ]


def _passages(document: Document) -> Iterator[tuple[str, str, str, str]]:
    for body in packed(document.abstract):
        yield document.title, body, "abstract", "Abstract"
    for section in document.sections:
        title = section.title or document.title
        for body in _bodies(section):
            yield title, body, section.kind, section.place


def _bodies(section: Section) -> list[str]:
    if section.kind == "code":
        return [piece.strip("\n") for piece in _by_lines(section.text, SOLID_LIMIT)]
    return packed(section.text)


def packed(text: str) -> list[str]:
    """Return a text as passages: paragraphs together while there is room."""
    found: list[str] = []
    held = ""
    for piece, joint in _pieces(text):
        if held and len(held) + len(piece) + len(joint) > SIZE:
            found.append(held)
            held = ""
        held = f"{held}{joint}{piece}" if held else piece
    return [*found, held] if held else found


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield what may not be torn, each with what joins it to what came before."""
    for block, solid in blocks(text):
        limit = SOLID_LIMIT if solid else SIZE
        if len(block) <= limit:
            parts = [block]
        elif solid:
            parts = list(_by_lines(block, SIZE))
        else:
            parts = list(_by_sentences(block))
        for number, part in enumerate(parts):
            yield part, "\n\n" if number == 0 else ("\n" if solid else " ")


def blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the paragraphs of a text, and whether each is code or a formula."""
    held: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            held.append(line)
            if line.strip().endswith(fence):
                yield "\n".join(held), True
                held, fence = [], ""
        elif mark and not line.strip().endswith(mark[1], len(mark[1])):
            yield from _paragraph(held)
            held, fence = [line], mark[1]
        elif not line.strip():
            yield from _paragraph(held)
            held = []
        else:
            held.append(line)
    yield from _paragraph(held)


def _paragraph(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    text = "\n".join(lines).rstrip()
    if text.strip():
        yield text, bool(_FENCE.match(text))


def _by_sentences(text: str) -> Iterator[str]:
    start = 0
    for found in _SENTENCE.finditer(text):
        yield from _by_words(text[start : found.end()].strip())
        start = found.end()
    yield from _by_words(text[start:].strip())


def _by_words(text: str) -> Iterator[str]:
    """Cut a sentence that is too long between words, a word that is, anywhere."""
    while len(text) > SIZE:
        cut = max(text.rfind(" ", 0, SIZE), text.rfind("\n", 0, SIZE))
        cut = cut if cut > 0 else SIZE
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text


def _by_lines(text: str, limit: int) -> Iterator[str]:
    held = ""
    for line in text.split("\n"):
        if held and len(held) + len(line) > limit:
            yield held
            held = ""
        held = f"{held}\n{line}" if held else line
        while len(held) > limit:
            cut = held.rfind(" ", 1, limit)
            cut = cut if cut > 0 else limit
            yield held[:cut]
            held = held[cut:]
    if held.strip():
        yield held
