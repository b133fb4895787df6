"""Killed in the middle, an ingest leaves nothing half and goes on where it was."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from loopgraph_git.client import ResearchFSClient
from tests.library.serving import Reply, packed

INGEST = """
import sys
from pathlib import Path
from loopgraph_git.client import ResearchFSClient
from loopgraph_git.library.fetch import Fetcher
url, folder = sys.argv[1], Path(sys.argv[2])
fetcher = Fetcher(interval=0, turns=folder / "turns")
with ResearchFSClient(folder / "memory.db") as client:
    client.ingest("search:gates", arxiv_url=url, fetcher=fetcher)
"""


def paper(number):
    return packed(
        {
            "main.tex": r"\documentclass{article}\begin{document}\section{Gates}"
            rf"Paper {number} is about SwiGLU.\end{{document}}"
        }
    )


def begin(server, folder):
    return subprocess.Popen([sys.executable, "-c", INGEST, server.url, folder])


def wait_for(server, path):
    deadline = time.monotonic() + 30
    while path not in server.paths:
        assert time.monotonic() < deadline, server.paths
        time.sleep(0.01)


@pytest.mark.long
def test_what_was_fetched_is_not_asked_for_again(server, tmp_path):
    paths = [f"/e-print/2002.0000{number}v1" for number in range(4)]
    for number, path in enumerate(paths):
        server.paper(f"2002.0000{number}", title=f"Paper {number}")
        server.answer(path, paper(number))
    for stuck in paths[1:3]:
        server.answer(stuck, Reply(paper(9), slow=60))
        process = begin(server, tmp_path)
        wait_for(server, stuck)
        process.kill()
        process.wait()
        server.answer(stuck, paper(paths.index(stuck)))
        server.asked.clear()
    # what is on the shelf is known, also to who only opens the memory
    with ResearchFSClient(tmp_path / "memory.db") as client:
        assert len(client.holdings.shelved()) == 2
        found = client.search("Paper", kinds=["chunk"], k=50)
        assert len([hit for hit in found if hit.key.startswith("arxiv:2002.0000")]) == 4
    assert begin(server, tmp_path).wait() == 0
    assert [path for path in server.paths if "e-print" in path] == paths[2:]
    inside = sorted(
        path.name.split(".v1.")[0] for path in (tmp_path / "library").iterdir()
    )
    assert inside == [".lock", *(f"arxiv-2002.0000{number}" for number in range(4))]
