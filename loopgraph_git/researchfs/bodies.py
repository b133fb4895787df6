"""The body of a record, read into a value or refused.

A note may come from anyone: every field is checked for its type and for what the
database can hold, and a record that fails is left out, never an error.
"""

from __future__ import annotations

import math
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

_T = TypeVar("_T")
INTEGER_LIMIT = 2**63


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
    return Result(
        status=_member(Status, body),
        metric=_text(body, "metric"),
        value=_number(body, "value"),
        metrics=_mapping(body, "metrics", _number_or_text),
        argv=_items(body, "argv", _as_text),
        seed=_integer(body, "seed"),
        seconds=_number(body, "seconds") or 0.0,
        budget_seconds=_number(body, "budget_seconds"),
        peak_memory_mb=_number(body, "peak_memory_mb"),
        protocol=_text(body, "protocol"),
        platform=_text(body, "platform"),
        evaluation=_text(body, "evaluation", "self_reported"),
        sandbox=_text(body, "sandbox"),
        reason=_text(body, "reason"),
        excerpt=_text(body, "excerpt"),
        log_sha256=_text(body, "log_sha256"),
        log_bytes=_integer(body, "log_bytes") or 0,
        curve=_named("curve", _curve, body.get("curve", ())),
        tokens=_integer(body, "tokens") or 0,
        cost_usd=_number(body, "cost_usd") or 0.0,
    )


def verdict_of(body: Mapping[str, Any]) -> Verdict:
    """Read the body of a verdict; raises RecordError."""
    return Verdict(
        value=_member(Judgement, body, "value"),
        reason=_text(body, "reason"),
        baseline=_text(body, "baseline"),
        delta=_number(body, "delta"),
        noise=_number(body, "noise"),
        n=_integer(body, "n") or 0,
    )


def retrieval_of(body: Mapping[str, Any]) -> Retrieval:
    """Read the body of a retrieval; raises RecordError."""
    return Retrieval(
        goal=_text(body, "goal"),
        query=_text(body, "query"),
        suggestions=_items(body, "suggestions", _suggestion),
        tokens=_integer(body, "tokens") or 0,
    )


def link_of(commit: Oid, body: Mapping[str, Any]) -> Link:
    """Read the body of a link: `to`, `how`, and `from` when it is not the commit.

    Raises RecordError.
    """
    old = _text(body, "from", commit)
    return Link(Oid(old), Oid(_text(body, "to")), _text(body, "how"))


def retraction_of(body: Mapping[str, Any]) -> Retraction:
    """Read the body of a retraction: `target` and `reason`; raises RecordError."""
    target = _text(body, "target")
    if not target:
        raise RecordError("a retraction names no target")
    return Retraction(target, _text(body, "reason"))


def _suggestion(value: object) -> Suggestion:
    if not isinstance(value, dict) or not _text(value, "method"):
        raise RecordError("a suggestion names no method")
    return Suggestion(
        method=_text(value, "method"),
        score=_number(value, "score") or 0.0,
        factors=_mapping(value, "factors", _as_number),
        slot=_text(value, "slot", "exploit"),
        why=_text(value, "why"),
        outcomes=_items(value, "outcomes", _as_text),
    )


def _member(
    kind: type[Status | Judgement], body: Mapping[str, Any], name: str = "status"
) -> Any:
    try:
        return kind(_text(body, name))
    except ValueError as error:
        raise RecordError(f"{name}: {error}") from error


def _text(body: Mapping[str, Any], name: str, default: str = "") -> str:
    value = body.get(name, default)
    return value if type(value) is str else _named(name, _as_text, value)


def _number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None or (type(value) is float and math.isfinite(value)):
        return value
    return _named(name, _as_number, value)


def _integer(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    return None if value is None else _named(name, _as_integer, value)


def _items(
    body: Mapping[str, Any], name: str, read: Callable[[object], _T]
) -> tuple[_T, ...]:
    value = body.get(name, ())
    if not isinstance(value, (list, tuple)):
        raise RecordError(f"{name} is not a list")
    return _named(name, lambda _: tuple(map(read, value)), value)


def _mapping(
    body: Mapping[str, Any], name: str, read: Callable[[object], _T]
) -> dict[str, _T]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise RecordError(f"{name} is not an object")
    return {str(key): _named(name, read, item) for key, item in value.items()}


def _named(name: str, read: Callable[[object], _T], value: object) -> _T:
    try:
        return read(value)
    except RecordError as error:
        raise RecordError(f"{name} {error}") from error


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise RecordError("is not text")
    return value


def _as_number(value: object) -> float:
    if type(value) is float and math.isfinite(value):
        return value  # the usual case first: a reindex reads a million of them
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError("is not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise RecordError("is too large") from error
    if not math.isfinite(number):
        raise RecordError("is not finite")
    return number


def _as_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecordError("is not a whole number")
    if abs(value) >= INTEGER_LIMIT:
        raise RecordError("is too large")
    return value


def _number_or_text(value: object) -> float | str:
    return value if isinstance(value, str) else _as_number(value)


def _curve(value: object) -> tuple[tuple[float, float], ...]:
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
    return tuple(zip(map(float, flat[::2]), map(float, flat[1::2]), strict=True))
