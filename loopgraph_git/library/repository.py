"""A repository as a document: its README, its pages, its Python by definition.

What is worth reading is told by name and size, so that no more is fetched from the
object store than that. Nothing of it is imported or run.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.markdown import read_markdown
from loopgraph_git.library.python_text import sections_of_python
from loopgraph_git.library.section import Document, Section, clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopgraph_git.library.section import DocumentKind

FILE_LIMIT = 512 << 10
FILES_LIMIT = 5_000
"""How large a file may be, in bytes, and how many are read of one repository."""

_PAGES = (".md", ".markdown", ".rst", ".txt")
_README = re.compile(r"readme(?:\.(?:md|markdown|rst|txt))?\Z", re.IGNORECASE)
_LICENSE = re.compile(r"(?:licen[cs]e|copying)(?:\.(?:md|txt|rst))?\Z", re.IGNORECASE)
_OTHERS = frozenset(
    [
        "node_modules",
        "third_party",
        "vendor",
        "vendored",
        "site-packages",
        ".git",
        ".github",
        ".venv",
        "venv",
        "build",
        "dist",
        "__pycache__",
        ".tox",
        ".eggs",
    ]
)
_KIND: DocumentKind = "code"


def is_readable(path: str, size: int) -> bool:
    """Say whether a file of a repository is worth reading, by its path and size."""
    parts = PurePosixPath(path).parts
    if not parts or size > FILE_LIMIT or _OTHERS & set(parts):
        return False
    name = parts[-1]
    if len(parts) == 1 and (_README.match(name) or _LICENSE.match(name)):
        return True
    if name.lower().endswith(_PAGES):
        page = name.lower().endswith(_PAGES[:3])
        return bool(_README.match(name)) or (page and not name.startswith("."))
    return name.endswith(".py")


def chosen(sizes: Mapping[str, int]) -> tuple[list[str], tuple[str, ...]]:
    """Return which files to read, in order, and what is left out of what could be."""
    readable = [path for path, size in sizes.items() if is_readable(path, size)]
    large = [
        f"{path}: larger than {FILE_LIMIT >> 10} kB"
        for path, size in sizes.items()
        if size > FILE_LIMIT and is_readable(path, 0)
    ]
    ordered = sorted(readable, key=_order)
    more = len(ordered) - FILES_LIMIT
    rest = [f"{more} files: more than {FILES_LIMIT}"] if more > 0 else []
    return ordered[:FILES_LIMIT], (*large, *rest)


def read_repository(
    files: Mapping[str, bytes], name: str, *, left_out: Iterable[str] = ()
) -> Document:
    """Return the files of a repository as one document, the README first.

    Raises DocumentError where there is nothing in them that we read.
    """
    sections: list[Section] = []
    for path in sorted(files, key=_order):
        sections += sections_of_file(path, files[path])
    if not sections:
        raise DocumentError(
            f"{name} has no README, no Markdown and no Python in it: "
            "give the file that you mean"
        )
    return Document(
        title=name,
        authors="",
        year=None,
        abstract="",
        sections=tuple(sections),
        kind=_KIND,
        left_out=tuple(left_out),
    )


def sections_of_file(path: str, data: bytes) -> list[Section]:
    """Return the sections of one file; they depend on its path and content alone."""
    text = clean(data.decode("utf-8-sig", "replace"))
    name = PurePosixPath(path).name
    if not text.strip() or b"\0" in data:
        return []
    if name.endswith(".py"):
        return sections_of_python(text, path)
    if _LICENSE.match(name):
        return [Section("License", 1, _license(text), path)]
    page = read_markdown(text, name)
    return [_in_file(part, path) for part in page.sections]


def _in_file(part: Section, path: str) -> Section:
    place = f"{path}: {part.place}" if part.place else path
    return replace(part, title=part.title or path, place=place)


def _license(text: str) -> str:
    """Return the name of a licence: what it says before its terms."""
    lines = [line.strip(" #*=") for line in text.split("\n")]
    return "\n".join([line for line in lines if line][:3])[:300]


def _order(path: str) -> tuple[bool, bool, bool, str]:
    name = PurePosixPath(path).name
    top = "/" not in path
    return (
        not (top and _README.match(name)),
        not (top and _LICENSE.match(name)),
        name.endswith(".py"),
        path,
    )
