"""Names for small things: object ids, directions, states and verdicts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from loopgraph_git.errors import RecordError

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


class Oid(str):
    """The full hex name of a git object: 40 characters (SHA-1) or 64 (SHA-256)."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text; raises RecordError when it is not a full object id."""
        if not _OID.match(text):
            message = f"not a full git object id: {text[:80]!r}"
            raise RecordError(message)
        return str.__new__(cls, text)

    @classmethod
    def trusted(cls, text: str) -> Self:
        """Take a text from git itself, which need not be looked at again."""
        return str.__new__(cls, text)

    @staticmethod
    def fits(text: str) -> bool:
        """Say whether a text could be the full name of an object."""
        return _OID.match(text) is not None

    @property
    def short(self) -> str:
        """The first seven characters, for printing only."""
        return self[:7]


class Direction(StrEnum):
    """Which way a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


class Status(StrEnum):
    """How one run of the training command ended."""

    OK = "ok"
    CRASH = "crash"
    TIMEOUT = "timeout"
    OOM = "oom"
    NAN = "nan"
    REJECTED = "rejected"
    """The edit was never trained: it did not compile, or broke a rule."""
    QUARANTINED = "quarantined"
    """It was measured, and is not believed: it counts for nothing until it is."""


class Judgement(StrEnum):
    """The value of a verdict: autoresearch's words, plus `retest`."""

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"
    RETEST = "retest"


class Grade(StrEnum):
    """How much is behind a `keep`: one run, repeated runs, or a confirmation."""

    ADVANCE = "advance"
    CLAIM = "claim"
    WIN = "win"


class Kind(StrEnum):
    """What a record line says."""

    RESULT = "result"
    VERDICT = "verdict"
    RETRIEVAL = "retrieval"
    LINK = "link"
    RETRACT = "retract"


@dataclass(frozen=True)
class Metric:
    """The number that decides, and which way it improves."""

    name: str = "val_bpb"
    direction: Direction = Direction.LOWER

    def gain(self, baseline: float, value: float) -> float:
        """Return how much better `value` is than `baseline`; negative if worse."""
        delta = baseline - value
        return delta if self.direction is Direction.LOWER else -delta
