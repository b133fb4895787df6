"""The chain from an outcome to a paper, link by link."""

from __future__ import annotations

import pytest

from loopgraph_git.records import Chunk, Kind, Paper
from loopgraph_git.researchfs import provenance, shelved, tried
from loopgraph_git.researchfs.shelved import Ingest
from tests.researchfs import making


def commit(name, **given):
    return making.commit(name, session="one", **given)


def verdict(name, value="discard"):
    return making.record(Kind.VERDICT, name, {"value": value})


def test_what_nothing_names_is_not_known(store):
    assert provenance.known(store, "swiglu") is None
    assert provenance.asked(store, "0" * 16) is None
    assert provenance.tries(store, "swiglu") == []


def test_a_method_that_is_only_named_has_no_source(store):
    store.put_commits([commit("a", method="swiglu")])
    known = provenance.known(store, "swiglu")
    assert (known.title, known.cited) == ("", ())
    assert [item.subject for item in provenance.tries(store, "swiglu")] == ["try a"]


def test_an_ingested_passage_speaks_before_a_packs(store):
    source = making.Source(arxiv="2002.05202v1", title="GLU", section="2")
    method = making.Method(
        id="swiglu",
        title="SwiGLU",
        family="mlp",
        summary="gate it",
        sources=(source,),
        pack="p",
    )
    key = "arxiv:2002.05202"
    said = Chunk(paper=key, ord=9, title="SwiGLU", body="of the pack", kind="method")
    store.put_packs([Paper(key=key, title="GLU Variants")], [said], [method])
    (cited,) = provenance.known(store, "swiglu").cited
    assert (cited.paper.title, cited.place, cited.passage) == (
        "GLU Variants", "2", "of the pack",
    )  # fmt: skip
    store.put_chunks([Chunk(paper=key, ord=0, title="Gates", body="own", place="2")])
    (cited,) = provenance.known(store, "swiglu").cited
    assert (cited.title, cited.passage) == ("Gates", "own")


def test_siblings_start_from_the_same_code(store):
    store.put_commits([
        commit("base"),
        commit("twin", tree="tree of base"),
        *(commit(name, parent="base") for name in ("a", "b")),
        commit("c", parent="twin"),
        commit("d", parent="a"),
    ])  # fmt: skip
    found = provenance.siblings(store, store.experiment(making.oid("a")))
    assert {item.subject for item in found} == {"try b", "try c"}
    assert provenance.siblings(store, store.experiment(making.oid("base"))) == []


def test_what_was_tried_has_an_outcome(store):
    store.put_commits([commit("a", parent="base"), commit("b"), commit("c")])
    before = tried.stamp(store)
    store.put_records([
        verdict("a"),
        making.record(Kind.RESULT, "b", {"status": "rejected", "metric": "m"}),
        verdict("b"),
    ])  # fmt: skip
    assert tried.stamp(store) != before
    base, tree = making.oid("base"), making.oid("tree of a")
    assert tried.versions(store) == [(base, tree)]
    trees = [making.oid(f"tree of {name}") for name in "abc"]
    assert [x.subject for x in tried.of_trees(store, trees)] == ["try a"]


@pytest.mark.parametrize(
    ("said", "place", "found"),
    [
        ("2", "2 SwiGLU", 2),
        ("2", "2", 2),
        ("2", "2.1 Gates", 1),
        ("2", "22 Gates", 0),
        ("2", "3.2 Gates", 0),
        ("Section 3.2", "3.2 Learning rate", 2),
        ("sec. 3", "3: Learning rate", 2),
        ("§3", "3.2.1 Learning rate", 1),
        ("Appendix B", "B More", 2),
        ("appendix b", "Appendix B: More", 2),
        ("Learning Rate", "3.2 Learning rate", 2),
        ("3, 5.1", "5.1 Gates", 2),
        ("1 and 5.1", "5.1 Gates", 2),
        ("", "3 Gates", 0),
        ("", "", 0),
        ("train.py, gc", "train.py", 2),
    ],
)
def test_a_section_is_found_by_number_and_by_title(said, place, found):
    assert provenance.in_section(said, place) == found


def told(store, *chunks, section=""):
    """Return the passage that speaks for a method among those of its paper."""
    key = "arxiv:2002.05202"
    source = making.Source(arxiv="2002.05202", section=section)
    store.put_packs(
        [Paper(key=key, title="GLU Variants")],
        [Chunk(paper=key, ord=9, title="SwiGLU", body="of the pack", kind="method")],
        [making.method("swiglu", title="SwiGLU", sources=(source,))],
    )
    made = [
        Chunk(paper=key, ord=number, title=place, body=body, place=place)
        for number, (place, body) in enumerate(chunks)
    ]
    paper = Paper(key=key, title="GLU, read whole", version="v1")
    store.put_shelved([Ingest(paper, "entry", "latex", made)])
    texts = shelved.passages(store.db)
    found = ((row, {"swiglu": text.count("SwiGLU")}) for row, text in texts)
    shelved.put_mentions(
        store.db, [(row, names) for row, names in found if names["swiglu"]]
    )
    (cited,) = provenance.known(store, "swiglu").cited
    return cited


def test_the_section_that_a_pack_names_speaks_first(store):
    cited = told(
        store,
        ("1 Introduction", "SwiGLU SwiGLU SwiGLU"),
        ("2 Gates", "nothing"),
        ("2 Gates", "SwiGLU"),
        section="2",
    )
    assert (cited.chunk, cited.section) == ("arxiv:2002.05202#2", "2 Gates")


def test_without_a_section_what_mentions_it_most_speaks(store):
    cited = told(store, ("1 A", "SwiGLU"), ("2 B", "SwiGLU SwiGLU"), ("3 C", "none"))
    assert (cited.chunk, cited.place) == ("arxiv:2002.05202#1", "2 B")
    assert cited.paper.title == "GLU, read whole"


def test_a_paper_that_says_nothing_of_it_leaves_the_word_to_the_pack(store):
    cited = told(store, ("1 A", "nothing"), section="7")
    assert (cited.chunk, cited.passage) == ("", "of the pack")
    assert store.mentioned("arxiv:2002.05202") == {}
    assert store.check() == []


def test_what_others_say_of_it_is_told_after_its_sources(store):
    told(store, ("1 A", "SwiGLU"))
    for name in "dabc":
        paper = Paper(key=f"file:{name}.md", title=name)
        made = Chunk(paper=paper.key, ord=0, title="t", body=f"of {name}", place="p")
        store.put_shelved([Ingest(paper, "entry", "markdown", [made])])
    rows = [row for row, text in shelved.passages(store.db) if "of " in text]
    shelved.put_mentions(store.db, [(row, {"swiglu": 2}) for row in rows])
    found = provenance.known(store, "swiglu").mentioned
    assert [(item.chunk, item.passage) for item in found] == [
        ("file:a.md#0", "of a"), ("file:b.md#0", "of b"), ("file:c.md#0", "of c"),
    ]  # fmt: skip
