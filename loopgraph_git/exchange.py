"""Sharing: what others pushed is indexed, and what is ours is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.git import sync
from loopgraph_git.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.ledger import Ledger


class Synced(NamedTuple):
    """What a sync moved, or would move: experiments and records, out and in.

    `refused` has git's words where the remote took nothing, `left_out` names what of
    the remote was not taken, `writer` is this clone's id where it had to change.
    """

    remote: str
    experiments_sent: int
    records_sent: int
    experiments_new: int = 0
    records_new: int = 0
    left_out: tuple[str, ...] = ()
    refused: str = ""
    writer: str = ""


def pending(ledger: Ledger, remote: str) -> Synced:
    """Return what was not sent yet, asking nobody; raises UsageError."""
    sync.check_remote(ledger.repo, remote)
    waiting = sync.pending(ledger.repo, remote)
    return Synced(remote, waiting.experiments, waiting.records)


def exchange(
    ledger: Ledger,
    patterns: Sequence[str],
    remote: str,
    *,
    push: bool = True,
    ask: bool = False,
) -> Synced:
    """Fetch what others pushed to a remote, index it, and push what is ours.

    `patterns` name the experiment branches; with `ask` git may ask for a password.
    Raises UsageError for an unknown remote, GitError when it cannot be read.
    """
    sync.check_remote(ledger.repo, remote)
    reconcile(ledger, patterns)
    before = ledger.store.counts()
    moved = sync.exchange(
        ledger.repo, remote, ledger.notes.writer(), push=push, ask=ask
    )
    reconcile(ledger, patterns)
    after = ledger.store.counts()
    return Synced(
        remote,
        moved.experiments,
        moved.records,
        after["experiments"] - before["experiments"],
        after["records"] - before["records"],
        moved.left_out,
        moved.refused,
        moved.writer,
    )
