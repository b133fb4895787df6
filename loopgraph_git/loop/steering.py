"""What a person tells a session while it runs: notes, a pause, stop after this one.

It is a small file beside the session's journal. `git lg note` writes it, the session
reads it before each experiment, and both take turns under its lock.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.git.lock import locked
from loopgraph_git.records.texts import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTE_LIMIT = 1000
"""Characters of one note; all that an agent is told has to fit its window."""
NOTES_LIMIT = 8


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What was asked of a session: a pause, an end after this one, and the notes."""

    paused: bool = False
    stop: bool = False
    notes: tuple[str, ...] = ()

    @property
    def brief(self) -> str:
        """The notes as a part of the brief, "" without any."""
        if not self.notes:
            return ""
        lines = "\n".join(f"- {note}" for note in self.notes)
        return f"\n\nNotes from the person whose session this is:\n{lines}\n"


class Steering:
    """The wishes for one session, in a file that several processes share."""

    def __init__(self, folder: Path, session: str) -> None:
        self._path = folder / f"{session}.wishes"
        self._lock = folder / f"{session}.wishes.lock"

    def read(self) -> Wishes:
        """Return the wishes as they are; a file that makes no sense holds none."""
        try:
            plain = json.loads(self._path.read_text("utf-8"))
            return Wishes(
                paused=bool(plain["paused"]),
                stop=bool(plain["stop"]),
                notes=tuple(str(note) for note in plain["notes"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return Wishes()

    def note(self, text: str) -> Wishes:
        """Add a note; raises UsageError for one that is empty, too long or too many."""
        text = " ".join(visible(text).split())
        if not text or len(text) > NOTE_LIMIT:
            raise UsageError(f"a note has 1 to {NOTE_LIMIT} characters")
        with self._changing() as wishes:
            if len(wishes.notes) >= NOTES_LIMIT:
                raise UsageError(
                    f"there are {NOTES_LIMIT} notes already: `git lg note --drop 1` "
                    "takes the first one back"
                )
            return self._write(replace(wishes, notes=(*wishes.notes, text)))

    def drop(self, number: int) -> Wishes:
        """Take a note back, the first being 1; raises UsageError where there is none."""
        with self._changing() as wishes:
            if not 1 <= number <= len(wishes.notes):
                raise UsageError(f"there is no note {number}: `git lg note` lists them")
            notes = (*wishes.notes[: number - 1], *wishes.notes[number:])
            return self._write(replace(wishes, notes=notes))

    def ask(self, *, paused: bool | None = None, stop: bool | None = None) -> Wishes:
        """Ask for a pause or an end, or take it back."""
        with self._changing() as wishes:
            asked = replace(
                wishes,
                paused=wishes.paused if paused is None else paused,
                stop=wishes.stop if stop is None else stop,
            )
            return self._write(asked)

    @contextmanager
    def _changing(self) -> Iterator[Wishes]:
        with locked(self._lock, seconds=10, what="the notes of this session"):
            yield self.read()

    def _write(self, wishes: Wishes) -> Wishes:
        fresh = self._path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(asdict(wishes)), "utf-8")
        fresh.replace(self._path)
        return wishes
