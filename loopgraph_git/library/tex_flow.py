"""Text as it is put together: lines into paragraphs, paragraphs into sections."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from loopgraph_git.library.section import Section, placed
from loopgraph_git.library.tex_names import LEVELS
from loopgraph_git.records.texts import HIDDEN

_REF = re.compile(r"\0(ref|Ref):([^\0]*)\0")


class Flow:
    """Paragraphs, and the line that is being written; `after` waits for its end."""

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self._line: list[str] = []
        self._after: list[str] = []

    def write(self, text: str) -> None:
        """Go on with the paragraph."""
        self._line.append(text)

    def par(self) -> None:
        """End the paragraph; what waited for its end follows."""
        text = "".join(self._line)
        self._line.clear()
        lines = (" ".join(line.split(" ")).strip() for line in text.split("\n"))
        joined = "\n".join(re.sub(r"[ \t]+", " ", line) for line in lines if line)
        if joined:
            self.paragraphs.append(joined)
        self.paragraphs += self._after
        self._after.clear()

    def block(self, text: str) -> None:
        """Add a paragraph that is not to be touched: code, or a formula."""
        self.par()
        self.paragraphs.append(text)

    def later(self, texts: list[str]) -> None:
        """Add paragraphs when the present one ends: a footnote, a figure."""
        self._after += texts

    def end(self) -> list[str]:
        """End the text and return its paragraphs."""
        self.par()
        return self.paragraphs


@dataclass
class Part:
    """A section while it is read."""

    title: str = ""
    number: str = ""
    level: int = 0
    kind: str = "text"
    flow: Flow = field(default_factory=Flow)


class Numbers:
    """Counts sections, figures and tables as LaTeX does, and what labels stand for."""

    def __init__(self, *, chapters: bool) -> None:
        self._top = LEVELS["chapter"] if chapters else LEVELS["section"]
        # a book does not number what stands below its subsections
        self._deepest = 3 if chapters else 4
        self._counts: dict[int, int] = {}
        self._things: dict[str, int] = {}
        self._appendix = False
        self._current, self._kind = "", ""
        self._kinds: dict[str, str] = {}
        self.labels: dict[str, str] = {}

    def section(self, level: int) -> str:
        """Return the number of the next section of a level, or ""."""
        if not self._top <= level <= self._deepest:
            return ""
        self._counts[level] = self._counts.get(level, 0) + 1
        for deeper in [known for known in self._counts if known > level]:
            del self._counts[deeper]
        parts = [self._counts.get(n, 0) for n in range(self._top, level + 1)]
        words = [str(n) for n in parts]
        if self._appendix and 0 < parts[0] <= 26:  # noqa: PLR2004
            words[0] = chr(ord("A") + parts[0] - 1)
        self._current, self._kind = ".".join(words), "Section"
        if level == LEVELS["chapter"]:
            self._kind = "Chapter"
        return self._current

    def appendix(self) -> None:
        """Go on with letters."""
        self._appendix = True
        self._counts.clear()

    def thing(self, kind: str) -> str:
        """Return the number of the next figure, table or equation."""
        self._things[kind] = self._things.get(kind, 0) + 1
        self._current, self._kind = str(self._things[kind]), kind.capitalize()
        return self._current

    def label(self, key: str) -> None:
        """Remember what was numbered last under a key."""
        self.labels.setdefault(key, self._current)
        self._kinds.setdefault(key, self._kind)

    def unnumbered(self, key: str) -> None:
        """Remember that what a key stands for has no number that is sure."""
        self.labels.setdefault(key, "")

    def resolved(self, text: str) -> str:
        """Return a text with the numbers, or else the keys, that it refers to."""
        return HIDDEN.sub("", _REF.sub(self._told, text))

    def _told(self, found: re.Match[str]) -> str:
        number = self.labels.get(found[2])
        if not number:
            return f"[{found[2]}]"
        kind = self._kinds.get(found[2], "")
        return f"{kind} {number}" if found[1] == "Ref" else number


def reference(key: str, *, named: bool = False) -> str:
    """Return what stands for a number until all of the text is read.

    With `named` what it is a number of is said too: `Figure 3`.
    """
    return f"\0{'Ref' if named else 'ref'}:{key}\0"


def finished(parts: list[Part], numbers: Numbers) -> tuple[Section, ...]:
    """Return the sections; the highest level that is used becomes the first."""
    highest = min((part.level for part in parts if part.level), default=1)
    found = []
    for part in parts:
        text = numbers.resolved("\n\n".join(part.flow.end()))
        if text or part.title:
            level = max(part.level - highest + 1, 0) if part.level else 0
            title = numbers.resolved(part.title)
            place = placed(part.number, title)
            found.append(Section(title, level, text, place, part.kind))
    return tuple(found)
