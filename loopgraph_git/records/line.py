"""The record: one line of canonical JSON that says one thing about one commit.

Canonical means sorted keys, no spaces, ASCII, no NaN, at most 4 KB; the id is the
hash of the rest, so that reading the same line twice changes nothing.
`docs/record-format.md` is the specification.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from loopgraph_git.errors import RecordError
from loopgraph_git.records.values import Kind, Oid

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_VERSION = 1
RECORD_LIMIT_BYTES = 4096
_DEPTH_LIMIT = 100
_COUNT_LIMIT = 2**53
"""Where JSON readers in other languages begin to round whole numbers."""
_TS_LIMIT = 253_402_300_800_000
"""The first millisecond of the year 10000, which no calendar of ours can name."""
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


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
        """Return the first 16 hex digits of the SHA-256 of the line without its id."""
        return _digest(canonical(self._plain()).encode())

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
        line = self._line
        if len(line) > RECORD_LIMIT_BYTES:
            message = (
                f"a {self.kind} record of {len(line)} bytes is over the limit of "
                f"{RECORD_LIMIT_BYTES}: shorten its excerpt or reason"
            )
            raise RecordError(message)
        return line

    @cached_property
    def _line(self) -> str:
        return canonical({**self._plain(), "id": self.id})

    @classmethod
    def decode(cls, line: str) -> Self:
        """Read one line written by any writer; raises RecordError, never another.

        What was read encodes to the same line again.
        """
        if len(line) > RECORD_LIMIT_BYTES or not line.isascii():
            message = (
                f"a line of {len(line)} characters is over the limit, or not ASCII"
            )
            raise RecordError(message)
        raw = line.encode()
        plain = _quickly(line, raw)
        if plain is None:
            plain = _thoroughly(line)
        take = plain.pop
        version, claimed = take("v", None), take("id", None)
        if type(version) is not int or version != RECORD_VERSION:
            message = "a record of another version; a newer loopgraph may read it"
            raise RecordError(message)
        try:
            fields = {
                "kind": _kind(take("kind")),
                "commit": _oid(take("commit")),
                "tree": _oid(take("tree")),
                "writer": _word(take("writer")),
                "seq": _count(take("seq"), _COUNT_LIMIT),
                "ts": _count(take("ts"), _TS_LIMIT),
                "body": plain,
                # what the cached properties would find out again
                "id": claimed,
                "_line": line,
            }
        except (KeyError, TypeError, ValueError) as error:
            message = f"not a record: {type(error).__name__} {error}"
            raise RecordError(message) from error
        if claimed != _digest(_unsigned(raw, str(claimed))):
            message = f"record id {str(claimed)[:40]!r} does not match its content"
            raise RecordError(message)
        # a frozen value sets its fields one by one, which takes three times as long
        record = cls.__new__(cls)
        vars(record).update(fields)
        return record


class Envelope(Protocol):
    """What every line says, read by somebody else."""

    v: int
    id: str
    commit: str
    tree: str
    writer: str
    seq: int
    ts: int


def is_sound(line: bytes, told: Envelope) -> bool:
    """Say whether the envelope of a canonical line is one that `decode` lets pass."""
    return (
        _are_names(told.commit, told.tree, told.writer)
        and told.v == RECORD_VERSION
        and 0 <= told.seq < _COUNT_LIMIT
        and 0 <= told.ts < _TS_LIMIT
        and len(line) <= RECORD_LIMIT_BYTES
        and line.isascii()
        and told.id == _digest(_unsigned(line, told.id))
    )


_kind = lru_cache(maxsize=64)(Kind)
# the lines of one note are about one commit
_oid = lru_cache(maxsize=64)(Oid)


# made once, as the parser below: json.dumps and json.loads make one for every call
_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted, compact, ASCII, no NaN."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"cannot be written as a record: {error}"
        raise RecordError(message) from error


def _digest(unsigned: bytes) -> str:
    return hashlib.sha256(unsigned).hexdigest()[:16]


def _unsigned(line: bytes, claimed: str) -> bytes:
    # `kind` sorts behind `id`, so that a comma always follows it
    return line.replace(b'"id":"%b",' % claimed.encode("utf-8", "replace"), b"", 1)


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


def _quickly(line: str, raw: bytes) -> dict[str, Any] | None:
    """Read a canonical line four times as fast.

    None stands for "look again": msgspec writes texts that are not ASCII, and some
    numbers, in another way, and follows nesting further than others can.
    """
    if _brackets(line) > _DEPTH_LIMIT:
        return None
    try:
        plain = _decode(raw)
        written = _encode(plain)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return plain if written == raw and type(plain) is dict else None


def _thoroughly(line: str) -> dict[str, Any]:
    try:
        plain = _parser.decode(line)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise RecordError(message) from error
    if not isinstance(plain, dict):
        message = "not a JSON object"
        raise RecordError(message)
    if _brackets(line) > _DEPTH_LIMIT and _is_deep(plain):
        message = f"nested deeper than {_DEPTH_LIMIT} levels"
        raise RecordError(message)
    if canonical(plain) != line:
        raise RecordError("a record that is not in its canonical form")
    return plain


def _brackets(line: str) -> int:
    return line.count("[") + line.count("{")


def _is_deep(plain: dict[str, Any]) -> bool:
    """Say whether a value would exhaust the stack of whoever writes it out again."""
    level: list[Any] = [plain]
    for _ in range(_DEPTH_LIMIT):
        inner = (x for it in level for x in (it.values() if type(it) is dict else it))
        level = [item for item in inner if isinstance(item, (dict, list))]
    return bool(level)


def _no_constant(name: str) -> float:
    message = f"{name} is not allowed in a record"
    raise ValueError(message)


_parser = json.JSONDecoder(parse_constant=_no_constant)


@lru_cache(maxsize=64)
def _are_names(commit: str, tree: str, writer: str) -> bool:
    return Oid.fits(commit) and Oid.fits(tree) and _WORD.match(writer) is not None


@lru_cache(maxsize=64)
def _word(value: object) -> str:
    if not isinstance(value, str) or not _WORD.match(value):
        message = f"not a writer id: {str(value)[:40]!r}"
        raise ValueError(message)
    return value


def _count(value: object, limit: int) -> int:
    # not isinstance: true and false are no counts
    if type(value) is not int or not 0 <= value < limit:
        message = f"not a count: {str(value)[:40]!r}"
        raise ValueError(message)
    return value
