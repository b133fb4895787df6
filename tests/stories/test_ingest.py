"""`git lg ingest`: a paper is taken in, and every answer can be walked back to it."""

from __future__ import annotations

import json
import shutil

import pytest

from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import PACK, git
from tests.library.serving import Reply, packed, serving

# many sessions with processes of their own
pytestmark = pytest.mark.long

NAME = "2104.01234"
LATEX = r"""\documentclass{article}
\title{On Batches}
\begin{document}
\section{Introduction}
A smaller batch is an old idea.
\section{Method}
\subsection{Batches}
With a smaller batch there are more steps. \textbf{Gradients} get noisier.
\section{Results}
A smaller batch wins, and a smaller batch loses.
\end{document}"""


@pytest.fixture
def arxiv():
    with serving() as server:
        server.paper(NAME, "v2", title="Small &#x9b;31mBatches")
        server.answer(f"/e-print/{NAME}v2", packed({"main.tex": LATEX}))
        yield server


def cite(toy, section):
    source = f'[{{arxiv: "{NAME}", section: "{section}"}}]'
    url = '[{url: "https://example.com/batch", title: On batches}]'
    path = toy.root / ".loopgraph/packs/toy.yml"
    path.write_text(PACK.replace(url, source if section else source.replace(', section: ""', "")))  # fmt: skip


def told(text):
    return " ".join(line.strip(" │├└─") for line in text.splitlines())


def test_why_walks_back_to_paper_section_and_passage(toy, lg):
    cite(toy, "2.1")
    assert "passage “Smaller batch”" in lg("why", "batch-size").stdout
    done = lg("ingest", f"arxiv:{NAME}")
    assert f"fetching {NAME}v2" in done.stderr
    assert "from the LaTeX source" in done.stdout
    assert "mentions batch-size" in done.stdout
    said = told(lg("why", "batch-size").stdout)
    assert f"passage arxiv:{NAME}#2 “Batches”: With a smaller batch there" in said
    assert f"paper Small 31mBatches, arxiv:{NAME}, 2.1 Batches" in said
    # without a section, what mentions it most
    cite(toy, "")
    said = told(lg("why", "batch-size").stdout)
    assert f"passage arxiv:{NAME}#3 “Results”: A smaller batch wins" in said
    plain = json.loads(lg("why", "batch-size", "--json").stdout)["items"]
    (cited,) = plain["methods"][0]["cited"]
    assert (cited["chunk"], cited["section"]) == (f"arxiv:{NAME}#3", "3 Results")


def test_a_new_index_is_the_same_to_the_byte_and_asks_nobody(toy, lg, arxiv):
    cite(toy, "2.1")
    (toy.root / "notes").mkdir()
    (toy.root / "notes" / "a.md").write_text("# A\nA smaller batch is better.")
    (toy.root / "notes" / "b.md").write_text("# B\nA smaller batch is better!")
    lg("ingest", NAME, "notes")
    (toy.root / "notes" / "a.md").write_text("# A\nA larger batch is worse.")
    lg("ingest", "notes/a.md")
    arxiv.asked.clear()
    answers = [["search", "batch", "-k", "30"], ["why", "batch-size"], ["rank"], ["ingest", "--list"]]  # fmt: skip
    before = [lg(*args).stdout for args in answers]
    with LoopGraph(toy.root) as lab:
        dump = list(lab.dump())
        path = lab.repo.home / "researchfs.db"
    assert any('"table":"mentions"' in line for line in dump)
    for how in ("reindex", "opened"):
        if how == "opened":
            for part in path.parent.glob("researchfs.db*"):
                part.unlink()
        with LoopGraph(toy.root) as lab:
            if how == "reindex":
                lab.reindex()
            lab.reconcile()
            assert list(lab.dump()) == dump, how
    assert [lg(*args).stdout for args in answers] == before
    shutil.rmtree(toy.root / "notes")
    lg("reindex")
    assert [lg(*args).stdout for args in answers] == before
    assert arxiv.asked == []


def test_an_edited_pack_is_mentioned_anew(toy, lg):
    cite(toy, "2.1")
    lg("ingest", NAME)
    path = toy.root / ".loopgraph/packs/toy.yml"
    path.write_text(path.read_text().replace("title: Smaller batch", "title: Tinier batch"))  # fmt: skip
    with LoopGraph(toy.root) as lab:
        assert "batch-size" not in lab.client.store.mentioned(f"arxiv:{NAME}")
        assert lab.client.store.check() == []
    path.write_text(path.read_text().replace("title: Tinier batch", "title: Smaller batch"))  # fmt: skip
    with LoopGraph(toy.root) as lab:
        assert "batch-size" in lab.client.store.mentioned(f"arxiv:{NAME}")


def test_what_left_the_shelf_leaves_the_index(toy, lg):
    cite(toy, "2.1")
    with LoopGraph(toy.root) as lab:
        empty = list(lab.dump())
        home = lab.repo.home
    lg("ingest", NAME)
    shutil.rmtree(home / "library")
    with LoopGraph(toy.root) as lab:
        assert list(lab.dump()) == empty


def test_one_bad_target_stops_no_other(toy, lg):
    (toy.root / "a.md").write_text("# A\nx")
    done = lg("ingest", "2104.99999", "nothing.pdf", NAME, "a.md", "search:", code=1)
    assert "git-lg: 2104.99999: arXiv:2104.99999: arXiv knows no" in done.stderr
    assert "git-lg: nothing.pdf: nothing that can" in done.stderr
    assert "2 sources" in done.stdout
    assert "3 failed" in done.stdout
    # named twice it is taken in once
    again = ("ingest", "--json", NAME, NAME, "gone.md")
    items = json.loads(lg(*again, code=1).stdout)["items"]
    assert [item["came"] for item in items] == ["known", "failed"]


def test_a_terminal_is_not_moved_by_a_paper(toy, lg):
    (toy.root / "a.md").write_text("# Title \x1b[2J\u202e\nbatch \x9b31m text\n")
    shown = lg("ingest", "a.md").stdout + lg("search", "batch text").stdout
    shown += lg("ingest", "--list").stdout
    assert not set(shown) & {"\x1b", "\x9b", "\u202e"}


def test_usage_and_help(lg):
    assert "give what to take in, or --list" in lg("ingest", code=2).stderr
    assert "alone" in lg("ingest", "--list", "x", code=2).stderr
    assert "0 sources" in lg("ingest", "--list").stdout
    done = lg("ingest", "-h")
    assert "search:muon optimizer" in done.stdout


def test_a_pack_is_checked_copied_and_never_overwrites(toy, lg):
    pack = toy.root / "mine.yml"
    text = PACK.replace("pack: toy", "pack: mine").replace("learning-rate", "gelu")
    pack.write_text(text)
    place = toy.root / ".loopgraph/packs/mine.yml"
    done = lg("ingest", "mine.yml", code=1)
    assert "method batch-size: id: already defined in" in done.stderr
    assert not place.exists()
    pack.write_text(text.split("  - id: batch-size")[0])
    assert "would be taken" in lg("ingest", "--dry-run", "mine.yml").stdout
    assert not place.exists()
    done = lg("ingest", "mine.yml")
    assert "its gelu overrides that of" in done.stdout
    assert "git lg trust" in done.stdout
    assert place.read_text() == pack.read_text()
    assert "known" in lg("ingest", "mine.yml").stdout
    pack.write_text(f"# mine\n{pack.read_text()}")
    assert "is not overwritten" in lg("ingest", "mine.yml", code=1).stderr
    pack.write_text("pack: [")
    assert "not YAML" in lg("ingest", "mine.yml", code=1).stderr
    names = sorted(path.name for path in place.parent.iterdir())
    assert names == ["mine.yml", "toy.yml"]


def test_doctor_knows_the_library_and_gc_leaves_it(toy, lg):
    lg("ingest", NAME)
    with LoopGraph(toy.root) as lab:
        library = lab.repo.home / "library"
    there = sorted(library.rglob("*"))
    assert "library: 1 source kept, all readable" in lg("doctor").stdout
    lg("gc", "--logs-older-than", "0", "--keep-sessions", "0")
    assert sorted(library.rglob("*")) == there
    (entry,) = library.glob("arxiv-*")
    (entry / "document.json").write_text("{")
    done = lg("doctor", code=1)
    assert "document.json: cannot be read" in done.stdout
    (entry / "entry.json").write_text("{")
    assert f"cannot read {entry.name}" in lg("doctor", code=1).stdout
    # what is broken stops no command
    assert lg("log").stdout
    assert lg("ingest", "--list").stdout


def test_nothing_is_shared_that_was_fetched(toy, lg, tmp_path):
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(toy.root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    lg("ingest", NAME)
    lg("sync", "origin")
    everything = git(tmp_path / "remote.git", "rev-list", "--all", "--objects")
    assert "entry.json" not in everything
    assert git(toy.root, "status", "--porcelain", "-uno") == ""


def test_a_dropped_line_is_told_with_the_next_step(lg, arxiv):
    arxiv.answer(f"/e-print/{NAME}v2", Reply(status=403))
    arxiv.answer(f"/pdf/{NAME}v2", Reply(status=403))
    done = lg("ingest", NAME)
    assert "from the abstract alone" in done.stdout
    assert "nothing better: " in done.stdout
