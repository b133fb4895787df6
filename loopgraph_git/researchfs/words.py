"""Words of prose and of code: what is indexed and what a query asks for.

SQLite's tokenizer keeps `n_kv_head` apart as three words and `SwiGLUMlp` together
as one. A derived column adds the other spelling of every identifier, and a query
with an identifier asks for both. A user's text never reaches the query language:
it is cut into words, and every word is quoted.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

TOKEN_LIMIT = 64
_PIECE = re.compile(r"\w+(?:[.\-/]\w+)*")
_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"[^\W_]+")
_LAST = re.compile(r"[^\W_]{1,64}\Z")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_STOPPED = """
a an and are as at be but by can do for from has have how i if in into is it its not of
on or our so that the their then there these this to was we what when where which while
who why will with you your
"""
STOP_WORDS = frozenset(_STOPPED.split())


@lru_cache(maxsize=1 << 16)
def parts(identifier: str) -> tuple[str, ...]:
    """Split an identifier: `n_kv_head` → n, kv, head; `SwiGLUMlp` → swi, glu, mlp."""
    return tuple(part.lower() for part in _PART.findall(identifier))


@lru_cache(maxsize=1 << 16)
def _spellings(identifier: str) -> str:
    found = parts(identifier)
    if len(found) < 2:  # noqa: PLR2004
        return ""
    pairs = [left + right for left, right in pairwise(found)]
    spelt = dict.fromkeys([*found, *pairs, "".join(found)])
    spelt.pop(identifier.lower(), None)
    return " ".join(spelt)


def identifiers(text: str) -> str:
    """Return the other spellings of the identifiers in a text, each once.

    `n_kv_head` gives its parts, the joins of neighbours and the join of all.
    """
    # most words are plain: to pass over them here halves the cost of an index
    mixed = (word for word in words(text) if not (word.isalpha() and word.islower()))
    return " ".join(filter(None, map(_spellings, dict.fromkeys(mixed))))


def words(text: str) -> list[str]:
    """Return the words of a text as they are spelt, identifiers whole."""
    return _WORD.findall(text)


def tokens(text: str) -> list[str]:
    """Return the lower-case words of a text, stop words and repeats included."""
    return [token.lower() for token in _TOKEN.findall(text)]


def match_terms(text: str, *, prefix: bool = False) -> list[str]:
    """Return what any text asks FTS5 for: every word of it, quoted.

    Repeats are kept: they weigh more. An identifier or a dotted name also asks for its
    parts as a phrase and for their join. At most 64 tokens are used. With `prefix` the
    word at the very end also stands for the words that begin with it, since it may not
    be typed to its end.
    """
    readable = _printable(text)
    terms: list[tuple[str, str]] = []
    for piece in _PIECE.findall(readable):
        terms += _terms(piece)
        if len(terms) >= TOKEN_LIMIT:
            break
    wanted = [quoted for word, quoted in terms if word not in STOP_WORDS] or [
        quoted for _, quoted in terms
    ]
    last = last_word(readable) if prefix else ""
    return [*wanted[:TOKEN_LIMIT], *([f'"{last}"*'] if last else [])]


def match_query(text: str) -> str | None:
    """Turn any text into an FTS5 query that finds rows with any of its words.

    Words are joined by OR, because AND finds next to nothing for a sentence. None when
    the text has no word at all; never a syntax error.
    """
    return " OR ".join(match_terms(text)) or None


def last_word(text: str) -> str:
    """Return the word that a text ends in, or "" when it is shorter than two letters."""
    found = _LAST.search(text)
    return found[0] if found and len(found[0]) > 1 else ""


def _printable(text: str) -> str:
    # lone surrogates cannot be stored, and 100 kB hold far more than 64 words
    return text[:20_000].encode("utf-8", "ignore").decode().replace("\0", " ")


def _terms(piece: str) -> list[tuple[str, str]]:
    split = _TOKEN.findall(piece)
    found = [(word.lower(), f'"{word}"') for word in split]
    phrase = [part for word in split for part in parts(word)]
    if len(split) > 1:
        found.append(("", f'"{" ".join(split)}"'))
    if len(phrase) > len(split):
        found.append(("", f'"{" ".join(phrase)}"'))
    if len(phrase) > 1 and "".join(phrase) != piece.lower():
        found.append(("", f'"{"".join(phrase)}"'))
    return found
