"""An index of thousands of experiments is built by two processes, and is the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loopgraph_git.errors import LineUnreadError
from loopgraph_git.git import refs
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import (
    Judgement,
    Kind,
    Oid,
    Record,
    Result,
    Status,
    Verdict,
    body_of,
)
from tests.conftest import git

COUNT = 2300
WRITER = "w" * 12
REINDEX = """
import os, sys
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from loopgraph import LoopGraph
with LoopGraph.open(sys.argv[2]) as lab:
    lab.reindex()
    print(*lab.client.store.dump(), sep="\\n")
"""


def data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def commits(root) -> list[Oid]:
    """Make many commits on a branch of experiments; returns the newest."""
    parts = []
    for number in range(COUNT):
        parts.append(f"commit refs/heads/lg/many\nmark :{number + 1}\n")
        stamp = f"A <a@example.com> {1_770_000_000 + number} +0000"
        parts.append(f"committer {stamp}\n{data(f'Try {number}')}")
        parts.append(f"M 100644 inline train.py\n{data(f'RATE = {number}')}")
    git(root, "fast-import", "--quiet", stdin="".join(parts))
    oids = [Oid(x) for x in git(root, "rev-list", "lg/many").split()]
    pins = "".join(f"create {refs.pin(oid)} {oid}\n" for oid in oids)
    git(root, "update-ref", "--stdin", stdin=pins)
    return oids


def records(root, oids: list[Oid]):
    """Yield records: results, verdicts, a link, a retraction, and what is wrong."""
    trees = git(root, "log", "--format=%T", "lg/many").split()
    seq = 0

    def record(place, kind, body):
        nonlocal seq
        seq += 1
        return Record(
            kind=kind, commit=oids[place], tree=Oid(trees[place]), writer=WRITER,
            seq=seq, ts=1_770_000_000_000 + seq, body=body,
        )  # fmt: skip

    for place in range(COUNT):
        value = 1 + (place * 7919 % COUNT) / COUNT
        result = Result(status=Status.OK, metric="val_bpb", value=value, protocol="p")
        yield record(place, Kind.RESULT, body_of(result))
        verdict = Verdict(value=Judgement.DISCARD, reason=f"no better: {value:.3f}")
        yield record(place, Kind.VERDICT, body_of(verdict))
    taken = record(7, Kind.RESULT, body_of(result))
    yield taken
    yield record(COUNT - 3, Kind.RETRACT, {"target": taken.id, "reason": "a mistake"})
    yield record(5, Kind.LINK, {"to": str(oids[COUNT - 5]), "how": "amend"})
    yield record(9, Kind.RESULT, {"status": "no such status"})


def by_commit(root, oids: list[Oid]) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for record in records(root, oids):
        lines.setdefault(record.commit, []).append(record.encode())
    return lines


def annotate(root, writer: str, notes: dict[str, str]) -> None:
    """Write the notes of a writer, in one commit behind those that are there."""
    ref = f"{refs.NOTES}{writer}"
    parts = [f"commit {ref}\ncommitter A <a@example.com> 1770000000 +0000\n"]
    parts.append(data("Notes"))
    if git(root, "for-each-ref", ref):
        parts.append(f"from {ref}^0\n")
    parts += [f"N inline {commit}\n{data(note)}" for commit, note in notes.items()]
    git(root, "fast-import", "--quiet", stdin="".join(parts))


def dumped(root, processors: str, *, fresh: bool) -> str:
    """Return the rows of the index, built anew or brought up to what git holds."""
    if fresh:
        (root / ".git" / "loopgraph" / "researchfs.db").unlink(missing_ok=True)
    code = REINDEX if fresh else REINDEX.replace("lab.reindex()", "lab.reconcile()")
    return subprocess.run(
        [sys.executable, "-c", code, processors, str(root)],
        capture_output=True, text=True, check=True, env=os.environ,
    ).stdout  # fmt: skip


pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="others have no second process"),
]


def test_two_processes_build_the_same_index_as_one(toy):
    lines = by_commit(toy.root, commits(toy.root))
    notes = {commit: "\n".join([*said, "no record"]) for commit, said in lines.items()}
    annotate(toy.root, WRITER, notes)
    # the same records a second time, as a clone with another id may have them
    again = {commit: "\n\n".join(said) for commit, said in [*lines.items()][::50]}
    annotate(toy.root, "x" * 12, again)
    alone = dumped(toy.root, "one", fresh=True)
    assert alone.count("no better") >= COUNT
    assert dumped(toy.root, "all", fresh=True) == alone


def test_a_ref_that_holds_no_notes_hides_none(toy):
    lines = by_commit(toy.root, commits(toy.root))
    annotate(toy.root, WRITER, {commit: said[0] for commit, said in lines.items()})
    alone = dumped(toy.root, "all", fresh=True).splitlines()
    git(toy.root, "update-ref", f"{refs.NOTES}{'y' * 12}", "HEAD^{tree}")
    for processors in ("one", "all"):
        both = dumped(toy.root, processors, fresh=True).splitlines()
        assert [x for x in both if "y" * 12 not in x] == alone


def test_thousands_that_are_added_to_known_ones_are_read_by_two_as_well(toy):
    lines = by_commit(toy.root, commits(toy.root))
    notes = {commit: "\n".join(said) for commit, said in lines.items()}
    first = dict(list(notes.items())[:100])
    annotate(toy.root, WRITER, first)
    assert dumped(toy.root, "all", fresh=True).count("no better") < COUNT
    annotate(toy.root, WRITER, {c: n for c, n in notes.items() if c not in first})
    added = dumped(toy.root, "all", fresh=False)
    assert added.count("no better") >= COUNT
    assert dumped(toy.root, "one", fresh=True) == added


UNREAD = "SELECT count(*) FROM records WHERE line = ''"


def test_lines_are_read_from_git_when_they_are_asked_for(toy):
    lines = by_commit(toy.root, commits(toy.root))
    annotate(toy.root, WRITER, {c: "\n".join(said) for c, said in lines.items()})
    with LoopGraph.open(toy.root) as lab:
        lab.reindex()
        [unread] = lab.client.store.db.column(UNREAD)
        assert unread >= 2 * COUNT
        for number, (commit, said) in enumerate(list(lines.items())[:5], start=1):
            told = [record.encode() for record in lab.records_of(Oid(commit))]
            assert told == [line for line in said if "no such status" not in line]
            [left] = lab.client.store.db.column(UNREAD)
            # who asks about many gets all of them
            assert (left == 0) == (number > 3)
            assert left <= unread - 2 * number or number > 3


def test_a_line_that_is_gone_is_an_error_in_words(toy):
    lines = by_commit(toy.root, commits(toy.root))
    annotate(toy.root, WRITER, {c: "\n".join(said) for c, said in lines.items()})
    with LoopGraph.open(toy.root) as lab:
        lab.reindex()
        git(toy.root, "update-ref", "-d", f"{refs.NOTES}{WRITER}")
        with pytest.raises(LineUnreadError, match="git lg reindex"):
            lab.results(protocol="p")


def test_thousands_of_changes_are_read_each_for_its_own_commit(toy):
    lines = by_commit(toy.root, commits(toy.root))
    annotate(toy.root, WRITER, {commit: said[0] for commit, said in lines.items()})
    with LoopGraph.open(toy.root) as lab:
        lab.reconcile()
        store = lab.client.store
        assert len(store.unread()) >= COUNT
        lab.ledger.read_texts()
        assert store.unread() == []
        told = store.db.rows(
            "SELECT e.subject, t.message FROM experiments e"
            " JOIN experiment_texts t USING(id) WHERE e.parent IS NOT NULL"
        )
    assert len(told) == COUNT - 1
    for subject, message in told:
        assert f"+RATE = {subject.removeprefix('Try ')}\n" in f"{message}\n"
