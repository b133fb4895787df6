"""Lines as sections: which of them are headings.

A heading is told by its number and its type together, by the outline of the file, or
by a name that papers give their parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loopgraph_git.library.pdf_paragraphs import (
    SENTENCE_END,
    Words,
    body_size,
    paragraphs,
)
from loopgraph_git.library.section import Section, placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.library.pdf_lines import Line

_NUMBER = re.compile(
    r"(?P<number>(?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3}|[IVX]{1,5}(?=\.))\.?\s+(?P<title>\S.*)"
)
_APPENDIX = re.compile(
    r"appendix\s+(?P<number>[A-Z])[.:]?\s+(?P<title>\S.*)", re.IGNORECASE
)
_NAMES = frozenset(
    [
        "abstract",
        "introduction",
        "references",
        "bibliography",
        "acknowledgments",
        "acknowledgements",
        "acknowledgment",
        "acknowledgement",
        "appendix",
        "conclusion",
        "conclusions",
        "discussion",
        "background",
        "method",
        "methods",
        "results",
        "experiments",
        "summary",
        "limitations",
    ]
) | {
    "table of contents",
    "related work",
    "broader impact",
    "future work",
    "impact statement",
}
_REFERENCES = frozenset(("references", "bibliography"))
_RUN_IN = re.compile(r"abstract\s*[\u2014\u2013.:-]+\s*", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]")
_ENTRY = re.compile(r"[\s.\u2026]\d{1,4}\Z")
_LONGEST = 120
_FRONT = 300
_LARGER = 1.12
_SURE = 3


@dataclass(frozen=True)
class Heading:
    """What a line says as a heading; `level` 1 is the highest.

    `look` is its size and weight, where only those told that it is one.
    """

    number: str
    title: str
    level: int
    look: tuple[float, bool] | None = None


@dataclass
class _Part:
    heading: Heading
    lines: list[Line] = field(default_factory=list)
    # the heading as it stands on the page
    head: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Read:
    """What lines say: the title and the abstract apart from the sections."""

    title: str
    front: tuple[str, ...]
    abstract: str
    sections: tuple[Section, ...]


def read_lines(lines: Sequence[Line], outline: Mapping[str, int]) -> Read:
    """Return the sections of a text; `outline` is the level of each title in it."""
    body = body_size(lines)
    title, rest = _title(lines, body)
    parts = _parts(rest, body, outline)
    words = Words(line.text for line in lines)
    front, abstract, sections = tuple[str, ...](), "", list[Section]()
    for part in parts:
        text = "\n\n".join(paragraphs(part.lines, words))
        name = part.heading.title.casefold()
        if name == "abstract" and not abstract:
            abstract = text
            continue
        if not part.heading.title:
            front = tuple(line.text for line in part.lines)
        if text or part.heading.title:
            sections.append(_section(part.heading, text, name))
    return Read(title, front, abstract, tuple(sections))


def _section(heading: Heading, text: str, name: str) -> Section:
    place = placed(heading.number, heading.title)
    kind = "references" if name in _REFERENCES else "text"
    return Section(heading.title, heading.level, text, place, kind)


def _title(lines: Sequence[Line], body: float) -> tuple[str, list[Line]]:
    """Part the largest lines at the top of the first page from the rest."""
    first = [line for line in lines if line.page == lines[0].page] if lines else []
    top = [line for line in first if line.y > line.height * 0.45]
    largest = max((line.size for line in top if len(line.text) > 2), default=0.0)  # noqa: PLR2004
    if largest < body * _LARGER:
        return "", list(lines)
    start = next(n for n, line in enumerate(lines) if line.size == largest)
    end = start
    while end < len(first) and lines[end].size > largest * 0.97:
        end += 1
    title = " ".join(line.text for line in lines[start:end])
    numbered = _NUMBER.match(title)
    if (numbered and not start) or title.casefold() in _NAMES or len(title) > 300:  # noqa: PLR2004
        return "", list(lines)
    return title, [*lines[:start], *lines[end:]]


def _parts(
    lines: Sequence[Line], body: float, outline: Mapping[str, int]
) -> list[_Part]:
    finder = _Finder(body, outline)
    parts = [_Part(Heading("", "", 0))]
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else None
        heading = finder.heading(line, before)
        run_in = _RUN_IN.match(line.text) if len(parts) == 1 else None
        if (
            heading
            and before
            and not parts[-1].lines
            and _goes_on(before, line, heading)
        ):
            joined = f"{parts[-1].heading.title} {line.text}"
            parts[-1].heading = replace(parts[-1].heading, title=joined)
            parts[-1].head.append(line)
        elif heading:
            parts.append(_Part(heading, head=[line]))
        elif run_in:
            parts.append(_Part(Heading("", "Abstract", 1)))
            parts[-1].lines.append(_without(line, run_in.end()))
        else:
            parts[-1].lines.append(line)
    parts = _without_labels(parts)
    for part in parts:
        if part.heading.look:
            level = finder.levels.get(part.heading.look, part.heading.level)
            part.heading = replace(part.heading, level=level)
    return parts


def _without_labels(parts: Sequence[_Part]) -> list[_Part]:
    """Return a paper's parts, with large words of its figures as the text they are.

    Where headings are numbered, one without a number has the look of one that is.
    """
    numbered = [part for part in parts if part.heading.number]
    if len(numbered) < _SURE:
        return list(parts)
    looks = {(line.size, line.bold) for part in numbered for line in part.head}
    found: list[_Part] = []
    for part in parts:
        if found and part.heading.look and part.heading.look not in looks:
            found[-1].lines += [*part.head, *part.lines]
        else:
            found.append(part)
    return found


def _without(line: Line, start: int) -> Line:
    return replace(line, text=line.text[start:])


def _goes_on(before: Line, line: Line, heading: Heading) -> bool:
    """Say whether a heading is the second line of the one before it."""
    same = abs(before.size - line.size) < 0.2 and before.bold == line.bold  # noqa: PLR2004
    near = before.page == line.page and 0 < before.y - line.y < line.size * 1.8
    named = heading.title.casefold() in _NAMES
    return same and near and not heading.number and not named


class _Finder:
    """Tells headings from other lines, by what came before."""

    def __init__(self, body: float, outline: Mapping[str, int]) -> None:
        self._body = body
        self._outline = outline
        self._last: tuple[str, ...] = ()
        self._letters = 0
        # headings without a number are of the level of those that look the same
        self.levels: dict[tuple[float, bool], int] = {}
        self._in_contents = False

    def heading(self, line: Line, before: Line | None) -> Heading | None:
        """Return what a line says as a heading, or None where it is none."""
        found = self._heading(line, before)
        if found and self._in_contents and _ENTRY.search(line.text):
            return None
        if found:
            self._in_contents = "contents" in found.title.casefold().split()
        else:
            self._letters += len(line.text) if line.size <= self._body * 1.05 else 0
        return found

    def _heading(self, line: Line, before: Line | None) -> Heading | None:
        text = line.text
        if len(text) > _LONGEST or not _LETTERS.search(text):
            return None
        large = line.size > self._body * _LARGER
        stands_out = large or (line.bold and line.size >= self._body * 0.95)
        found = _NUMBER.fullmatch(text) or _APPENDIX.fullmatch(text)
        if found and (heading := self._numbered(found, stands_out=stands_out)):
            self.levels.setdefault((line.size, line.bold), heading.level)
            return heading
        level = self._outline.get(plain_title(text))
        if level and (stands_out or line.size >= self._body):
            return Heading("", text, level)
        if text.casefold().rstrip(".:") in _NAMES and (stands_out or text[0].isupper()):
            return Heading("", text.rstrip(".:"), 1) if _alone(line, before) else None
        larger = self._body * (1.05 if line.bold else 1.15)
        # above the first text stand the authors, however large
        if line.size > larger and self._letters > _FRONT and not text.endswith("."):
            return Heading("", text, 1, (line.size, line.bold))
        return None

    def _numbered(self, found: re.Match[str], *, stands_out: bool) -> Heading | None:
        number, title = found["number"], found["title"]
        parts = tuple(number.split("."))
        known = plain_title(title) in self._outline
        starts = title[0].isupper() or title[0].isdigit()
        follows = _follows(self._last, parts)
        if not (known or (stands_out and starts and (follows or len(parts) > 1))):
            return None
        if title.endswith((".", ",", ";")) and not known:
            return None
        self._last = parts
        return Heading(number, title, len(parts))


def _alone(line: Line, before: Line | None) -> bool:
    """Say whether a line of one word is not just the end of a paragraph."""
    if before is None or before.page != line.page:
        return True
    return before.text.endswith(SENTENCE_END) or before.y - line.y > line.size * 1.5


def _follows(last: tuple[str, ...], number: tuple[str, ...]) -> bool:
    """Say whether a number may come after another: 3.2 after 3.1, 3.1.1 or 3."""
    if not last:
        return number[0] in ("1", "I", "A", "0")
    if len(number) > len(last):
        return number[: len(last)] == last
    same, here = len(number) - 1, number[-1]
    if number[:same] != last[:same]:
        return False
    before = last[same]
    if here.isdigit() and before.isdigit():
        return 0 < int(here) - int(before) <= 2  # noqa: PLR2004
    return here == "A" or here > before or not here.isdigit()


def plain_title(text: str) -> str:
    """Return a title without its number, case and marks, to be compared."""
    found = _NUMBER.fullmatch(text.strip())
    title = found["title"] if found else text
    return " ".join(re.findall(r"\w+", title.casefold()))
