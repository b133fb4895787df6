"""The metric channel: how protected code tells the harness what was measured.

A run gets the name of a file and a nonce that is used once (LOOPGRAPH_METRIC_FILE,
LOOPGRAPH_NONCE). Protected code takes both out of the environment when it is imported,
and writes the nonce and then `name: value` lines there. Where protected code names the
variable, a figure on stdout alone is not accepted: anybody can print.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.loop import summary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Oid

METRIC_FILE = "LOOPGRAPH_METRIC_FILE"
NONCE = "LOOPGRAPH_NONCE"
_SIZE_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Channel:
    """One file and the nonce that makes what is in it count."""

    file: Path
    nonce: str

    def env(self, folder: Path) -> dict[str, str]:
        """Return the variables for a run that sees the file in `folder`."""
        return {METRIC_FILE: str(folder / self.file.name), NONCE: self.nonce}

    def read(self) -> dict[str, float | str]:
        """Return what was reported with the nonce, empty if nothing was."""
        with suppress(OSError):
            handle = os.open(self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(handle, "rb") as stream:  # noqa: PTH123  of a descriptor
                text = stream.read(_SIZE_LIMIT).decode("utf-8", "replace")
            nonce, _, rest = text.partition("\n")
            if secrets.compare_digest(nonce.encode(), self.nonce.encode()):
                return summary.parse_summary(rest)
        return {}


def opened(scratch: Path, name: str) -> Channel:
    """Return a channel of its own for one process."""
    return Channel(scratch / name, secrets.token_hex(16))


def is_supported(repo: Repo, commit: Oid, config: Config) -> bool:
    """Say whether the protected code of a commit reports through the channel."""
    texts = (repo.file(commit, path) or "" for path in config.protected)
    return any(METRIC_FILE in text for text in texts)


def differs(
    printed: Mapping[str, float | str], told: Mapping[str, float | str], name: str
) -> str:
    """Return in words how the printed metric is not the reported one, or ""."""
    if name not in printed or printed[name] == told.get(name):
        return ""
    reported = told.get(name, "nothing")
    return f"printed {name} {printed[name]}, protected code reported {reported}"
