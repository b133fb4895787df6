r"""LaTeX as sections: what a reader of the paper would see, in its order.

The main file is found, the files it asks for are put in, its macros are carried out,
and what remains is text: sections with their numbers, captions, lists, tables by rows,
formulas as readable text, citations and references as marks. Nothing is run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.section import Document
from loopgraph_git.library.tex_authors import authors, names
from loopgraph_git.library.tex_files import TexFiles
from loopgraph_git.library.tex_flow import Numbers, Part, finished
from loopgraph_git.library.tex_macros import Macros
from loopgraph_git.library.tex_names import (
    DISPLAYS,
    DROPPED,
    ENVIRONMENTS,
    FLOATS,
    LEVELS,
    LISTS,
    RUN_IN,
)
from loopgraph_git.library.tex_text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_VENUE = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def read_latex(files: Mapping[str, bytes], name: str) -> Document:
    """Return a paper from its LaTeX source, file by file.

    Raises DocumentError where there is no LaTeX in the files, or no text in that.
    """
    source = TexFiles(files, name)
    try:
        return _Paper(source).document(name)
    except DocumentError as error:
        raise DocumentError(f"{name}: {error}: give its PDF instead") from error


class _Paper(Text):
    """Reads one paper; what it has found so far is here."""

    def __init__(self, files: TexFiles) -> None:
        numbers = Numbers(chapters=files.uses_chapters)
        super().__init__(Macros(files.tokens), numbers)
        self._files = files
        self._parts = [Part(flow=self.flow)]
        self._title = ""
        self._abstract: list[str] = []
        self._authors: list[str] = []
        self._year: int | None = None
        self._venue_year: int | None = None
        self._passed: dict[str, int] = {}
        self._float = ""
        self.verbs |= {
            "begin": self._begin,
            "end": self._end,
            "caption": self._caption,
            "title": self._take_title,
            "icmltitle": self._take_title,
            "author": self._author,
            "icmlauthor": self._author_with_address,
            "date": self._date,
            "acmYear": self._acm_year,
            "copyrightyear": self._acm_year,
            "abstract": self._abstract_command,
            "usepackage": self._package,
            "RequirePackage": self._package,
            "appendix": self.numbers.appendix,
            "bibliography": self._bibliography,
            "printbibliography": self._bibliography,
            "bibitem": self._reference_item,
        }
        self._environments: dict[str, Callable[[], None]] = {
            "document": self._document,
            "abstract": self._take_abstract,
            "appendices": self.numbers.appendix,
            "thebibliography": self._references,
        }

    def document(self, name: str) -> Document:
        """Read all of it."""
        self.source.give(self._files.main_tokens())
        self.run()
        sections = finished(self._parts, self.numbers)
        abstract = self.numbers.resolved("\n\n".join(self._abstract))
        if not sections and not abstract:
            raise DocumentError("there is no text in it")
        return Document(
            title=self.numbers.resolved(self._title) or name,
            authors=", ".join(self._authors),
            year=self._year or self._venue_year,
            abstract=abstract,
            sections=sections,
            kind="latex",
            left_out=tuple(self._left_out()),
        )

    def _left_out(self) -> list[str]:
        found = [f"{count} of {name}" for name, count in self._passed.items()]
        if self.source.endless:
            found.append("macros that do not come to an end")
        return [*self._files.left_out, *found]

    def command(self, piece: str) -> None:
        """Do what a command says: one of a paper's parts, or of its text."""
        name = piece[1:]
        if name in LEVELS:
            self._section(LEVELS[name])
        elif name in RUN_IN:
            self._run_in()
        else:
            super().command(piece)

    def _section(self, level: int) -> None:
        starred = self.source.star()
        self.source.optional()
        title = self.inline(self.source.argument())
        number = "" if starred else self.numbers.section(level)
        if self.depth:
            # a heading inside a box or a caption is a line of its own
            self.flow.block(title)
        else:
            self._start(Part(title, number, level))

    def _start(self, part: Part) -> None:
        self.flow.par()
        self._parts.append(part)
        self.flow = part.flow

    def _run_in(self) -> None:
        self.source.star()
        self.source.optional()
        self.flow.par()
        title = self.inline(self.source.argument())
        self.flow.write(title if title.endswith((".", ":", "?", "!")) else f"{title}.")
        self.flow.write(" ")

    def _caption(self) -> None:
        self.source.star()
        self.source.optional()
        kind = self._float or "Figure"
        number = self.numbers.thing(kind)
        text = self.inline(self.source.argument())
        self.flow.block(f"{kind} {number}: {text}")

    def _begin(self) -> None:
        name = self.source.plain()
        if self.source.begun("\\begin", name):
            return
        plain = name.rstrip("*")
        if plain in FLOATS or plain in DROPPED or name in DISPLAYS or plain in LISTS:
            self.drop(ENVIRONMENTS.get(name, ENVIRONMENTS.get(plain, "")))
        if name in DISPLAYS:
            self._display(name)
        elif plain in DROPPED:
            self._drawing_of(name)
        elif plain in FLOATS:
            self._floating(name, FLOATS[plain])
        elif special := self._environments.get(name):
            special()
        elif plain in LISTS:
            self.flow.write("\n")
        else:
            self._plain_environment(name, plain)

    def _drawing_of(self, name: str) -> None:
        """Leave out a drawing, but not the paragraphs that it is the frame of."""
        boxes = list(_boxes(self.source.environment(name)))
        if boxes and "comment" not in name:
            self.source.push(boxes)
        else:
            self._passed[name] = self._passed.get(name, 0) + 1

    def _plain_environment(self, name: str, plain: str) -> None:
        self.flow.par()
        self.drop(ENVIRONMENTS.get(name, ENVIRONMENTS.get(plain, "")))
        theorem = self.source.theorems.get(name) or {"proof": "Proof"}.get(plain)
        if theorem:
            title = self.inline(self.source.optional())
            self.flow.write(f"{theorem} ({title}). " if title else f"{theorem}. ")

    def _end(self) -> None:
        name = self.source.plain()
        if self.source.begun("\\end", name):
            return
        if name == "document":
            self.source.stop()
        elif name.rstrip("*") in LISTS:
            self.flow.write("\n")
        else:
            self.flow.par()

    def _display(self, name: str) -> None:
        tokens = self.source.environment(name)
        if name == "subequations":
            self.source.push(tokens)
            return
        sure = name in ("equation", "multline")
        if sure:
            self.numbers.thing("equation")
        self.formula(tokens, display=name != "math", sure=sure)

    def _floating(self, name: str, kind: str) -> None:
        outer, self._float = self._float, kind
        self.flow.later(self.paragraphs(self.source.environment(name)))
        self._float = outer

    def _document(self) -> None:
        # what the preamble prints is nothing
        self._parts = [Part()]
        self.flow = self._parts[0].flow

    def _take_abstract(self) -> None:
        self._abstract += self.paragraphs(self.source.environment("abstract"))

    def _abstract_command(self) -> None:
        if self.source.peek() == "{":
            self._abstract += self.paragraphs(self.source.argument())

    def _take_title(self) -> None:
        self.source.optional()
        tokens = [" " if piece == "\\\\" else piece for piece in self.source.argument()]
        self._title = self._title or self.inline(_without_formulas(tokens))

    def _author(self) -> None:
        self.source.optional()
        for line in authors(self.source.argument()):
            self._authors += names(self.inline(line))

    def _author_with_address(self) -> None:
        self._author()
        self.source.argument()

    def _date(self) -> None:
        found = _YEAR.search(self.inline(self.source.argument()))
        self._year = int(found[0]) if found else self._year

    def _acm_year(self) -> None:
        self._printed_in(self.source.plain())

    def _printed_in(self, name: str) -> None:
        """Take the year that the style of a conference has in its name."""
        found = _VENUE.search(name)
        self._venue_year = int(found[0]) if found else self._venue_year

    def _package(self) -> None:
        self.source.optional()
        for name in self.source.plain().split(","):
            self._printed_in(name)
            self.source.learn(self._files.style(name.strip()))

    def _bibliography(self) -> None:
        self.source.optional()
        if self.source.peek() == "{":
            self.source.argument()
        self.source.give(self._files.bibliography())

    def _references(self) -> None:
        self.drop("d")
        if not self.depth:
            top = min((part.level for part in self._parts if part.level), default=2)
            self._start(Part("References", "", top, kind="references"))

    def _reference_item(self) -> None:
        self.flow.par()
        self.source.optional()
        self.flow.write(f"[{self.source.plain()}] ")


def _boxes(tokens: list[str]) -> Iterator[str]:
    """Yield the minipages of a drawing, which hold text, and nothing else of it."""
    depth = 0
    for at, piece in enumerate(tokens):
        named = tokens[at + 2 : at + 3] == ["minipage"]
        if named and piece == "\\begin":
            depth += 1
        if depth:
            yield piece
        if tokens[at - 3 : at] == ["\\end", "{", "minipage"]:
            depth -= 1


def _without_formulas(tokens: list[str]) -> list[str]:
    """Leave out what marks a name with its address or a footnote."""
    found: list[str] = []
    inside = False
    for piece in tokens:
        if piece == "$":
            inside = not inside
        elif not inside:
            found.append(piece)
    return found if not inside else [piece for piece in tokens if piece != "$"]
