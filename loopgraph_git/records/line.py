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
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from loopgraph_git.errors import RecordError
from loopgraph_git.records.values import Kind, Oid

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_VERSION = 1
RECORD_LIMIT_BYTES = 4096
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
