r"""Formulas as readable text: `\frac{\eta}{\sqrt{d}}` becomes `η/√d`.

What a person searches for, or an agent reads, are the signs and names in a formula; how
it is set on paper is left out. A command that is not known gives its name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from loopgraph_git.library.tex_names import (
    ARGUMENTS,
    ENVIRONMENTS,
    MATH_ACCENTS,
    SIGNS,
    SPACES,
)
from loopgraph_git.library.tex_stream import CODE, LITERAL, MARK, PAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopgraph_git.library.tex_macros import Macros

_SILENT = frozenset(
    [
        "left",
        "right",
        "middle",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "Biggl",
        "Biggr",
        "bigm",
        "Bigm",
        "limits",
        "nolimits",
        "displaystyle",
        "textstyle",
        "scriptstyle",
        "scriptscriptstyle",
        "mathbf",
        "mathbb",
        "mathcal",
        "mathsf",
        "mathtt",
        "mathit",
        "mathrm",
        "mathfrak",
        "mathscr",
        "mathnormal",
        "boldsymbol",
        "bm",
        "pmb",
        "bold",
        "rm",
        "bf",
        "it",
        "sf",
        "tt",
        "cal",
        "em",
        "text",
        "textrm",
        "textbf",
        "textit",
        "textsf",
        "texttt",
        "textnormal",
        "mbox",
        "hbox",
        "operatorname",
        "operatorname*",
        "boldmath",
        "unboldmath",
        "nonumber",
        "notag",
        "smash",
        "mathop",
        "mathbin",
        "mathrel",
        "mathord",
        "mathopen",
        "mathclose",
        "mathpunct",
        "mathstrut",
        "strut",
        "boxed",
        "cancel",
        "overbrace",
        "underbrace",
        "protect",
        "normalfont",
        "small",
        "footnotesize",
        "scriptsize",
        "tiny",
        "large",
        "displaylimits",
        "intertext",
        "shortintertext",
        "relax",
        "centering",
        "substack",
        "ensuremath",
        "emph",
        "textup",
        "textsc",
        "quad",
        "qquad",
        "nobreak",
        "allowbreak",
        "null",
        "hspace*",
        "noindent",
        "hfill",
        "mathds",
        "mathbbm",
        "bigskip",
        "vspace*",
    ]
)
_FRACTIONS = ("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac")
_DEPTH_LIMIT = 30
_SPACE = re.compile(r"[^\S\n]+")
_TIGHT = re.compile(r" +(?=[,;.)\]_^:])|(?<=[(\[]) +")
_COMPOUND = re.compile(r"[^\w.√]")


class Formula:
    """Reads tokens of mathematics until they end; `labels` is what they name it."""

    def __init__(self, stream: Macros) -> None:
        self._stream = stream
        self._depth = 0
        self.labels: list[str] = []
        self._verbs: dict[str, Callable[[], str]] = {
            **dict.fromkeys(_FRACTIONS, self._fraction),
            **dict.fromkeys(("binom", "dbinom", "tbinom"), self._binomial),
            **dict.fromkeys(("overset", "underset", "stackrel"), self._stacked),
            **dict.fromkeys(("color", "textcolor"), self._colored),
            "sqrt": self._root,
            "label": self._label,
            "tag": self._tag,
            "\\": self._row,
            "begin": self._environment,
            "end": self._end_environment,
        }

    def read(self, tokens: list[str]) -> str:
        """Return a formula as one line, or as several where it has several."""
        text = unicodedata.normalize("NFC", self._read(tokens))
        lines = (_TIGHT.sub("", _SPACE.sub(" ", line)) for line in text.split("\n"))
        return "\n".join(line.strip() for line in lines if line.strip())

    def _read(self, tokens: list[str]) -> str:
        if self._depth > _DEPTH_LIMIT:
            return "".join(piece for piece in tokens if piece[0] not in "\\{}\0")
        self._depth += 1
        self._stream.push([*tokens, _END])
        found: list[str] = []
        while (piece := self._stream.expanded()) not in (_END, ""):
            found.append(self._one(piece))
        self._depth -= 1
        return "".join(found)

    def _one(self, piece: str) -> str:
        if piece in ("^", "_"):
            inner = self._read(self._stream.argument()).strip()
            return f"{piece}{{{inner}}}" if len(inner) > 1 else piece + inner
        if piece.startswith("\\"):
            return self._command(piece)
        if piece.startswith((LITERAL, CODE)):
            return piece[len(CODE) :]
        return {"{": "", "}": "", "$": "", "$$": "", "&": " ", "~": " ", PAR: " "}.get(
            piece, piece
        )

    def _command(self, piece: str) -> str:
        name = piece[1:]
        if name in SIGNS:
            return f"{SIGNS[name]} " if SIGNS[name].isalpha() else f" {SIGNS[name]} "
        if name in _SILENT:
            return self._silent(name)
        if name in MATH_ACCENTS:
            return self._accented(MATH_ACCENTS[name])
        if verb := self._verbs.get(name):
            return verb()
        if name in ARGUMENTS:
            self._drop(ARGUMENTS[name])
            return ""
        plain = f" {name} " if name.isalpha() else name
        return SPACES.get(piece, "" if "@" in name else plain)

    def _silent(self, name: str) -> str:
        if name in ("left", "right", "middle"):
            # an invisible delimiter
            if self._stream.peek().startswith("."):
                self._stream.push([self._stream.next()[1:] or " "])
            return ""
        return " " if name in ("text", "mbox", "textrm", "quad", "qquad") else ""

    def _accented(self, accent: str) -> str:
        inner = self._read(self._stream.argument()).strip()
        return inner + accent if len(inner) == 1 else inner

    def _fraction(self) -> str:
        over, under = self._argument(), self._argument()
        return f"{_grouped(over)}/{_grouped(under)}"

    def _argument(self) -> str:
        return self.read(self._stream.argument())

    def _root(self) -> str:
        degree = self._stream.optional()
        power = f"{self._read(degree)}" if degree else ""
        return f"{power}√{_grouped(self._argument())}"

    def _binomial(self) -> str:
        return f"binom({self._argument()}, {self._argument()})"

    def _stacked(self) -> str:
        over, base = self._argument(), self._argument()
        return f" {base}^{{{over}}} "

    def _label(self) -> str:
        self.labels.append(self._stream.plain())
        return ""

    def _tag(self) -> str:
        self._stream.star()
        return f" ({self._argument()})"

    def _row(self) -> str:
        self._stream.row_end()
        return "\n"

    def _environment(self) -> str:
        self._drop(ENVIRONMENTS.get(self._stream.plain(), ""))
        return " "

    def _end_environment(self) -> str:
        self._stream.plain()
        return " "

    def _colored(self) -> str:
        self._stream.optional()
        self._stream.argument()
        return ""

    def _drop(self, spec: str) -> None:
        for kind in spec:
            if kind == "d":
                self._stream.argument()
            elif kind == "o":
                self._stream.optional()


_END = MARK + " of formula"


def _grouped(text: str) -> str:
    return f"({text})" if _COMPOUND.search(text) else text
