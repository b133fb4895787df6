"""The spool: what the hooks noted, until the next command reads it.

Pins speak for themselves; only rewrites have to be read, since nothing else in git
remembers which commit became which.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.git.lock import locked
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loopgraph_git.git.repo import Repo

_REWRITE = re.compile(
    r"rewrite (amend|rebase) ([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64})\Z"
)


class Rewrite(NamedTuple):
    """A commit that became another one, and by which command."""

    how: str
    old: Oid
    new: Oid


def read(repo: Repo, use: Callable[[list[Rewrite]], None]) -> None:
    """Hand the rewrites of the spool to `use`, then forget them.

    A command that is killed meanwhile leaves them to the next one: nothing is lost,
    though the same rewrite may be handed on twice.
    """
    spool, taken = repo.home / "spool", repo.home / "spool.taken"
    if not spool.exists() and not taken.exists():
        return
    with locked(repo.home / "spool.lock"):
        if not taken.exists() and spool.exists():
            # hooks open it for every line, so they begin a new one
            spool.rename(taken)
        use(_rewrites(taken))
        taken.unlink(missing_ok=True)


def _rewrites(path: Path) -> list[Rewrite]:
    if not path.exists():
        return []
    lines = path.read_text("utf-8", "replace").splitlines()
    found = (_REWRITE.match(line) for line in lines)
    # a fixup is noted as an amend first, and then as part of its rebase
    how = {(Oid(match[2]), Oid(match[3])): match[1] for match in found if match}
    return [Rewrite(word, old, new) for (old, new), word in how.items()]
