"""Markdown and plain text as sections: headings part them, code stays whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.library.section import Document, Section, clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\Z")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)\Z")
_FIELD = re.compile(r"([A-Za-z_-]+):[ \t]*(.*)\Z")
_NOT_PROSE = re.compile(r" {4}|\t| {0,3}(?:[-*+>|]|\d+[.)]\s)")
_FRONT = "---"
_FRONT_LINES = 200
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def read_markdown(text: str, name: str) -> Document:
    """Return Markdown as a document; the title is its first heading, or the name."""
    fields, lines = _front_matter(clean(text).split("\n"))
    sections = tuple(_sections(lines))
    first = next((part.title for part in sections if part.level == 1), "")
    title = fields.get("title") or first or next((s.title for s in sections), "")
    year = _YEAR.search(fields.get("date", "") or fields.get("year", ""))
    return Document(
        title=title or name,
        authors=fields.get("authors") or fields.get("author", ""),
        year=int(year[0]) if year else None,
        abstract=fields.get("abstract") or fields.get("description", ""),
        sections=sections,
        kind="markdown",
    )


def read_text(text: str, name: str) -> Document:
    """Return plain text as a document of one section, named after its file."""
    body = clean(text).strip()
    section = Section(title=name, level=0, text=body, place=name)
    return Document(
        title=name,
        authors="",
        year=None,
        abstract="",
        sections=(section,) if body else (),
        kind="text",
    )


def _front_matter(lines: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    """Part the YAML block at the top from the text; only its plain lines are read."""
    if not lines or lines[0].rstrip() != _FRONT:
        return {}, lines
    ends = (n for n, line in enumerate(lines[:_FRONT_LINES]) if n and _ends(line))
    end = next(ends, 0)
    if not end or not any(_FIELD.match(line) for line in lines[1:end]):
        return {}, lines
    found = (_FIELD.match(line) for line in lines[1:end])
    fields = {m[1].lower(): m[2].strip().strip("\"'") for m in found if m}
    return fields, lines[end + 1 :]


def _ends(line: str) -> bool:
    return line.rstrip() in ("---", "...")


def _sections(lines: Sequence[str]) -> Iterator[Section]:
    title, level = "", 0
    body: list[str] = []
    for kind, line in _marked(lines):
        if kind:
            if title or _trimmed(body):
                yield Section(title, level, _trimmed(body), title)
            title, level, body = line, kind, []
        else:
            body.append(line)
    if title or _trimmed(body):
        yield Section(title, level, _trimmed(body), title)


def _trimmed(body: Sequence[str]) -> str:
    return "\n".join(body).strip("\n").rstrip()


def _marked(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield (level, title) of headings, and (0, line) of everything else."""
    fence = ""
    held: str | None = None
    for line in lines:
        fenced = _FENCE.match(line)
        under = _UNDERLINE.match(line)
        if held is not None and not fence and under and not _NOT_PROSE.match(held):
            yield (1 if "=" in line else 2), held.strip()
            held = None
            continue
        if held is not None:
            yield 0, held
        heading = None if fence else _HEADING.match(line)
        if fenced:
            fence = _after(fence, fenced)
        held = None if heading else line
        if heading:
            yield len(heading[1]), (heading[2] or "").strip()
        elif not line.strip():
            yield 0, line
            held = None
    if held is not None:
        yield 0, held


def _after(fence: str, found: re.Match[str]) -> str:
    """Return the fence that is open after a line of backticks or tildes."""
    if not fence:
        return found[1]
    closes = found[1].startswith(fence) and not found[2].strip()
    return "" if closes else fence
