"""The names of refs: how they are written, read and made from what users type."""

from __future__ import annotations

import re
import unicodedata

from loopgraph_git.errors import UsageError
from loopgraph_git.records import Oid

SESSIONS = "refs/heads/lg/"
PINS = "refs/loopgraph/pins/"
NOTES = "refs/notes/loopgraph/"
REMOTE_NOTES = "refs/notes/loopgraph-remote/"
KEEP = "refs/loopgraph/keep/"
REMOTE_KEEP = "refs/loopgraph/remotes/"
_WRITER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def pin(oid: Oid) -> str:
    """Return the ref that keeps one experiment commit alive."""
    return f"{PINS}{oid}"


def notes(writer: str) -> str:
    """Return the notes ref that one writer appends to."""
    return f"{NOTES}{writer}"


def keep(writer: str) -> str:
    """Return the archive ref that keeps one writer's experiments."""
    return f"{KEEP}{writer}"


def remote_keep(remote: str, writer: str) -> str:
    """Return where a writer's archive is tracked after a fetch."""
    return f"{REMOTE_KEEP}{remote}/keep/{writer}"


def remote_notes(remote: str, writer: str) -> str:
    """Return where a writer's notes are tracked after a fetch."""
    return f"{REMOTE_NOTES}{remote}/{writer}"


def tracking(remote: str, ref: str) -> str:
    """Return where a ref of a writer is tracked after a fetch."""
    start, writer = ref.rsplit("/", 1)
    named = remote_notes if f"{start}/" == NOTES else remote_keep
    return named(remote, writer)


def is_writers(ref: str, remote: str | None = None) -> bool:
    """Say whether a ref is notes or an archive of a writer, here or of a remote."""
    starts = (KEEP, NOTES)
    if remote is not None:
        starts = (remote_keep(remote, ""), remote_notes(remote, ""))
    return any(
        ref.startswith(start) and _WRITER.match(ref.removeprefix(start))
        for start in starts
    )


def is_readable(ref: str) -> bool:
    """Say whether a ref could be of a writer, and its name is a text for an index.

    A remote may be called what its user likes; what is not UTF-8 is no text.
    """
    writer = ref.rpartition("/")[2]
    return writer.isascii() and ref.encode("utf-8", "ignore").decode() == ref


def session_branch(session: str) -> str:
    """Return the branch of a session; raises UsageError for an unusable name."""
    if session != slug(session):
        raise UsageError(
            f"{session!r} cannot name a session: try `--session {slug(session)}`"
        )
    return f"{SESSIONS}{session}"


def slug(text: str) -> str:
    """Return a name made of lower-case words and dashes, safe in refs and paths."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return words[:50].strip("-") or "session"


def pinned(ref: str) -> Oid:
    """Return the commit that a pin keeps."""
    return Oid(ref.removeprefix(PINS))
