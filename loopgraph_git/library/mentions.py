"""Which methods a text speaks of: by id, title and alias, whole words only.

`GLU` is not in `SwiGLU`. A word with capitals inside (`GQA`, `RoPE`) is spelt as it is,
and so is an identifier (`n_kv_head`). In names of several words case and hyphens do not
matter, and the last word may be a plural. A plain word alone, such as `layers`, helps a
search and says nothing here, unless it is the id and the title begins with it (`muon`).
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loopgraph_git.records import Method

_TOKEN = re.compile(r"[^\W_]+")
_GAP = re.compile(r"[\s_\-\u2010-\u2015]{1,3}\Z")
_UNDERSCORE = re.compile(r"_\Z")


class _Name(NamedTuple):
    """The words of a name, which of them are compared as spelt, and what parts them."""

    words: tuple[str, ...]
    strict: tuple[bool, ...]
    gap: re.Pattern[str] = _GAP

    def stands(self, text: str, words: Sequence[re.Match[str]], start: int) -> bool:
        """Say whether the name begins at a word of a text."""
        here = words[start : start + len(self.words)]
        return (
            len(here) == len(self.words)
            and all(self._fits(word[0], at) for at, word in enumerate(here))
            and all(
                self.gap.match(text, before.end(), after.start())
                for before, after in pairwise(here)
            )
        )

    def _fits(self, word: str, at: int) -> bool:
        wanted = self.words[at]
        said = word if self.strict[at] else word.casefold()
        last = at == len(self.words) - 1
        return said == wanted or (last and said == f"{wanted}s")


class Mentions:
    """Finds the methods that texts speak of."""

    def __init__(self, methods: Iterable[Method]) -> None:
        known: dict[_Name, dict[str, None]] = {}
        for method in methods:
            for name in _names(method):
                known.setdefault(name, {})[method.id] = None
        self._by_first: dict[str, list[tuple[_Name, tuple[str, ...]]]] = {}
        # the longest name that fits is the one that is meant
        for name in sorted(known, key=lambda name: -len(name.words)):
            first = name.words[0].casefold()
            starts = [first, f"{first}s"] if len(name.words) == 1 else [first]
            for start in starts:
                self._by_first.setdefault(start, []).append((name, tuple(known[name])))

    def find(self, text: str) -> Counter[str]:
        """Return how often a text speaks of each method, by id."""
        found: Counter[str] = Counter()
        words = list(_TOKEN.finditer(text))
        at = 0
        while at < len(words):
            for name, methods in self._by_first.get(words[at][0].casefold(), ()):
                if name.stands(text, words, at):
                    found.update(methods)
                    at += len(name.words) - 1
                    break
            at += 1
        return found


def _names(method: Method) -> Iterator[_Name]:
    # of `MLP #` the word alone would be left
    aliases = [alias for alias in method.aliases if "#" not in alias]
    for text in (method.title, *aliases):
        words = _TOKEN.findall(text)
        if len(words) > 1 or (words and not _is_plain(words[0])):
            yield _name(text, words)
    words = _TOKEN.findall(method.id)
    if len(words) > 1 or (words and not _is_plain(words[0])):
        yield _name(method.id, words)
    elif words and _TOKEN.findall(method.title.casefold())[:1] == words:
        yield _name(method.id, words)
        yield _name(method.id, [words[0].capitalize()])


def _is_plain(word: str) -> bool:
    """Say whether a word could be any: small letters alone."""
    return word.islower() and word.isalpha()


def _name(text: str, words: Sequence[str]) -> _Name:
    if "_" in text.strip("_"):
        return _Name(tuple(words), (True,) * len(words), _UNDERSCORE)
    strict = tuple(len(words) == 1 or word[1:] != word[1:].lower() for word in words)
    spelt = zip(words, strict, strict=True)
    return _Name(
        tuple(word if exact else word.casefold() for word, exact in spelt), strict
    )
