"""Which passages of a paper an LLM is shown, and how: the best ones, as quoted data."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from loopgraph_git.records.texts import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from loopgraph_git.records import Chunk

MOST = 48
"""How many passages of a source are shown: about 13,000 tokens."""

AT_ONCE = 16
"""How many are shown in one request."""

_WORDS = Path(__file__).parent / "worth.yml"
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# what joins letters, or picks another shape of them, has no width either
_UNSEEN = re.compile(r"[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_LIMIT = 2500
_NUMBER = re.compile(r"\d")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{3,}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SHORTEST_PART = 4
_KINDS = ("text", "abstract", "caption")


@cache
def _worth() -> Mapping[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_WORDS.read_text("utf-8"))
    return {
        "passed_over": _any_of(found["passed_over"]),
        "sections": _any_of(found["sections"]),
        "words": [_any_of([word]) for word in found["words"]],
    }


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    spelt = "|".join(re.escape(word).replace(r"\ ", r"[\s-]+") for word in words)
    return re.compile(rf"\b(?:{spelt})", re.IGNORECASE)


def chosen(chunks: Sequence[Chunk], code: str) -> list[Chunk]:
    """Return the passages that are worth sending, in the order of the paper.

    Sections about methods and results come first, then what speaks of training and
    of names in the code; references and thanks are left out.
    """
    named = _names(code)
    rated = [(_rated(chunk, named), chunk) for chunk in chunks]
    good = sorted((-rate, chunk.ord) for rate, chunk in rated if rate > 0)[:MOST]
    kept = {ord_ for _, ord_ in good}
    return [chunk for chunk in chunks if chunk.ord in kept]


def portions(chunks: Sequence[Chunk]) -> list[tuple[Chunk, ...]]:
    """Return passages as they are sent, those of one request together."""
    return [tuple(chunks[at : at + AT_ONCE]) for at in range(0, len(chunks), AT_ONCE)]


def _rated(chunk: Chunk, named: AbstractSet[str]) -> float:
    worth, where = _worth(), f"{chunk.place} {chunk.title}"
    if chunk.kind not in _KINDS or worth["passed_over"].search(chunk.place):
        return 0
    said = sum(bool(word.search(chunk.body)) for word in worth["words"])
    shared = len({word.lower() for word in _IDENTIFIER.findall(chunk.body)} & named)
    if chunk.kind == "abstract":
        return 100.0
    # what speaks of nothing that is trained is not worth its tokens
    if not said:
        return 0
    section = 3 if worth["sections"].search(where) else 0
    figures = 1 if _NUMBER.search(chunk.body) else 0
    return said + section + figures + min(shared, 4) / 2


def _names(code: str) -> set[str]:
    """Return the identifiers of some code, and the words that they are made of."""
    found = set(_IDENTIFIER.findall(code))
    spelt = {name.lower() for name in found if not name.islower() or "_" in name}
    parts = {part.lower() for name in found for part in _PART.findall(name)}
    return spelt | {part for part in parts if len(part) > _SHORTEST_PART}


def quoted(chunk: Chunk, number: int, nonce: str) -> str:
    """Return a passage between marks that no author of a paper could have known."""
    head = f"passage {number}: {seen(chunk.place) or seen(chunk.title)}"
    return f"<<<{nonce} {head}\n{seen(chunk.body)[:_LIMIT]}\n{nonce}>>>"


def seen(text: str) -> str:
    """Return what a reader of a text sees: no comments, nothing without a width."""
    return _UNSEEN.sub("", HIDDEN.sub("", _COMMENT.sub("", text)))
