"""All notes of refs at once: the same lines as one by one, whatever is configured."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import GitError
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from tests.conftest import git

REF = "refs/notes/loopgraph/ada"
LINE = '{"v":1,"kind":"result"}'
CONTENTS = [
    f"{LINE}\n",
    f"{LINE}\r\n\n{LINE} again",
    "no record\n",
    f"nul \0 {LINE}\n\xff\xfe{LINE}\n",
    "{" * 200_000 + f"\n{LINE}\n",
    "",
    f"<<<<<<< {LINE}\n=======\n\x1b[31m{LINE}\x85{LINE}\n",
]


@pytest.fixture
def notes(tmp_path):
    """Return notes on enough commits that git keeps them in folders."""
    root = tmp_path / "a b"
    root.mkdir()
    git(root, "init", "-q", "--template=")
    stamp = "A <a@example.com> 1770000000 +0000"
    parts = [f"commit {REF}\ncommitter {stamp}\ndata 0\n"]
    for number in range(400):
        name = f"{number * 7919 % 65536:04x}".ljust(40, "5")
        content = CONTENTS[number % len(CONTENTS)].replace("result", f"r{number}")
        parts.append(f"M 100644 inline {name[:2]}/{name[2:]}\n")
        parts.append(f"data {len(content)}\n{content}\n")
    Repo(root).run("fast-import", "--quiet", stdin="".join(parts).encode("latin-1"))
    return Notes(Repo(root))


def all_lines(notes: Notes, *names: str) -> list[bytes]:
    """Return the lines of the notes of refs, which are read in two parts."""
    given = names or (REF,)
    parts = (notes.all_lines(given, "09a"), notes.all_lines(given, "09a", but=True))
    first, second = map(list, parts)
    assert first
    assert len(first) < len(second)
    # what is longer is cut somewhere
    return sorted(line for line in first + second if len(line) < 65536)


def one_by_one(notes: Notes) -> list[bytes]:
    lines = notes.lines(notes.changed({REF: ""})[REF])
    return sorted(line for line in lines if b"{" in line and len(line) < 65536)


def test_they_are_the_lines_that_could_hold_a_record(notes):
    found = all_lines(notes)
    assert found == one_by_one(notes)
    assert len(found) > 400


@pytest.mark.parametrize(
    "setting",
    [
        "grep.lineNumber=true",
        "grep.column=true",
        "grep.fullName=true",
        "grep.patternType=perl",
        "grep.threads=9",
        "color.ui=always",
        "color.grep=always",
        "submodule.recurse=true",
        "core.attributesFile=attributes",
        "diff.upper.textconv=tr a-z A-Z <",
    ],
)
def test_settings_of_the_user_change_nothing(notes, setting, monkeypatch):
    root = notes._repo.root
    plain = all_lines(notes)
    (root / "attributes").write_text("* binary\n")
    (root / ".gitattributes").write_text("* diff=upper\n")
    git(root, "config", *setting.split("=", 1))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert all_lines(notes) == plain


def test_notes_that_are_missing_are_passed_over(notes):
    root = notes._repo.root
    # so many that what git has to say of them fills any pipe
    rows = "".join(
        f"100644 blob {number:040x}\t{number:040x}\n" for number in range(1, 20_000)
    )
    tree = git(root, "mktree", "--missing", stdin=rows).strip()
    commit = git(root, "commit-tree", "-m", "Notes", tree).strip()
    git(root, "update-ref", "refs/notes/loopgraph/bob", commit)
    assert all_lines(notes, "refs/notes/loopgraph/bob", REF) == all_lines(notes)


def test_what_is_no_tree_is_refused(notes):
    with pytest.raises(GitError, match="git fsck"):
        list(notes.all_lines(["refs/notes/loopgraph/nobody"], "0"))


def test_who_stops_listening_does_not_wait(notes):
    lines = notes.all_lines([REF], "0")
    assert next(lines)
    lines.close()


def test_without_refs_there_is_nothing(notes):
    assert list(notes.all_lines([], "0")) == []
