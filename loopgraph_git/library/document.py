"""Any file of knowledge as a document: what it is, is told by its content.

What a server or a person calls a file is a hint at most: an e-print of arXiv may be
a tarball, a single gzipped file or a PDF under the same address.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.latex import read_latex
from loopgraph_git.library.markdown import read_markdown, read_text
from loopgraph_git.library.pdf import read_pdf
from loopgraph_git.library.section import Document, Section
from loopgraph_git.library.unpack import (
    is_gzip,
    is_tar,
    is_zip,
    unpacked,
    unpacked_zip,
    unzipped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Document", "Section", "read_document", "read_files"]

_TEX_NAMES = (".tex", ".ltx", ".latex")
_MARKDOWN_NAMES = (".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd")
_MARKDOWN = re.compile(r"^(?:#{1,6} \S|```|~~~)", re.MULTILINE)
_TEX = re.compile(r"^[^%\n]{0,80}\\(?:document(?:class|style)\b|begin\{)", re.MULTILINE)
_PAGE = re.compile(r"\s*(?:<!doctype html|<html|<\?xml)", re.IGNORECASE)
_SEVEN_ZIP = b"7z\xbc\xaf"


def read_document(data: bytes, name: str) -> Document:
    """Return what a file says: LaTeX, gzipped, in a tarball or plain; PDF; Markdown.

    Raises DocumentError where there is no text in it that we can read.
    """
    if not data.strip():
        raise DocumentError(f"{name} is empty: nothing to read in it")
    if _is_pdf(data):
        return read_pdf(data, name)
    if is_gzip(data):
        data = unzipped(data, name)
        if not is_tar(data):
            return read_document(data, re.sub(r"\.gz\Z", "", name))
    if is_tar(data) or is_zip(data):
        found = unpacked_zip(data, name) if is_zip(data) else unpacked(data, name)
        return _with_left_out(read_files(found.files, name), found.left_out)
    return _read_text(data, name)


def read_files(files: Mapping[str, bytes], name: str) -> Document:
    """Return the paper that a folder or an archive holds.

    Its LaTeX, else the one file that can be read. Raises DocumentError where there is
    none, or more than one.
    """
    if any(path.lower().endswith(_TEX_NAMES) or _is_tex(files[path]) for path in files):
        return read_latex(files, name)
    readable = [
        path
        for path in files
        if path.lower().endswith(_MARKDOWN_NAMES) or _is_pdf(files[path])
    ]
    if len(readable) == 1:
        return read_document(files[readable[0]], readable[0])
    raise DocumentError(
        f"{name} has no LaTeX in it, and not just one other document: "
        "give the file that you mean"
    )


def _with_left_out(document: Document, left_out: tuple[str, ...]) -> Document:
    return replace(document, left_out=(*left_out, *document.left_out))


def _read_text(data: bytes, name: str) -> Document:
    text = decoded(data, name)
    last = PurePath(name).name
    if _PAGE.match(text):
        raise DocumentError(
            f"{name} is a web page, not a document: "
            "save it as Markdown or text, or give the PDF or the LaTeX source"
        )
    if name.lower().endswith(_TEX_NAMES):
        return read_latex({last: data}, name)
    if name.lower().endswith(_MARKDOWN_NAMES):
        return read_markdown(text, last)
    if _is_tex(data):
        return read_latex({last: data}, name)
    if _MARKDOWN.search(text):
        return read_markdown(text, last)
    return read_text(text, last)


def _is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:1024]


def _is_tex(data: bytes) -> bool:
    return bool(_TEX.search(data[:20_000].decode("latin-1")))


def decoded(data: bytes, name: str) -> str:
    """Return the text of a file; raises DocumentError where it is not text."""
    if data.startswith(_SEVEN_ZIP):
        raise DocumentError(f"{name} is a 7z archive: unpack it, and give the folder")
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
