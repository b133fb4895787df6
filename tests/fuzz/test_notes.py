"""Notes of others: every good line survives its neighbours, and no bad one appears."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecordError
from loopgraph_git.git import refs
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from loopgraph_git.records import Kind, Oid, Record
from tests.conftest import git
from tests.fuzz import hostile

_MARKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
# nothing of this is a record, whatever stands beside it
garbage = st.sampled_from(
    [
        b"",
        b" ",
        b"\t",
        b"\xff\xfe\x00",
        b"\xe2\x82",  # the beginning of a character
        b"\xed\xa0\x80",
        b"\x00" * 20,
        b"{}",
        b"[]",
        b"null",
        b"{" * 3000,
        b"x" * 5000,
        b'{"v":2,"kind":"result"}',
        b"<<<<<<< HEAD",
        b"=======",
        *(f"broken{mark}in two".encode() for mark in _MARKS if mark != "\n"),
    ]
) | st.binary(max_size=60)


@st.composite
def notes(draw) -> tuple[bytes, list[str]]:
    """Return a note, and the ids of the good lines in it."""
    good, lines = [], []
    for _ in range(draw(st.integers(0, 5))):
        record = draw(hostile.records())
        try:
            line = record.encode().encode()
        except RecordError:
            lines.append(draw(garbage))
            continue
        match draw(st.sampled_from(["good", "good", "cr", "glued", "cut", "garbage"])):
            case "good":
                lines.append(line)
                good.append(record.id)
            case "cr":
                lines.append(line + b"\r")
                good.append(record.id)
            case "glued":
                # a line within a line is not a line
                mark = draw(st.sampled_from("\x0b\x0c\x1c\x85\u2028\u2029"))
                lines.append(b"x" + mark.encode() + line)
            case "cut":
                lines.append(line[: draw(st.integers(1, len(line) - 1))])
            case _:
                lines.append(draw(garbage))
    return draw(st.sampled_from([b"\n", b"\n\n"])).join(lines) + b"\n", good


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    root = tmp_path_factory.mktemp("notes")
    git(root, "init", "-q", "--template=")
    return Repo(root)


def put(repo: Repo, contents: dict[str, bytes], ref: str) -> None:
    """Make a notes ref of paths and contents, however odd."""
    parts = [
        b"commit %s\ncommitter E <e@e> 0 +0000\ndata 0\ndeleteall\n" % ref.encode()
    ]
    for path, content in contents.items():
        parts += [b"M 100644 inline %s\n" % path.encode()]
        parts += [b"data %d\n" % len(content), content, b"\n"]
    repo.run("fast-import", "--quiet", "--force", stdin=b"".join(parts))


@given(notes())
def test_every_good_line_of_a_note_is_read_and_no_other(repo, made):
    content, good = made
    ref = refs.remote_notes("origin", "ada")
    put(repo, {"a" * 40: content}, ref)
    found = [record.id for record in Notes(repo).records({ref: ""})]
    assert found == good


RECORD = Record(
    kind=Kind.RESULT,
    commit=Oid("a" * 40),
    tree=Oid("b" * 40),
    writer="ada",
    seq=1,
    ts=1,
    body={"status": "ok"},
)


@pytest.mark.parametrize(
    "path",
    ["aa/" + "a" * 38, "no-note.txt", "--output=x", "$(touch x)", "é", "aa/b", "a b"],
)
def test_other_files_in_a_notes_tree_harm_nothing(repo, path):
    ref = refs.remote_notes("origin", "ada")
    line = RECORD.encode().encode()
    put(repo, {"a" * 40: line}, ref)
    tip = repo.refs(ref)[ref]
    put(repo, {"a" * 40: line, path: b"\xff\0\n"}, ref)
    for seen in ("", tip, "c" * 40):
        found = list(Notes(repo).records({ref: seen}))
        assert found in ([RECORD], [])
        assert found or seen == tip
