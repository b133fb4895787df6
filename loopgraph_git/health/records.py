"""Records: what notes, pins and archives hold, and what is missing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import RecordError
from loopgraph_git.git import bulk, refs
from loopgraph_git.git.notes import NOTE_LIMIT_BYTES
from loopgraph_git.health.finding import Finding, some
from loopgraph_git.health.survey import Survey, at_risk
from loopgraph_git.records import Record
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loopgraph_git.git.repo import Repo

# how the reflog of a notes ref tells that this clone wrote it
_WRITES = ("notes:", "fast-import")


def findings(repo: Repo, seen: Survey, lines: Lines) -> Iterator[Finding]:
    """Look at notes, pins, and who wrote them."""
    for ref, words in seen.unreadable.items():
        text = f"cannot be read ({words}): `git fsck` says what is damaged"
        yield Finding(ref, text, ok=False)
    yield from _notes(seen, lines)
    yield from _writers(repo, seen)
    yield from _commits(repo, seen)


def writer_in(ref: str) -> str:
    """Return the writer that a ref is of."""
    return ref.rsplit("/", 1)[1]


class Lines(NamedTuple):
    """What the lines of all notes are: records, or not, and by which writer."""

    records: frozenset[str]
    bad: Mapping[str, int]
    reasons: Mapping[str, str]
    large: list[str]
    absent: list[str]


def read_lines(repo: Repo, seen: Survey) -> Lines:
    """Read every line of every note, as far as no note is over the limit."""
    writers = {
        blob: writer_in(ref)
        for ref, rows in seen.notes.items()
        for blob in rows.values()
    }
    sizes = bulk.blob_sizes(repo, writers)
    good: set[str] = set()
    bad: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    readable = (blob for blob, size in sizes.items() if size <= NOTE_LIMIT_BYTES)
    for blob, _, content in repo.objects(readable):
        for line in content.decode("utf-8", "replace").split("\n"):
            text = line.rstrip("\r")
            if not text:
                continue
            try:
                good.add(Record.decode(text).id)
            except RecordError as error:
                bad[writers[blob]] += 1
                reasons.setdefault(writers[blob], str(error))
    return Lines(
        records=frozenset(good),
        bad=bad,
        reasons=reasons,
        large=[blob for blob, size in sizes.items() if size > NOTE_LIMIT_BYTES],
        absent=[blob for blob in writers if blob not in sizes],
    )


def _notes(seen: Survey, lines: Lines) -> Iterator[Finding]:
    records = counted(len(lines.records), "record")
    writers = counted(len({writer_in(ref) for ref in seen.notes}), "writer")
    yield Finding("notes", f"{records} by {writers}")
    for writer, number in sorted(lines.bad.items()):
        words = f"{counted(number, 'line')} of {writer} {_are(number)} no record"
        yield Finding("notes", f"{words}, passed over: {lines.reasons[writer]}")
    if lines.large:
        limit = NOTE_LIMIT_BYTES >> 20
        words = f"{counted(len(lines.large), 'note')} of over {limit} MiB"
        names = some(lines.large)
        yield Finding("notes", f"{words}, passed over ({names}): no record is so large")
    if lines.absent:
        words = f"{counted(len(lines.absent), 'note')} cannot be read"
        step = "`git fsck` says what is damaged"
        yield Finding("notes", f"{words} ({some(lines.absent)}): {step}", ok=False)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def lost_notes(seen: Survey) -> dict[str, str]:
    """Return own notes refs that are gone though a remote has them: ref → tracking."""
    own = refs.notes(seen.writer)
    if not seen.writer or own in seen.notes or own in seen.unreadable:
        return {}
    fetched = [
        ref
        for ref in seen.notes
        if ref.startswith(refs.REMOTE_NOTES) and writer_in(ref) == seen.writer
    ]
    return {own: fetched[0]} if fetched else {}


def lost_writer(repo: Repo, seen: Survey) -> str:
    """Return the id that this clone had before `writer` was lost, or "".

    It must be beyond doubt: notes of one writer, which were made here and not
    fetched. Two clones with one id would have to be told apart again.
    """
    own = _own_writers(seen)
    if seen.writer or len(own) != 1:
        return ""
    last = repo.maybe("log", "-g", "-1", "--format=%gs", refs.notes(own[0])) or ""
    made_here = (repo.home / "seq").exists() or last.startswith(_WRITES)
    return own[0] if made_here else ""


def _own_writers(seen: Survey) -> list[str]:
    found = (ref for ref in _own_refs(seen) if refs.is_writers(ref))
    return sorted({writer_in(ref) for ref in found})


def _writers(repo: Repo, seen: Survey) -> Iterator[Finding]:
    """Look for this clone's own refs, and for those that are somebody else's."""
    path = repo.home / "writer"
    own = _own_writers(seen)
    lost = lost_writer(repo, seen)
    if path.exists() and not seen.writer:
        words = f"{path} holds no id: `git lg doctor --fix` makes it anew"
        yield Finding("writer", words, ok=False)
    elif lost:
        words = f"{path} is gone: `git lg doctor --fix` takes up {lost} again"
        yield Finding("writer", words, ok=False)
    yield from _strangers(seen, [x for x in own if x not in (seen.writer, lost)])
    for ref, tracking in lost_notes(seen).items():
        words = f"our notes are gone, but {tracking} has them"
        yield Finding(ref, f"{words}: `git lg doctor --fix` brings them back", ok=False)


def _own_refs(seen: Survey) -> list[str]:
    found = [*seen.notes, *seen.archives, *seen.unreadable]
    return [ref for ref in found if ref.startswith((refs.NOTES, refs.KEEP))]


def _strangers(seen: Survey, others: list[str]) -> Iterator[Finding]:
    if others:
        words = (
            f"{some(others)}: not {seen.writer or 'of this clone'}, and yet among its "
            "own refs; an id that it had before, or fetched here by a refspec. "
            "`git lg sync` sends them along"
        )
        yield Finding("writer", words)
    odd = [ref for ref in _own_refs(seen) if not refs.is_writers(ref)]
    if odd:
        words = f"{some(odd)} can be no writer's: `git update-ref -d {odd[0]}`"
        yield Finding("writer", f"{words}, if you need nothing in it", ok=False)


def _commits(repo: Repo, seen: Survey) -> Iterator[Finding]:
    """Say whether what was recorded of can still be read, and will be after a gc."""
    kept = seen.pinned | seen.archived
    lost = sorted(kept - seen.here)
    if lost:
        names = some([oid.short for oid in lost])
        words = f"{counted(len(lost), 'pinned commit')} {_are(len(lost))} missing"
        step = "`git lg sync` fetches what was sent, `git fsck` says what is damaged"
        yield Finding("pins", f"{words} ({names}): {step}", ok=False)
    else:
        yield Finding(
            "pins", f"{counted(len(kept), 'commit')} kept alive, all readable"
        )
    risky = at_risk(repo, seen)
    if risky:
        names = some([oid.short for oid in risky])
        words = f"{counted(len(risky), 'commit')} with records would be lost by a gc"
        yield Finding("pins", f"{words} ({names}): `git lg doctor --fix`", ok=False)
    yield from _absent(repo, seen, kept)


def _absent(repo: Repo, seen: Survey, kept: frozenset[str]) -> Iterator[Finding]:
    """Look for records of commits that this clone does not have."""
    absent = {oid for rows in seen.notes.values() for oid in rows} - seen.here - kept
    own = sorted(absent & seen.annotated)
    theirs = absent - set(own)
    shallow = repo.text("rev-parse", "--is-shallow-repository") == "true"
    if shallow and absent:
        words = f"{counted(len(absent), 'commit')} with records"
        yield Finding("commits", f"{words} not in this clone, which is shallow")
        return
    if theirs:
        words = f"{counted(len(theirs), 'commit')} with records of other writers"
        yield Finding(
            "commits", f"{words} not here: `git lg sync` fetches what there is"
        )
    if own:
        names = some([oid.short for oid in own])
        words = f"{counted(len(own), 'commit')} with records of ours lost ({names})"
        step = "the records stay; `git lg sync` fetches what was sent"
        yield Finding("commits", f"{words}: {step}", ok=False)
