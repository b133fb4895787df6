"""The public names, so that `from loopgraph import ResearchFSClient` works."""

from __future__ import annotations

from loopgraph_git import Agent, LoopGraph, ResearchFSClient

__all__ = ["Agent", "LoopGraph", "ResearchFSClient"]
