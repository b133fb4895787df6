"""What is read from a paper, a page or a file: its parts in order, as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loopgraph_git.records.texts import HIDDEN

DocumentKind = Literal["latex", "pdf", "markdown", "text", "code"]


@dataclass(frozen=True)
class Section:
    """A part with a heading; `level` 1 is the highest, 0 has none of its own.

    `text` is paragraphs with a blank line between them; a paragraph that begins
    with three backticks, or with two dollar signs, is code or a formula and ends with
    the same. `place` says where it stands: `3.2 Learning rate`, or
    `train.py:MLP.forward`. `kind` is text, abstract, caption or code.
    """

    title: str
    level: int
    text: str
    place: str
    kind: str = "text"


@dataclass(frozen=True)
class Document:
    """A paper, page or repository as text; `left_out` says what was not read, and why.

    `year` is None where the document does not say.
    """

    title: str
    authors: str
    year: int | None
    abstract: str
    sections: tuple[Section, ...]
    kind: DocumentKind
    left_out: tuple[str, ...] = ()


def clean(text: str) -> str:
    """Return a text with plain newlines and without what cannot be seen."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return HIDDEN.sub("", plain)


def placed(number: str, title: str) -> str:
    """Return the place of a section: its number, where it has one, and its title."""
    return f"{number} {title}".strip()
