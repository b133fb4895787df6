"""`git lg why`: from a line of the winner back to the paper, past what lost."""

from __future__ import annotations

import pytest

from loopgraph_git.cli.why import boxes
from loopgraph_git.git import commits, refs, trailers
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Judgement, Result, Status, Verdict
from tests.conftest import PACK, TRAIN, git

# many sessions with processes of their own
pytestmark = pytest.mark.long

SOURCE = '[{arxiv: "2104.01234", title: Small Batches, section: "3.1"}]'
LINE = TRAIN.split("\n").index("BATCH = 16") + 1


def acted(lab, parent, asked, subject, *, code, verdict):
    """Return the commit of an experiment that acted on a retrieval."""
    known = [
        (trailers.METHOD, "batch-size"),
        (trailers.RETRIEVAL, asked),
        (trailers.SESSION, "one"),
    ]
    tree = commits.write_tree(lab.repo, parent, {"train.py": code})
    message = trailers.message(subject, "", known)
    stamp = 1_767_323_000 + len(subject)
    oid = commits.commit_tree(lab.repo, tree, parent, message, timestamp=stamp)
    commits.pin(lab.repo, oid)
    lab.record(oid, Result(status=Status.OK, metric="val_bpb", value=0.9))
    said = Verdict(value=verdict, reason="as it went", delta=0.1, baseline=str(parent))
    lab.judge(oid, said)
    return oid


@pytest.fixture
def tried(toy):
    """Return a repository with a winner and a loser, both of one question."""
    pack = toy.root / ".loopgraph/packs/toy.yml"
    url = '[{url: "https://example.com/batch", title: On batches}]'
    pack.write_text(PACK.replace(url, SOURCE))
    with LoopGraph.open(toy.root) as lab:
        start = lab.repo.oid("HEAD")
        answer = lab.suggest_query("fewer bits", baseline=start)
        asked = answer.record.id
        small, large = TRAIN.replace("= 16", "= 8"), TRAIN.replace("= 16", "= 32")
        lost = acted(lab, start, asked, "Larger", code=large, verdict=Judgement.DISCARD)
        won = acted(lab, start, asked, "Smaller", code=small, verdict=Judgement.KEEP)
        lab.repo.update_refs((refs.session_branch("one"), str(won), ""))
    return toy, won, lost, asked


def test_the_winning_line_walks_back_to_a_paper(tried):
    toy, won, lost, asked = tried
    shown = toy.lg("why", f"lg/one:train.py:{LINE}").stdout
    said = " ".join(line.strip(" │├└─") for line in shown.splitlines())
    order = [
        f"train.py:{LINE} BATCH = 8",
        f"keep {won.short} Smaller",
        "val_bpb 0.9000 (gain +0.1000); as it went",
        f"retrieval {asked[:7]} on {git(toy.root, 'rev-parse', 'HEAD')[:7]}",
        "fewer bits",
        "method batch-size: Smaller batch",
        "passage “Smaller batch”: Halve the batch for more steps.",
        "paper Small Batches, arxiv:2104.01234, 3.1",
        "tried on the same code",
        f"discard {lost.short} Larger",
        "other tries of batch-size",
    ]
    places = [said.find(words) for words in order]
    assert -1 not in places, said
    assert places == sorted(places)
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_same_as_json_and_in_python(tried):
    toy, won, lost, asked = tried
    plain = toy.json("why", won.short)
    assert plain["experiment"]["commit"] == won
    assert plain["retrieval"]["record"] == asked
    (method,) = plain["methods"]
    (cited,) = method["cited"]
    assert cited["paper"]["key"] == "arxiv:2104.01234"
    assert cited["paper"]["title"] == "Small Batches"
    assert [item["commit"] for item in plain["siblings"]] == [lost]
    assert [item["commit"] for item in plain["tries"]] == [lost]
    acts = {x["method"]: x["tries"] for x in plain["retrieval"]["suggested"]}
    assert {x["commit"] for x in acts["batch-size"]} == {won, lost}
    with LoopGraph.open(toy.root) as lab:
        assert lab.why(str(won)).experiment.commit == won
        assert lab.why("batch-size").experiment is None


def test_a_line_that_no_experiment_wrote_says_who_did(tried):
    toy, _, _, _ = tried
    start = git(toy.root, "rev-parse", "HEAD")
    shown = toy.lg("why", f"train.py:{LINE}").stdout
    assert f"no experiment wrote it: commit {start[:7]} Start" in shown
    assert f"`git lg why lg/one:train.py:{LINE}`" in shown
    plain = toy.json("why", f"lg/one:train.py:{LINE + 1}")
    assert plain["experiment"] is None
    assert plain["commit"] == start
    assert "no experiment: commit" in toy.lg("why", "HEAD").stdout


def test_a_line_is_traced_through_a_squash(tried):
    toy, won, _, _ = tried
    git(toy.root, "merge", "-q", "--squash", "lg/one")
    git(toy.root, "commit", "-q", "-m", "Take the smaller batch")
    landed = git(toy.root, "rev-parse", "HEAD")
    shown = toy.lg("why", f"train.py:{LINE}").stdout
    assert f"keep {won.short} Smaller" in shown
    assert f"landed as {landed[:7]}" in shown


def test_a_method_with_its_tries_or_without(tried):
    toy, won, lost, _ = tried
    shown = toy.lg("why", "batch-size").stdout
    assert shown.startswith("method batch-size: Smaller batch\n")
    assert won.short in shown
    assert lost.short in shown
    assert "never tried" in toy.lg("why", "learning-rate").stdout


def test_an_encoding_without_boxes_gets_none():
    assert "└" not in "".join(boxes("ascii"))
    assert "└" in "".join(boxes("utf-8"))
    assert "└" in "".join(boxes(None))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("zzz", "'zzz' is no commit, no line such as train.py:42 and no method"),
        ("train.py:999", "has only"),
        ("nope.py:1", "nope.py:1 at HEAD"),
        ("nowhere:train.py:1", "'nowhere' names no commit"),
        ("train.py:0", "train.py:0 at HEAD"),
        ("", "is no commit"),
        ("--", "is no commit"),
    ],
)
def test_what_is_not_there_is_named(toy, what, words):
    code = 1 if "names no commit" in words else 2
    assert words in toy.lg("why", "--", what, code=code).stderr
