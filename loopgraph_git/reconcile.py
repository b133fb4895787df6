"""Catching up with everything that happened in git while nobody looked.

Hooks only speed this up: what bypassed them is found here, by every command. Where
nothing happened, it costs two processes that list refs.
"""

from __future__ import annotations

import hashlib
from os import W_OK, access
from typing import TYPE_CHECKING

from loopgraph_git.errors import GitError
from loopgraph_git.git import branches, bulk, commits, landed, refs, seen, spool
from loopgraph_git.git.lock import locked
from loopgraph_git.records import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.ledger import Ledger
    from loopgraph_git.records import Oid


def reconcile(ledger: Ledger, patterns: Sequence[str]) -> None:
    """Index what refs, notes, reflogs and hooks say that the index has not seen yet.

    `patterns` name the experiment branches.
    """
    ledger.catch_up()
    if not access(ledger.repo.home, W_OK):
        # nothing can be pinned, and nothing linked
        return
    view = branches.look(ledger.repo, patterns)
    archives = _archives(ledger)
    mark = f"{view.mark} {archives}"
    if seen.is_current(ledger.repo, mark):
        _read_spool(ledger)
        return
    with locked(ledger.repo.home / "seen.lock"):
        if not seen.is_current(ledger.repo, mark):
            known = seen.Seen.read(ledger.repo)
            if known.patterns != sorted(patterns):
                known = seen.Seen(patterns=sorted(patterns))
            if _catch_up(ledger, view, known, archives):
                known.write(ledger.repo, mark)
    _read_spool(ledger)


def _archives(ledger: Ledger) -> str:
    """Return what changes when experiments of others arrive."""
    tips = ledger.store.ref_tips().items()
    fetched = [tip for tip in tips if tip[0].startswith(refs.REMOTE_KEEP)]
    return hashlib.sha256(repr(fetched).encode()).hexdigest()[:16] if fetched else ""


def _catch_up(
    ledger: Ledger, view: branches.Look, known: seen.Seen, archives: str
) -> bool:
    """Pin what experiment branches hold and link what became of it elsewhere.

    Returns False where git refuses to pin: the next command tries again.
    """
    fresh = [ref for ref, mark in view.marks.items() if known.marks.get(ref) != mark]
    found = branches.find(ledger.repo, view, fresh, known.judged)
    added = set(found.commits) - ledger.store.known(found.commits)
    if added:
        try:
            commits.pin(ledger.repo, *sorted(added))
        except GitError:
            return False
        ledger.catch_up()
    # what the hooks say of a rewrite is exact, so it comes before what is inferred
    _read_spool(ledger)
    for move in found.moves:
        _follow(ledger, move, found, added)
    _land(ledger, view, known, added, anew=archives != known.archives)
    known.marks = view.marks
    tips = set(view.experiments.values())
    known.judged = (known.judged & tips) | (found.judged & tips)
    known.others = set(view.others.values())
    known.archives = archives
    return True


def _follow(
    ledger: Ledger, move: branches.Move, found: branches.Found, added: set[Oid]
) -> None:
    """Link what a reflog says was rewritten."""
    if move.how == "rebase" and added.isdisjoint(move.new):
        return
    for old, new in landed.pairs(ledger.repo, move, found.nodes):
        trees = bulk.trees(ledger.repo, [old, new])
        if len(trees) > 1:
            same = trees[old] == trees[new]
            _link(ledger, landed.Link(old, new, move.how, same))


def _land(
    ledger: Ledger,
    view: branches.Look,
    known: seen.Seen,
    added: set[Oid],
    *,
    anew: bool,
) -> None:
    """Link experiments to the commits of ordinary branches that they became.

    An experiment that was not known before may have landed in commits that were
    read before.
    """
    tips = set(view.others.values())
    unread = tips - known.others
    if not (unread or added or anew):
        return
    tried = ledger.store.experiments(limit=landed.EXPERIMENTS)
    for starts, ends, items in (
        (unread, known.others, tried),
        (tips, (), [item for item in tried if anew or item.commit in added]),
    ):
        if starts and items:
            since = min(item.ts for item in items)
            found = landed.landings(ledger.repo, starts, ends, since=since)
            # merged as it is, an experiment is the same commit: nothing to link
            here = ledger.store.known(commit.oid for commit in found)
            new = [commit for commit in found if commit.oid not in here]
            for link in landed.links(ledger.repo, new, items, tips):
                _link(ledger, link)


def _read_spool(ledger: Ledger) -> None:
    spool.read(ledger.repo, lambda rewrites: _link_rewrites(ledger, rewrites))


def _link_rewrites(ledger: Ledger, rewrites: list[spool.Rewrite]) -> None:
    """Record which experiment became which commit: results stay with their tree."""
    trees = bulk.trees(ledger.repo, [oid for x in rewrites for oid in x[1:]])
    for how, old, new in rewrites:
        if old in trees and new in trees and ledger.store.knows(old):
            commits.pin(ledger.repo, new)
            _link(ledger, landed.Link(old, new, how, trees[old] == trees[new]))
    ledger.catch_up()


def _link(ledger: Ledger, link: landed.Link) -> None:
    """Write a link, unless this or another clone wrote it before."""
    if link.experiment == link.to or not ledger.store.knows(link.experiment):
        return
    if link.to in ledger.store.links_of(link.experiment):
        return
    body = {"to": str(link.to), "how": link.how, "same_tree": link.same_tree}
    ledger.new(Kind.LINK, link.experiment, body)
