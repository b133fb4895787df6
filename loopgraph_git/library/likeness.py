"""How alike two texts are, told from 64 numbers each, and what repeats another.

A text is known by the hash of its words, and by a *sketch*: the 64 smallest hashes of
its runs of five words. The share of numbers that two sketches have in common, among
the smallest of both, estimates the share of runs that the texts have in common
(Jaccard), within about a tenth.
"""

from __future__ import annotations

import hashlib
import heapq
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

SIZE = 64
RUN = 5
NEAR = 0.8
"""From here on a text is the same, with changes."""

_SHARED_BY = 200
"""A run in more texts than this is a form (a licence, a header), and tells nothing."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Sketch:
    """What a text is recognised by; `digest` is of its words, however laid out."""

    digest: str
    runs: tuple[int, ...]

    def likeness(self, other: Sketch) -> float:
        """Return the estimated share of what two texts have in common, 0 to 1."""
        if self.digest == other.digest:
            return 1.0
        mine, theirs = set(self.runs), set(other.runs)
        smallest = heapq.nsmallest(SIZE, mine | theirs)
        if not smallest:
            return 0.0
        both = mine & theirs
        return sum(run in both for run in smallest) / len(smallest)

    def to_text(self) -> str:
        """Return the sketch as one word, to be kept beside the text."""
        return f"{self.digest}:{''.join(f'{run:016x}' for run in self.runs)}"

    @classmethod
    def from_text(cls, text: str) -> Sketch:
        """Read a kept sketch; raises ValueError where it is not one."""
        digest, _, runs = text.partition(":")
        starts = range(0, len(runs), 16)
        return cls(digest, tuple(int(runs[n : n + 16], 16) for n in starts))


@dataclass(frozen=True)
class Likeness:
    """Another text that this one is like; `share` 1 means the same words."""

    key: str
    share: float


class Known:
    """Texts that were met before, each under a key."""

    def __init__(self) -> None:
        self._sketches: dict[str, Sketch] = {}
        self._digests: dict[str, str] = {}
        self._runs: dict[int, list[str]] = {}

    def add(self, key: str, sketch: Sketch) -> None:
        """Remember a text; the first of equal texts stays the one that is named."""
        if key in self._sketches:
            return
        self._sketches[key] = sketch
        self._digests.setdefault(sketch.digest, key)
        for run in sketch.runs:
            self._runs.setdefault(run, []).append(key)

    def like(self, sketch: Sketch, *, least: float = NEAR) -> Likeness | None:
        """Return the known text that is most like this one, if any is enough."""
        same = self._digests.get(sketch.digest)
        if same is not None:
            return Likeness(same, 1.0)
        shared: Counter[str] = Counter()
        for run in sketch.runs:
            keys = self._runs.get(run, [])
            if len(keys) <= _SHARED_BY:
                shared.update(keys)
        found = [
            Likeness(key, self._sketches[key].likeness(sketch))
            for key, _ in shared.most_common(8)
        ]
        best = max(found, key=lambda item: item.share, default=None)
        return best if best and best.share >= least else None


def sketch(text: str) -> Sketch:
    """Return what a text is recognised by: its words, their case and marks apart."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    plain = " ".join(words).encode("utf-8", "replace")
    return Sketch(
        digest=hashlib.sha256(plain).hexdigest(),
        runs=tuple(heapq.nsmallest(SIZE, _runs(words))),
    )


def _runs(words: list[str]) -> set[int]:
    last = max(len(words) - RUN, 0)
    starts = range(last + 1) if words else ()
    return {_number(" ".join(words[n : n + RUN])) for n in starts}


def _number(run: str) -> int:
    plain = run.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "big")
