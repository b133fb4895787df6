"""Which methods a description speaks of: by id, alias, and the names of its targets.

Words decide nothing where code does (see the recognition of changes); they are all there
is for a row of somebody's log whose code is lost, and for a change that tells nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loopgraph_git.records import Method, Operation

# what follows an apostrophe is no word: `we've`, `Muon's`
_WORD = re.compile(r"([^\W_]+|#)(?:['\u2019]\w+)?")
# the last bracket may not be closed: descriptions are cut
_ASIDE = re.compile(r"\([^()]*(?:\)|\Z)")
_KEPT = re.compile(
    r"\b(?:while |whilst |but )?(?:keeping|holding|leaving)\b[^;]*", re.IGNORECASE
)
_BOND = re.compile(r"[\s_-]*")
_LAST = re.compile(r"[.(]")
_AWAY = frozenset({"remove", "removed", "drop", "dropped", "without", "no", "disable"})
_ANY_NUMBER = "#"
_NUMBER = re.compile(r"\d+[a-z]?\Z")
# where something is done, and not how much of it there is: `on 12 layers`
_WHERE = frozenset({
    "all", "at", "bottom", "every", "first", "for", "in", "last", "lower", "of", "on",
    "the", "top", "upper",
})  # fmt: skip
_SHORT = {
    "accum": ("accumulation",),
    "attn": ("attention",),
    "emb": ("embedding",),
    "embed": ("embedding",),
    "grad": ("gradient",),
    "initialisation": ("init",),
    "initialization": ("init",),
    "lr": ("learning", "rate"),
    "normalization": ("normalisation",),
    "ve": ("value", "embedding"),
    "wd": ("weight", "decay"),
}
"""What many write short, or another way, as it is compared."""
_MOST = 4


class _Name(NamedTuple):
    """What a phrase calls: methods, and whether all they do is to turn a number."""

    methods: tuple[str, ...]
    knob: bool


class _Part(NamedTuple):
    """A word, and whether nothing but a space or a hyphen parts it from the last."""

    word: str
    bound: bool


@lru_cache(maxsize=1 << 14)
def _parts(text: str) -> tuple[_Part, ...]:
    """Return lower-case words, `n_head` as two; a plural counts as its singular."""
    found, end = [], 0
    for match in _WORD.finditer(text):
        word = match[1].lower()
        if word[-1] == "s" and (len(word) > 3 or word[:-1] in _SHORT):  # noqa: PLR2004
            word = word[:-1]
        bound = _BOND.fullmatch(text, end, match.start()) is not None
        for each in _SHORT.get(word, (word,)):
            found.append(_Part(each, bound))
            bound = True
        end = match.end()
    return tuple(found)


class Names:
    """What some methods are called, to be found in descriptions."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._phrases = _phrases(methods)
        self._longest = max(map(len, self._phrases), default=0)

    def tried(self, text: str) -> list[str]:
        """Return the ids of the methods that a text says it tries, at most four.

        The longest name counts where names overlap: `embedding LR` is not `LR`. Of a
        name right before that of a number only the number counts: `Muon WD` tries a
        weight decay. What stands in brackets counts where nothing else is named: it
        mostly tells why, or how it went. A method that is taken away ("remove QK-norm",
        "no warmup") was not tried, nor one that is left as it was ("keeping the RoPE
        base").
        """
        changed = _KEPT.sub(" ", text)
        return self._named(_without_asides(changed)) or self._named(changed)

    def _named(self, text: str) -> list[str]:
        parts, place, found = _parts(text), 0, list[tuple[str, ...]]()
        words = [part.word for part in parts]
        # since when names have stood side by side: the last of them says what is turned
        row = end = 0
        while place < len(words):
            size, name = self._at(words, place)
            if name and not _AWAY.intersection(words[max(place - 2, 0) : place]):
                if place != end or not parts[place].bound:
                    row = len(found)
                if name.knob:
                    del found[row:]
                found.append(name.methods)
                end = place + size
            place += max(size, 1)
        flat = dict.fromkeys(method for methods in found for method in methods)
        return sorted(list(flat)[:_MOST])

    def _at(self, words: Sequence[str], place: int) -> tuple[int, _Name | None]:
        for size in range(min(self._longest, len(words) - place), 0, -1):
            said = tuple(words[place : place + size])
            name = self._phrases.get(said)
            before = words[max(place - 1, 0) : place]
            if name is None and _WHERE.isdisjoint(before):
                name = self._phrases.get(tuple(map(_masked, said)))
            if name is not None:
                return size, name
        return 0, None


def _masked(word: str) -> str:
    return _ANY_NUMBER if _NUMBER.match(word) else word


def _without_asides(text: str) -> str:
    inner = ""
    while text != inner:
        inner, text = text, _ASIDE.sub(" ", text)
    return text


def _phrases(methods: Iterable[Method]) -> dict[tuple[str, ...], _Name]:
    """Return the methods by everything that they are called, sorted by id.

    What several recipes set is called after the one that has its name, if any has:
    `WARMDOWN_RATIO` is warmdown's, though every schedule sets it.
    """
    named, set_by = defaultdict[Any, set[str]](set), defaultdict[Any, set[str]](set)
    knobs = set()
    for method in methods:
        if {step.verb for step in method.recipe} <= {"set", "any"}:
            knobs.add(method.id)
            for name in _constants(method):
                set_by[_phrase(name)].add(method.id)
        for name in (method.id, *method.aliases):
            # a sign cannot be told from the word before it: Muon+
            if not name.endswith("+"):
                named[_phrase(name)].add(method.id)
    for words, ids in set_by.items():
        own = {name for name in ids if _is_within(_phrase(name), words)}
        set_by[words] = own or ids
    return {
        words: _Name(tuple(sorted(ids)), ids <= knobs)
        for words, ids in {**set_by, **named}.items()
        if words
    }


def _is_within(some: tuple[str, ...], words: tuple[str, ...]) -> bool:
    starts = range(len(words) - len(some) + 1)
    return any(words[start : start + len(some)] == some for start in starts)


def _phrase(name: str) -> tuple[str, ...]:
    return tuple(part.word for part in _parts(name))


def _constants(method: Method) -> Iterator[str]:
    """Yield the constants that a recipe turns and does nothing besides.

    A short name such as `base` is a word of anything.
    """
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
