"""The one door to LLMs: any OpenAI-compatible endpoint, and a scripted one.

The endpoint and the key come from the user's environment (OPENAI_BASE_URL,
OPENAI_API_KEY), never from a repository. Whatever comes back is checked before it
is used: servers answer 200 with an error, with HTML, or with nothing at all.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from loopgraph_git.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ATTEMPTS = 3
_LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer: its text and the tokens it cost, all attempts counted."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class Provider(Protocol):
    """Anything that completes a conversation of {"role", "content"} messages."""

    def complete(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Return the answer; raises ProviderError."""
        ...


class ChatProvider:
    """A chat-completions endpoint, reached through the `openai` package."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        timeout_seconds: float = 300.0,
        pause_seconds: float = 0.5,
    ) -> None:
        try:
            from openai import OpenAI  # noqa: PLC0415  0.5 s, and an extra
        except ImportError as error:
            raise ProviderError(
                "the chat proposer needs the openai package: "
                "pip install 'loopgraph-git[llm]'"
            ) from error
        base_url = base_url or os.environ.get("OPENAI_BASE_URL")
        key = os.environ.get("OPENAI_API_KEY")
        if not key and not base_url:
            raise ProviderError(
                "no LLM endpoint: set OPENAI_API_KEY, or OPENAI_BASE_URL to a local "
                "server such as http://localhost:11434/v1"
            )
        self._model = model
        self._pause_seconds = pause_seconds
        # local servers want any key that is not empty
        self._client = OpenAI(
            api_key=key or "none",
            base_url=base_url,
            timeout=timeout_seconds,
            max_retries=0,
        )

    def complete(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Return the answer; retries what may pass, raises ProviderError."""
        from openai import APIConnectionError, APIStatusError, OpenAIError  # noqa: PLC0415

        problem = ""
        for attempt in range(_ATTEMPTS):
            try:
                return _checked(self._ask(messages), messages)
            except APIStatusError as error:
                problem = f"HTTP {error.status_code}: {_short(error.message)}"
                if not _may_pass(error.status_code):
                    break
                self._wait(attempt, error.response.headers.get("retry-after"))
            except (APIConnectionError, ProviderError, ValueError) as error:
                # ValueError: a body that says it is JSON and is not
                problem = _short(str(error))
                self._wait(attempt, None)
            except OpenAIError as error:
                problem = _short(str(error))
                break
        raise ProviderError(f"{self._client.base_url}: {problem}")

    def _wait(self, attempt: int, retry_after: str | None) -> None:
        if attempt == _ATTEMPTS - 1:
            return
        try:
            seconds = float(retry_after or self._pause_seconds * 2**attempt)
        except ValueError:
            # a date is allowed too; a short pause serves as well
            seconds = 1.0
        time.sleep(min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS))

    def _ask(self, messages: Sequence[Mapping[str, str]]) -> Any:
        payload: Any = [dict(message) for message in messages]
        return self._client.chat.completions.create(model=self._model, messages=payload)


def _may_pass(status: int) -> bool:
    """Say whether a status is worth another attempt: busy, or the server's fault."""
    return status in (408, 409, 429) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _checked(answer: Any, messages: Sequence[Mapping[str, str]]) -> Reply:
    """Return the reply of an answer of the right shape; raises ProviderError."""
    choices = getattr(answer, "choices", None)
    if not choices:
        error = getattr(answer, "error", None) or str(answer)
        raise ProviderError(f"not a chat completion: {_short(str(error))}")
    text = getattr(getattr(choices[0], "message", None), "content", None)
    if not isinstance(text, str) or not text.strip():
        raise ProviderError("the answer is empty")
    usage = getattr(answer, "usage", None)
    given = getattr(usage, "prompt_tokens", None)
    taken = getattr(usage, "completion_tokens", None)
    if isinstance(given, int) and isinstance(taken, int):
        return Reply(text=text, input_tokens=given, output_tokens=taken)
    asked = sum(len(message["content"]) for message in messages)
    return Reply(
        text=text,
        input_tokens=round(asked / 3.6),
        output_tokens=round(len(text) / 3.6),
        estimated=True,
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


@contextmanager
def scripted_server(
    answers: Sequence[str | tuple[int, str]],
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve scripted answers over the real protocol on a loopback port.

    A text is the content of a completion, a (status, body) pair is sent as it is;
    after the last answer the server repeats it. Yields the base URL and the list
    in which the requests appear. For tests, demonstrations and comparisons.
    """
    asked: list[dict[str, Any]] = []
    handler = type("Scripted", (_Scripted,), {"answers": list(answers), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # shutdown waits for the next look at the clock
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Scripted(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions from a list."""

    answers: list[str | tuple[int, str]]
    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        request = json.loads(self.rfile.read(size))
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        status, body = answer if isinstance(answer, tuple) else (200, "")
        raw = (
            body.encode() if isinstance(answer, tuple) else _completion(answer, request)
        )
        self.send_response(status)
        is_json = raw[:1] in (b"{", b"[")
        self.send_header("content-type", "application/json" if is_json else "text/html")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet: the caller sees the requests themselves."""


def _completion(text: str, request: Mapping[str, Any]) -> bytes:
    asked = sum(len(str(m.get("content", ""))) for m in request.get("messages", []))
    plain = {
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
    return json.dumps(plain).encode()
