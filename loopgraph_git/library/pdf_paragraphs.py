"""Lines as paragraphs: where they end, and which words were cut.

A word that was cut at a line's end is joined, unless the text itself writes it with a
hyphen elsewhere. A footnote in the middle of a sentence waits for the sentence's end.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from loopgraph_git.library.pdf_lines import Line

SENTENCE_END = (".", "!", "?", ":", '"', "\u201d", ")")
_CUT = re.compile(r"(\w+)-$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+|[^\W\d_]+")
_FIRST = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BULLET = re.compile(
    r"[\u2022\u2023\u25e6\u2219\u25aa\u25cf\u2013*]\s|\(?\d{1,2}[.)]\s"
)
_SMALL = 0.86


class Words:
    """The words that a text writes, to know which were cut at a line's end."""

    def __init__(self, texts: Iterator[str] | Collection[str]) -> None:
        self._known: Counter[str] = Counter()
        for text in texts:
            whole = text.removesuffix("-")
            self._known.update(word.casefold() for word in _WORD.findall(whole))

    def joined(self, text: str, following: str) -> str:
        """Return two lines as one, the word between them made whole."""
        cut = _CUT.search(text)
        end = _FIRST.match(following)
        if not cut or not end:
            return f"{text} {following}"
        start = cut[1].casefold()
        whole, hyphened = start + end[0].casefold(), f"{start}-{end[0].casefold()}"
        compound = "-" in end[0] or end[0][0].isupper()
        keep = compound or self._known[hyphened] > self._known[whole]
        return text + following if keep else text[:-1] + following


def paragraphs(lines: Sequence[Line], words: Words) -> Iterator[str]:
    """Yield the paragraphs of lines; what is set small follows the one it is in."""
    leading, body = _leading(lines), body_size(lines)
    held = ""
    before: Line | None = None
    aside: list[Line] = []
    for line in lines:
        if line.size < body * _SMALL:
            # a footnote may come in the middle of a sentence
            aside.append(line)
            continue
        if before and held and _new_paragraph(before, line, leading):
            yield held
            yield from _aside(aside, words)
            held = ""
        if not held:
            held = line.text
        elif _BULLET.match(line.text):
            held = f"{held}\n{line.text}"
        else:
            held = words.joined(held, line.text)
        before = line
    if held:
        yield held
    yield from _aside(aside, words)


def _aside(lines: list[Line], words: Words) -> Iterator[str]:
    if lines:
        text = lines[0].text
        for line in lines[1:]:
            text = words.joined(text, line.text)
        yield text
    lines.clear()


def _leading(lines: Sequence[Line]) -> float:
    """Return the usual distance from line to line."""
    gaps = sorted(
        before.y - line.y
        for before, line in pairwise(lines)
        if before.page == line.page and before.y > line.y
    )
    return gaps[len(gaps) // 2] if gaps else 12.0


def _new_paragraph(before: Line, line: Line, leading: float) -> bool:
    ended = before.text.endswith(SENTENCE_END)
    if before.page != line.page or before.y < line.y:
        # a new page or column goes on with the paragraph
        return ended and line.text[:1].isupper() and before.size != line.size
    gap = before.y - line.y
    if gap > leading * 1.4 and not before.text.endswith("-"):
        return True
    indented = line.x > before.x + line.size * 0.7
    return ended and indented


def body_size(lines: Sequence[Line]) -> float:
    """Return the size, in points, that most of a text is set in."""
    sizes = Counter[float]()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0
