"""Catching up with everything that happened in git while nobody looked.

Hooks only speed this up: what bypassed them is found here, by every command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.git import bulk, commits, spool
from loopgraph_git.records import Kind

if TYPE_CHECKING:
    from loopgraph_git.ledger import Ledger


def reconcile(ledger: Ledger) -> None:
    """Index what refs, notes and hooks say that the index has not seen yet."""
    ledger.catch_up()
    spool.read(ledger.repo, lambda rewrites: _link(ledger, rewrites))


def _link(ledger: Ledger, rewrites: list[spool.Rewrite]) -> None:
    """Record which experiment became which commit: results stay with their tree."""
    trees = bulk.trees(ledger.repo, [oid for x in rewrites for oid in x[1:]])
    for how, old, new in rewrites:
        known = ledger.store.experiment(old)
        if known is None or old not in trees or new not in trees:
            continue
        if any(r.body.get("to") == new for r in ledger.store.records_of(old)):
            continue
        body = {"to": str(new), "how": how, "same_tree": trees[old] == trees[new]}
        commits.pin(ledger.repo, new)
        ledger.new(Kind.LINK, old, body)
    ledger.catch_up()
