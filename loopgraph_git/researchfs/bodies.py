"""The body of a record, read from its line into a value or a row, or refused.

    line ─▶ quickly() ─▶ outcome_columns()          most lines of most notes
      └───▶ Record.decode() ─▶ outcome_row() …      what is out of the ordinary

A note may come from anyone: every member is checked for its type and for what the
database can hold, and a record that fails is left out, never an error. Members that are
not known here are passed over: a newer version wrote them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from msgspec import Meta, MsgspecError, Struct, convert
from msgspec import json as typed
from msgspec.structs import asdict

from loopgraph_git.errors import RecordError
from loopgraph_git.records import (
    Judgement,
    Oid,
    Result,
    Retrieval,
    Status,
    Suggestion,
    Verdict,
    is_sound,
)
from loopgraph_git.researchfs.database import clean

Row = tuple[Any, ...]
_S = TypeVar("_S", bound=Struct)

INTEGER_LIMIT = 2**63
_LARGEST = 1e100
"""Sums, squares and means of what is smaller stay finite."""
_Number = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
_Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
_Integer = Annotated[int, Meta(ge=1 - INTEGER_LIMIT, le=INTEGER_LIMIT - 1)]
_Name = Annotated[str, Meta(min_length=1)]
_RecordId = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]


class _Line(Struct, omit_defaults=True, kw_only=True):
    """The envelope, which a body that stands alone does not have."""

    v: int = 0
    id: str = ""
    commit: str = ""
    tree: str = ""
    writer: str = ""
    seq: int = 0
    ts: int = 0


class OutcomeLine(_Line, tag_field="kind", tag="result"):
    """The line of a result; a number that is null was left out, here and elsewhere."""

    status: Status
    metric: str = ""
    value: _Number | None = None
    metrics: dict[str, _Integer | _Number | str] = {}
    argv: tuple[str, ...] = ()
    seed: _Integer | None = None
    seconds: _Number | None = None
    budget_seconds: _Number | None = None
    peak_memory_mb: _Number | None = None
    protocol: str = ""
    platform: str = ""
    evaluation: str = "self_reported"
    sandbox: str = ""
    flags: tuple[str, ...] = ()
    reason: str = ""
    excerpt: str = ""
    log_sha256: str = ""
    log_bytes: _Integer | None = None
    # whole numbers beside others: they are written again as they were
    curve: tuple[tuple[_Integer | _Finite, _Integer | _Finite], ...] = ()
    tokens: _Integer | None = None
    cost_usd: _Number | None = None


class VerdictLine(_Line, tag_field="kind", tag="verdict"):
    """The line of a verdict."""

    value: Judgement
    reason: str = ""
    baseline: str = ""
    delta: _Number | None = None
    noise: _Number | None = None
    n: _Integer | None = None
    grade: str = ""
    confirmed: dict[str, _Integer | _Number | str] = {}


class _RetrievalLine(_Line, tag_field="kind", tag="retrieval"):
    """The envelope of a retrieval; its body is read the thorough way, as the next two."""


class _LinkLine(_Line, tag_field="kind", tag="link"):
    """The envelope of a link."""


class _RetractLine(_Line, tag_field="kind", tag="retract"):
    """The envelope of a retraction."""


class _Suggestion(Struct):
    method: _Name
    score: _Number | None = None
    factors: dict[str, _Number] = {}
    slot: str = "exploit"
    why: str = ""
    outcomes: tuple[str, ...] = ()


class _Retrieval(Struct):
    goal: str = ""
    query: str = ""
    suggestions: tuple[_Suggestion, ...] = ()
    tokens: _Integer | None = None
    state: str = ""


class _Link(Struct, rename={"old": "from", "new": "to"}):
    new: str
    old: str | None = None
    how: str = ""


class _Retraction(Struct):
    target: _RecordId
    reason: str = ""


# made once: a decoder takes longer to make than to use
_BULK = (OutcomeLine, VerdictLine)
_QUICK = typed.Decoder(
    OutcomeLine | VerdictLine | _RetrievalLine | _LinkLine | _RetractLine
)
_RESULT = typed.Decoder(OutcomeLine)
_VERDICT = typed.Decoder(VerdictLine)
_RETRIEVAL = typed.Decoder(_Retrieval)
_LINK = typed.Decoder(_Link)
_RETRACTION = typed.Decoder(_Retraction)
_ENCODER = typed.Encoder(order="sorted")


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


def result_of(line: str) -> Result:
    """Read the body of a result; raises RecordError."""
    return Result(**_given(_read(_RESULT, line)))


def quickly(lines: list[bytes]) -> list[OutcomeLine | VerdictLine | None]:
    """Read results and verdicts as they stand in notes, thrice as fast as otherwise.

    None stands for "look again": what is no such line, or not in this very form, may
    be a record all the same. Some hundreds at a time are best.
    """
    try:
        told = _QUICK.decode_lines(b"\n".join(lines))
        written = _ENCODER.encode_lines(told).split(b"\n")
    except (MsgspecError, RecursionError):
        told, written = [], []
    if len(told) != len(lines):
        # one of them is no JSON, or none of ours, and nothing is said of the others
        middle = len(lines) // 2
        return (
            [*quickly(lines[:middle]), *quickly(lines[middle:])] if middle else [None]
        )
    return [
        # what is not known here, or was left out as a default, is not written again
        it if again == line and isinstance(it, _BULK) and is_sound(line, it) else None
        for line, it, again in zip(lines, told, written, strict=False)
    ]


def outcome_row(line: str) -> Row:
    """Return what the table of outcomes keeps of a result; raises RecordError."""
    return outcome_columns(_read(_RESULT, line), line.encode())


def outcome_columns(it: OutcomeLine, line: bytes) -> Row:
    """Return the same of a line that was read."""
    row = (
        # a plain text: SQLite asks of every other one what it might be
        str(it.status),
        it.metric,
        it.value,
        it.seed,
        it.seconds or 0.0,
        it.peak_memory_mb,
        it.protocol,
        it.platform,
        it.evaluation,
        it.excerpt or it.reason,
        it.tokens or 0,
    )
    return _cleaned(row, line)


def verdict_of(line: str) -> Verdict:
    """Read the body of a verdict; raises RecordError."""
    return Verdict(**_given(_read(_VERDICT, line)))


def verdict_row(line: str) -> Row:
    """Return what the table of verdicts keeps of one; raises RecordError."""
    return verdict_columns(_read(_VERDICT, line), line.encode())


def verdict_columns(it: VerdictLine, line: bytes) -> Row:
    """Return the same of a line that was read."""
    row = (str(it.value), it.reason, it.baseline, it.delta, it.noise, it.n or 0)
    return _cleaned(row, line)


def retrieval_of(line: str) -> Retrieval:
    """Read the body of a retrieval; raises RecordError."""
    members = _given(_read(_RETRIEVAL, line))
    ranked = members.pop("suggestions")
    suggestions = [Suggestion(**{"score": 0.0} | _given(item)) for item in ranked]
    return Retrieval(**members, suggestions=tuple(suggestions))


def link_of(commit: Oid, line: str) -> Link:
    """Read the body of a link: `to`, `how`, and `from` when it is not the commit.

    Raises RecordError.
    """
    it = _read(_LINK, line)
    return Link(commit if it.old is None else Oid(it.old), Oid(it.new), it.how)


def retraction_of(line: str) -> Retraction:
    """Read the body of a retraction: `target` and `reason`; raises RecordError."""
    it = _read(_RETRACTION, line)
    return Retraction(it.target, it.reason)


def _read(decoder: typed.Decoder[_S], line: str) -> _S:
    try:
        return decoder.decode(line)
    except MsgspecError:
        # half a surrogate may stand in a line, and is no text in its eyes
        return _slowly(decoder, line)


def _slowly(decoder: typed.Decoder[_S], line: str) -> _S:
    try:
        found: _S = convert(json.loads(line), decoder.type)
    except (MsgspecError, ValueError, OverflowError) as error:
        what, _, place = str(error).partition(" - at ")
        where = place.strip("`").removeprefix("$.")
        raise RecordError(f"{where}: {what}" if where else what) from error
    return found


def _given(members: Struct) -> dict[str, Any]:
    """Return the members that are not null, for a value with its own defaults."""
    return {
        name: item
        for name, item in asdict(members).items()
        if item is not None and name not in _Line.__struct_fields__
    }


def _cleaned(row: Row, line: bytes) -> Row:
    # a line is ASCII: what the database cannot hold is written as an escape in it
    if b"\\u" not in line:
        return row
    return tuple(clean(item) if isinstance(item, str) else item for item in row)
