"""A store on a real file, closed when the test is over."""

from __future__ import annotations

import pytest

from loopgraph_git.researchfs.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "folder" / "researchfs.db"


@pytest.fixture
def store(path):
    with Store.open(path) as opened:
        yield opened
