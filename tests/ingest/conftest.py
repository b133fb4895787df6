"""A memory without a repository, beside a server that is its arXiv."""

from __future__ import annotations

import shutil

import pytest

from loopgraph_git.client import ResearchFSClient
from loopgraph_git.library.fetch import Fetcher
from tests.library.serving import serving


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def with_packs(tmp_path_factory):
    """Return a memory with nothing but our packs in it; to read them takes longest."""
    path = tmp_path_factory.mktemp("packs") / "researchfs.db"
    ResearchFSClient(path).close()
    return path


@pytest.fixture
def client(tmp_path, with_packs):
    (tmp_path / "memory").mkdir()
    path = shutil.copy(with_packs, tmp_path / "memory")
    with ResearchFSClient(path) as made:
        yield made


@pytest.fixture
def take(client, server, tmp_path):
    """Return `client.ingest`, from the server and without its pauses."""

    def taken(*targets, **wishes):
        fetcher = Fetcher(
            interval=0, attempts=2, timeout=5, backoff=0.01, turns=tmp_path / "turns"
        )
        given = {"fetcher": fetcher, "arxiv_url": server.url, **wishes}
        return client.ingest(*(str(target) for target in targets), **given)

    return taken
