"""The git-native memory of autonomous ML research.

`ResearchFSClient` is the memory on its own, `LoopGraph` the memory of a repository,
`Agent` a small loop that uses it. docs/sdk.md shows them at work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopgraph_git.client import ResearchFSClient
    from loopgraph_git.loop.agent import Agent
    from loopgraph_git.loopgraph import LoopGraph

__all__ = ["Agent", "LoopGraph", "ResearchFSClient"]


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: `git lg -h` needs none."""
    if name == "ResearchFSClient":
        from loopgraph_git.client import ResearchFSClient  # noqa: PLC0415

        return ResearchFSClient
    if name == "LoopGraph":
        from loopgraph_git.loopgraph import LoopGraph  # noqa: PLC0415

        return LoopGraph
    if name == "Agent":
        from loopgraph_git.loop.agent import Agent  # noqa: PLC0415

        return Agent
    raise AttributeError(name)
