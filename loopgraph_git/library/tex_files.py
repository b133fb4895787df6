r"""The files of a LaTeX source: which is the paper itself, and what it asks for."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.section import clean
from loopgraph_git.library.tex_stream import tokens_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE_LIMIT = 16 << 20
"""How much LaTeX one paper may be, in bytes."""

_SUFFIXES = (".tex", ".ltx", ".latex", ".sty", ".bbl", ".txt", ".tikz", ".def", ".inc")
_STYLE_LIMIT = 200_000
_REPEATS = 20
_COMMENTS = re.compile(r"(?<!\\)%[^\n]*")
_CLASS = re.compile(r"\\document(?:class|style)\b[^{]{0,300}\{\s*([\w-]*)")
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_END = re.compile(r"\\end\s*\{document\}")
_ASKED = re.compile(r"\\(?:input|include|subfile|import\{[^}]*\})\s*\{?([^\s{}]+)")
_CHAPTER = re.compile(r"\\chapter\b")
_TITLE = re.compile(r"\\(?:title|icmltitle|maketitle)\b")
_MAIN_NAMES = ("main", "ms", "paper", "article", "arxiv", "root", "manuscript")
_PARTS = ("standalone", "subfiles", "letter", "beamer")
_BARE_TEX = re.compile(r"\\(?:section|chapter|begin|input|bye|magnification)\b")


class TexFiles:
    """The text files of a paper, by name; `left_out` says what it asks for in vain."""

    def __init__(self, files: Mapping[str, bytes], name: str) -> None:
        self._texts = _texts(files)
        self._asked: dict[str, int] = {}
        self._tokens: dict[str, list[str]] = {}
        self.left_out: list[str] = []
        self.main = self._main(name)
        self._folder = posixpath.dirname(self.main)
        used = [text for path, text in self._texts.items() if path.endswith(".tex")]
        self.uses_chapters = any(_CHAPTER.search(text) for text in used)

    def _main(self, name: str) -> str:
        """Return the file that is the paper, or most of it with all it asks for."""
        bare = {
            path: _COMMENTS.sub("", text)
            for path, text in self._texts.items()
            if not path.endswith((".sty", ".bbl", ".def"))
        }
        asks = {path: set(map(_stem, _ASKED.findall(bare[path]))) for path in bare}
        # a few lines that choose a paper size may ask for the paper, and are not it
        asked = {
            name
            for path, names in asks.items()
            if _CLASS.search(bare[path])
            for name in names - {_stem(path)}
        }
        scores = {path: _score(path, text, asked) for path, text in bare.items()}
        best = max((score for score in scores.values() if score), default=())
        sizes = {
            path: _reach(path, bare, asks)
            for path, score in scores.items()
            if score and score[:4] == best[:4]
        }
        if not sizes:
            raise DocumentError(
                f"{name} has no LaTeX in it: give a .tex file, or a folder that has one"
            )
        most = max(sizes.values())
        large = [path for path, size in sizes.items() if size * 2 >= most]
        return max(large, key=lambda path: (*scores[path], sizes[path], path))

    def main_tokens(self) -> list[str]:
        """Return the tokens of the paper's own file."""
        return tokens_of(self._texts[self.main])

    def tokens(self, asked: str) -> list[str] | None:
        """Return the tokens of a file that is asked for, or None."""
        path = self._found(asked, (".tex", "", ".ltx"))
        if path is None:
            missing = f"{asked}: asked for, but not in the source"
            if asked and missing not in self.left_out:
                self.left_out.append(missing)
            return None
        self._asked[path] = self._asked.get(path, 0) + 1
        if self._asked[path] > _REPEATS or path == self.main:
            return None
        if path not in self._tokens:
            self._tokens[path] = tokens_of(_body(self._texts[path]))
        return self._tokens[path]

    def style(self, name: str) -> list[str]:
        """Return the tokens of a style file that came with the paper, or none."""
        path = self._found(name, (".sty",))
        if path is None or len(self._texts[path]) > _STYLE_LIMIT:
            return []
        return tokens_of(self._texts[path])

    def bibliography(self) -> list[str]:
        """Return the tokens of the references, where they came with the paper."""
        own = posixpath.splitext(self.main)[0] + ".bbl"
        others = [path for path in self._texts if path.endswith(".bbl")]
        path = own if own in self._texts else next(iter(others), None)
        text = self._texts[path] if path else ""
        if "\\bibitem" not in text:
            note = "the references: no .bbl that can be read is in the source"
            self.left_out += [note] if note not in self.left_out else []
            return []
        return tokens_of(text)

    def _found(self, asked: str, endings: tuple[str, ...]) -> str | None:
        for folder in (self._folder, ""):
            for ending in endings:
                path = posixpath.normpath(posixpath.join(folder, asked + ending))
                if path in self._texts:
                    return path
        last = posixpath.basename(asked)
        same = [p for e in endings for p in self._texts if _ends(p, last + e)]
        return same[0] if len(same) == 1 and last else None


def _ends(path: str, name: str) -> bool:
    return posixpath.basename(path) == name


def _stem(path: str) -> str:
    return posixpath.basename(path).removesuffix(".tex")


def _texts(files: Mapping[str, bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    total = 0
    only = len(files) == 1
    for path, data in files.items():
        if not only and not path.lower().endswith(_SUFFIXES) and "." in path[-5:]:
            continue
        if total + len(data) > SOURCE_LIMIT or b"\0" in data[:8000]:
            continue
        total += len(data)
        found[posixpath.normpath(path)] = clean(_decoded(data))
    return found


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _body(text: str) -> str:
    """Return what a file with a document of its own adds to another."""
    begin = _BEGIN.search(text)
    if not begin:
        return text
    ends = [found.start() for found in _END.finditer(text)]
    return text[begin.end() : ends[-1] if ends else None]


def _score(path: str, text: str, asked: set[str]) -> tuple[int, ...]:
    """Return how likely a file is the paper itself; () where it cannot be."""
    kind = _CLASS.search(text)
    if not kind and not _BARE_TEX.search(text):
        return ()
    stem = _stem(path)
    return (
        bool(kind),
        bool(_BEGIN.search(text)),
        not (kind and kind[1] in _PARTS),
        stem not in asked,
        bool(_TITLE.search(text)),
        stem.lower() in _MAIN_NAMES,
        -path.count("/"),
    )


def _reach(path: str, texts: Mapping[str, str], asks: Mapping[str, set[str]]) -> int:
    """Return how much text a file asks for, itself included."""
    found, waiting = {path}, [path]
    while waiting:
        asked = asks[waiting.pop()]
        new = [other for other in texts if other not in found and _stem(other) in asked]
        found.update(new)
        waiting += new
    return sum(len(texts[other]) for other in found)
