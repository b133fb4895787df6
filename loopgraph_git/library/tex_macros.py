r"""What a paper defines for itself: macros, environments, conditions and its files.

`\newcommand` and its kin are carried out, `\input` puts a file in front, and what an
`\if` switches off is passed over. What the reader gives a meaning of its own keeps it,
whatever a style file makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.library.tex_conditions import FILE_ENDS, Conditions
from loopgraph_git.library.tex_names import (
    ARGUMENTS,
    BARE,
    CITES,
    DISPLAYS,
    FLOATS,
    LEVELS,
    LISTS,
    REFS,
    RUN_IN,
    SPACES,
)
from loopgraph_git.library.tex_stream import MARK, PAR, Macro

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DEFINE = frozenset(
    ["\\newcommand", "\\renewcommand", "\\providecommand", "\\DeclareRobustCommand"]
)
_DEF = frozenset(["\\def", "\\gdef", "\\edef", "\\xdef"])
_DOCUMENT_COMMAND = frozenset(
    f"\\{verb}{kind}Command"
    for verb in ("New", "Renew", "Provide", "Declare")
    for kind in ("Document", "ExpandableDocument")
)
_ENVIRONMENT = frozenset(["\\newenvironment", "\\renewenvironment"])
_LEARNT = (_DEFINE | _DEF | _DOCUMENT_COMMAND | _ENVIRONMENT) | {
    "\\DeclareMathOperator",
    "\\DeclarePairedDelimiter",
    "\\DeclareMathAlphabet",
    "\\newtheorem",
    "\\newif",
}
_INPUT = frozenset(
    ["\\input", "\\include", "\\subfile", "\\subfileinclude", "\\@input"]
)
_IMPORT = frozenset(["\\import", "\\subimport", "\\subincludefrom", "\\includefrom"])
_TAKEN = frozenset(
    [
        "begin",
        "end",
        "item",
        "title",
        "author",
        "abstract",
        "footnote",
        "caption",
        "frac",
        "sqrt",
        "text",
        "mathrm",
        "left",
        "right",
        "maketitle",
        "document",
        "par",
        "and",
        "date",
        "if",
        "fi",
        "else",
        "input",
        "include",
        "bibliography",
        "thebibliography",
        "section",
        "frame",
        "textbf",
        "emph",
        "textit",
        "bf",
        "em",
        "it",
        "rm",
        "sf",
        "sc",
        "tt",
        "small",
        "normalsize",
        "footnotesize",
        "scriptsize",
        "tiny",
        "large",
        "Large",
        "LARGE",
        "huge",
        "Huge",
        "cite",
        "href",
        "url",
        "def",
        "let",
        "newcommand",
        "over",
        "choose",
        "limits",
        "mathbf",
        "boldsymbol",
        "displaystyle",
        "paragraph",
        "appendix",
        "today",
        "bibitem",
        "operatorname",
        "footnotetext",
    ]
)
_SPACING = {name[1:] for name in SPACES}
_OURS = frozenset(
    _TAKEN | set(ARGUMENTS) | BARE | CITES | REFS | set(LEVELS) | RUN_IN | _SPACING
)
_KNOWN = {"document", "abstract", *FLOATS, *DISPLAYS, *LISTS, "thebibliography"}
_DEPTH_LIMIT = 20


class Macros(Conditions):
    """A stream in which the paper's own definitions are carried out.

    `find_file` returns the tokens of a file that the paper asks for by name, or None.
    """

    def __init__(self, find_file: Callable[[str], Sequence[str] | None]) -> None:
        super().__init__()
        self.macros: dict[str, Macro] = {}
        self.environments: dict[str, tuple[Macro, Macro]] = {}
        self.theorems: dict[str, str] = {}
        self._find_file = find_file
        self._depth = 0
        # what another name was given to: to define it anew would be a circle
        self._kept: set[str] = set()
        self._verbs: dict[str, Callable[[str], None]] = {
            **dict.fromkeys(_DEFINE, self._newcommand),
            **dict.fromkeys(_DEF, self._def),
            **dict.fromkeys(_DOCUMENT_COMMAND, self._document_command),
            **dict.fromkeys(_ENVIRONMENT, self._newenvironment),
            **dict.fromkeys(_INPUT, self._input),
            **dict.fromkeys(_IMPORT, self._import),
            **dict.fromkeys(("\\let", "\\futurelet"), self._let),
            "\\DeclareMathOperator": self._operator,
            "\\DeclareMathAlphabet": self._alphabet,
            "\\DeclarePairedDelimiter": self._delimiter,
            "\\newtheorem": self._theorem,
            "\\InputIfFileExists": self._input_if,
            "\\endinput": lambda _: self._end_file(),
        }

    def expanded(self) -> str:
        """Return the next token that is the reader's, or "" at the end."""
        while piece := self.next():
            if piece[0] != "\\":
                if piece != FILE_ENDS:
                    return piece
                self._depth -= 1
            elif verb := self._verbs.get(piece):
                verb(piece)
            elif macro := self.macros.get(piece[1:]):
                self.expand(macro)
            elif not self.decided(piece[1:]):
                return piece
        return ""

    def stop(self) -> None:
        """Read nothing of what is left."""
        self._left.clear()

    def environment(self, name: str) -> list[str]:
        r"""Return all until the end of an environment that was just begun, expanded."""
        found: list[str] = []
        depth = 1
        while piece := self.expanded():
            if piece.startswith(MARK):
                self.push([piece])
                break
            if piece not in ("\\begin", "\\end"):
                found.append(piece)
                continue
            inner = self.plain()
            if inner == name:
                depth += 1 if piece == "\\begin" else -1
                if not depth:
                    break
            if inner == "document":
                # the environment was never ended
                self.push([piece, "{", inner, "}"])
                break
            if not self.begun(piece, inner):
                found += [piece, "{", inner, "}"]
        return found

    def begun(self, verb: str, name: str) -> bool:
        r"""Put what `\begin` or `\end` of the paper's own environment does in front."""
        defined = self.environments.get(name)
        if defined:
            self.expand(defined[verb == "\\end"])
        return defined is not None

    def _count(self) -> int:
        digits = "".join(self.optional() or []).strip()
        return int(digits) if digits.isdecimal() and len(digits) == 1 else 0

    def _define(self, name: str, macro: Macro) -> None:
        if name in _OURS or name in self._kept or f"\\{name}" in self._verbs:
            return
        if name:
            self.macros[name] = macro

    def learn(self, tokens: Sequence[str]) -> None:
        """Take the plain definitions from a style file, and nothing else."""
        style = Macros(lambda _: None)
        style.give(tokens)
        while piece := style.next():
            if piece in _LEARNT:
                style.carry_out(piece)
        self.macros |= style.macros
        self.environments |= style.environments
        self.theorems |= style.theorems
        self.flags |= style.flags

    def carry_out(self, piece: str) -> None:
        """Do what a command does that defines something."""
        if verb := self._verbs.get(piece):
            verb(piece)
        else:
            self.decided(piece[1:])

    def _newcommand(self, _: str) -> None:
        self.star()
        name, count, default = self.name(), self._count(), self.optional()
        body = tuple(self.argument())
        first = None if default is None else tuple(default)
        self._define(name, Macro(body, count, first))

    def _def(self, _: str) -> None:
        name = self.inner()
        marks: list[str] = []
        while self.peek() not in ("{", "", PAR) and (mark := self.inner()):
            marks.append(mark)
        body = tuple(self.argument())
        plain = [mark for mark in marks if mark != " "]
        if name.startswith("\\") and all(mark[0] == "#" for mark in plain):
            self._define(name[1:], Macro(body, len(plain)))

    def _document_command(self, _: str) -> None:
        name, spec = self.name(), self.argument()
        marks, depth = "", 0
        for piece in "".join(spec):
            depth += (piece == "{") - (piece == "}")
            marks += piece if not depth and piece in "mosO" else ""
        self._define(
            name,
            Macro(
                tuple(self.argument()),
                starred="s" in marks,
                marks=marks.replace("s", "").lower(),
            ),
        )

    def _newenvironment(self, _: str) -> None:
        self.star()
        name, count, default = self.name(), self._count(), self.optional()
        begin, end = tuple(self.argument()), tuple(self.argument())
        first = None if default is None else tuple(default)
        # a style draws a table or an abstract in its own way, which is one all the same
        if name.rstrip("*") not in _KNOWN:
            self.environments[name] = (Macro(begin, count, first), Macro(end))

    def _let(self, _: str) -> None:
        name = self.inner().lstrip("\\")
        self.skip_space()
        if self.peek().startswith("="):
            self.argument()
        meaning = self.argument()
        known = self.macros.get(meaning[0][1:]) if meaning else None
        if meaning and not known:
            self._kept.add(meaning[0][1:])
        if f"\\{name}" not in meaning:
            self._define(name, known or Macro(tuple(meaning)))

    def _operator(self, _: str) -> None:
        self.star()
        name = self.name()
        self._define(name, Macro(("\\operatorname", "{", *self.argument(), "}")))

    def _alphabet(self, _: str) -> None:
        self._define(self.name(), Macro(()))
        for _font in range(4):
            self.argument()

    def _delimiter(self, _: str) -> None:
        name, left, right = self.name(), self.argument(), self.argument()
        self._define(name, Macro((*left, "#1", *right), 1, starred=True))

    def _theorem(self, _: str) -> None:
        self.star()
        name = self.name()
        self.optional()
        self.theorems[name] = "".join(self.argument())
        self.optional()

    def _input(self, _: str) -> None:
        self._include(self._file_name())

    def _input_if(self, _: str) -> None:
        name, yes, no = self.plain(), self.argument(), self.argument()
        self.push(yes if self._include(name) else no)

    def _import(self, _: str) -> None:
        self.star()
        folder = self.plain()
        self._include(f"{folder.rstrip('/')}/{self._file_name()}")

    def _file_name(self) -> str:
        self.skip_space()
        if self.peek() == "{":
            return self.plain()
        # TeX's own form: \input name
        found = []
        while self.peek() not in (" ", PAR, "}") and (piece := self.inner()):
            found.append(piece)
        return "".join(found)

    def _include(self, name: str) -> bool:
        if self._depth >= _DEPTH_LIMIT:
            return False
        found = self._find_file(name)
        if found is not None:
            self._depth += 1
            self.give([*found, FILE_ENDS])
        return found is not None

    def _end_file(self) -> None:
        while self.inner():
            pass
