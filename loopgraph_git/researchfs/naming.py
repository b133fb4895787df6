"""Which methods a description speaks of: by id, alias, and the names of its targets.

Words decide nothing where code can (see the recognition of changes); they are all there
is for a row of somebody's log whose code is lost.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.records import Method, Operation

_WORD = re.compile(r"[^\W_]+")
_LAST = re.compile(r"[.(]")
_AWAY = frozenset({"remove", "removed", "drop", "dropped", "without", "no", "disable"})
_MOST = 4


@lru_cache(maxsize=1 << 14)
def _words(text: str) -> tuple[str, ...]:
    """Return lower-case words, `n_head` as two; a plural counts as its singular."""
    found = (word.lower() for word in _WORD.findall(text))
    return tuple(w[:-1] if len(w) > 3 and w[-1] == "s" else w for w in found)  # noqa: PLR2004


def named_methods(methods: Iterable[Method], text: str) -> list[str]:
    """Return the ids of the methods that a text says it tries, at most four.

    The longest name counts where names overlap: `embedding LR` is not `LR`. A method
    that is taken away ("remove QK-norm", "no warmup") was not tried.
    """
    phrases = _phrases(methods)
    words, place, found = _words(text), 0, dict[str, None]()
    longest = max(map(len, phrases), default=0)
    while place < len(words):
        size, names = _at(phrases, words, place, longest)
        if names and not _AWAY.intersection(words[max(place - 2, 0) : place]):
            found.update(dict.fromkeys(names))
        place += max(size, 1)
    return sorted(list(found)[:_MOST])


def _at(
    phrases: Mapping[tuple[str, ...], Sequence[str]],
    words: Sequence[str],
    place: int,
    longest: int,
) -> tuple[int, Sequence[str]]:
    for size in range(min(longest, len(words) - place), 0, -1):
        names = phrases.get(tuple(words[place : place + size]))
        if names:
            return size, names
    return 0, ()


def _phrases(methods: Iterable[Method]) -> dict[tuple[str, ...], list[str]]:
    """Return the methods by everything that they are called, sorted by id."""
    found: dict[tuple[str, ...], set[str]] = {}
    for method in methods:
        for name in (method.id, *method.aliases, *_constants(method)):
            words = _words(name)
            if words:
                found.setdefault(words, set()).add(method.id)
    return {words: sorted(names) for words, names in found.items()}


def _constants(method: Method) -> Iterator[str]:
    """Yield the constants that a recipe turns; one that rewrites code shares its names.

    A short name such as `base` is a word of anything.
    """
    verbs = {step.verb for step in method.recipe}
    if verbs <= {"set", "any"}:
        for name in targets(method.recipe):
            if name.isupper() or "_" in name:
                yield name


def targets(steps: Iterable[Operation]) -> Iterator[str]:
    """Yield the names that the steps of a recipe set, however deep: `WEIGHT_DECAY`.

    Of `GPTConfig(n_layer)` and `GPT.forward.softcap` it is the last part.
    """
    for step in steps:
        if step.verb == "any":
            for others in step.arguments["any"]:
                yield from targets(others)
        elif step.verb == "set":
            yield _LAST.split(step.arguments["set"].rstrip(")"))[-1]
