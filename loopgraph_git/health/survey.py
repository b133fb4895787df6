"""What refs and notes hold, read in bulk once for all that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError
from loopgraph_git.git import archive, bulk, refs
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.git.repo import Repo


class Survey(NamedTuple):
    """What this clone holds.

    `notes` maps every notes ref to its commits and their blobs; `unreadable` has the
    refs that git cannot read, with git's words. `here` are the commits, of all that
    were asked for, that this clone has.
    """

    writer: str
    notes: Mapping[str, Mapping[Oid, str]]
    pinned: frozenset[Oid]
    archived: frozenset[Oid]
    archives: tuple[str, ...]
    here: frozenset[Oid]
    unreadable: Mapping[str, str]

    @property
    def annotated(self) -> set[Oid]:
        """The commits that this clone has said anything of."""
        own = (rows for ref, rows in self.notes.items() if ref.startswith(refs.NOTES))
        return {commit for rows in own for commit in rows}


def writer_of(repo: Repo) -> str:
    """Return the id of this clone, or "" where it has none that is usable."""
    try:
        text = (repo.home / "writer").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return text if refs.is_writers(refs.notes(text)) else ""


def survey(repo: Repo) -> Survey:
    """Read every ref that is ours or was fetched for us."""
    unreadable: dict[str, str] = {}
    notes = {}
    for ref in repo.refs(refs.NOTES, refs.REMOTE_NOTES):
        try:
            notes[ref] = _rows(repo, ref)
        except GitError as error:
            unreadable[ref] = str(error)
    archived: set[Oid] = set()
    archives = archive.archives(repo)
    for ref in archives:
        try:
            archived |= archive.archived(repo, [ref])
        except GitError as error:
            unreadable[ref] = str(error)
    # the name of a pin is what counts: its commit may be missing
    pinned = set(repo.refs(refs.PINS).values())
    asked = pinned | archived | {oid for rows in notes.values() for oid in rows}
    return Survey(
        writer=writer_of(repo),
        notes=notes,
        pinned=frozenset(pinned),
        archived=frozenset(archived),
        archives=tuple(archives),
        here=frozenset(bulk.find_commits(repo, asked).values()),
        unreadable=unreadable,
    )


def _rows(repo: Repo, ref: str) -> dict[Oid, str]:
    listing = repo.text("notes", f"--ref={ref}", "list")
    rows = (row.split() for row in listing.splitlines())
    return {Oid(commit): blob for blob, commit in rows}


def at_risk(repo: Repo, seen: Survey) -> list[Oid]:
    """Return the commits with records of ours that nothing keeps: gc would take them."""
    bare = sorted((seen.annotated & seen.here) - seen.pinned - seen.archived)
    if not bare:
        return []
    stdin = "".join(f"{oid}\n" for oid in bare).encode()
    try:
        listing = repo.text("rev-list", "--stdin", "--not", "--all", stdin=stdin)
    except GitError:
        # git cannot walk from a damaged ref; a pin too many does no harm
        return bare
    loose = set(listing.splitlines())
    return [oid for oid in bare if oid in loose]
