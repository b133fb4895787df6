r"""LaTeX as a stream of tokens, with the paper's own macros expanded on the way.

A token is a piece of the source: `\word`, `\%`, one of `{ } $ & ~ ^ _ [ ]`, a
parameter `#1`, blank space, a paragraph's end, or a run of plain characters. What is
verbatim is a token of its own. As in TeX, what a macro stands for is put back in front
of what follows, so that arguments may come from anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.tex_names import VERBATIM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAR = "\n\n"
CODE = "\0code"
LITERAL = "\0text"
MARK = "\0end"
"""What begins a token that ends something; nothing else may take it."""

WORK_LIMIT = 500_000, 10
PUSHED_LIMIT = 200_000, 4
"""How many tokens may be taken, and come from macros: at least, and per token given.

A book of two million characters takes 2.3 tokens for each that it is given, and has
0.7 from its macros.
"""

_OPTIONAL_LIMIT = 2_000
_TOKEN = re.compile(
    r"(?P<comment>%[^\n]*(?:\n[ \t]*)?)"
    r"|\\begin[ \t]*\{(?P<env>[A-Za-z]+)\*?\}"
    r"|\\(?P<verb>verb\*?|lstinline(?:\[[^\]\n]{0,200}\])?|mintinline(?:\{\w*\})?)"
    r"(?P<mark>[^\sA-Za-z*\[])"
    r"|\\(?:url|nolinkurl|path)[ \t]*\{(?P<url>[^{}\n]{0,2000})\}"
    r"|\\href[ \t]*\{[^{}]{0,2000}\}"
    r"|(?P<word>\\[A-Za-z@]+)[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?"
    r"|(?P<symbol>\\[\s\S]?)"
    r"|(?P<par>[ \t]*\n[ \t]*\n\s*)"
    r"|(?P<space>\s+)"
    r"|(?P<special>\$\$|[{}$&~^_\[\]]|\#+\d?)"
    r"|(?P<text>[^\\{}$&~^_\[\]#%\s]+)"
)
_LENGTH = re.compile(r"[-+]?(?:[\d.]|\\)")
_SHORT = {"space": " ", "url": LITERAL + "{}"}
_CLOSES = {"{": "}", "(": ")", "<": ">"}


def tokens_of(text: str) -> list[str]:
    """Return the tokens of a source, without its comments."""
    return [piece for piece in _tokens(text) if piece]


def _tokens(text: str) -> Iterator[str]:
    at, unclosed = 0, set[str]()
    while found := _TOKEN.match(text, at):
        kind, at = found.lastgroup, found.end()
        if kind == "env":
            body, at = _verbatim(text, found, unclosed)
            yield from body
        elif kind == "mark":
            body, at = _inline(text, found)
            yield from body
        elif kind in ("par", "comment"):
            # an empty line after a comment still ends the paragraph
            if kind == "par" or (text.startswith("\n", at) and found[0][-1] != "%"):
                yield PAR
        elif kind is not None:
            yield _SHORT.get(kind, "{}").format(found[kind])


def _verbatim(
    text: str, found: re.Match[str], unclosed: set[str]
) -> tuple[list[str], int]:
    name = found[0].partition("{")[2].rstrip("}")
    plain = ["\\begin", "{", name, "}"]
    if found["env"] not in VERBATIM or name in unclosed:
        return plain, found.end()
    close = f"\\end{{{name}}}"
    end = text.find(close, found.end())
    if end < 0:
        unclosed.add(name)
        return plain, found.end()
    body = text[found.end() : end]
    if found["env"] in ("comment", "filecontents"):
        return [], end + len(close)
    if found["env"] in ("lstlisting", "minted", "Verbatim"):
        body = re.sub(r"\A(?:\[[^\]]{0,500}\]|\{\w*\})*", "", body)
    return [CODE + body.strip("\n")], end + len(close)


def _inline(text: str, found: re.Match[str]) -> tuple[list[str], int]:
    close = _CLOSES.get(found["mark"], found["mark"])
    end = text.find(close, found.end(), found.end() + 500)
    body = text[found.end() : end]
    if end < 0 or "\n" in body:
        return [], found.end()
    return [LITERAL + body], end + 1


@dataclass(frozen=True)
class Macro:
    """What a command stands for: parameters, the first one's default, and its body.

    `starred` takes a star away that may follow; `marks` says of each parameter
    whether it is optional, where it is not the first alone.
    """

    body: tuple[str, ...]
    parameters: int = 0
    default: tuple[str, ...] | None = None
    starred: bool = False
    marks: str = ""


class Stream:
    """Tokens still to be read; macros put theirs in front.

    `endless` says that macros were given up, since they repeat themselves.
    """

    def __init__(self, tokens: Sequence[str] = ()) -> None:
        self._left: list[str] = list(reversed(tokens))
        self._work = 0
        self._pushed = 0
        self._given = len(tokens)
        self.endless = False

    def next(self) -> str:
        """Return the next token, or "" at the end."""
        self._work += 1
        if self._work > self._allowed(WORK_LIMIT):
            raise DocumentError("its macros do not come to an end")
        return self._left.pop() if self._left else ""

    def inner(self) -> str:
        """Return the next token, or "" where something ends."""
        return "" if self.peek().startswith(MARK) else self.next()

    def peek(self) -> str:
        """Return the next token without taking it."""
        return self._left[-1] if self._left else ""

    def give(self, tokens: Sequence[str]) -> None:
        """Put a file in front of what is left."""
        self._given += len(tokens)
        self.push(tokens)

    def _allowed(self, limit: tuple[int, int]) -> int:
        return limit[0] + limit[1] * self._given

    def push(self, tokens: Sequence[str]) -> None:
        """Put tokens in front of what is left."""
        self._left.extend(reversed(tokens))

    def expand(self, macro: Macro) -> None:
        """Put what a macro stands for in front, with its arguments in their places."""
        if macro.starred:
            self.star()
        arguments = list(self._arguments(macro))
        size = len(macro.body) + sum(map(len, arguments)) + 1
        if self._pushed + size > self._allowed(PUSHED_LIMIT):
            self.endless = True
            return
        found: list[str] = []
        for piece in macro.body:
            if piece[0] != "#":
                found.append(piece)
            elif piece.startswith("##"):
                found.append(piece[1:])
            else:
                number = int(piece[1:] or 0)
                if 0 < number <= len(arguments):
                    found += arguments[number - 1]
        self._pushed += len(found) + 1
        self.push(found)

    def _arguments(self, macro: Macro) -> Iterator[list[str]]:
        if macro.marks:
            for mark in macro.marks:
                yield self.optional() or [] if mark == "o" else self.argument()
            return
        for number in range(macro.parameters):
            if number == 0 and macro.default is not None:
                given = self.optional()
                yield list(macro.default) if given is None else given
            else:
                yield self.argument()

    def skip_space(self) -> None:
        """Pass over blank space, but not over a paragraph's end."""
        while self.peek() == " ":
            self.next()

    def star(self) -> bool:
        """Take a star where one is next, and say whether there was one."""
        piece = self.peek()
        if not piece.startswith("*"):
            return False
        self.next()
        self.push([piece[1:]] if piece[1:] else [])
        return True

    def row_end(self) -> None:
        r"""Take what may follow `\\`: a star, and how far down the next row begins."""
        self.star()
        given = self.optional()
        if given is not None and not _LENGTH.match("".join(given).strip()):
            self.push(["[", *given, "]"])

    def argument(self) -> list[str]:
        """Return the next argument: a group without its braces, or one token."""
        self.skip_space()
        piece = self.next()
        if piece == "{":
            return self._group("{", "}")
        if piece in ("", "}", PAR) or piece.startswith(MARK):
            self.push([piece] if piece else [])
            return []
        if piece[0] in "\\\0#":
            return [piece]
        self.push([piece[1:]] if piece[1:] else [])
        return [piece[0]]

    def optional(self, opens: str = "[", closes: str = "]") -> list[str] | None:
        """Return what stands in brackets, or None where no bracket is next."""
        self.skip_space()
        if not self.peek().startswith(opens):
            return None
        first = self.next()
        self.push([first[1:]] if first[1:] else [])
        found: list[str] = []
        depth = 0
        while len(found) < _OPTIONAL_LIMIT and (piece := self.inner()):
            if not depth and piece.startswith(closes):
                self.push([piece[1:]] if piece[1:] else [])
                return found
            depth += (piece == "{") - (piece == "}")
            found.append(piece)
        # a bracket that nothing closes is a sign like any other
        self.push(found)
        return []

    def _group(self, opens: str, closes: str) -> list[str]:
        depth = 1
        found: list[str] = []
        while piece := self.inner():
            depth += (piece == opens) - (piece == closes)
            if not depth:
                return found
            found.append(piece)
        # never closed: at most the paragraph was meant
        end = found.index(PAR) if PAR in found else len(found)
        self.push(found[end:])
        return found[:end]

    def plain(self) -> str:
        """Return the next argument as it is written, for names and keys."""
        return "".join(self.argument()).replace("\0text", "").strip()
