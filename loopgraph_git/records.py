"""The nouns: frozen values that travel between the rooms.

A *record* is one line of JSON in a git note. It is canonical (sorted keys, no
spaces, ASCII, no NaN), at most 4 KB, and its id is the hash of the rest, so that
reading the same line twice changes nothing. `docs/record-format.md` is the
specification that these classes implement.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from loopgraph_git.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_VERSION = 1
RECORD_LIMIT_BYTES = 4096
CURVE_LIMIT = 32
_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class Oid(str):
    """The full hex name of a git object: 40 characters (SHA-1) or 64 (SHA-256)."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text; raises RecordError when it is not a full object id."""
        if not _OID.match(text):
            message = f"not a full git object id: {text[:80]!r}"
            raise RecordError(message)
        return super().__new__(cls, text)

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


class Judgement(StrEnum):
    """The value of a verdict: autoresearch's words, plus `retest`."""

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"
    RETEST = "retest"


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


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run measured, or how it failed."""

    status: Status
    metric: str
    value: float | None = None
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    seed: int | None = None
    seconds: float = 0.0
    budget_seconds: float | None = None
    peak_memory_mb: float | None = None
    protocol: str = ""
    platform: str = ""
    evaluation: str = "self_reported"
    sandbox: str = ""
    reason: str = ""
    excerpt: str = ""
    log_sha256: str = ""
    log_bytes: int = 0
    curve: tuple[tuple[float, float], ...] = ()
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was decided about an experiment, against which baseline, and why.

    `delta` is the gain over the baseline in the metric's units, positive when
    better; `noise` is the standard deviation of repeated baselines, and `n` the
    number of runs it was measured from.
    """

    value: Judgement
    reason: str = ""
    baseline: str = ""
    delta: float | None = None
    noise: float | None = None
    n: int = 0


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One ranked method, with every factor of its score."""

    method: str
    score: float
    factors: Mapping[str, float] = field(default_factory=dict)
    slot: str = "exploit"
    why: str = ""
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """One question asked of the memory, and what it answered."""

    goal: str
    query: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Record:
    """The envelope of one note line: who said what about which commit, and when.

    `seq` counts this writer's records, so that order never depends on clocks;
    `ts` is milliseconds since the epoch. `body` holds the fields of the kind.
    """

    kind: Kind
    commit: Oid
    tree: Oid
    writer: str
    seq: int
    ts: int
    body: Mapping[str, Any]

    @cached_property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the line without its id."""
        return hashlib.sha256(canonical(self._plain()).encode()).hexdigest()[:16]

    def _plain(self) -> dict[str, Any]:
        return {
            **self.body,
            "v": RECORD_VERSION,
            "kind": str(self.kind),
            "commit": str(self.commit),
            "tree": str(self.tree),
            "writer": self.writer,
            "seq": self.seq,
            "ts": self.ts,
        }

    def encode(self) -> str:
        """Return the canonical line, without a newline.

        Raises RecordError when it is over 4 KB or holds a value JSON cannot.
        """
        line = canonical({**self._plain(), "id": self.id})
        if len(line) > RECORD_LIMIT_BYTES:
            message = (
                f"a {self.kind} record of {len(line)} bytes is over the limit of "
                f"{RECORD_LIMIT_BYTES}: shorten its excerpt or reason"
            )
            raise RecordError(message)
        return line

    @classmethod
    def decode(cls, line: str) -> Self:
        """Read one line written by any writer; raises RecordError, never another."""
        plain = _parse(line)
        claimed = plain.pop("id", None)
        try:
            envelope = {name: plain.pop(name) for name in _ENVELOPE}
            record = cls(
                kind=Kind(envelope["kind"]),
                commit=Oid(envelope["commit"]),
                tree=Oid(envelope["tree"]),
                writer=_word(envelope["writer"]),
                seq=_count(envelope["seq"]),
                ts=_count(envelope["ts"]),
                body=plain,
            )
        except (KeyError, TypeError, ValueError) as error:
            message = f"not a record: {type(error).__name__} {error}"
            raise RecordError(message) from error
        if claimed != record.id:
            message = f"record id {str(claimed)[:40]!r} does not match its content"
            raise RecordError(message)
        return record


_ENVELOPE = ("kind", "commit", "tree", "writer", "seq", "ts")


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted, compact, ASCII, no NaN."""
    try:
        return json.dumps(
            value,
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=True,
            allow_nan=False,
        )
    except (TypeError, ValueError, RecursionError) as error:
        message = f"cannot be written as a record: {error}"
        raise RecordError(message) from error


def body_of(value: Result | Verdict | Retrieval) -> dict[str, Any]:
    """Return the fields of a value as a record body, empty ones left out."""
    return {
        name: item
        for name, item in asdict(value).items()
        if item not in (None, "", (), {}, [])
    }


def fitted(result: Result, *, limit: int = RECORD_LIMIT_BYTES - 512) -> Result:
    """Return the result with excerpt, metrics and curve cut to fit one line."""
    clean = replace(result, metrics=_finite(result.metrics))
    for keep in (1500, 1000, 600, 300, 0):
        small = replace(clean, excerpt=clean.excerpt[-keep:] if keep else "")
        if len(canonical(body_of(small))) <= limit:
            return small
    return replace(clean, excerpt="", curve=(), metrics={}, reason=clean.reason[:300])


def _finite(metrics: Mapping[str, float | str]) -> dict[str, float | str]:
    kept: dict[str, float | str] = {}
    for name, value in list(metrics.items())[:24]:
        bad = isinstance(value, float) and not math.isfinite(value)
        kept[name[:40]] = str(value)[:80] if bad or isinstance(value, str) else value
    return kept


def _parse(line: str) -> dict[str, Any]:
    if len(line) > RECORD_LIMIT_BYTES:
        message = f"a line of {len(line)} characters is over the limit"
        raise RecordError(message)
    try:
        plain = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise RecordError(message) from error
    if not isinstance(plain, dict):
        message = "not a JSON object"
        raise RecordError(message)
    if plain.pop("v", None) != RECORD_VERSION:
        message = "a record of another version; a newer loopgraph may read it"
        raise RecordError(message)
    return plain


def _no_constant(name: str) -> float:
    message = f"{name} is not allowed in a record"
    raise ValueError(message)


def _word(value: object) -> str:
    if not isinstance(value, str) or not _WORD.match(value):
        message = f"not a writer id: {str(value)[:40]!r}"
        raise ValueError(message)
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        message = f"not a count: {str(value)[:40]!r}"
        raise ValueError(message)
    return value


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a claim about a method comes from: one of arxiv, commit, url or log."""

    arxiv: str = ""
    title: str = ""
    section: str = ""
    url: str = ""
    commit: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """An effect seen elsewhere, in the metric's units; positive is better.

    `n` is the number of runs behind it, `spread` the typical absolute change in
    that session, by which the gain is standardised.
    """

    gain: float
    n: float
    platform: str = ""
    scale: str = ""
    source: str = ""
    spread: float = 0.002


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A number of a method that can be turned, and the values worth trying."""

    name: str
    default: float | int | str | None = None
    values: tuple[float | int | str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One step of a recipe: a verb and its arguments, checked by the validator."""

    verb: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Method:
    """An idea with an id, found in a pack."""

    id: str
    title: str
    family: str
    summary: str
    pack: str = ""
    aliases: tuple[str, ...] = ()
    helps: str = ""
    hurts: str = ""
    sources: tuple[Source, ...] = ()
    detect: tuple[Mapping[str, Any], ...] = ()
    requires: tuple[Mapping[str, Any], ...] = ()
    conflicts: tuple[str, ...] = ()
    knobs: tuple[Knob, ...] = ()
    priors: tuple[Prior, ...] = ()
    recipe: tuple[Operation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A source of knowledge: a paper, a repository or a pack; `key` is its name."""

    key: str
    title: str
    authors: str = ""
    year: int | None = None
    url: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A passage of a paper; `place` is the section or file it was taken from."""

    paper: str
    ord: int
    title: str
    body: str
    kind: str = "text"
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What the index needs to know of one commit; `ts` is seconds since the epoch.

    `trailers` are the Loopgraph-* trailers, `diff` the change against the first
    parent, cut to a few thousand characters.
    """

    oid: Oid
    tree: Oid
    parent: Oid | None
    ts: int
    subject: str
    body: str = ""
    trailers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    diff: str = ""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One commit and what came of it, as the index answers it.

    `value` is the mean over the runs that measured the metric, `delta` the gain
    that the verdict recorded (positive is better), `ts` the commit's time in
    seconds since the epoch.
    """

    commit: Oid
    tree: Oid
    parent: Oid | None
    ts: int
    subject: str
    session: str = ""
    proposer: str = ""
    methods: tuple[str, ...] = ()
    retrieval: str = ""
    status: Status | None = None
    verdict: Judgement | None = None
    reason: str = ""
    baseline: str = ""
    metric: str = ""
    value: float | None = None
    runs: int = 0
    delta: float | None = None
    noise: float | None = None
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    protocol: str = ""
    platform: str = ""
    excerpt: str = ""
    tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One answer of a search: what it is, where to find it, and why it matched."""

    kind: str
    key: str
    title: str
    snippet: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return asdict(self)
