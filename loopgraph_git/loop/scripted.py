"""A scripted LLM: answers from a list, over the real protocol, with real troubles.

For tests, demonstrations and comparisons. It listens on loopback alone.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from loopgraph_git.loop.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An answer that is none: a status and a body, a part of it, or silence.

    `hang_seconds` is how long nothing is sent, `cut` how many bytes of the body are
    sent before the connection is dropped.
    """

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_seconds: float = 0.0
    cut: int | None = None


Answer = str | tuple[int, str] | Trouble


@contextmanager
def scripted_server(
    answers: Sequence[Answer],
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve scripted answers over the real protocol on a loopback port.

    A text is the content of a completion, a (status, body) pair is sent as it is, a
    Trouble does what it says; after the last answer the server repeats it. Yields the
    base URL and the list in which the requests appear, each with what it was answered
    under `"usage"` where that was told.
    """
    asked: list[dict[str, Any]] = []
    over = threading.Event()
    shared = {"answers": list(answers), "asked": asked, "over": over}
    with serving(_Scripted, shared) as url:
        try:
            yield url, asked
        finally:
            over.set()


class _Scripted(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions from a list."""

    answers: list[Answer]
    asked: list[dict[str, Any]]
    over: threading.Event

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        request = json.loads(self.rfile.read(size))
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, str):
            plain = completion(answer, request)
            request["usage"] = plain["usage"]
            answer = Trouble(body=json.dumps(plain))
        elif isinstance(answer, tuple):
            answer = Trouble(status=answer[0], body=answer[1])
        self.over.wait(answer.hang_seconds)
        # who waited long enough has hung up
        with suppress(OSError):
            self._send(answer)

    def _send(self, answer: Trouble) -> None:
        raw = answer.body.encode()
        self.send_response(answer.status)
        is_json = raw[:1] in (b"{", b"[")
        usual = {
            "content-type": "application/json" if is_json else "text/html",
            "content-length": str(len(raw)),
        }
        for name, value in {**usual, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw[: answer.cut])
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet: the caller sees the requests themselves."""


def completion(text: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat completion of a text, its usage counted at four characters a token."""
    asked = sum(len(str(m.get("content", ""))) for m in request.get("messages", []))
    return {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": request.get("model", ""),
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {
            "prompt_tokens": asked // 4,
            "completion_tokens": len(text) // 4,
            "total_tokens": asked // 4 + len(text) // 4,
        },
    }
