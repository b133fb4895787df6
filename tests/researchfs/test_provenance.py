"""The chain from an outcome to a paper, link by link."""

from __future__ import annotations

from loopgraph_git.records import Chunk, Kind, Paper
from loopgraph_git.researchfs import provenance, tried
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
