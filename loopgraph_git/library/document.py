"""Any file of knowledge as a document: what it is, is told by its content.

What a server or a person calls a file is a hint at most: an e-print of arXiv may be
a tarball, a single gzipped file or a PDF under the same address.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.markdown import read_markdown, read_text
from loopgraph_git.library.section import Document, Section

__all__ = ["Document", "Section", "read_document"]

_MARKDOWN_NAMES = (".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd")
_MARKDOWN = re.compile(r"^(?:#{1,6} \S|```|~~~)", re.MULTILINE)
_PAGE = re.compile(r"\s*(?:<!doctype html|<html|<\?xml)", re.IGNORECASE)


def read_document(data: bytes, name: str) -> Document:
    """Return what a file says, whatever it is.

    Raises DocumentError where there is no text in it that we can read.
    """
    if not data.strip():
        raise DocumentError(f"{name} is empty: nothing to read in it")
    text = decoded(data, name)
    if _PAGE.match(text):
        raise DocumentError(
            f"{name} is a web page, not a document: "
            "save it as Markdown or text, or give the PDF or the LaTeX source"
        )
    if name.lower().endswith(_MARKDOWN_NAMES) or _MARKDOWN.search(text):
        return read_markdown(text, PurePath(name).name)
    return read_text(text, PurePath(name).name)


def decoded(data: bytes, name: str) -> str:
    """Return the text of a file; raises DocumentError where it is not text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        raise DocumentError(
            f"{name} is not text: give a PDF, LaTeX, Markdown or a plain text file"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
