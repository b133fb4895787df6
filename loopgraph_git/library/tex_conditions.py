r"""What a paper switches on and off: its `\if...`, as far as it can be known.

`\newif` flags are followed, `\iffalse` hides what it hides; of a test that only TeX
could decide, the first branch is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.library.tex_stream import MARK, PAR, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_ENDS = MARK + " of file"
"""The token behind a file that was put in."""

_TESTS = frozenset(
    [
        "ifx",
        "if",
        "ifnum",
        "ifdim",
        "ifodd",
        "ifmmode",
        "ifcase",
        "ifdefined",
        "ifcsname",
        "ifpdf",
        "ifxetex",
        "ifluatex",
        "ifvmode",
        "ifhmode",
        "ifcat",
        "ifeof",
        "iftrue",
        "iffalse",
        "ifPDFTeX",
        "ifXeTeX",
        "ifLuaTeX",
    ]
)
_SILENT = frozenset(
    [
        "fi",
        "expandafter",
        "noexpand",
        "relax",
        "begingroup",
        "endgroup",
        "bgroup",
        "egroup",
        "makeatletter",
        "makeatother",
        "long",
        "global",
        "leavevmode",
        "protect",
        "endcsname",
        "unskip",
        "ignorespaces",
        "nonumber",
        "outer",
    ]
)


class Conditions(Stream):
    """A stream that passes over what is switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.flags: dict[str, bool] = {"iftrue": True, "iffalse": False}
        self._choices: dict[str, Callable[[], None]] = {
            "ifthenelse": self._ifthenelse,
            "@ifnextchar": self._if_next,
            "@ifstar": self._if_star,
            "@ifundefined": self._ifthenelse,
            "mathchoice": self._mathchoice,
            "csname": self._csname,
        }

    def name(self) -> str:
        """Return the name of the command that is the next argument."""
        return self.plain().lstrip("\\")

    def decided(self, name: str) -> bool:
        """Carry out what is about a condition; False where a command is not."""
        if name in self.flags or name in _TESTS:
            self._condition(name)
        elif name == "newif":
            self.flags[self.name()] = False
        elif name == "else":
            self._pass_over(stop_at_else=False)
        elif choice := self._choices.get(name):
            choice()
        elif name not in _SILENT:
            return self._is_flag(name)
        return True

    def _is_flag(self, name: str) -> bool:
        r"""Carry out `\draftfalse` where the paper has `\newif\ifdraft`."""
        for ending, value in (("true", True), ("false", False)):
            flag = f"if{name.removesuffix(ending)}"
            if name.endswith(ending) and flag in self.flags:
                self.flags[flag] = value
                return True
        return False

    def _condition(self, name: str) -> None:
        if not self.flags.get(name, True):
            self._pass_over(stop_at_else=True)
        elif name in ("ifx", "if", "ifcat"):
            self.inner()
            self.inner()
        elif name in ("ifnum", "ifdim", "ifodd", "ifcase", "ifdefined"):
            self.inner()

    def _pass_over(self, *, stop_at_else: bool) -> None:
        depth = 0
        while piece := self.inner():
            name = piece[1:] if piece[0] == "\\" else ""
            if name == "fi" or (name == "else" and stop_at_else and not depth):
                depth -= 1
                if depth < 0:
                    return
            elif name in self.flags or name in _TESTS:
                depth += 1

    def _ifthenelse(self) -> None:
        self.argument()
        yes, _no = self.argument(), self.argument()
        self.push(yes)

    def _if_next(self) -> None:
        wanted, yes, no = self.argument(), self.argument(), self.argument()
        self.skip_space()
        mark = "{" if wanted == ["\\bgroup"] else "".join(wanted)
        self.push(yes if mark and self.peek().startswith(mark) else no)

    def _if_star(self) -> None:
        yes, no = self.argument(), self.argument()
        self.push(yes if self.star() else no)

    def _mathchoice(self) -> None:
        chosen, *_ = [self.argument() for _size in range(4)]
        self.push(chosen)

    def _csname(self) -> None:
        found: list[str] = []
        while (piece := self.inner()) not in ("", "\\endcsname", PAR):
            found.append(piece)
        name = "".join(found)
        self.push([f"\\{name}"] if name.isalpha() else [])
