"""A clone full of what a stranger pushed: every command answers, and shows no tricks."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from loopgraph_git.git import refs
from loopgraph_git.records import Kind, Oid, Record
from loopgraph_git.records.texts import HIDDEN
from tests.conftest import git
from tests.fuzz.hostile import TEXTS

pytestmark = pytest.mark.long

NASTY = "".join(text for text in TEXTS if "\0" not in text and "half" not in text)
NAMES = ("-n", "--output=x", "a\nb", 'quo"te', "co:lon", "[red]", "\x1b[31m", "é\u202e")
COMMANDS = (
    ("log",), ("best",), ("rank", "--explain"), ("search", "gone"), ("suggest",),
    ("search", "--", "--output=x", '" OR NEAR('), ("log", "--session", NASTY),
    ("reindex",), ("log",), ("show",),
)  # fmt: skip


def note(toy, ref: str, commit: str, *lines: bytes) -> None:
    """Make a notes ref of another writer, as a fetch would leave it."""
    content = b"\n".join(lines) + b"\n"
    stream = (
        b"commit %s\ncommitter E <e@e> 0 +0000\ndata 0\n" % os.fsencode(ref),
        b"N inline %s\ndata %d\n" % (commit.encode(), len(content)),
        content,
    )
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=toy.root,
        input=b"".join(stream),
        check=True,
    )


def said(commit: str, tree: str, kind: Kind, body: dict, **given) -> bytes:
    values = {"writer": "eve", "seq": 1, "ts": 1_700_000_000_000, **given}
    return (
        Record(kind=kind, commit=Oid(commit), tree=Oid(tree), body=body, **values)
        .encode()
        .encode()
    )


def commit(toy, message: str) -> str:
    """Make a commit whose files and author are named to be taken for something else."""
    rows = []
    for name in NAMES:
        blob = git(
            toy.root, "hash-object", "-w", "--stdin", stdin=f"\x1b[2J{NASTY}\r\n"
        )
        rows.append(f"100644 blob {blob}\t{name}\0")
    tree = git(toy.root, "mktree", "-z", stdin="".join(rows))
    env = {"GIT_AUTHOR_NAME": "--output=x", "GIT_AUTHOR_EMAIL": "\x1b[2J"}
    done = subprocess.run(
        ["git", "commit-tree", "-p", "HEAD", tree],
        cwd=toy.root,
        input=message.encode(),
        env={**os.environ, **env},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


@pytest.fixture
def visited(toy):
    """Return a repository with commits, notes and refs that a stranger made."""
    trailers = "".join(
        f"Loopgraph-{key}: {NASTY}\n"
        for key in ("Method", "Session", "Proposer", "Retrieval")
    )
    made = commit(toy, f"--output=x [red]{NASTY}\n\n{NASTY}\n\n{trailers}")
    tree = git(toy.root, "rev-parse", f"{made}^{{tree}}")
    pins = refs.remote_keep("origin", "eve")
    begun = git(toy.root, "commit-tree", "-m", "x", tree)
    kept = git(toy.root, "commit-tree", "-m", "x", "-p", begun, "-p", made, tree)
    git(toy.root, "update-ref", pins, kept)
    git(toy.root, "update-ref", "refs/heads/lg/$(touch${IFS}x)", made)
    other = NASTY + "half \ud83d"
    lines = [
        said(made, tree, Kind.RESULT, {
            "status": "ok", "metric": "[/x]" + other, "value": 1.5, "seconds": 2.5,
            "protocol": other, "platform": other, "reason": other, "excerpt": other[:600],
            "metrics": {other[:99]: other[:99]}, "argv": ["touch", "x"], "x": 2**70,
            "tokens": 2**62,
        }),
        said(made, tree, Kind.VERDICT, {
            "value": "keep", "reason": other, "delta": -1e100, "noise": 1e100,
            "n": 2**62, "baseline": other,
        }, ts=253_402_300_799_999),
        said(made, tree, Kind.RETRIEVAL, {
            "goal": other, "query": other, "tokens": 2**62, "suggestions": [
                {"method": "swiglu", "score": 1e100, "why": other[:300], "slot": other[:99],
                 "factors": {other[:99]: 1e100}, "outcomes": [other[:99]]},
                {"method": other[:99], "score": 1},
            ],
        }),
        *(said(oid, tree, Kind.RESULT, {"status": "ok", "metric": "val_bpb", "value": n},
               ts=253_402_300_799_999, seq=2**53 - 1)
          for n, oid in enumerate(["d" * 40, tree, begun])),
        b"\xff\0garbage", b"[" * 5000, b"",
    ]  # fmt: skip
    note(toy, refs.remote_notes("origin", "eve"), made, *lines)
    git(toy.root, "reset", "-q", "--soft", made)
    toy.made = made
    return toy


def test_every_command_answers_and_nothing_moves_the_cursor(visited):
    for command in COMMANDS:
        args = [*command, visited.made] if command == ("show",) else command
        shown = visited.lg(*args)
        assert not HIDDEN.search(shown.stdout + shown.stderr), command
        (shown.stdout + shown.stderr).encode()
    assert not (visited.root / "x").exists()


def test_json_is_json_and_has_every_byte_escaped(visited):
    for command in (
        ("log",),
        ("show", visited.made),
        ("best",),
        ("rank",),
        ("suggest",),
    ):
        text = visited.lg(*command, "--json").stdout
        assert not HIDDEN.search(text), command
        assert not re.search("NaN|Infinity", text)
        json.loads(text)
    shown = visited.json("show", visited.made)
    assert "\x1b[2J" in shown["reason"]
    assert shown["records"][-1]["kind"]


def test_doctor_and_its_dump_survive_them(visited):
    # the repository as it is needs a look, and gets one
    assert "Traceback" not in visited.lg("doctor", code=0).stdout
    for line in visited.lg("doctor", "--dump").stdout.split("\n"):
        assert not line or json.loads(line)


def test_what_a_record_names_is_shown_where_it_is_here_and_said_where_not(visited):
    for name in ("d" * 40, visited.made):
        shown = visited.lg("show", name, code=1 if name[0] == "d" else 0)
        assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    "rev",
    [
        "--output=x", "-n", ":/gone", "HEAD@{99}", "HEAD:train.py", "HEAD^{tree}",
        "a\nb", "..", "HEAD..", "@{u}", "\udcff", "x" * 5000, "$(touch x)", "", "*",
        "HEAD~99999999999", "refs/notes/loopgraph-remote/origin/eve",
    ],
)  # fmt: skip
def test_any_text_is_a_rev_that_is_there_or_not(toy, rev):
    done = toy.lg("show", "--", rev, code=1)
    assert done.stderr.startswith("git-lg: ")
    assert "Traceback" not in done.stderr
    assert not (toy.root / "x").exists()


def test_a_name_of_a_session_leads_nowhere_else(toy):
    for name in ("../../x", "--help", "a/b", "A", ".", "x.lock"):
        done = toy.lg("experiment", "-n", "1", "--session", name, code=2)
        assert "cannot name a session" in done.stderr
    assert not (toy.root / ".git" / "loopgraph" / "worktrees").exists()


OK = {"status": "ok", "metric": "val_bpb", "value": 0.5}
EVE = refs.remote_notes("origin", "eve")


def head(toy) -> tuple[str, str]:
    return git(toy.root, "rev-parse", "HEAD"), git(toy.root, "rev-parse", "HEAD^{tree}")


def test_a_ref_that_is_no_archive_stops_nothing(toy):
    blob = git(toy.root, "hash-object", "-w", "--stdin", stdin="x")
    git(toy.root, "update-ref", refs.remote_keep("origin", "eve"), blob)
    toy.lg("log")
    toy.lg("doctor")


def test_a_ref_that_holds_no_notes_stops_nothing(toy):
    blob = git(toy.root, "hash-object", "-w", "--stdin", stdin="x")
    git(toy.root, "update-ref", EVE, blob)
    toy.lg("log")


def test_refs_whose_names_are_no_text_stop_nothing(toy):
    commit, tree = head(toy)
    for byte in (b"\xff", b"\xfe"):
        line = said(commit, tree, Kind.RESULT, OK)
        note(toy, os.fsdecode(EVE.encode() + byte), commit, line)
    toy.lg("log")


def test_numbers_at_the_end_of_the_range_stop_nothing(toy):
    commit, tree = head(toy)
    body = {**OK, "value": 1e308}
    note(
        toy,
        EVE,
        commit,
        *(said(commit, tree, Kind.RESULT, body, seq=n) for n in (1, 2)),
    )
    toy.lg("log")


def test_a_retraction_of_what_is_no_record_stops_nothing(toy):
    commit, tree = head(toy)
    note(toy, EVE, commit, said(commit, tree, Kind.RETRACT, {"target": "\ud83d"}))
    toy.lg("log")


def test_a_result_of_another_tree_than_the_commits_is_not_believed(toy):
    commit, _ = head(toy)
    note(toy, EVE, commit, said(commit, "c" * 40, Kind.RESULT, OK))
    assert not toy.json("best")


def test_a_note_of_many_records_is_read(toy):
    commit, tree = head(toy)
    body = {**OK, "excerpt": "x" * 3500}
    lines = [said(commit, tree, Kind.RESULT, body, seq=n) for n in range(1200)]
    note(toy, EVE, commit, *lines)
    assert toy.json("best")[0]["runs"] == len(lines)


def test_files_named_as_refs_are_not_taken_for_them(toy):
    commit, tree = head(toy)
    for ref in (EVE, refs.remote_keep("origin", "eve")):
        (toy.root / ref).parent.mkdir(parents=True)
        (toy.root / ref).write_text("x")
    git(toy.root, "update-ref", refs.remote_keep("origin", "eve"), commit)
    for seq in (1, 2):
        line = said(commit, tree, Kind.RESULT, OK, seq=seq)
        git(toy.root, "update-ref", "-d", EVE)
        note(toy, EVE, commit, line)
        toy.lg("log")


def test_what_is_linked_in_stays_inside_the_worktree(toy, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (outside / "data").symlink_to("precious")
    (toy.root / "sub").symlink_to(outside)
    git(toy.root, "add", "sub")
    git(toy.root, "commit", "-q", "-m", "A folder that is elsewhere")
    toy.write(link=["sub/data"])
    toy.lg("experiment", "-n", "1", code=2)
    assert str((outside / "data").readlink()) == "precious"


@pytest.mark.parametrize(
    "run", [["sh", "-c", "evil\x1b[2K\rpython train.py"], ["python", "\u202ex.py"]]
)
def test_a_command_that_hides_itself_is_not_there_to_be_trusted(toy, run):
    (toy.root / ".loopgraph.yml").write_text(json.dumps({"run": run}))
    done = toy.lg("trust", code=2)
    assert "a character that cannot be seen" in done.stderr
    assert not HIDDEN.search(done.stdout + done.stderr)
