"""Facts go in and come out as values, in one order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loopgraph_git.errors import StoreError
from loopgraph_git.records import Direction, Judgement, Kind, Oid, Record, Status
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import (
    CHUNKS,
    GQA,
    PAPERS,
    SWIGLU,
    commit,
    crash,
    oid,
    record,
    result,
    retract,
    retrieval,
    verdict,
)


def subjects(experiments):
    return [item.subject.removeprefix("try ") for item in experiments]


def test_an_experiment_comes_back_with_everything(store):
    asked = retrieval("base", "swiglu")
    store.put_records([asked])
    made = commit(
        "one",
        parent="base",
        method=("swiglu", "gqa"),
        session="s1",
        proposer="chat",
        retrieval=asked.id,
        diff="+x = 1",
    )
    store.put_commits([made])
    store.put_records(
        [
            result(
                "one", 0.98, peak_memory_mb=9.0, protocol="p", platform="h", tokens=5
            ),
            verdict(
                "one", "keep", reason="better", baseline="b", delta=0.01, noise=0.002
            ),
        ]
    )
    (found,) = store.experiments(session="s1")
    assert found == replace(
        found,
        commit=oid("one"),
        tree=oid("tree of one"),
        parent=oid("base"),
        ts=1_700_000_000,
        subject="try one",
        session="s1",
        proposer="chat",
        methods=("gqa", "swiglu"),
        retrieval=asked.id,
        status=Status.OK,
        verdict=Judgement.KEEP,
        reason="better",
        baseline="b",
        metric="val_bpb",
        value=0.98,
        runs=1,
        delta=0.01,
        noise=0.002,
        seconds=300.0,
        peak_memory_mb=9.0,
        protocol="p",
        platform="h",
        tokens=5,
    )
    assert isinstance(found.commit, Oid)


def test_lists_are_by_time_and_limited(store):
    store.put_commits([commit(name, ts=ts) for ts, name in enumerate("abcd")])
    assert subjects(store.experiments()) == ["d", "c", "b", "a"]
    assert subjects(store.experiments(newest_first=False)) == ["a", "b", "c", "d"]
    assert subjects(store.experiments(limit=2)) == ["d", "c"]
    assert store.experiments(limit=0) == store.experiments(limit=-1) == []


def test_ties_are_broken_by_oid(store):
    store.put_commits([commit(name) for name in "abcd"])
    found = [item.commit for item in store.experiments(newest_first=False)]
    assert found == sorted(oid(name) for name in "abcd")


def test_lists_are_filtered(store):
    store.put_commits([commit("a", session="s1"), commit("b", session="s2")])
    store.put_records([verdict("b", "discard")])
    assert subjects(store.experiments(session="s1")) == ["a"]
    assert subjects(store.experiments(verdict=Judgement.DISCARD)) == ["b"]
    assert store.experiments(session="s1", verdict="discard") == []


def test_an_experiment_is_found_by_the_start_of_its_oid(store):
    store.put_commits([commit(str(number)) for number in range(400)])
    name = oid("7")
    assert store.experiment(name).subject == "try 7"
    assert store.experiment(name[:12].upper()).commit == name
    assert store.experiment("0" * 40) is None
    for nothing in ("", "HEAD", "abc", "%", "zzzz"):
        assert store.experiment(nothing) is None


def test_a_short_prefix_of_several_is_refused(store):
    made = commit("one")
    store.put_commits([replace(made, oid=Oid("abcd" + end * 36)) for end in "12"])
    with pytest.raises(StoreError, match="more characters"):
        store.experiment("abcd")
    assert store.experiment("abcd1") is not None


def test_best_is_by_value_and_only_what_ran(store):
    values = {"a": 0.99, "b": 0.97, "c": 0.98}
    store.put_commits([commit(name) for name in "abcd"])
    store.put_records([result(name, value) for name, value in values.items()])
    store.put_records([crash("d")])
    assert subjects(store.best(2, Direction.LOWER)) == ["b", "c"]
    assert subjects(store.best(9, Direction.HIGHER)) == ["a", "c", "b"]
    assert store.best(0, Direction.LOWER) == store.best(-1, Direction.LOWER) == []


def test_best_compares_within_metric_protocol_and_platform(store):
    store.put_commits([commit(name) for name in "ab"])
    store.put_records(
        [
            result("a", 0.9, protocol="old", platform="h"),
            result("a", 1.1, protocol="new", platform="h"),
            result("b", 1.0, protocol="new", platform="h"),
            result("b", 0.1, protocol="new", platform="cpu", metric="loss"),
        ]
    )
    wanted = {"protocol": "new", "platform": "h", "metric": "val_bpb"}
    found = store.best(5, Direction.LOWER, **wanted)
    assert [(item.subject, item.value) for item in found] == [
        ("try b", 1.0),
        ("try a", 1.1),
    ]
    assert found[1].protocol == "new"
    once = store.best(5, Direction.LOWER)
    assert [(item.subject, item.value) for item in once] == [
        ("try b", 0.1),
        ("try a", 0.9),
    ]
    assert store.best(5, Direction.LOWER, protocol="none") == []


def test_records_are_kept_whole_and_results_without_the_retracted(store):
    one, two = result("a", 1.0, curve=((1.0, 2.0),)), result("a", 2.0)
    back = retract("a", two)
    store.put_records([back, two, one])
    lines = [item.encode() for item in store.records_of(oid("a"))]
    assert lines == [one.encode(), two.encode(), back.encode()]
    assert [item.value for item in store.results_of(oid("a"))] == [1.0]
    assert store.results_of(oid("a"))[0].curve == ((1.0, 2.0),)
    assert store.records_of(oid("b")) == []


def test_results_of_a_protocol(store):
    store.put_records(
        [
            result("a", 1.0, protocol="p", platform="h"),
            result("b", 2.0, protocol="p", platform="c"),
            result("c", 3.0, protocol="q", platform="h"),
        ]
    )
    both = store.results(protocol="p")
    assert [(commit, item.value) for commit, item in both] == [
        (oid("a"), 1.0),
        (oid("b"), 2.0),
    ]
    assert [item.value for _, item in store.results(protocol="p", platform="h")] == [
        1.0
    ]


def test_a_record_without_sense_is_handed_back(store):
    good = result("a")
    bad = [
        record(Kind.RESULT, "a", {"status": "splendid"}),
        record(Kind.VERDICT, "a", {"value": "keep", "n": "three"}),
        record(Kind.LINK, "a", {"to": "nowhere"}),
        record(Kind.RESULT, "a", {"status": "ok", "value": float("nan")}),
        record(Kind.RESULT, "a", {"status": "ok"}, ts=2**63),
        record(Kind.RESULT, "a", {"status": "ok"}, seq=2**63),
    ]
    skipped = store.put_records([bad[0], good, *bad[1:]])
    assert sorted(map(id, (item.record for item in skipped))) == sorted(map(id, bad))
    assert all(item.reason for item in skipped)
    assert store.counts()["records"] == 1


def test_hostile_text_is_stored_and_found(store):
    body = {"status": "crash", "metric": "m\0", "excerpt": "\ud800 bad \u202e text"}
    assert store.put_records([record(Kind.RESULT, "a", body)]) == []
    store.put_commits([commit("a", subject="nul \0 and \udcff", body="\ud800")])
    (found,) = store.experiments()
    assert found.subject == "nul   and ?"
    assert found.status is Status.CRASH
    assert list(store.dump())
    assert store.check() == []


def test_trailers_that_are_no_names_are_left_out(store):
    store.put_commits(
        [commit("a", method=("ok-1", "no name", "", "x" * 99), retrieval="nothing")]
    )
    assert store.experiments()[0].methods == ("ok-1",)
    assert store.experiments()[0].retrieval == ""


def test_suggestions_without_a_name_keep_no_place(store):
    body = {"goal": "g", "suggestions": [{"method": "a b"}, {"method": "gqa"}]}
    store.put_records([record(Kind.RETRIEVAL, "a", body)])
    rows = store.db.rows(
        "SELECT s.rank, m.name FROM suggestions s JOIN methods m ON m.id = s.method"
    )
    assert rows == [(1, "gqa")]


def test_a_commit_is_known_when_it_was_indexed(store):
    store.put_records([result("a")])
    assert store.known([oid("a")]) == set()
    assert not store.knows(oid("a"))
    assert store.put_commits([commit("a"), commit("b")]) == 2
    assert store.put_commits([commit("a")]) == 0
    assert store.known(map(oid, "abc")) == {oid("a"), oid("b")}
    assert store.knows(oid("a"))


def test_ref_tips_are_replaced_as_a_whole(store):
    store.set_ref_tips({"refs/heads/lg/a": oid("a"), "refs/heads/lg/b": oid("b")})
    store.set_ref_tips({"refs/heads/lg/b": oid("c")})
    assert store.ref_tips() == {"refs/heads/lg/b": oid("c")}


def test_meta_is_remembered(store):
    assert store.meta("packs") == ""
    store.set_meta("packs", "1")
    store.set_meta("packs", "2")
    assert store.meta("packs") == "2"


def test_sessions_are_by_their_beginning(store):
    store.put_commits(
        [
            commit("a", session="late", ts=9),
            commit("b", session="early", ts=1),
            commit("c", session="early", ts=99),
            commit("d"),
        ]
    )
    assert store.sessions() == ["early", "late"]


def test_tried_on_a_commit_or_its_tree(store):
    store.put_commits(
        [
            commit("base"),
            commit("same code", tree="tree of base"),
            commit("x", parent="base", ts=5),
            commit("y", parent="same code", ts=6),
            commit("z", parent="x", ts=7),
        ]
    )
    assert subjects(store.tried_on([oid("base")])) == ["x"]
    assert subjects(store.tried_on({oid("tree of base")})) == ["y", "x"]
    assert store.tried_on([]) == []


def filled(store):
    store.put_packs(PAPERS, CHUNKS, [SWIGLU, GQA])
    asked = retrieval("base", "swiglu", "gqa")
    store.put_records([asked])
    store.put_commits(
        [commit(str(n), method="swiglu", retrieval=asked.id) for n in range(150)]
    )
    store.put_records([result("1"), verdict("1"), retract("1", result("1"))])
    store.set_ref_tips({"refs/x": oid("x")})


def test_counts(store):
    filled(store)
    assert store.counts() == {
        "experiments": 150,
        "records": 4,
        "results": 1,
        "verdicts": 1,
        "retrievals": 1,
        "methods": 2,
        "papers": 2,
        "chunks": 2,
    }


def test_a_store_that_becomes_another_is_like_it_and_goes_on(store):
    store.put_commits([commit("old")])
    with Store.open(":memory:") as other:
        filled(other)
        wanted = list(other.dump())
        with store.db.becoming(other.db):
            pass
    assert list(store.dump()) == wanted
    assert store.check() == []
    store.put_commits([commit("new")])
    assert store.check() == []


def test_readers_see_a_store_before_or_after_it_becomes_another(path):
    with Store.open(path) as writer, Store.open(path) as reader:
        filled(writer)
        assert "one" not in subjects(reader.experiments())
        with Store.open(":memory:") as other:
            other.put_commits([commit("new")])
            with writer.db.becoming(other.db):
                pass
        assert subjects(reader.experiments()) == ["new"]
        assert reader.check() == []


def test_a_damaged_search_index_is_found_and_built_anew(store):
    filled(store)
    assert store.check() == []
    store.db.write("DELETE FROM chunks_fts_data WHERE id > 10")
    (complaint,) = store.check()
    assert "search index of chunks" in complaint
    assert "git lg reindex" in complaint
    store.repair()
    assert store.check() == []


def test_an_index_that_lost_a_row_is_found(store):
    filled(store)
    for name in ("chunks_ad", "experiment_texts_au"):
        store.db.write(f"DROP TRIGGER {name}")
    store.db.write("DELETE FROM chunks")
    store.db.write("UPDATE experiment_texts SET said = 'changed behind its back'")
    assert len(store.check()) == 3
    store.repair()
    assert store.check() == []


def test_a_broken_link_is_found(store):
    filled(store)
    store.db.pragma("foreign_keys = OFF")
    store.db.write("DELETE FROM methods")
    store.db.pragma("foreign_keys = ON")
    assert any("names a row of methods" in line for line in store.check())


def test_optimise_keeps_the_answers(store):
    filled(store)
    before = list(store.dump())
    store.optimise()
    assert list(store.dump()) == before
    assert store.check() == []


def test_records_of_a_bare_record(store):
    bare = Record(
        kind=Kind.VERDICT,
        commit=oid("a"),
        tree=oid("t"),
        writer="w",
        seq=0,
        ts=0,
        body={"value": "keep", "extra": [1, {"a": None}]},
    )
    store.put_records([bare])
    (found,) = store.records_of(oid("a"))
    assert found.encode() == bare.encode()
