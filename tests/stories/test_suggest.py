"""Asking what to try: an answer is kept, given again, and acted on."""

from __future__ import annotations

import pytest

from loopgraph_git.lab import Lab
from tests.conftest import git

pytestmark = pytest.mark.long

SWITCH = """\
pack: switch
title: A switch and a function
methods:
  - id: fast-mode
    title: Fast mode
    summary: Turns the fast mode on.
    sources: [{url: "https://example.com/fast", title: On speed}]
    detect: {constant: FAST, equals: true}
    recipe: [{set: FAST, to: true}]
  - id: slow-mode
    title: Slow mode
    summary: Against the fast mode.
    sources: [{url: "https://example.com/slow", title: On sloth}]
    detect: {constant: SLOW, equals: true}
    conflicts: [fast-mode]
    recipe: [{set: SLOW, to: true}]
"""


@pytest.fixture
def lab(toy, monkeypatch):
    # the clock of commits is fixed, and a commit acts on a question that came before it
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-01-02T03:04:05Z")
    (toy.root / ".loopgraph" / "packs" / "switch.yml").write_text(SWITCH)
    edit(toy, "NOISE = 0.001", "NOISE = 0.001\nFAST = False\nSLOW = False")
    git(toy.root, "add", ".loopgraph")
    git(toy.root, "commit", "-q", "-am", "Add switches")
    return toy


def edit(toy, old, new):
    path = toy.root / "train.py"
    path.write_text(path.read_text().replace(old, new))


def tried(toy, old, new, message, value=None, *words):
    """Commit an edit as an agent does that knows nothing of us, and record it."""
    edit(toy, old, new)
    git(toy.root, "commit", "-q", "-am", message)
    if value is not None:
        toy.lg("record", "--value", str(value), *words)


def asked(toy, *args):
    return toy.json("suggest", "-k", "99", "--tokens", "2000", *args)


def by_method(toy):
    return {item["method"]: item for item in toy.json("rank", "-k", "999")}


def test_the_same_question_is_answered_from_its_record(lab):
    first, again = asked(lab), asked(lab)
    assert again["retrieval"] == first["retrieval"]
    assert again["suggestions"] == first["suggestions"]
    assert again["brief"] == first["brief"]
    assert (first["reused"], again["reused"]) == (0, 1)
    lab.lg("reindex")
    words = lab.lg("suggest", "-k", "99", "--tokens", "2000")
    assert f"answered from retrieval {first['retrieval']}: reused 2x" in words.stderr
    lab.lg("record", "--value", "1.0", "--verdict", "keep")
    anew = asked(lab)
    assert anew["retrieval"] != first["retrieval"]
    assert anew["reused"] == 0


def test_code_that_was_asked_about_is_no_experiment_yet(lab):
    asked(lab)
    for _ in range(2):
        assert "no experiments yet" in lab.lg("log").stdout
        assert "is no experiment" in lab.lg("show", "HEAD", code=1).stderr
        assert "0 experiments" in lab.lg("reindex").stdout
    lab.lg("record", "--value", "1.0", "--verdict", "keep", "--reason", "baseline")
    assert len(lab.json("log")) == 1
    assert "1 experiment, 3 records" in lab.lg("reindex").stdout


def test_a_method_of_an_unlabelled_commit_is_recognised(lab):
    question = lab.json("suggest", "-k", "9", "--goal", "fast mode on")
    assert "fast-mode" in [x["method"] for x in question["suggestions"]]
    lab.lg("record", "--value", "1.0", "--verdict", "keep", "--reason", "baseline")
    tried(lab, "FAST = False", "FAST = True", "Go", 0.9, "--verdict", "keep")
    tried(lab, "1e-3", "2e-3", "Turn it up", 1.2, "--verdict", "discard")
    found = by_method(lab)
    fast, rate = found["fast-mode"], found["learning-rate"]
    assert (fast["n"], fast["wins"], fast["recognised"]) == (1, 1, 1)
    assert (rate["n"], rate["wins"]) == (1, 0)
    assert "methods:   fast-mode (recognised)" in lab.lg("show", "HEAD~").stdout
    assert lab.json("show", "HEAD~")["recognised"] == ["fast-mode"]
    assert by_method(lab) == found
    lab.lg("reindex")
    assert by_method(lab) == found
    with Lab(lab.root) as opened:
        assert question["retrieval"] == opened.acted_on(opened.repo.oid("HEAD~"))[0]


def test_of_a_row_whose_code_is_lost_the_words_have_to_do(lab):
    log = lab.root / "log.tsv"
    log.write_text(
        "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
        "aaaaaaa\t1.0\t0.1\tkeep\tbaseline\n"
        "bbbbbbb\t0.9\t0.1\tkeep\tdouble the learning rate\n"
        "ccccccc\t1.2\t0.1\tdiscard\tLEARNING_RATE 2e-3 to 4e-3\n"
    )
    lab.lg("import", str(log))
    rate = by_method(lab)["learning-rate"]
    assert (rate["n"], rate["wins"], rate["recognised"]) == (2, 1, 2)


def test_of_a_change_that_tells_nothing_the_words_have_to_do(lab):
    lab.lg("record", "--value", "1.0", "--verdict", "keep", "--reason", "baseline")
    words = "double the learning rate of the bias"
    tried(lab, "NOISE = 0.001", "NOISE = 0.002", words, 0.9, "--verdict", "keep")
    # it says so, and the code does not have it
    words = "try the fast mode"
    tried(lab, "NOISE = 0.002", "NOISE = 0.003", words, 1.2, "--verdict", "discard")
    found = by_method(lab)
    assert (found["learning-rate"]["n"], found["learning-rate"]["wins"]) == (1, 1)
    assert found["fast-mode"]["n"] == 0


def test_what_is_there_or_in_conflict_is_not_suggested(lab):
    assert {"fast-mode", "slow-mode"} <= {
        x["method"] for x in asked(lab)["suggestions"]
    }
    tried(lab, "FAST = False", "FAST = True", "Go")
    answer = asked(lab)
    assert {"fast-mode", "slow-mode"}.isdisjoint(
        item["method"] for item in answer["suggestions"]
    )
    assert "`fast-mode` `the code has it already`" in answer["brief"]
    assert "`slow-mode`: `conflicts with fast-mode`" in answer["brief"]


def test_every_number_is_explained_in_eighty_columns(lab):
    lab.lg("record", "--value", "1.0", "--verdict", "keep", "--reason", "baseline")
    tried(lab, "1e-3", "2e-3", "Turn it up", 0.9, "--verdict", "keep")
    outcome = by_method(lab)["learning-rate"]["outcomes"][0]
    ranked, suggested = (
        lab.lg(command, "--explain", "-k", "30").stdout
        for command in ("rank", "suggest")
    )
    for text in (ranked, suggested[suggested.index("score = ") :]):
        assert max(map(len, text.splitlines())) <= 80
        for word in ("win rate", "fatigue", "p_crash", "context", "relevance"):
            assert f"  {word}" in text
    assert outcome in ranked


def test_code_that_does_not_parse_is_mapped_as_it_last_did(lab):
    before = git(lab.root, "rev-parse", "--short=7", "HEAD")
    tried(lab, "BATCH = 16", "BATCH = = 16", "Break it")
    brief = asked(lab)["brief"]
    assert f"train.py as it was at {before}: it does not parse now" in brief
    assert "BATCH = 16" in brief


def test_the_map_of_a_repository(lab):
    files = lab.json("suggest", "--map")
    assert [item["path"] for item in files] == ["prepare.py", "train.py"]
    assert "evaluate" in lab.lg("suggest", "--map").stdout
