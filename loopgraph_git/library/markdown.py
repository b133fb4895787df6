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
_LINE = re.compile(
    r"\*\*(authors?|date|year)(?::\*\*|\*\*:)[ \t]*(.+)\Z", re.IGNORECASE
)
_HTML_TITLE = re.compile(r"<h1\b[^>]*>(.{1,300}?)</h1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]{0,300}>")
_NAME = re.compile(r"[ \t]*-[ \t]+(?:name:[ \t]*)?([^:]+)\Z|[ \t]+name:[ \t]*(.+)\Z")
_NOTE = re.compile(r"\^\[[^\]]*\]|\s#.*")
_BESIDE = re.compile(r" \(| -|\^\[|\s#")
_BLOCK = re.compile(r"[|>][-+]?\Z")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def read_markdown(text: str, name: str) -> Document:
    """Return Markdown as a document; the title is its first heading, or the name."""
    fields, lines = _front_matter(clean(text).split("\n"))
    sections = tuple(_sections(lines))
    fields = {**_said_on_top(sections), **fields}
    first = next((part.title for part in sections if part.level == 1), "")
    title = fields.get("title") or _html_title(sections) or first
    title = title or next((part.title for part in sections), "")
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
    """Part the YAML block at the top from the text; only what is plain in it is read."""
    if not lines or lines[0].rstrip() != _FRONT:
        return {}, lines
    ends = (n for n, line in enumerate(lines[:_FRONT_LINES]) if n and _ends(line))
    end = next(ends, 0)
    if not end or not any(_FIELD.match(line) for line in lines[1:end]):
        return {}, lines
    found: dict[str, list[str]] = {}
    below: list[str] = []
    for line in lines[1:end]:
        if field := _FIELD.match(line):
            below = found.setdefault(field[1].lower(), [])
            below.append(field[2].strip())
        else:
            below.append(line)
    return {name: _value(name, *value) for name, value in found.items()}, lines[
        end + 1 :
    ]


def _value(name: str, first: str, *below: str) -> str:
    """Return what a field says: on its line, in a block below, or name by name."""
    if name in ("author", "authors"):
        listed = first.strip("[]").split(",") if first.startswith("[") else [first]
        named = (_NAME.match(_NOTE.sub("", line).rstrip()) for line in below)
        names = [*listed, *(m[1] or m[2] for m in named if m)]
        plain = (_NOTE.sub("", each).strip().strip("\"'") for each in names)
        return ", ".join(each for each in plain if each)
    if _BLOCK.match(first):
        return " ".join(line.strip() for line in below).strip()
    return first.strip("\"'")


def _said_on_top(sections: Sequence[Section]) -> dict[str, str]:
    """Return what bold words say before the second heading: `**Authors:** ...`."""
    top = sections[: 1 if sections and sections[0].title else 2]
    lines = (line for part in top for line in part.text.split("\n"))
    found = (_LINE.match(line.strip()) for line in lines)
    return {m[1].lower(): _BESIDE.split(m[2])[0].strip() for m in found if m}


def _html_title(sections: Sequence[Section]) -> str:
    top = sections[0].text if sections and not sections[0].title else ""
    found = _HTML_TITLE.search(top)
    return " ".join(_TAG.sub(" ", found[1]).split()) if found else ""


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
