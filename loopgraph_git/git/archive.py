"""The archive: one ref that keeps all of a writer's experiments reachable.

Ten thousand pins would make every fetch slow, so a sync folds them into a chain of
commits that have experiments as parents.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from loopgraph_git.git import bulk, refs
from loopgraph_git.git.lock import locked
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopgraph_git.git.repo import Repo

_PARENTS = 500
"""Experiments in one archive commit: an octopus that git reads in a moment."""
_EMPTY = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


def fold(repo: Repo, writer: str) -> dict[str, Oid]:
    """Put pinned and annotated commits into the writer's archive.

    The pins of what is archived are dropped, all in one transaction. Returns our
    notes and archives as they are then: every commit that these notes are about and
    that is here is in one of these archives.
    """
    with locked(repo.home / "lock"):
        found = own(repo)
        pins = repo.refs(refs.PINS)
        before, waiting = _states(repo, found, pins)
        fresh = sorted(waiting)
        ref = refs.keep(writer)
        tip = found.get(ref)
        if fresh:
            found[ref] = _archive(repo, tip, fresh)
        kept = before.union(fresh)
        updates = [(name, "", str(oid)) for name, oid in pins.items() if oid in kept]
        if fresh:
            updates.append((ref, str(found[ref]), str(tip or repo.zero)))
        if updates:
            repo.update_refs(*updates)
        return found


def unfolded(repo: Repo) -> int:
    """Return how many experiments a fold would put into the archive."""
    return len(_states(repo, own(repo), repo.refs(refs.PINS))[1])


def own(repo: Repo) -> dict[str, Oid]:
    """Return the notes and archives that this clone writes, and wrote before.

    It has written under another id where `writer` was deleted.
    """
    found = repo.refs(refs.KEEP, refs.NOTES)
    return {ref: tip for ref, tip in found.items() if refs.is_writers(ref)}


def rename(repo: Repo, name: str, *, writer: str) -> str:
    """Give notes and archive of a writer another id, and return it.

    Two clones with one id would push over each other. Records stay what they are:
    a ref says who pushed them, and they say themselves who wrote them.
    """
    with locked(repo.home / "lock"):
        fresh = secrets.token_hex(6)
        moves = {refs.notes(name): refs.notes(fresh), refs.keep(name): refs.keep(fresh)}
        found = repo.refs(*moves)
        updates = [
            update
            for old, tip in found.items()
            for update in ((moves[old], str(tip), repo.zero), (old, "", str(tip)))
        ]
        if updates:
            repo.update_refs(*updates)
        if name == writer:
            path = repo.home / "writer.new"
            path.write_text(f"{fresh}\n")
            path.replace(repo.home / "writer")
        return fresh


def archived(repo: Repo, names: Iterable[str]) -> set[Oid]:
    """Return the experiments that archives keep: refs or commits.

    An archive commit has the one before it as its first parent and experiments as
    the others. Its tree is empty: a merge of anybody's under such a ref is none.
    """
    wanted = list(names)
    if not wanted:
        return set()
    listing = repo.text("rev-list", "--first-parent", "--format=%T %P", *wanted, "--")
    # every other line names the commit alone
    lines = [line.split() for line in listing.splitlines()[1::2]]
    empty = _EMPTY[repo.object_format]
    return {
        Oid.trusted(name)
        for tree, *names in lines
        if tree == empty
        for name in names[1:]
    }


def archives(repo: Repo) -> dict[str, Oid]:
    """Return every archive ref, ours and the fetched ones, with its tip."""
    fetched = repo.refs(refs.REMOTE_KEEP)
    return {**repo.refs(refs.KEEP), **fetched}


def _states(
    repo: Repo, found: Mapping[str, Oid], pins: Mapping[str, Oid]
) -> tuple[set[Oid], set[Oid]]:
    """Return the commits that are archived, and those here that wait to be.

    Those are pinned, or our notes are about them.
    """
    tips = [str(tip) for ref, tip in found.items() if ref.startswith(refs.KEEP)]
    notes = (ref for ref in found if ref.startswith(refs.NOTES))
    listings = [repo.text("notes", f"--ref={ref}", "list") for ref in notes]
    rows = (row.split() for listing in listings for row in listing.splitlines())
    kept = archived(repo, tips)
    wanted = {*pins.values(), *(Oid(commit) for _, commit in rows)} - kept
    return kept, set(bulk.find_commits(repo, wanted).values())


def _archive(repo: Repo, tip: Oid | None, oids: list[Oid]) -> Oid:
    """Make archive commits on top of a tip, or of a beginning that keeps nothing."""
    tree = repo.text("mktree", stdin=b"")
    tip = tip or _commit(repo, tree, [], "Begin the archive of this writer")
    for start in range(0, len(oids), _PARENTS):
        part = oids[start : start + _PARENTS]
        tip = _commit(repo, tree, [tip, *part], f"Keep {len(part)} experiments")
    return tip


def _commit(repo: Repo, tree: str, parents: list[Oid], message: str) -> Oid:
    given = [word for parent in parents for word in ("-p", str(parent))]
    made = repo.text("commit-tree", *given, "-m", message, tree, env=repo.identity)
    return Oid(made)
