"""`git lg check`: an edit that was tried is known again, whatever it looks like."""

from __future__ import annotations

import io
import json
import shutil
import sys
import time

import pytest

from loopgraph_git.git import commits, refs, trailers
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Judgement, Result, Status, Verdict
from tests.conftest import TRAIN, Toy, git, make_toy

pytestmark = pytest.mark.long

_MADE: dict[str, object] = {}


def tried(lab, parent, subject, code, value=None, *, verdict=Judgement.DISCARD):
    """Return the commit of an experiment that was recorded without training it."""
    message = trailers.message(subject, "", [(trailers.SESSION, "one")])
    tree = commits.write_tree(lab.repo, parent, {"train.py": code})
    stamp = 1_767_323_045 + len(subject)
    oid = commits.commit_tree(lab.repo, tree, parent, message, timestamp=stamp)
    commits.pin(lab.repo, oid)
    status = Status.OK if value is not None else Status.REJECTED
    lab.record(oid, Result(status=status, metric="val_bpb", value=value))
    if value is not None:
        base = str(parent)
        said = Verdict(value=verdict, reason="as it went", delta=-0.1, baseline=base)
        lab.judge(oid, said)
    return oid


def batch(value: str, code: str = TRAIN) -> str:
    return code.replace("BATCH = 16", f"BATCH = {value}")


@pytest.fixture
def toy(tmp_path, tmp_path_factory):
    """Return a repository where three things were tried, copied from one made once."""
    if "root" not in _MADE:
        root = tmp_path_factory.mktemp("check") / "toy"
        make_toy(root)
        with LoopGraph.open(root) as lab:
            start = lab.repo.oid("HEAD")
            wider = tried(lab, start, "Wider batch", batch("32"), 1.2)
            faster = TRAIN.replace("1e-3", "4e-3")
            kept = tried(lab, start, "Faster", faster, 0.9, verdict=Judgement.KEEP)
            again = tried(lab, kept, "Wider still", batch("64", faster), 1.4)
            broken = tried(lab, start, "Broken", batch("(("))
            lab.repo.update_refs((refs.session_branch("one"), str(kept), ""))
        _MADE.update(root=root, wider=wider, kept=kept, again=again, broken=broken)
    root = tmp_path / "toy"
    shutil.copytree(_MADE["root"], root)
    return Toy(root)


def edit(toy: Toy, code: str) -> None:
    (toy.root / "train.py").write_text(code)


def asked(toy: Toy, *args: str, code: int) -> dict:
    return json.loads(toy.lg("check", *args, "--json", code=code).stdout)["items"]


def shown(toy: Toy, name: str) -> bytes:
    """Write what `git show` says of an experiment to a.patch."""
    git(toy.root, "show", "-U9", "--output=a.patch", str(_MADE[name]))
    return (toy.root / "a.patch").read_bytes()


def levels(found: dict) -> list[tuple[str, str, bool]]:
    return [
        (x["level"], x["experiment"]["subject"], x["same_parent"])
        for x in found["matches"]
    ]


def test_a_clean_working_tree_is_nothing_to_compare(toy):
    assert toy.lg("check").stdout == "nothing to compare: train.py is as it was\n"
    assert asked(toy, code=0)["empty"] is True


def test_a_failed_edit_is_told_with_its_outcome(toy):
    edit(toy, batch("32"))
    shown = toy.lg("check", code=1).stdout
    assert "a repeat: this was tried before\n" in shown
    assert shown.startswith("changes BATCH 16 -> 32\n")
    assert f"discard {_MADE['wider'][:7]}  Wider batch\n    the same files; on" in shown
    assert "the code this starts from too" in shown
    assert "val_bpb 1.2000 (gain -0.1000): as it went" in shown
    assert levels(asked(toy, code=1))[0] == ("tree", "Wider batch", True)


@pytest.mark.parametrize("value", ["32  # wide", "2**5", "(8 *\n    4)", "16 + 16"])
def test_comments_formatting_and_arithmetic_make_no_difference(toy, value):
    edit(toy, batch(value))
    assert levels(asked(toy, code=1))[0] == ("code", "Wider batch", True)


def test_a_constant_that_is_computed_from_another_is_the_same_change(toy):
    edit(toy, batch("WIDE").replace("BATCH =", "WIDE = 32\nBATCH ="))
    assert asked(toy, code=0)["matches"] == []
    edit(toy, batch("int(32e3 * LEARNING_RATE)"))
    assert levels(asked(toy, code=1))[0] == ("change", "Wider batch", True)


def test_the_same_change_on_other_code_is_a_repeat_that_says_so(toy):
    git(toy.root, "checkout", "-q", "lg/one")
    edit(toy, batch("32", TRAIN.replace("1e-3", "4e-3")))
    found = asked(toy, code=1)
    assert levels(found) == [
        ("change", "Wider batch", False),
        ("near", "Wider still", True),
    ]
    assert "which is other code than this starts from" in toy.lg("check", code=1).stdout


def test_the_same_constant_with_another_value_is_near_and_new(toy):
    edit(toy, batch("48"))
    assert levels(asked(toy, code=0)) == [
        ("near", "Wider batch", True),
        ("near", "Wider still", False),
    ]
    shown = toy.lg("check").stdout
    assert "new: nothing like it was tried, but this is near:\n" in shown
    assert "near: BATCH 16 -> 32; on" in shown


def test_what_was_refused_before_it_was_trained_was_not_tried(toy):
    edit(toy, batch("(("))
    assert asked(toy, code=0)["matches"] == []
    assert "new: nothing like it was tried\n" in toy.lg("check").stdout


def test_what_is_staged_is_not_what_is_in_the_working_tree(toy):
    edit(toy, batch("32"))
    git(toy.root, "add", "train.py")
    edit(toy, batch("31"))
    index = (toy.root / ".git/index").read_bytes()
    assert levels(asked(toy, "--staged", code=1))[0][:2] == ("tree", "Wider batch")
    assert levels(asked(toy, code=0))[0][0] == "near"
    assert (toy.root / ".git/index").read_bytes() == index
    git(toy.root, "rm", "-q", "-f", "--cached", "train.py")
    assert asked(toy, "--staged", code=0)["changes"]


def test_a_patch_from_a_file_and_from_stdin(toy, monkeypatch):
    patch = shown(toy, "wider")
    before = git(toy.root, "count-objects", "-v")
    assert levels(asked(toy, "a.patch", code=1))[0][:2] == ("tree", "Wider batch")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(patch)))
    assert levels(asked(toy, "-", code=1))[0][:2] == ("tree", "Wider batch")
    # neither the user's files nor the repository were written to
    assert git(toy.root, "status", "--short", "--untracked-files=no") == ""
    assert git(toy.root, "count-objects", "-v") == before


def test_a_patch_is_read_where_it_was_made_when_it_does_not_fit_here(toy):
    shown(toy, "again")
    assert levels(asked(toy, "a.patch", code=1))[0] == ("tree", "Wider still", True)


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", ".git/config", "a/../../evil"]
)
def test_a_patch_may_not_leave_the_repository(toy, path):
    text = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
    (toy.root / "a.patch").write_text(text)
    assert "invalid path" in toy.lg("check", "a.patch", code=2).stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["a.patch"], "that is no patch"),
        (["nothing"], "'nothing' names no commit"),
        (["HEAD", "--staged"], "give one of"),
        (["--staged", "--text", "x"], "give one of"),
    ],
)
def test_what_cannot_be_told_is_2_and_not_1(toy, args, words):
    (toy.root / "a.patch").write_text("hello\n")
    assert words in toy.lg("check", *args, code=2).stderr


def test_a_link_is_not_followed(toy):
    (toy.root / "train.py").unlink()
    (toy.root / "train.py").symlink_to("/etc/hostname")
    assert "is a link" in toy.lg("check", code=2).stderr


def test_a_rev_and_an_idea(toy):
    assert levels(asked(toy, str(_MADE["again"]), code=1))[0][:2] == (
        "tree",
        "Wider still",
    )
    found = asked(toy, "--text", "a wider batch", code=0)
    assert levels(found)[0][1] == "Wider batch"
    assert asked(toy, "--text", "quantum flux", code=0)["matches"] == []
    assert asked(toy, "--text", "", code=0)["matches"] == []


def test_what_was_read_once_is_not_read_again(toy):
    toy.lg("check")
    place = toy.root / ".git/loopgraph/versions.db"
    stamp = place.stat().st_mtime_ns
    edit(toy, batch("32"))
    toy.lg("check", code=1)
    place.write_bytes(b"damaged" * 999)
    toy.lg("check", code=1)
    place.unlink()
    toy.lg("check", code=1)
    assert place.stat().st_mtime_ns > stamp


def test_the_loop_refuses_the_same_code_but_not_the_same_change_elsewhere(toy):
    faster = TRAIN.replace("1e-3", "4e-3")
    with LoopGraph.open(toy.root) as lab:

        def known(before: str, after: str, protocol: str = "") -> str:
            texts = ({"train.py": before}, {"train.py": after})
            found = lab.tried(*texts, protocol=protocol)
            return found.subject if found else ""

        assert known(TRAIN, batch("32 # wide")) == "Wider batch"
        assert known(TRAIN, batch("int(32e3 * LEARNING_RATE)")) == "Wider batch"
        assert known(faster, batch("64", faster)) == "Wider still"
        assert known(faster, batch("32", faster)) == ""
        assert known(TRAIN, batch("32"), protocol="another") == ""
        assert known(TRAIN, TRAIN) == ""
        # what came meanwhile counts at once
        tried(lab, lab.repo.oid("lg/one"), "Fresh", batch("32", faster), 1.0)
        assert known(faster, batch("32", faster)) == "Fresh"


@pytest.mark.long
def test_an_answer_comes_before_an_editor_notices(toy):
    edit(toy, batch("32"))
    toy.lg("check", code=1)
    began = time.perf_counter()
    toy.lg("check", code=1)
    # all but the start of Python; the benchmark has the whole
    assert time.perf_counter() - began < 1
