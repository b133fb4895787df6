"""An answer read to its end: what it says of the experiment, and the files it makes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError
from loopgraph_git.loop.edits.answers import FoundEdits, find_edits, path_in
from loopgraph_git.loop.edits.applying import Outcome, apply

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FIELD = re.compile(r"^\W{0,4}(Title|Method)\W{1,4}(.+)$", re.MULTILINE)
_EDIT = re.compile(
    r"^(?:[ \t]*<{5,9} ?SEARCH|[ \t]*```|[ \t`*]*SET |\*\*\* |@@|diff --git |--- )",
    re.MULTILINE,
)
UNTITLED = "unnamed experiment"
_TITLE = 72
_REASON = 1500


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an answer says: its title, method, reason, and the files it makes.

    `edit` is how it became files: form, rung, fuzz and the number of blocks.
    """

    title: str
    method: str
    reason: str
    files: dict[str, str]
    edit: Mapping[str, str | int] = field(default_factory=dict)


def read_answer(
    text: str, before: Mapping[str, str], protected: Collection[str] = ()
) -> Answer:
    """Return the experiment that an answer describes; raises EditError.

    `before` holds the editable files as they are. The error shows every block that
    failed, and what is near to it.
    """
    found = find_edits(text, before)
    outcome = apply(found.edits, before, protected)
    if outcome.failures:
        raise EditError(explained(outcome))
    return made(text, found, outcome)


def explained(outcome: Outcome) -> str:
    """Return why edits cannot be applied: in one line, then block by block."""
    first = outcome.failures[0]
    kept = len(outcome.kept)
    others = "1 other fits" if kept == 1 else f"{kept} others fit"
    fitting = f"; {others}" if kept else ""
    lines = [f"block {first.number}: {first.problem}{fitting}"]
    lines += [str(failure) for failure in outcome.failures]
    return "\n".join(lines)


def made(text: str, found: FoundEdits, outcome: Outcome) -> Answer:
    """Return an answer whose edits were applied."""
    title, method, reason = read_words(text, found.members)
    edits = found.edits
    return Answer(
        title=title or UNTITLED,
        method=method,
        reason=reason,
        files=outcome.files,
        edit={
            "form": "+".join(dict.fromkeys(edit.form for edit in edits))[:40],
            "rung": outcome.rung,
            "fuzz": outcome.fuzz,
            "blocks": sum(edit.blocks for edit in edits),
        },
    )


def read_words(text: str, members: Mapping[str, object]) -> tuple[str, str, str]:
    """Return the title, the method and the reason that an answer gives."""
    fields = {key: value.strip(" `*") for key, value in reversed(_FIELD.findall(text))}
    given = {
        key: str(value) for key, value in members.items() if isinstance(value, str)
    }
    title = fields.get("Title", given.get("title", ""))[:_TITLE]
    method = fields.get("Method", given.get("method", "")).lower()
    reason = _reason(text) or given.get("reason", "")[:_REASON]
    return title, method, reason


def _reason(text: str) -> str:
    prose = _EDIT.split(text.replace("\r\n", "\n"), maxsplit=1)[0]
    if prose.lstrip()[:1] in ("{", "["):
        return ""
    lines = [line for line in prose.splitlines() if not _FIELD.match(line)]
    while lines and (not lines[-1].strip() or path_in(lines[-1], ())):
        # the path above the first block
        lines.pop()
    return "\n".join(lines).strip()[:_REASON]
