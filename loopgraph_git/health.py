"""Health: what `git lg doctor` looks at in a repository's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.config import CONFIG_NAME
from loopgraph_git.git import refs, sync

if TYPE_CHECKING:
    from loopgraph_git.loopgraph import LoopGraph


class Finding(NamedTuple):
    """One thing that was looked at, and what to do where it is not `ok`."""

    subject: str
    words: str
    ok: bool = True


def examine(lab: LoopGraph) -> list[Finding]:
    """Look at index, pins, notes and settings; each finding says what to do."""
    problems = lab.client.store.check()
    index = [Finding("index", words, ok=False) for words in problems]
    return [
        *(index or [Finding("index", f"sound, {_counted(lab)}")]),
        _pins(lab),
        _notes(lab),
        _settings(lab),
    ]


def _counted(lab: LoopGraph) -> str:
    counts = lab.client.store.counts()
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _pins(lab: LoopGraph) -> Finding:
    pins = {refs.pinned(ref) for ref in lab.repo.refs(refs.PINS)}
    pins |= sync.archived(lab.repo, sync.archives(lab.repo))
    found = {name for name, _, _ in lab.repo.objects(pins)}
    lost = sorted(oid for oid in pins if oid not in found)
    if lost:
        words = f"{len(lost)} pinned commits are missing ({lost[0].short}, …): git fsck"
        return Finding("pins", words, ok=False)
    return Finding("pins", f"{len(pins)} commits kept alive, all readable")


def _notes(lab: LoopGraph) -> Finding:
    tips = lab.notes.refs()
    count = len({record.id for record in lab.notes.records(dict.fromkeys(tips, ""))})
    writers = len({ref.rsplit("/", 1)[1] for ref in tips})
    return Finding("notes", f"{count} records by {writers} writers")


def _settings(lab: LoopGraph) -> Finding:
    if not lab.configured:
        return Finding("settings", "none: run `git lg init`", ok=False)
    return Finding("settings", f"{CONFIG_NAME} is valid")
