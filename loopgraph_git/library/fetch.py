"""The one door to HTTP: polite, patient, and never more than was asked for.

A request waits for its turn (turns.py), follows a redirect only to http or https, and
is made again with growing pauses where the server is busy or the line dropped. What
comes back is whole, and no larger than its limit, also once it is unpacked.
"""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, NoReturn

from loopgraph_git.errors import AbsentError, FetchError
from loopgraph_git.library.turns import LONGEST_WAIT, turn, user_folder
from loopgraph_git.library.unpack import gunzip

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from loopgraph_git.library.turns import Turn

MIB = 1 << 20
_PIECE = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (429, 500, 502, 503, 504)
_MOST_REDIRECTS = 5
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered; `url` is where it came from in the end."""

    url: str
    status: int
    data: bytes
    media: str


class _AgainError(Exception):
    """This attempt failed, and the next may not; `wait` is what the server asked for."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Gets addresses, one after the other, like one polite person.

    `interval` is the pause in seconds between two requests to a host, whichever
    processes make them; `timeout` how long a server may be silent, `deadline` how
    long one answer may take; `backoff` the first pause before another attempt.
    `say` is told what goes on. Turns are kept in `turns`, by default a folder of the
    user's.
    """

    interval: float = 3.0
    attempts: int = 5
    timeout: float = 30.0
    deadline: float = 900.0
    backoff: float = 1.0
    turns: Path | None = None
    say: Callable[[str], None] = lambda _text: None

    def get(
        self, url: str, *, limit: int = 64 * MIB, read: Collection[int] = ()
    ) -> Answer:
        """Return what is at an address, at most `limit` bytes of it.

        `read` are statuses that are answers too. Raises FetchError for any other
        than 200, for what is too large, and where every attempt failed.
        """
        asked = url
        for _ in range(_MOST_REDIRECTS + 1):
            answer, location = self._patiently(asked, limit, read)
            if not location:
                return answer
            asked = urllib.parse.urljoin(asked, location)
        raise FetchError(f"{url}: more than {_MOST_REDIRECTS} redirects")

    def _patiently(
        self, url: str, limit: int, read: Collection[int]
    ) -> tuple[Answer, str]:
        """Ask until there is an answer; returns it, and where it sends us instead."""
        host, why = _host(url), ""
        for attempt in range(1, self.attempts + 1):
            try:
                with turn(
                    host, self.interval, self.turns or user_folder(), self.say
                ) as held:
                    return self._ask(url, limit, read, held)
            except _AgainError as error:
                why = str(error)
                if error.wait > LONGEST_WAIT:
                    raise FetchError(
                        f"{url}: {why}, and asks to wait {error.wait:.0f} s: "
                        "try again then"
                    ) from error
                if attempt < self.attempts:
                    pause = self._pause(attempt, error.wait)
                    self.say(f"{url}: {why}; again in {pause:.1f} s")
                    time.sleep(pause)
        raise FetchError(
            f"{url}: {why} ({self.attempts} attempts): try again later; "
            "what was fetched so far is kept"
        )

    def _pause(self, attempt: int, wait: float) -> float:
        """Return a pause that doubles each time, with jitter, as long as was asked."""
        longest = min(self.backoff * 2.0 ** (attempt - 1), _LONGEST_PAUSE)
        return max(wait, longest * random.uniform(0.5, 1))  # noqa: S311  no secret

    def _ask(
        self, url: str, limit: int, read: Collection[int], held: Turn
    ) -> tuple[Answer, str]:
        request = urllib.request.Request(url, headers=_HEADERS)  # noqa: S310  _host
        try:
            with _opener().open(request, timeout=self.timeout) as response:
                return self._heard(response, url, limit, read, held)
        except urllib.error.HTTPError as error:
            # redirects and errors are answers as well
            with error:
                return self._heard(error, url, limit, read, held)
        except (OSError, http.client.HTTPException) as error:
            _judge(url, error)

    def _heard(
        self,
        response: http.client.HTTPResponse | urllib.error.HTTPError,
        url: str,
        limit: int,
        read: Collection[int],
        held: Turn,
    ) -> tuple[Answer, str]:
        status, headers = response.status or 0, response.headers
        location = headers.get("Location", "") if status in _REDIRECTS else ""
        answer = Answer(
            url=url, status=status, data=b"", media=headers.get_content_type()
        )
        if location:
            return answer, location
        if status in _BUSY:
            wait = _seconds(headers.get("Retry-After", ""))
            held.not_before(max(wait, self.interval))
            raise _AgainError(f"the server answered {status}", wait)
        if status not in (200, *read):
            raise AbsentError(f"{url}: the server answered {_told(status)}")
        data = self._body(response, url, limit)
        return Answer(url=url, status=status, data=data, media=answer.media), ""

    def _body(
        self,
        response: http.client.HTTPResponse | urllib.error.HTTPError,
        url: str,
        limit: int,
    ) -> bytes:
        began, data = time.monotonic(), bytearray()
        # `read` would wait for a whole piece, however slowly it comes
        while piece := response.read1(_PIECE):
            data += piece
            if len(data) > limit:
                _refuse(url, limit)
            if time.monotonic() - began > self.deadline:
                raise FetchError(f"{url}: not whole after {self.deadline:.0f} s")
        headers = response.headers
        # what comes in chunks says itself where it ends
        chunked = "Transfer-Encoding" in headers
        expected = "" if chunked else headers.get("Content-Length", "")
        if expected.isascii() and expected.isdigit() and int(expected) > len(data):
            raise _AgainError(f"ended after {len(data)} of {expected} bytes")
        if headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip"):
            return _unpacked(bytes(data), url, limit)
        return bytes(data)


def address(base: str, path: str, query: Mapping[str, str | int] | None = None) -> str:
    """Return the address of a path below a base, with a query."""
    asked = f"?{urllib.parse.urlencode(query)}" if query else ""
    return f"{base.rstrip('/')}/{urllib.parse.quote(path)}{asked}"


def _host(url: str) -> str:
    """Return the host of an address; raises FetchError where it is not http(s)."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError(f"{url}: not an address of http or https: it is not opened")
    if parts.username or parts.password:
        raise FetchError(f"{parts.hostname}: an address with a password in it")
    return parts.netloc


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https alone: no file, no ftp, no redirect unseen."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _version() -> str:
    try:
        return version("loopgraph-git")
    except PackageNotFoundError:
        return "0"


_HEADERS = {
    "User-Agent": f"loopgraph-git/{_version()} (one request at a time)",
    "Accept-Encoding": "gzip",
}


def _judge(url: str, error: Exception) -> NoReturn:
    """Say whether a failure may pass: a name nobody knows will not be known at once."""
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, socket.gaierror):
        raise FetchError(
            f"{url}: the host is not known here ({cause.strerror}): look at the network"
        ) from error
    if isinstance(cause, ssl.SSLCertVerificationError | http.client.InvalidURL):
        raise FetchError(f"{url}: {cause}") from error
    words = str(cause) or type(cause).__name__
    raise _AgainError(f"the connection failed ({words})") from error


def _told(status: int) -> str:
    words = http.client.responses.get(status, "")
    return f"{status} {words}".strip()


def _refuse(url: str, limit: int) -> NoReturn:
    raise AbsentError(f"{url}: larger than {limit / MIB:g} MiB: it is not taken in")


def _unpacked(data: bytes, url: str, limit: int) -> bytes:
    """Return the body of a gzipped answer, never more than `limit` of it."""
    try:
        return gunzip(data, limit)
    except OverflowError:
        _refuse(url, limit)
    except ValueError as error:
        raise _AgainError(f"the answer cannot be unpacked ({error})") from error


def _seconds(text: str) -> float:
    """Return what `Retry-After` asks for: a number of seconds, or a date."""
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - time.time())
