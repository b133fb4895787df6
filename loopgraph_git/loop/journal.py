"""The journal: which step of which experiment a session is at.

Each stage is written, fsynced and renamed into place before the step after it
begins, and every step can be done again with the same effect. So whatever kills
the harness, the next command goes on with the same experiment: none is lost and
none is there twice.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from loopgraph_git.errors import LoopGraphError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")


class Stage(StrEnum):
    """What has been done to an experiment, each stage naming the last step."""

    PROPOSED = "proposed"
    COMMITTED = "committed"
    MEASURED = "measured"
    NOTED = "noted"
    JUDGED = "judged"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One experiment under way, with all that its next step needs.

    `ts` fixes the commit's date (seconds since the epoch), `result` and `verdict`
    are record lines: made once, written as often as it takes.
    """

    stage: Stage
    number: int
    ts: int
    baseline: str
    subject: str
    body: str
    proposer: str
    files: dict[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    retrieval: str = ""
    failure: str = ""
    tokens: int = 0
    cost_usd: float = 0.0
    edit: dict[str, str | int] = field(default_factory=dict)
    commit: str = ""
    result: str = ""
    verdict: str = ""

    def at(self, stage: Stage, **changes: Any) -> Self:
        """Return the entry as it is after one more step."""
        return replace(self, stage=stage, **changes)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one call of `git lg experiment` set out to do, until it has ended.

    `target` is a number of experiments; `until`, and `began` when it was first called,
    are times in seconds since the epoch.
    """

    target: int
    done: int = 0
    until: float | None = None
    began: float = 0.0

    def continues(self, other: Plan, *, now: float) -> bool:
        """Say whether `other` is the same command, given again before time was up."""
        timed = self.until is not None
        over = self.until is not None and self.until <= now
        same = self.target == other.target and timed == (other.until is not None)
        return same and not over


class Journal:
    """The journal file of one session."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            plain = self._read()
            self.plan = _value(Plan, plain.get("plan"))
            self.entry = _entry(plain.get("entry"))
        except (OSError, TypeError, ValueError) as error:
            raise LoopGraphError(
                f"the journal {self.path} cannot be read ({error}): move it away; "
                "every experiment it names is pinned and stays readable"
            ) from error

    def _read(self) -> dict[str, Any]:
        try:
            plain = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return plain if isinstance(plain, dict) else {}

    def write(self, *, plan: Plan | None, entry: Entry | None) -> None:
        """Replace plan and entry at once, durably."""
        self.plan, self.entry = plan, entry
        plain = {
            "plan": asdict(plan) if plan else None,
            "entry": asdict(entry) if entry else None,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as handle:
            json.dump(plain, handle)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(self.path)
        _sync_folder(self.path.parent)

    def enter(self, entry: Entry | None) -> None:
        """Write the stage that has been reached, or that the experiment is over."""
        self.write(plan=self.plan, entry=entry)


def under_way(folder: Path) -> list[str]:
    """Return the sessions of a journal folder that a call has not finished yet."""
    names = []
    for path in sorted(folder.glob("*.json")):
        with suppress(LoopGraphError):
            if Journal(path).plan is not None:
                names.append(path.stem)
    return names


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _entry(plain: object) -> Entry | None:
    entry = _value(Entry, plain)
    if entry is None:
        return None
    return replace(entry, stage=Stage(entry.stage), methods=tuple(entry.methods))


def _value(kind: type[T], plain: object) -> T | None:
    """Read a value back; what an older version did not write has its default."""
    if not isinstance(plain, dict):
        return None
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in plain.items() if name in known})
