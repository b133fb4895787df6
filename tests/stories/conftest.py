"""What several stories begin with."""

from __future__ import annotations

import pytest


@pytest.fixture
def lg(toy, arxiv):
    """Return `git lg` with the server of a story for its arXiv."""
    env = {"LOOPGRAPH_ARXIV_URL": arxiv.url, "LOOPGRAPH_ARXIV_PAUSE": "0"}
    return lambda *args, **words: toy.lg(*args, env=env, **words)
