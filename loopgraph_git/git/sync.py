"""Moving experiments between clones, over any plain git remote.

A writer pushes two refs of its own and nobody else's: an archive that keeps its
experiment commits reachable, and its notes. Both only ever grow, so a push is always
a fast-forward. What other writers pushed is fetched into tracking refs, never into
anything of ours: a forced or pruning fetch can delete only what can be fetched again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.errors import GitError, UsageError
from loopgraph_git.git import refs
from loopgraph_git.git.lock import locked
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.git.repo import Repo

_PARENTS = 500
"""Experiments in one archive commit: an octopus that git reads in a moment."""


def remotes(repo: Repo) -> list[str]:
    """Return the names of the configured remotes."""
    return repo.text("remote").splitlines()


def fold(repo: Repo, writer: str, annotated: Iterable[str]) -> int:
    """Put pinned and annotated commits into the writer's archive; returns how many.

    The pins of what is archived are dropped, all in one transaction: ten thousand
    refs would make every fetch slow. An archive commit has the one before it as its
    first parent and experiments as the others; its tree is empty.
    """
    with locked(repo.home / "lock"):
        pins = repo.refs(refs.PINS)
        ref = refs.keep(writer)
        tip = repo.find(ref)
        fresh = sorted(_fresh(repo, writer, annotated))
        updates = [(name, "", str(oid)) for name, oid in pins.items()]
        if fresh:
            archive = _archive(repo, tip, fresh)
            updates.append((ref, str(archive), str(tip or repo.zero)))
        if updates:
            repo.update_refs(*updates)
        return len(fresh)


def unfolded(repo: Repo, writer: str, annotated: Iterable[str]) -> int:
    """Return how many experiments a fold would put into the archive."""
    return len(_fresh(repo, writer, annotated))


def _fresh(repo: Repo, writer: str, annotated: Iterable[str]) -> set[Oid]:
    """Return the commits here that are pinned or annotated, and not archived yet."""
    wanted = {*repo.refs(refs.PINS).values(), *map(Oid, annotated)}
    here = {Oid(name) for name, kind, _ in repo.objects(wanted) if kind == "commit"}
    ref = refs.keep(writer)
    return here - archived(repo, [ref] if repo.find(ref) else [])


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


def archived(repo: Repo, names: Iterable[str]) -> set[Oid]:
    """Return the experiments that archive refs keep."""
    wanted = list(names)
    if not wanted:
        return set()
    listing = repo.text("rev-list", "--first-parent", "--parents", *wanted)
    lines = (line.split() for line in listing.splitlines())
    return {Oid(parent) for line in lines for parent in line[2:]}


def archives(repo: Repo) -> dict[str, Oid]:
    """Return every archive ref, ours and the fetched ones, with its tip."""
    fetched = repo.refs(refs.REMOTE_KEEP)
    return {**repo.refs(refs.KEEP), **fetched}


def ahead(repo: Repo, remote: str, writer: str) -> list[str]:
    """Return our refs that the remote does not have as they are now."""
    own = {
        refs.keep(writer): refs.remote_keep(remote, writer),
        refs.notes(writer): refs.remote_notes(remote, writer),
    }
    return [
        ref for ref, seen in own.items()
        if (tip := repo.find(ref)) is not None and tip != repo.find(seen)
    ]  # fmt: skip


def unsent(repo: Repo, remote: str, writer: str) -> set[Oid]:
    """Return the experiments of our archive that the remote is not known to have."""
    names = (refs.keep(writer), refs.remote_keep(remote, writer))
    own, seen = (archived(repo, [ref] if repo.find(ref) else []) for ref in names)
    return own - seen


def push(repo: Repo, remote: str, writer: str) -> list[str]:
    """Push our two refs, both or neither; returns those that were ahead.

    Raises GitError with git's words, and with the way out where another clone has
    the same writer id (a copied `.git`).
    """
    moved = ahead(repo, remote, writer)
    if not moved:
        return []
    specs = [f"{ref}:{ref}" for ref in moved]
    try:
        repo.run("push", "--quiet", "--atomic", "--no-verify", "--", remote, *specs)
    except GitError as error:
        if "non-fast-forward" in str(error) or "fetch first" in str(error):
            raise GitError(
                f"{error}\nanother clone writes as {writer} too (was .git copied?): "
                f"delete {repo.home / 'writer'} and sync again"
            ) from error
        raise
    return moved


def fetch(repo: Repo, remote: str) -> None:
    """Fetch what all writers pushed into tracking refs."""
    repo.run(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-filter",
        "--", remote,
        f"+{refs.KEEP}*:{refs.remote_keep(remote, '*')}",
        f"+{refs.NOTES}*:{refs.remote_notes(remote, '*')}",
    )  # fmt: skip


def check_remote(repo: Repo, remote: str) -> str:
    """Return the name of a remote that exists and can name a ref; raises UsageError."""
    known = remotes(repo)
    if remote not in known:
        named = ", ".join(known) or "none: `git remote add origin URL` adds one"
        raise UsageError(f"no remote is called {remote!r}; there is {named}")
    if not repo.ok("check-ref-format", refs.remote_keep(remote, "x")):
        raise UsageError(f"{remote!r} cannot be part of a ref: rename the remote")
    return remote
