"""What the answers of LLM endpoints tell of their tokens, in three protocols.

    chat        OpenAI's chat completions: input includes what was cached
    responses   OpenAI's responses: so does it here
    messages    Anthropic's: what was read from a cache or written to it comes on top

Whole answers and streamed ones are read alike; a stream is read as it passes by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from loopgraph_git.loop.usage import Usage, estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPResponse

ANSWER_LIMIT = 64 << 20
"""Bytes of an answer that are read at most."""
_READ_LIMIT = 16 << 20
# nothing that counts is said in a longer line
_LINE_LIMIT = 32 << 20
_ADDED = ("cache_read_input_tokens", "cache_creation_input_tokens")


def usage_of(protocol: str, told: Mapping[str, Any]) -> Usage | None:
    """Return the usage that a `usage` object tells, None where it tells none."""
    names = ("input_tokens", "output_tokens")
    if protocol == "chat":
        names = ("prompt_tokens", "completion_tokens")
    given, taken = (_count(told.get(name)) for name in names)
    if given is None or taken is None:
        return None
    if protocol == "messages":
        read, written = (_count(told.get(name)) or 0 for name in _ADDED)
        return Usage(input=given + read + written, cached=read, output=taken)
    before, after = (
        told.get(f"{name.removesuffix('s')}s_details") or {} for name in names
    )
    cost = told.get("cost")
    return Usage(
        input=given,
        cached=min(_count(_member(before, "cached_tokens")) or 0, given),
        output=taken,
        reasoning=min(_count(_member(after, "reasoning_tokens")) or 0, taken),
        cost_usd=float(cost) if isinstance(cost, int | float) and cost > 0 else 0.0,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _member(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, dict) else None


@dataclass
class Told:
    """What one answer has told so far, and how much text it had (bytes)."""

    protocol: str
    members: dict[str, Any] = field(default_factory=dict)
    said_bytes: int = 0
    # a stream of `messages` tells of its output at first what is not yet true
    is_final: bool = True

    def whole(self, body: bytes) -> None:
        """Read an answer that came in one piece."""
        self.said_bytes += len(body)
        self._read(_json(body))

    def event(self, lines: list[bytes]) -> bool:
        """Read one event of a stream; says whether it tells of nothing but usage."""
        for line in lines:
            plain = _json(line[5:]) if line.startswith(b"data:") else None
            if isinstance(plain, dict):
                self.said_bytes += _said(plain)
                kind = plain.get("type")
                if kind in ("message_start", "message_delta"):
                    self.is_final = kind == "message_delta"
                if self._read(plain):
                    return True
        return False

    def _read(self, plain: Any) -> bool:
        if not isinstance(plain, dict):
            return False
        # messages: in the first event, and again in the last; responses: in the last
        holders = [plain, plain.get("message"), plain.get("response")]
        found = False
        for holder in holders:
            told = _member(holder, "usage")
            if isinstance(told, dict):
                # the last event of a stream leaves out what has not changed
                known = {key: item for key, item in told.items() if item is not None}
                self.members.update(known)
                found = True
        return found and plain.get("choices") == []

    def usage(self, asked: bytes) -> Usage:
        """Return what the answer cost, by estimate where it told nothing."""
        found = usage_of(self.protocol, self.members)
        said = estimated_tokens("x" * self.said_bytes)
        if found is None:
            words = asked.decode("utf-8", "replace")
            found = Usage(input=estimated_tokens(words), output=said, estimated=True)
        elif not self.is_final:
            found = replace(found, output=max(found.output, said), estimated=True)
        return replace(found, requests=1)


def _said(plain: dict[str, Any]) -> int:
    """Return how many bytes of text an event of a stream brings."""
    delta = plain.get("delta")
    choices = plain.get("choices")
    if isinstance(choices, list) and choices:
        delta = _member(choices[0], "delta")
    parts = delta.values() if isinstance(delta, dict) else [delta]
    return sum(len(part.encode("utf-8", "replace")) for part in parts
               if isinstance(part, str))  # fmt: skip


def _json(raw: bytes) -> Any:
    if len(raw) > _LINE_LIMIT:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def lines_of(answer: HTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a stream; raises HTTPException where it does not end."""
    left = ANSWER_LIMIT
    while line := answer.readline(min(_READ_LIMIT, left)):
        left -= len(line)
        yield line
        if left <= 0:
            raise HTTPException(f"an answer of over {ANSWER_LIMIT >> 20} MiB")


def require_whole(answer: HTTPResponse) -> None:
    """Raise HTTPException where an answer ended before it was complete."""
    if answer.length:
        raise HTTPException(f"cut off {answer.length} bytes before its end")


def events(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield the events of a stream, each with the empty line that ends it."""
    event: list[bytes] = []
    for line in lines:
        event.append(line)
        if not line.strip():
            yield event
            event = []
    if event:
        yield event


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is, an empty one for anything else."""
    plain = _json(body)
    return plain if isinstance(plain, dict) else {}


def asks_for_usage(plain: dict[str, Any]) -> bool:
    """Have a stream end with its usage; False where the client asked for that itself."""
    options = plain.get("stream_options") or {}
    if not plain.get("stream") or not isinstance(options, dict):
        return False
    if options.get("include_usage"):
        return False
    plain["stream_options"] = {**options, "include_usage": True}
    return True
