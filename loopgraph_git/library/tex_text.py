r"""Running text of LaTeX: what a command within a paragraph says.

Signs, accents, citations, footnotes, formulas, lists and tables become plain text. A
command that nobody defined says nothing by itself, and what stands in its braces is
read on.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from loopgraph_git.library.tex_flow import Flow, Numbers, reference
from loopgraph_git.library.tex_math import Formula
from loopgraph_git.library.tex_names import (
    ACCENTS,
    ARGUMENTS,
    BARE,
    CITES,
    NAMED_REFS,
    REFS,
    SIGNS,
    SPACES,
    TEXT_SIGNS,
)
from loopgraph_git.library.tex_stream import CODE, LITERAL, MARK, PAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopgraph_git.library.tex_macros import Macros

_DEPTH_LIMIT = 30
_DIMENSION = re.compile(r"=?-?[\d.]+(?:[a-z]{2})?")
_LIGATURES = (("---", "\u2014"), ("--", "\u2013"), ("``", '"'), ("''", '"'), ("`", "'"))
_PLAIN = {"&": " | ", "~": " "}
_END = MARK + " of text"


class Text:
    """Reads tokens into a flow of paragraphs."""

    def __init__(self, source: Macros, numbers: Numbers) -> None:
        self.source = source
        self.numbers = numbers
        self.flow = Flow()
        self.depth = 0
        self._formulas = Formula(source)
        self.verbs: dict[str, Callable[[], None]] = {
            "label": self._label,
            "footnote": self._footnote,
            "footnotetext": self._footnote,
            "endnote": self._footnote,
            "item": self._item,
            "\\": self._row,
            "par": self._par,
            "bigskip": self._par,
            "medskip": self._par,
            "smallskip": self._par,
            "(": self._inline_formula,
            "[": self._display_formula,
            "twocolumn": self._optional_text,
            "texorpdfstring": self._first_choice,
            "vspace": self._gap,
            "hspace": self._gap,
            "tikz": self._drawing,
            "tikzstyle": self._style,
            "hrule": self._rule,
            "vrule": self._rule,
        }

    def run(self, end: str = "") -> None:
        """Read until a mark, or all there is."""
        while (piece := self.source.expanded()) not in (end, ""):
            self._one(piece)

    def inline(self, tokens: list[str] | None) -> str:
        """Return tokens as text on one line, for a title or a name."""
        return " ".join(" ".join(self.paragraphs(tokens or [])).split())

    def paragraphs(self, tokens: list[str]) -> list[str]:
        """Return tokens as paragraphs of their own, apart from those around them."""
        if self.depth > _DEPTH_LIMIT:
            return ["".join(piece for piece in tokens if piece[0] not in "\\{}\0")]
        outer, self.flow = self.flow, Flow()
        self.depth += 1
        self.source.push([*tokens, _END])
        self.run(_END)
        self.depth -= 1
        inner, self.flow = self.flow, outer
        return inner.end()

    def _one(self, piece: str) -> None:
        first = piece[0]
        if first == "\\":
            self.command(piece)
        elif piece == PAR:
            self.flow.par()
        elif first == "\0":
            self._literal(piece)
        elif first == "$":
            self._dollars(piece)
        elif piece == "}":
            # the arguments of a command that is not known
            self.flow.write(" " if self.source.peek() == "{" else "")
        elif piece != "{":
            self.flow.write(_PLAIN.get(piece) or _typeset(piece))

    def _literal(self, piece: str) -> None:
        if piece.startswith(CODE):
            self.flow.block(f"```\n{piece[len(CODE) :]}\n```")
        elif piece.startswith(LITERAL):
            self.flow.write(piece[len(LITERAL) :])

    def _dollars(self, close: str) -> None:
        found: list[str] = []
        depth = 0
        while (piece := self.source.inner()) and piece != PAR:
            if piece.startswith("$") and depth <= 0:
                break
            depth += (piece == "{") - (piece == "}")
            found.append(piece)
        if piece == PAR:
            self.source.push([piece])
        self.formula(found, display=close == "$$")

    def until(self, close: str) -> list[str]:
        """Return the tokens before one, at most to the paragraph's end."""
        found: list[str] = []
        while (piece := self.source.inner()) and piece not in (close, PAR):
            found.append(piece)
        return found

    def formula(self, tokens: list[str], *, display: bool, sure: bool = True) -> None:
        """Write a formula, within the line or as a paragraph of its own.

        Not `sure` means that its labels may be those of any of its lines.
        """
        formula = self._formulas.read(tokens)
        for label in self._formulas.labels:
            (self.numbers.label if sure else self.numbers.unnumbered)(label)
        self._formulas.labels.clear()
        if not formula:
            return
        if display:
            self.flow.block(f"$$\n{formula.replace('$$', '$')}\n$$")
        else:
            self.flow.write(formula.replace("\n", " "))

    def command(self, piece: str) -> None:
        """Do what a command says."""
        name = piece[1:]
        if verb := self.verbs.get(name):
            verb()
        elif name in CITES:
            self._cite()
        elif name in REFS:
            self._reference(named=name in NAMED_REFS)
        else:
            self._sign(piece, name)

    def _sign(self, piece: str, name: str) -> None:
        if name in TEXT_SIGNS:
            self.flow.write(TEXT_SIGNS[name])
        elif piece in SPACES:
            self.flow.write(SPACES[piece])
        elif name in ACCENTS:
            self._accent(ACCENTS[name])
        elif name in SIGNS:
            self.flow.write(SIGNS[name])
        elif name in ARGUMENTS:
            self.drop(ARGUMENTS[name])
        elif name in BARE:
            self._dimension()
        elif "@" in name or not name[:1].isalpha():
            # with an @ it is the inside of some style file
            self.flow.write("" if "@" in name else name)
        else:
            self._unknown()

    def _unknown(self) -> None:
        """Drop options of a command only where an argument follows them."""
        if self.source.peek() != "[":
            return
        options = self.source.optional() or []
        if self.source.peek() != "{":
            self.source.push(["[", *options, "]"])

    def drop(self, spec: str) -> None:
        """Pass over arguments; see `ARGUMENTS`."""
        for kind in spec:
            if kind == "d":
                self.source.argument()
            elif kind == "o":
                self.source.optional()
            else:
                self.source.optional("(", ")")

    def _dimension(self) -> None:
        found = _DIMENSION.match(self.source.peek())
        if found:
            rest = self.source.next()[found.end() :]
            self.source.push([rest] if rest else [])

    def _accent(self, mark: str) -> None:
        text = self.inline(self.source.argument())
        self.flow.write(unicodedata.normalize("NFC", text[:1] + mark) + text[1:])

    def _cite(self) -> None:
        self.source.star()
        notes = [self.source.optional(), self.source.optional()]
        before = notes[0] if notes[1] is not None else None
        after = notes[0] if notes[1] is None else notes[1]
        keys = self.source.plain().split(",")
        words = [self.inline(before), *map(str.strip, keys), self.inline(after)]
        self.flow.write(f"[{', '.join(word for word in words if word)}]")

    def _reference(self, *, named: bool) -> None:
        self.source.star()
        keys = self.source.plain().split(",")
        self.flow.write(", ".join(reference(key.strip(), named=named) for key in keys))

    def _label(self) -> None:
        self.numbers.label(self.source.plain())

    def _footnote(self) -> None:
        self.source.optional()
        self.flow.later(self.paragraphs(self.source.argument()))

    def _item(self) -> None:
        label = self.source.optional()
        self.flow.write(f"\n{self.inline(label)} " if label else "\n- ")

    def _row(self) -> None:
        self.source.row_end()
        self.flow.write("\n")

    def _inline_formula(self) -> None:
        self.formula(self.until("\\)"), display=False)

    def _display_formula(self) -> None:
        self.formula(self.until("\\]"), display=True)

    def _optional_text(self) -> None:
        """Read what stands in the brackets of a command as text."""
        self.source.push(self.source.optional() or [])

    def _first_choice(self) -> None:
        chosen = self.source.argument()
        self.source.argument()
        self.source.push(chosen)

    def _par(self) -> None:
        self.flow.par()

    def _gap(self) -> None:
        self.source.star()
        self.source.argument()
        self.flow.write(" ")

    def _drawing(self) -> None:
        """Read what is written in a drawing within a line: a number in a circle."""
        self.source.optional()
        self.source.skip_space()
        if self.source.peek() != "{":
            while (piece := self.source.inner()) and not piece.endswith(";"):
                pass
            return
        drawn = self.source.argument()
        ends = [at for at, piece in enumerate(drawn) if piece == "}"]
        begins = [at for at, piece in enumerate(drawn) if piece == "{"]
        if begins and ends and begins[-1] < ends[-1]:
            self.source.push(drawn[begins[-1] + 1 : ends[-1]])

    def _style(self) -> None:
        self.source.argument()
        self.source.skip_space()
        if self.source.peek() == "=":
            self.source.next()
            self.source.optional()

    def _rule(self) -> None:
        """Pass over a line and its measures: `height 1pt`."""
        self.source.skip_space()
        while self.source.peek() in ("height", "width", "depth"):
            self.source.next()
            self.source.skip_space()
            self._dimension()
            self.source.skip_space()


def _typeset(text: str) -> str:
    if "-" in text or "`" in text or "'" in text:
        for written, meant in _LIGATURES:
            text = text.replace(written, meant)
    return text
