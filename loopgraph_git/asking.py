"""A question to the memory: what was asked before on the same code, and what is new.

The answer to a question is recorded on the commit that it was about, with a digest of
what was known. Asked again while nothing changed, it is answered from that record, which
a count in the clone's own folder shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.mapping import map_files
from loopgraph_git.records import Kind, Retrieval, body_of, fitted_retrieval
from loopgraph_git.researchfs import reuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.client import Answer, ResearchFSClient
    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.ledger import Ledger
    from loopgraph_git.records import Oid

_REUSED = "reused"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked, and about which code; `code` is that of the commit, or newer."""

    goal: str
    code: str | Mapping[str, str]
    baseline: Oid
    session: str = ""
    k: int = 5
    token_limit: int = 600


def ask(
    ledger: Ledger,
    client: ResearchFSClient,
    config: Config,
    asked: Asked,
    *,
    write: bool = True,
) -> Answer:
    """Answer a question, from its record where it was asked before, else record it.

    Without `write` nothing is recorded and nothing counted.
    """
    store, repo = ledger.store, ledger.repo
    tree = repo.tree(asked.baseline)
    state = reuse.state_of(
        store, asked.goal, asked.code, asked.session, asked.k, asked.token_limit,
        config.metric,
    )  # fmt: skip
    known = reuse.earlier(store, tree, state)
    answer = client.suggest_query(
        goal=asked.goal,
        current_code=asked.code,
        k=asked.k,
        token_limit=asked.token_limit,
        metric=config.metric,
        session=asked.session,
        baseline=asked.baseline,
        before=known.id if known else "",
        mapped=lambda about: map_files(
            repo, asked.baseline, config.editable, about=about
        ),
    )
    if not write:
        return replace(answer, record=known)
    if known:
        times = _count(repo, known.id)
        return replace(answer, record=known, reused=times)
    retrieval = Retrieval(
        goal=answer.goal,
        suggestions=answer.suggestions,
        tokens=answer.tokens,
        state=state,
    )
    body = body_of(fitted_retrieval(retrieval))
    return answer.recorded(ledger.new(Kind.RETRIEVAL, asked.baseline, body))


def _count(repo: Repo, record: str) -> int:
    """Count an answer that was given again; returns how often it was by now."""
    path = repo.home / _REUSED
    line = f"{record}\n".encode()
    with path.open("ab") as file:
        file.write(line)
    return path.read_bytes().count(line)
