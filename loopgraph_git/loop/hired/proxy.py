"""A proxy between a coding agent and its LLM: it has the key, and counts the tokens.

    agent ── throw-away key ──▶ proxy on loopback ── the user's key ──▶ endpoint

Every agent counts its own tokens in its own way, or not at all; here all are counted
alike. The key of the user never reaches the agent, a budget that is used up ends its
requests, and only what an agent needs of an endpoint is passed on.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import BudgetError
from loopgraph_git.loop.hired.told import (
    ANSWER_LIMIT,
    Told,
    asks_for_usage,
    events,
    lines_of,
    object_of,
    require_whole,
)
from loopgraph_git.loop.loopback import serving
from loopgraph_git.loop.providers import may_pass, priced
from loopgraph_git.loop.usage import FREE, Meter, Usage, price_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loopgraph_git.loop.endpoints import Endpoint

PROTOCOLS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}
# these are asked beside, and cost nothing
_FREE = {"/v1/messages/count_tokens": "POST", "/v1/models": "GET"}
_BODY_LIMIT, _DIGITS = 32 << 20, 16
# each holds its question in memory
_AT_ONCE = 16
_SILENCE_SECONDS = 300.0
_LAST_SECONDS = 5.0
_UPWARDS = (
    "content-type", "accept", "user-agent", "anthropic-version", "anthropic-beta",
    "openai-beta", "openai-organization", "x-app", "x-title", "http-referer",
)  # fmt: skip
_DOWNWARDS = ("content-type", "retry-after", "request-id", "x-request-id")


@dataclass
class Passed:
    """What a proxy has done so far: answers that came, requests that it refused.

    `failures` are what the endpoint said where it did not answer, `may_pass` says
    that all of it was of the kind that passes.
    """

    answered: int = 0
    over_budget: bool = False
    failures: list[str] = field(default_factory=list)
    may_pass: bool = True


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """An open proxy: the base URL with /v1, the key that it takes, what it did."""

    url: str
    key: str
    passed: Passed

    @property
    def port(self) -> int:
        """The port that it listens on, on 127.0.0.1."""
        return int(self.url.rpartition(":")[2].partition("/")[0])


@contextmanager
def metering_proxy(at: Endpoint, key: str, meter: Meter) -> Iterator[Proxy]:
    """Pass requests on to an endpoint with its key, and count them in the meter.

    Without a key none is passed on. All that was asked is counted when this is left,
    also where nobody waits for the answer any more.
    """
    gate = _Gate(at, key, meter)
    try:
        with serving(_Passing, {"gate": gate}) as url:
            yield Proxy(url=url, key=gate.token, passed=gate.passed)
    finally:
        gate.close()


class _Gate:
    """What the requests of one proxy share."""

    def __init__(self, at: Endpoint, key: str, meter: Meter) -> None:
        self.at = at
        self.key = key
        self.meter = meter
        self.token = f"lg-{secrets.token_urlsafe(24)}"
        self.passed = Passed()
        self.slots = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Condition()
        self._open: set[HTTPConnection] = set()

    def check(self) -> None:
        """Raise BudgetError where nothing more may be spent."""
        with self._lock:
            try:
                self.meter.check()
            except BudgetError:
                self.passed.over_budget = True
                raise

    def count(self, usage: Usage, model: str) -> None:
        """Count what one answer cost."""
        price = FREE if self.at.local else price_of(model)
        with self._lock:
            self.meter.add(priced(usage, price))
            self.passed.answered += 1

    def failed(self, problem: str, *, may_pass: bool = True) -> None:
        """Remember why the endpoint did not answer."""
        with self._lock:
            self.passed.may_pass &= may_pass
            self.meter.add(Usage(requests=1))
            self.passed.failures.append(" ".join(problem.split())[:200])

    @contextmanager
    def upstream(self) -> Iterator[HTTPConnection]:
        """Hold a connection to the endpoint."""
        scheme, _, rest = self.at.base_url.partition("://")
        host = rest.partition("/")[0]
        kind = HTTPSConnection if scheme == "https" else HTTPConnection
        connection = kind(host, timeout=_SILENCE_SECONDS)
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            connection.close()
            with self._lock:
                self._open.discard(connection)
                self._lock.notify_all()

    def close(self) -> None:
        """Hang up on the endpoint, and wait until what was asked is counted."""
        ends = time.monotonic() + _LAST_SECONDS
        with self._lock:
            for connection in self._open:
                if connection.sock:
                    with suppress(OSError):
                        connection.sock.shutdown(2)
            while self._open and time.monotonic() < ends:
                self._lock.wait(0.1)


class _Passing(BaseHTTPRequestHandler):
    """Passes requests on, and answers back as they come."""

    protocol_version = "HTTP/1.1"
    timeout = _SILENCE_SECONDS
    gate: _Gate

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.close_connection = True
        # an agent that was ended has hung up
        with suppress(OSError):
            self._pass_on()

    def _pass_on(self) -> None:
        path = self.path.partition("?")[0]
        if problem := self._unwelcome():
            self._refuse(HTTPStatus.UNAUTHORIZED, problem)
            return
        protocol = PROTOCOLS.get(path) if self.command == "POST" else None
        if protocol is None and _FREE.get(path) != self.command:
            self._refuse(
                HTTPStatus.NOT_FOUND, f"{self.command} {path[:80]}: no such thing"
            )
            return
        if not self.gate.slots.acquire(blocking=False):
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, f"over {_AT_ONCE} at once")
            return
        try:
            self._ask(protocol or "")
        finally:
            self.gate.slots.release()

    def _ask(self, protocol: str) -> None:
        body = self._body()
        if body is None:
            return
        try:
            self.gate.check()
        except BudgetError as error:
            self._refuse(HTTPStatus.PAYMENT_REQUIRED, str(error))
            return
        self._forward(protocol, body)

    def _unwelcome(self) -> str:
        """Say why nothing is passed on, whatever is asked."""
        if not self.gate.key:
            return "this session has no key for an LLM"
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        given, token = (self.headers.get("x-api-key", ""), bearer), self.gate.token
        known = (secrets.compare_digest(x.encode(), token.encode()) for x in given)
        return "" if any(known) else "not the key of this proxy"

    def _body(self) -> bytes | None:
        """Return the body of a request, None where it was refused."""
        length = self.headers.get("content-length") or "0"
        told = length.isdecimal() and len(length) < _DIGITS
        if self.headers.get("transfer-encoding") or not told:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say its content-length")
            return None
        if int(length) > _BODY_LIMIT:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"over {_BODY_LIMIT >> 20} MiB"
            )
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        # both families of clients find their message in it
        error = {"type": "invalid_request_error", "code": status.value}
        body = {"type": "error", "error": {**error, "message": problem}}
        self._answer(status, json.dumps(body).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _forward(self, protocol: str, body: bytes) -> None:
        plain = object_of(body) if protocol else {}
        added = protocol == "chat" and asks_for_usage(plain)
        sent = json.dumps(plain).encode() if added else body
        told = Told(protocol)
        model = str(plain.get("model", ""))
        with self.gate.upstream() as upstream:
            try:
                upstream.request(self.command, self._target(), sent, self._headers())
                answer = upstream.getresponse()
            except (OSError, HTTPException) as error:
                self.gate.failed(f"{type(error).__name__}: {error}")
                self._refuse(HTTPStatus.BAD_GATEWAY, "the endpoint does not answer")
                return
            if answer.status >= HTTPStatus.BAD_REQUEST:
                self._fail(answer)
                return

            @cache
            def count() -> None:
                if protocol:
                    self.gate.count(told.usage(body), model)

            try:
                self._pass_back(answer, told, count, hide=added)
            except HTTPException as error:
                # cut off: the client sees it too, for no last chunk comes
                self.gate.failed(f"{type(error).__name__}: {error}")
            finally:
                count()

    def _target(self) -> str:
        base = self.gate.at.base_url.partition("://")[2].partition("/")[2].strip("/")
        return f"/{base}{self.path.removeprefix('/v1')}" if base else self.path[3:]

    def _headers(self) -> dict[str, str]:
        kept = {name: self.headers[name] for name in _UPWARDS if name in self.headers}
        # packed, it could not be read on the way
        kept["accept-encoding"] = "identity"
        if self.path.startswith("/v1/messages"):
            kept["x-api-key"] = self.gate.key
        if "x-api-key" not in kept or "anthropic.com" not in self.gate.at.base_url:
            kept["authorization"] = f"Bearer {self.gate.key}"
        return kept

    def _fail(self, answer: HTTPResponse) -> None:
        body = answer.read(_BODY_LIMIT)
        self.gate.failed(
            f"HTTP {answer.status}: {body[:400].decode('utf-8', 'replace')}",
            may_pass=may_pass(answer.status),
        )
        self._begin(answer, {"content-length": str(len(body))})
        self.wfile.write(body)

    def _begin(self, answer: HTTPResponse, more: dict[str, str]) -> None:
        self.send_response(answer.status)
        for name in _DOWNWARDS:
            value = answer.getheader(name)
            if value is not None:
                self.send_header(name, value)
        for name, value in {**more, "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _pass_back(
        self, answer: HTTPResponse, told: Told, count: Callable[[], None], *, hide: bool
    ) -> None:
        """Pass an answer back; who has its end may ask again, so it is counted first."""
        if "event-stream" not in (answer.getheader("content-type") or ""):
            body = answer.read(ANSWER_LIMIT)
            told.whole(body)
            count()
            # cut off, it says still how long it should have been
            self._begin(
                answer, {"content-length": str(len(body) + (answer.length or 0))}
            )
            self.wfile.write(body)
            require_whole(answer)
            return
        self._begin(answer, {"transfer-encoding": "chunked"})
        for event in events(lines_of(answer)):
            # the client did not ask for what only we wanted to know
            if not told.event(event) or not hide:
                self._chunk(b"".join(event))
        require_whole(answer)
        count()
        self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet: the meter knows what passed."""
