"""Answers that were paid for, kept so that no question is paid for twice.

Each is a file beside the entries of the shelf, named by the hash of the LLM's name and
of all that it was asked. They are never pushed.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from loopgraph_git.errors import LibraryError
from loopgraph_git.records import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FOLDER = ".answers"
_FORMAT = 1


class Kept:
    """The answers of one LLM, in a folder that need not be there yet."""

    def __init__(self, library: Path, llm: str) -> None:
        self._folder = library / FOLDER
        self._llm = llm

    def key(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the name of a question."""
        asked = canonical({"llm": self._llm, "asked": [dict(x) for x in messages]})
        return hashlib.sha256(asked.encode("utf-8", "replace")).hexdigest()[:32]

    def get(self, key: str) -> str | None:
        """Return the answer to a question; None where there is none that can be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            plain = json.loads((self._folder / f"{key}.json").read_bytes())
            if plain["v"] == _FORMAT and isinstance(plain["text"], str):
                return str(plain["text"])
        return None

    def put(self, key: str, text: str) -> None:
        """Keep an answer, whole or not at all; raises LibraryError."""
        path = self._folder / f"{key}.json"
        fresh = path.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh.write_text(
                canonical({"v": _FORMAT, "llm": self._llm, "text": text}), "utf-8"
            )
            fresh.replace(path)
        except OSError as error:
            raise LibraryError(
                f"{path}: {error.strerror}: an answer that was paid for cannot be "
                "kept; make room, and the same command asks again"
            ) from error

    def drop(self, key: str) -> None:
        """Forget an answer that was of no use: another time it may be better."""
        with suppress(OSError):
            (self._folder / f"{key}.json").unlink()
