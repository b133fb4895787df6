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

ABSTRACT = "abstract"


class Text(NamedTuple):
    """A paper's text, what it was read from, why from nothing better, and the bytes.

    `left_out` says what was not read. `data` is empty for an abstract.
    """

    document: Document
    how: str
    why: str = ""
    name: str = ""
    url: str = ""
    data: bytes = b""


def full_text(arxiv: Arxiv, entry: Entry) -> Text:
    """Return the text of a paper; raises FetchError where asking again may help."""
    why = []
    for name, get, url in (
        ("source", arxiv.source, f"https://arxiv.org/e-print/{entry.id}"),
        ("paper.pdf", arxiv.pdf, f"https://arxiv.org/pdf/{entry.id}"),
    ):
        try:
            data = get(entry.id)
            document = read_document(data, name)
        except (AbsentError, DocumentError) as error:
            why.append(str(error))
            continue
        return Text(_named(document, entry), document.kind, "; ".join(why), name, url, data)  # fmt: skip
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
