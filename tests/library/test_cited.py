"""What packs say becomes papers and passages."""

from __future__ import annotations

import pytest

from loopgraph_git.library.cited import chunk_of, chunks_of, paper_of, papers_of
from loopgraph_git.library.packs import parse_pack
from loopgraph_git.records import Source
from tests.library.test_packs import HEAD, WHOLE


@pytest.mark.parametrize(
    ("arxiv", "key", "version"),
    [
        ("2002.05202", "arxiv:2002.05202", ""),
        ("2010.11930v2", "arxiv:2010.11930", "v2"),
        ("solv-int/9701001v1", "arxiv:solv-int/9701001", "v1"),
    ],
)
def test_a_source_is_linked_to_its_paper(arxiv, key, version):
    paper = paper_of(Source(arxiv=arxiv, title="T"), pack="p")
    assert (paper.key, paper.title, paper.version) == (key, "T", version)
    assert paper.url == f"https://arxiv.org/abs/{key.removeprefix('arxiv:')}"


@pytest.mark.parametrize("source", [None, Source(url="http://x"), Source(log="l")])
def test_what_is_no_paper_is_linked_to_its_pack(source):
    paper = paper_of(source, pack="p")
    assert (paper.key, paper.title) == ("pack:p", "The method pack p")


def test_a_paper_without_a_title_is_named_by_its_id():
    assert paper_of(Source(arxiv="2002.05202")).title == "arXiv:2002.05202"


def test_a_method_is_a_passage_of_the_paper_it_cites():
    method, idea = parse_pack(WHOLE, "x").methods
    chunk = chunk_of(method)
    assert (chunk.paper, chunk.place, chunk.kind) == (
        "arxiv:2010.11930",
        "3.1",
        "method",
    )
    assert chunk.title == "Higher learning rate"
    assert chunk.body == (
        "Twice the rate.\n\nHelps: When the loss falls slowly.\n\n"
        "Hurts: When it is unstable.\n\nAlso known as: lr up, 2x"
    )
    assert chunk_of(idea).paper == "pack:optimiser"
    assert chunk_of(idea).body == "yes"


def test_a_passage_has_the_same_place_every_time():
    method, idea = parse_pack(WHOLE, "x").methods
    assert chunk_of(method) == chunk_of(parse_pack(WHOLE, "y").methods[0])
    assert chunk_of(method).ord != chunk_of(idea).ord
    assert chunks_of([method, idea]) == [chunk_of(method), chunk_of(idea)]


def test_papers_are_listed_once_and_with_a_title_if_any_has_one():
    text = HEAD + "    sources: [{arxiv: 2002.05202}, {log: a}]\n"
    text += (
        "  - {id: n, title: N, summary: S, sources: [{arxiv: 2002.05202, title: T}]}\n"
    )
    text += (
        "  - {id: o, title: O, summary: S, sources: [{arxiv: 2002.05202, title: U}]}\n"
    )
    text += "  - {id: q, title: Q, summary: S}\n"
    methods = parse_pack(text, "p").methods
    assert [(paper.key, paper.title) for paper in papers_of(methods)] == [
        ("arxiv:2002.05202", "T"),
        ("pack:p", "The method pack p"),
    ]
