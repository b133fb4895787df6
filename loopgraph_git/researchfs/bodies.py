"""The body of a record, read into a value or refused.

A note may come from anyone: every field is checked for its type and for what the
database can hold, and a record that fails is left out, never an error.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from loopgraph_git.errors import RecordError
from loopgraph_git.records import (
    Judgement,
    Oid,
    Result,
    Retrieval,
    Status,
    Suggestion,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_K = TypeVar("_K", Status, Judgement)
INTEGER_LIMIT = 2**63
_LARGEST = 1e100
"""Sums, squares and means of what is smaller stay finite."""
_RECORD_ID = re.compile(r"[0-9a-f]{16}\Z")


@dataclass(frozen=True)
class Link:
    """A rewrite of one commit into another; `how` is rewrite, squash, ..."""

    old: Oid
    new: Oid
    how: str


@dataclass(frozen=True)
class Retraction:
    """A record taken back by its id, and why."""

    target: str
    reason: str


def result_of(body: Mapping[str, Any]) -> Result:
    """Read the body of a result; raises RecordError."""
    return Result(**{"metric": ""} | _whole(_RESULT, "status", body))


def result_members(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the index keeps of a result, all of it checked; raises RecordError.

    A reindex has no use for ten thousand values of twenty fields.
    """
    return _whole(_RESULT_ROW, "status", body)


def verdict_of(body: Mapping[str, Any]) -> Verdict:
    """Read the body of a verdict; raises RecordError."""
    return Verdict(**verdict_members(body))


def verdict_members(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a verdict that are there, checked; raises RecordError."""
    return _whole(_VERDICT, "value", body)


def retrieval_of(body: Mapping[str, Any]) -> Retrieval:
    """Read the body of a retrieval; raises RecordError."""
    return Retrieval(**{"goal": ""} | _read(_RETRIEVAL, body))


def _whole(
    readers: Mapping[str, Callable[[object], Any]], key: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    found = _read(readers, body)
    if key not in found:
        raise RecordError(f"{key} is missing")
    return found


def _read(
    readers: Mapping[str, Callable[[object], Any]], body: Mapping[str, Any]
) -> dict[str, Any]:
    """Read the members that have a reader; a number that is null was left out."""
    found = {}
    for name, value in body.items():
        reader = readers.get(name)
        if reader is None or (value is None and reader in _NUMBERS):
            continue
        if reader is _as_text and type(value) is str:
            found[name] = value  # without a call: most members are texts
            continue
        try:
            found[name] = reader(value)
        except RecordError as error:
            raise RecordError(f"{name} {error}") from error
    return found


def link_of(commit: Oid, body: Mapping[str, Any]) -> Link:
    """Read the body of a link: `to`, `how`, and `from` when it is not the commit.

    Raises RecordError.
    """
    old = _text(body, "from", commit)
    return Link(Oid(old), Oid(_text(body, "to")), _text(body, "how"))


def retraction_of(body: Mapping[str, Any]) -> Retraction:
    """Read the body of a retraction: `target` and `reason`; raises RecordError."""
    target = _text(body, "target")
    if not _RECORD_ID.match(target):
        raise RecordError("a retraction names no target that is an id")
    return Retraction(target, _text(body, "reason"))


def _text(body: Mapping[str, Any], name: str, default: str = "") -> str:
    return str(_read({name: _as_text}, {name: body.get(name, default)})[name])


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise RecordError("is not text")
    return value


def _as_number(value: object) -> float:
    if type(value) is float and -_LARGEST <= value <= _LARGEST:
        return value  # the usual case first: a reindex reads a million of them
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError("is not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError("is not finite")
    if abs(value) > _LARGEST:
        raise RecordError("is too large")
    return float(value)


def _as_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecordError("is not a whole number")
    if abs(value) >= INTEGER_LIMIT:
        raise RecordError("is too large")
    return value


def _number_or_text(value: object) -> float | str:
    return value if isinstance(value, str) else _as_number(value)


def _status(value: object) -> Status:
    return _member(Status, value)


def _judgement(value: object) -> Judgement:
    return _member(Judgement, value)


def _member(kind: type[_K], value: object) -> _K:
    try:
        return kind(_as_text(value))
    except ValueError as error:
        raise RecordError(f"is none: {error}") from error


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_as_text, _as_list(value)))


def _as_list(value: object) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise RecordError("is not a list")
    return value


def _as_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecordError("is not an object")
    return value


def _metrics(value: object) -> dict[str, float | str]:
    return {key: _number_or_text(item) for key, item in _as_object(value).items()}


def _factors(value: object) -> dict[str, float]:
    return {key: _as_number(item) for key, item in _as_object(value).items()}


def _suggestions(value: object) -> tuple[Suggestion, ...]:
    return tuple(map(_suggestion, _as_list(value)))


def _suggestion(value: object) -> Suggestion:
    found = _read(_SUGGESTION, value) if isinstance(value, dict) else {}
    if not found.get("method"):
        raise RecordError("hold one that names no method")
    return Suggestion(**{"score": 0.0} | found)


def _curve(value: object) -> tuple[tuple[float, float], ...]:
    flat = _paired(value)
    return tuple(zip(map(float, flat[::2]), map(float, flat[1::2]), strict=True))


def _paired(value: object) -> list[float]:
    """Read a list of pairs at the speed of C: curves are most of what notes hold."""
    if not isinstance(value, (list, tuple)):
        raise RecordError("is not a list")
    try:
        flat = list(chain.from_iterable(value))
        paired = set(map(len, value)) <= {2}
        if not paired or not set(map(type, flat)) <= {int, float}:
            raise RecordError("is not a list of pairs of numbers")
        if not all(map(math.isfinite, flat)):
            raise RecordError("is not finite")
    except (TypeError, OverflowError) as error:
        raise RecordError("is not a list of pairs of numbers") from error
    return flat


_NUMBERS = (_as_number, _as_integer)
_RESULT: dict[str, Callable[[object], Any]] = {
    "status": _status, "metric": _as_text, "value": _as_number, "metrics": _metrics,
    "argv": _texts, "seed": _as_integer, "seconds": _as_number,
    "budget_seconds": _as_number, "peak_memory_mb": _as_number, "protocol": _as_text,
    "platform": _as_text, "evaluation": _as_text, "sandbox": _as_text,
    "reason": _as_text, "excerpt": _as_text, "log_sha256": _as_text,
    "log_bytes": _as_integer, "curve": _curve, "tokens": _as_integer,
    "cost_usd": _as_number, "flags": _texts,
}  # fmt: skip
_RESULT_ROW = _RESULT | {"curve": _paired}
_VERDICT: dict[str, Callable[[object], Any]] = {
    "value": _judgement, "reason": _as_text, "baseline": _as_text,
    "delta": _as_number, "noise": _as_number, "n": _as_integer, "grade": _as_text,
    "confirmed": _metrics,
}  # fmt: skip
_RETRIEVAL: dict[str, Callable[[object], Any]] = {
    "goal": _as_text, "query": _as_text, "suggestions": _suggestions,
    "tokens": _as_integer, "state": _as_text,
}  # fmt: skip
_SUGGESTION: dict[str, Callable[[object], Any]] = {
    "method": _as_text, "score": _as_number, "factors": _factors, "slot": _as_text,
    "why": _as_text, "outcomes": _texts,
}  # fmt: skip
