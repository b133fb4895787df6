"""The log of a run while it is written: on disk, capped, and without secrets."""

from __future__ import annotations

import hashlib
import re
from typing import IO, TYPE_CHECKING

from loopgraph_git.loop import summary

if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL_BYTES = 256 * 1024
# a line is looked at whole, so that no secret is cut in two; longer ones in pieces
_LINE_BYTES = 64 * 1024
_ENDINGS = re.compile(rb"[\r\n]")


class RunLog:
    """Writes a log to disk, remembers its tail, and reports whole lines.

    Secrets are taken out before anything is kept or shown.
    """

    def __init__(
        self, sink: IO[bytes], limit: int, on_line: Callable[[str], None]
    ) -> None:
        self._sink = sink
        self._limit = limit
        self._on_line = on_line
        self._tail = bytearray()
        self._held = bytearray()
        self.digest = hashlib.sha256()
        self.size = 0

    def add(self, chunk: bytes) -> bool:
        """Take output in; returns False once the log is over its limit."""
        self._held += chunk
        end = max(self._held.rfind(b"\n"), self._held.rfind(b"\r")) + 1
        if not end and len(self._held) > _LINE_BYTES:
            end = len(self._held)
        self._keep(bytes(self._held[:end]))
        del self._held[:end]
        return self.size <= self._limit

    def finish(self) -> None:
        """Take in what came after the last end of a line."""
        self._keep(bytes(self._held))
        self._held.clear()

    def _keep(self, chunk: bytes) -> None:
        if not chunk:
            return
        text = chunk.decode("utf-8", "surrogateescape")
        clean = summary.redact(text).encode("utf-8", "surrogateescape")
        self.size += len(clean)
        self.digest.update(clean)
        self._sink.write(clean)
        self._tail += clean
        del self._tail[:-_TAIL_BYTES]
        self._report(clean[-4096:])

    def _report(self, chunk: bytes) -> None:
        # progress bars end their lines with \r
        lines = [line for line in _ENDINGS.split(chunk) if line.strip()]
        if lines:
            self._on_line(lines[-1].decode("utf-8", "replace"))

    def tail(self) -> str:
        """Return the last part of the log as text."""
        return self._tail.decode("utf-8", "replace")
