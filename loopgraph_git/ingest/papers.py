"""A paper of arXiv, read from the best that can be had.

That is the source its authors sent in, then the PDF, then the abstract; what was tried
and why it was no use is said in the entry.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import AbsentError, DocumentError
from loopgraph_git.library.document import read_document
from loopgraph_git.library.section import Document

if TYPE_CHECKING:
    from loopgraph_git.library.arxiv import Arxiv, Entry
    from loopgraph_git.library.fetch import Answer

ABSTRACT = "abstract"


class Text(NamedTuple):
    """A paper's text, what it was read from, and why from nothing better.

    `file` is the name of what was fetched; an abstract comes without a file.
    """

    document: Document
    how: str
    why: str = ""
    file: str = ""
    answer: Answer | None = None


def full_text(arxiv: Arxiv, entry: Entry) -> Text:
    """Return the text of a paper; raises FetchError where asking again may help."""
    why = []
    for name, get in (("source", arxiv.source), ("paper.pdf", arxiv.pdf)):
        try:
            answer = get(entry.id)
            document = read_document(answer.data, name)
        except (AbsentError, DocumentError) as error:
            why.append(str(error))
            continue
        found = _named(document, entry)
        return Text(found, document.kind, "; ".join(why), name, answer)
    return Text(_named(_bare(entry), entry), ABSTRACT, "; ".join(why))


def _named(document: Document, entry: Entry) -> Document:
    """Return a document with the title, authors and abstract that arXiv has."""
    return replace(
        document,
        title=entry.paper.title,
        authors=entry.paper.authors,
        year=entry.paper.year,
        abstract=entry.abstract or document.abstract,
    )


def _bare(entry: Entry) -> Document:
    return Document(
        title=entry.paper.title,
        authors=entry.paper.authors,
        year=entry.paper.year,
        abstract=entry.abstract,
        sections=(),
        kind="text",
    )
