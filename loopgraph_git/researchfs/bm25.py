"""BM25 over a small library, with an idf that stays positive.

FTS5's own idf falls to zero for a word in more than half of the rows, which in a
pack of fifty methods is many a word. This is Lucene's variant: k1 = 1.2, b = 0.75,
idf = ln(1 + (N - n + 0.5) / (n + 0.5)).
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from loopgraph_git.researchfs.words import STOP_WORDS, identifiers, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopgraph_git.records import Method

K1, B = 1.2, 0.75
_SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "e")
_STEM_MIN = 3


def stem(word: str) -> str:
    """Cut a common English ending, so that `warming` meets `warms`."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM_MIN:
            return word[: -len(suffix)]
    return word


def weigh(fields: Iterable[tuple[str, float]]) -> Counter[str]:
    """Return the weight of every stemmed word over texts with a weight each."""
    weights: Counter[str] = Counter()
    for text, weight in fields:
        for token in tokens(text):
            if token not in STOP_WORDS:
                weights[stem(token)] += weight  # type: ignore[assignment]
    return weights


def method_words(method: Method) -> Counter[str]:
    """Return the words of a method: its names three times, its prose once."""
    return _words_of(
        " ".join((method.id, method.title, *method.aliases)),
        f"{method.family} {method.summary} {method.helps} {method.hurts}",
        " ".join(knob.name for knob in method.knobs),
    )


@lru_cache(maxsize=4096)
def _words_of(names: str, prose: str, knobs: str) -> Counter[str]:
    spelt = identifiers(f"{names} {prose} {knobs}")
    return weigh(((names, 3.0), (prose, 1.0), (knobs, 1.0), (spelt, 0.5)))


def query_stems(query: str) -> frozenset[str]:
    """Return the stems that a query asks for, those of other spellings included."""
    return frozenset(weigh(((query, 1.0), (identifiers(query), 1.0))))


def bm25(documents: Mapping[str, Counter[str]], query: str) -> list[tuple[str, float]]:
    """Return the keys of documents that share a word with the query, best first.

    Scores are in nats times term weight; ties are broken by key.
    """
    wanted = weigh(((query, 1.0), (identifiers(query), 0.5)))
    lengths = {key: sum(words.values()) for key, words in documents.items()}
    mean = sum(lengths.values()) / len(lengths) if lengths else 0.0
    scores = dict.fromkeys(documents, 0.0)
    for word, weight in sorted(wanted.items()):
        holding = [key for key, words in documents.items() if word in words]
        idf = math.log1p((len(documents) - len(holding) + 0.5) / (len(holding) + 0.5))
        for key in holding:
            count = documents[key][word]
            length = 1 - B + B * lengths[key] / mean
            scores[key] += weight * idf * count * (K1 + 1) / (count + K1 * length)
    found = [(key, score) for key, score in scores.items() if score > 0]
    return sorted(found, key=lambda item: (-item[1], item[0]))
