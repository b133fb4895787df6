"""What a call of git is made of: flags, a clean environment, something to read."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FLAGS = (
    "-c", "core.hooksPath=/dev/null",
    # from git 2.55 on, hooks in the configuration are switched off by their event
    "-c", "hook.reference-transaction.enabled=false",
    "-c", "hook.post-checkout.enabled=false",
    "-c", "hook.post-index-change.enabled=false",
    "-c", "core.fsmonitor=false",
    "-c", "core.quotePath=false",
    "-c", "protocol.ext.allow=never",
    "-c", "log.showSignature=false",
    "-c", "gc.auto=0",
    # a record or a pin that was reported as written survives a power loss
    "-c", "core.fsync=loose-object,reference",
)  # fmt: skip
# identity and dates are the caller's to give; everything else that starts with
# GIT_ redirects git to another repository, index or configuration
_KEPT = re.compile(
    r"GIT_((AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)"
    r"|SSH|SSH_COMMAND|ASKPASS|EDITOR|SEQUENCE_EDITOR|PAGER|TEST_FSYNC"
    r"|TERMINAL_PROMPT|TRACE.*|EXEC_PATH|SSL_.*|PYTHON_.*)\Z"
)


def drain(stream: BinaryIO) -> None:
    """Read a stream to its end, and forget it."""
    while stream.read(1 << 16):
        pass


@contextmanager
def pipe(content: bytes | None) -> Iterator[BinaryIO | None]:
    """Hold bytes as a file that a process can read, or nothing for no bytes."""
    if not content:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def command(*args: str, given: Mapping[str, str] | None = None) -> list[str]:
    """Return a call of git with our flags, where the variables that redirect it are hidden.

    Those that the caller has `given` hold.
    """
    return [*_scrub(given or {}), "git", *_FLAGS, *args]


def _scrub(given: Mapping[str, str]) -> list[str]:
    """Return a prefix that hides the GIT_* variables which redirect git."""
    foreign = [n for n in os.environ if n.startswith("GIT_") and n not in given]
    names = [name for name in foreign if not _KEPT.match(name)]
    return ["env", *(part for name in names for part in ("-u", name))] if names else []
