"""A target is fetched once, kept whole, and found; what fails stops no other."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile

import pytest

from loopgraph_git.client import ResearchFSClient
from loopgraph_git.errors import UsageError
from loopgraph_git.researchfs import provenance, reuse
from loopgraph_git.researchfs.matches import RECENT
from loopgraph_git.researchfs.search import method_ranks
from tests.library.pdfs import Layout, pdf
from tests.library.serving import BOMB, ERROR, Reply, gzipped, packed

NAME = "2002.05202"
SOURCE = b"""\
# Gates
## 1 Introduction
Layers are layers.
## 2 SwiGLU and friends
We find that SwiGLU is better than GELU in all of our many runs.
"""


def outcome(found):
    return [(str(item.came), item.key, item.version, item.how) for item in found]


def served(server, name=NAME, version="v1", text=SOURCE, **words):
    server.paper(name, version, **words)
    server.answer(f"/e-print/{name}{version}", text)


def test_a_paper_is_taken_in(server, take, client):
    served(server)
    (found,) = take(f"arxiv:{NAME}")
    assert outcome([found]) == [("new", "arxiv:2002.05202", "v1", "markdown")]
    assert found.title == "Gates in feed-forward layers"
    assert found.methods == {"swiglu": 2, "gelu": 1}
    assert found.passages == 3
    hits = client.search("friends", kinds=["chunk"])
    assert hits[0].key == "arxiv:2002.05202#2"
    (paper,) = [item for item in client.store.papers() if item.key == found.key]
    assert (paper.authors, paper.year) == ("Ada Writer, Ben Writer", 2020)


def test_the_same_again_asks_nobody(server, take):
    served(server)
    take(NAME)
    server.asked.clear()
    for text in (NAME, f"arXiv:{NAME}v1", f"https://arxiv.org/abs/{NAME}"):
        assert outcome(take(text)) == [("known", "arxiv:2002.05202", "v1", "markdown")]
    assert server.asked == []


def test_an_old_id(server, take):
    served(server, "cs/0112017", "v1")
    assert outcome(take("cs/0112017")) == [
        ("new", "arxiv:cs/0112017", "v1", "markdown")
    ]


def test_versions_are_kept_and_the_newest_is_searched(server, take, client):
    served(server, version="v1", text=b"# Gates\nabout zebras\n")
    take(NAME)
    served(server, version="v2", text=b"# Gates\nabout giraffes\n")
    assert outcome(take(NAME)) == [("known", "arxiv:2002.05202", "v1", "markdown")]
    assert outcome(take(NAME, refresh=True)) == [
        ("newer", "arxiv:2002.05202", "v2", "markdown")
    ]
    assert outcome(take(NAME, refresh=True))[0][0] == "known"
    bodies = [hit.snippet for hit in client.search("about", kinds=["chunk"])]
    assert any("giraffes" in body for body in bodies)
    assert not any("zebras" in body for body in bodies)
    assert [item.version for item in client.holdings.shelved()] == ["v1", "v2"]
    # an older version that is asked for by name is kept, and is not the newest
    served(server, version="v3", text=b"# Gates\nabout lions\n")
    assert outcome(take(f"{NAME}v1"))[0][0] == "known"


def test_an_unknown_id_and_an_unknown_version(server, take):
    served(server)
    found = take("2002.99999", f"{NAME}v7", NAME)
    assert [str(item.came) for item in found] == ["failed", "failed", "new"]
    assert "arXiv:2002.99999: arXiv knows no such paper" in found[0].error
    assert f"arXiv:{NAME}v7" in found[1].error


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(ERROR, status=400), "arXiv says: incorrect id format"),
        (Reply(BOMB), "declares entities"),
        (Reply(b"<html>", status=200), "no feed"),
        (Reply(drop=True), "connection failed"),
        (Reply(b"<feed", promised=100), "ended after 5 of 100"),
        (Reply(status=302, headers={"Location": "file:///etc/passwd"}), "not an address"),
        (Reply(status=503), "answered 503"),
    ],
)  # fmt: skip
def test_an_arxiv_that_is_ill_leaves_nothing_behind(
    server, take, client, answer, words
):
    server.answer("/api/query", answer)
    (found,) = take(NAME)
    assert words in found.error
    assert client.holdings.shelf.names() == []


def test_who_is_busy_is_asked_again(server, take):
    server.paper(NAME)
    busy = Reply(status=429, headers={"Retry-After": "0"})
    server.answer(f"/e-print/{NAME}v1", busy, SOURCE)
    assert outcome(take(NAME))[0][0] == "new"
    assert len(server.asked) == 3


def test_without_a_source_and_a_pdf_the_abstract_stands_in_and_says_why(
    server, take, client
):
    server.paper(NAME, abstract="We gate with SwiGLU.")
    server.answer(f"/pdf/{NAME}v1", b"<html>gone</html>")
    (found,) = take(NAME)
    assert found.how == "abstract"
    assert re.search(r"e-print.*404 Not Found; .*web page", found.why)
    assert found.methods == {"swiglu": 1}
    # once there is more, it takes the place of the abstract
    server.answer(f"/e-print/{NAME}v1", SOURCE)
    assert outcome(take(NAME))[0][0] == "known"
    assert outcome(take(NAME, refresh=True)) == [
        ("new", "arxiv:2002.05202", "v1", "markdown")
    ]
    assert len(client.holdings.shelf.names()) == 1


def test_a_line_that_drops_for_good_is_no_reason_for_less(server, take, client):
    server.paper(NAME)
    server.answer(f"/e-print/{NAME}v1", Reply(b"half", promised=900))
    server.answer(f"/pdf/{NAME}v1", SOURCE)
    (found,) = take(NAME)
    assert "ended after 4 of 900 bytes" in found.error
    assert client.holdings.shelf.names() == []


def test_a_search_takes_the_first_and_goes_past_what_fails(server, take):
    for number in range(4):
        served(server, f"2002.0000{number}", title=f"Paper {number}")
    server.answer("/e-print/2002.00001v1", Reply(drop=True))
    found = take("search:gates", limit=3)
    assert [str(item.came) for item in found] == ["new", "failed", "new"]
    server.answer("/e-print/2002.00001v1", SOURCE)
    again = take("search:gates", limit=3)
    assert [str(item.came) for item in again] == ["known", "new", "known"]


def test_a_search_that_finds_nothing(take):
    (found,) = take("search:nothing at all")
    assert "arXiv finds nothing" in found.error


def test_a_dry_run_keeps_nothing(server, take, client, tmp_path):
    served(server)
    (tmp_path / "a.md").write_text("# A\nSwiGLU")
    found = take(NAME, tmp_path / "a.md", dry_run=True)
    assert [str(item.came) for item in found] == ["would be taken"] * 2
    assert [item.title for item in found] == ["Gates in feed-forward layers", "A"]
    assert client.holdings.shelf.names() == []
    assert [path for path in server.paths if "e-print" in path] == []


def test_files_and_folders(take, client, tmp_path):
    notes = tmp_path / "my notes"
    (notes / "deep").mkdir(parents=True)
    (notes / ".hidden").mkdir()
    (notes / "a.md").write_text("# About zebras\nThey run.")
    (notes / "deep" / "b.txt").write_text("Giraffes eat.")
    (notes / ".hidden" / "c.md").write_text("# No")
    (notes / "train.py").write_text("x = 1")
    (notes / "link.md").symlink_to("/etc/passwd")
    (notes / "empty.md").write_text("")
    found = take(notes, root=tmp_path)
    assert outcome(found) == [
        ("new", "file:my notes/a.md", found[0].version, "markdown"),
        ("new", "file:my notes/deep/b.txt", found[1].version, "text"),
        ("failed", "", "", ""),
    ]
    assert "empty.md" in found[2].error
    assert client.search("giraffes", kinds=["chunk"])[0].key == (
        "file:my notes/deep/b.txt#0"
    )


def test_a_file_that_changed_is_a_newer_version(take, client, tmp_path):
    path = tmp_path / "a.md"
    path.write_text("# A\nabout zebras and their many stripes")
    take(path)
    assert outcome(take(path))[0][0] == "known"
    path.write_text("# A\nabout giraffes and their long necks")
    assert outcome(take(path))[0][0] == "newer"
    (hit,) = [x for x in client.search("stripes necks", kinds=["chunk"], k=50) if x.key.startswith("file:")]  # fmt: skip
    assert "giraffes" in hit.snippet
    assert len(client.holdings.shelved()) == 2
    path.write_text("# A\nabout zebras and their many stripes")
    assert outcome(take(path))[0][0] == "newer"
    assert outcome(take(path))[0][0] == "known"
    (hit,) = [x for x in client.search("stripes necks", kinds=["chunk"], k=50) if x.key.startswith("file:")]  # fmt: skip
    assert "zebras" in hit.snippet
    assert len(client.holdings.shelved()) == 2


def test_what_repeats_another_is_merged(take, client, tmp_path):
    words = " ".join(f"word{n}" for n in range(300))
    for name, text in {
        "a.md": f"# One\n{words} SwiGLU",
        "b.md": f"# One\n{words}   swiglu",
        "c.md": f"# One\n{words} swiglu {words[:200]}",
        "d.md": "# Another\nof something else",
    }.items():
        (tmp_path / name).write_text(text)
    found = take(*(tmp_path / f"{name}.md" for name in "abcd"), root=tmp_path)
    assert [item.same_as for item in found] == ["", "file:a.md", "file:a.md", ""]
    assert found[1].share == 1.0
    assert 0.8 <= found[2].share < 1.0
    hits = client.search("word7", kinds=["chunk"], k=50)
    assert {hit.key for hit in hits if "file:" in hit.key} == {"file:a.md#0"}
    assert len(client.holdings.shelf.names()) == 4


@pytest.mark.parametrize("kind", ["missing", "empty folder", "pipe", "unreadable"])
def test_what_cannot_be_read_is_named(take, tmp_path, kind):
    path = tmp_path / "x.md"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "unreadable":
        path.write_bytes(b"\0\1\2")
    (found,) = take(path)
    assert str(path) in found.error or "x.md" in found.error
    assert found.to_dict()["came"] == "failed"


def test_a_memory_without_a_file_keeps_no_papers():
    with (
        ResearchFSClient(":memory:") as client,
        pytest.raises(UsageError, match="give `library=folder`"),
    ):
        client.ingest("2002.05202")


def test_a_client_of_another_day_knows_it_all(server, take, client, tmp_path):
    served(server)
    take(NAME)
    dump = list(client.store.dump())
    path = tmp_path / "memory" / "researchfs.db"
    client.close()
    with ResearchFSClient(path) as again:
        assert list(again.store.dump()) == dump
    path.unlink()
    with ResearchFSClient(path) as rebuilt:
        assert list(rebuilt.store.dump()) == dump
        assert rebuilt.store.check() == []


LATEX = {
    "paper.tex": r"""\documentclass{article}
\title{Gates}\begin{document}\section{Introduction}Layers.
\section{SwiGLU}\input{body}\end{document}""",
    "body.tex": "We find that SwiGLU is better than GELU.",
}


def test_a_tarball_of_latex_is_read_before_anything_else(server, take, client):
    served(server, text=packed(LATEX))
    server.answer(f"/pdf/{NAME}v1", b"%PDF-1.4 never asked for")
    (found,) = take(NAME)
    assert found.how == "latex"
    assert server.paths[-1] == f"/e-print/{NAME}v1"
    (cited, *_) = provenance.known(client.store, "swiglu").cited
    assert (cited.chunk, cited.section) == ("arxiv:2002.05202#2", "2 SwiGLU")
    assert cited.passage == "We find that SwiGLU is better than GELU."


def test_one_packed_file_of_latex(server, take):
    text = LATEX["paper.tex"].replace(r"\input{body}", LATEX["body.tex"])
    served(server, text=gzip.compress(text.encode()))
    assert take(NAME)[0].how == "latex"
    # a server may say that the packing is the line's
    server.answer(f"/e-print/{NAME}v2", gzipped(text.encode()))
    server.paper(NAME, "v2")
    assert outcome(take(NAME, refresh=True)) == [
        ("newer", "arxiv:2002.05202", "v2", "latex")
    ]


def hostile(outside):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, link in {
            "../evil.tex": "",
            str(outside): "",
            "out.tex": "../../../etc/passwd",
            "hard.tex": "/etc/passwd",
            "device.tex": "dev",
        }.items():
            member = tarfile.TarInfo(name)
            member.linkname = link
            if link:
                member.type = {"h": tarfile.LNKTYPE, "d": tarfile.CHRTYPE}.get(name[0], tarfile.SYMTYPE)  # fmt: skip
            tar.addfile(member)
        for name, text in LATEX.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


def everything(folder):
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*")}


def test_a_hostile_tarball_is_read_and_leads_nowhere(server, take, tmp_path):
    served(server, text=hostile(tmp_path / "evil.tex"))
    (found,) = take(NAME)
    assert found.how == "latex"
    assert len(found.left_out) >= 5
    assert any("evil.tex" in words for words in found.left_out)
    assert everything(tmp_path) == {"memory", "turns"}


@pytest.mark.long
def test_a_bomb_is_refused_and_the_abstract_says_why(server, take, tmp_path):
    served(server, text=gzip.compress(bytes(300 << 20), 1))
    (found,) = take(NAME)
    assert found.how == "abstract"
    assert "source" in found.why
    assert everything(tmp_path) == {"memory", "turns"}
    size = sum(path.stat().st_size for path in (tmp_path / "memory" / "library").rglob("*"))  # fmt: skip
    assert size < 100_000


def test_a_folder_and_a_tarball_of_latex_are_one_paper(take, tmp_path):
    folder = tmp_path / "my paper"
    (folder / "figures").mkdir(parents=True)
    for name, text in LATEX.items():
        (folder / name).write_text(text)
    (folder / "figures" / "a.png").write_bytes(bytes(1000))
    (tmp_path / "paper.tar.gz").write_bytes(packed(LATEX))
    found = take(folder, tmp_path / "paper.tar.gz", root=tmp_path)
    assert [(item.key, item.how, item.same_as) for item in found] == [
        ("file:my paper", "latex", ""),
        ("file:paper.tar.gz", "latex", "file:my paper"),
    ]
    assert outcome(take(folder, root=tmp_path))[0][0] == "known"


def test_mentions_lead_from_words_to_methods(take, client, tmp_path):
    text = "# Zebras\nThe quagga algorithm is like SwiGLU with stripes."
    (tmp_path / "a.md").write_text(text)
    assert method_ranks(client.store, "quagga") == []
    take(tmp_path / "a.md", root=tmp_path)
    assert method_ranks(client.store, "quagga") == ["swiglu"]
    hits = client.search("method:swiglu quagga", kinds=["chunk"])
    assert [hit.key for hit in hits] == ["file:a.md#0"]
    assert client.search("method:gqa quagga", kinds=["chunk"])[0].why == RECENT
    assert client.search("quagga", kinds=["method"])[0].key == "swiglu"


def test_a_question_is_answered_anew_once_there_is_more_to_know(take, client, tmp_path):
    before = reuse.state_of(client.store, "goal")
    (tmp_path / "a.md").write_text("# A\nb")
    take(tmp_path / "a.md")
    assert reuse.state_of(client.store, "goal") != before


def printed():
    layout = Layout()
    layout.title("Gates")
    for section in ("1 Introduction", "2 SwiGLU", "3 Results"):
        layout.heading(section)
        name = section.split()[1]
        layout.paragraph(f"{name} is better than GELU in many of our runs. " * 8)
    return pdf(layout.pages)


def test_without_a_source_the_pdf_is_read(server, take, client):
    server.paper(NAME)
    server.answer(f"/pdf/{NAME}v1", printed())
    (found,) = take(NAME)
    assert (found.how, found.title) == ("pdf", "Gates in feed-forward layers")
    assert "e-print/2002.05202v1: the server answered 404" in found.why
    (cited, *_) = provenance.known(client.store, "swiglu").cited
    assert cited.section == "2 SwiGLU"
    assert cited.passage.startswith("SwiGLU is better")
    (entry,) = client.holdings.shelf.entries()
    (file,) = entry.files
    assert (file.name, file.url) == ("paper.pdf", f"{server.url}/pdf/{NAME}v1")


def test_what_authors_sent_in_may_be_a_pdf_itself(server, take):
    served(server, text=printed())
    assert take(NAME)[0].how == "pdf"
    assert not [path for path in server.paths if "/pdf/" in path]


def test_a_pdf_without_text_leaves_the_abstract(server, take):
    server.paper(NAME)
    server.answer(f"/pdf/{NAME}v1", pdf([[], []]))
    (found,) = take(NAME)
    assert found.how == "abstract"
    assert "paper.pdf has no text in it" in found.why


def test_a_pdf_of_ones_own(take, tmp_path):
    (tmp_path / "a paper.pdf").write_bytes(printed())
    (tmp_path / "scan.pdf").write_bytes(pdf([[], []]))
    good, bad = take(tmp_path / "a paper.pdf", tmp_path / "scan.pdf")
    assert (good.how, good.title) == ("pdf", "Gates")
    assert "scan.pdf has no text in it" in bad.error


def test_what_says_nothing_of_a_method_drowns_none(take, client, tmp_path):
    told = "The quagga algorithm is like SwiGLU with stripes, and more words."
    (tmp_path / "a.md").write_text(f"# Zebras\n{told}")
    noise = "\n".join(f"## Quagga {number}\nquagga" for number in range(150))
    (tmp_path / "b.md").write_text(f"# Noise\n{noise}")
    take(tmp_path / "a.md", tmp_path / "b.md")
    assert method_ranks(client.store, "quagga") == ["swiglu"]
    assert client.search("quagga", kinds=["method"])[0].key == "swiglu"
