"""All notes of refs are told at once: the same lines, whatever is configured."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from loopgraph_git.git.telling import Telling
from tests.conftest import git

REF = "refs/notes/loopgraph/ada"
LINE = '{"commit":"0","kind":"result"}'
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
        content = CONTENTS[number % len(CONTENTS)].replace('"0"', f'"{number:x}"')
        parts.append(f"M 100644 inline {name[:2]}/{name[2:]}\n")
        parts.append(f"data {len(content)}\n{content}\n")
    Repo(root).run("fast-import", "--quiet", stdin="".join(parts).encode("latin-1"))
    return Notes(Repo(root))


def told(notes: Notes, *names: str) -> list[bytes]:
    """Return the lines of the notes of refs, and see that no share lacks one."""
    with Telling(notes._repo, {name: name for name in names or (REF,)}) as telling:
        assert telling.is_whole()
        shares = [list(telling.share("09a", its=its)) for its in (True, False)]
        lines = list(telling.lines())
    assert shares[0]
    assert len(shares[0]) < len(shares[1])
    assert sorted(shares[0] + shares[1]) == sorted(lines)
    # what is longer is cut somewhere
    return sorted(line for line in lines if len(line) < 65536)


def one_by_one(notes: Notes) -> list[bytes]:
    lines = notes.lines(notes.changed({REF: ""})[REF])
    return sorted(line for line in lines if b"{" in line and len(line) < 65536)


def test_they_are_the_lines_that_could_hold_a_record(notes):
    found = told(notes)
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
    plain = told(notes)
    (root / "attributes").write_text("* binary\n")
    (root / ".gitattributes").write_text("* diff=upper\n")
    git(root, "config", *setting.split("=", 1))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert told(notes) == plain


def test_notes_that_are_missing_are_passed_over(notes):
    root = notes._repo.root
    # so many that what git has to say of them fills any pipe
    rows = "".join(
        f"100644 blob {number:040x}\t{number:040x}\n" for number in range(1, 20_000)
    )
    tree = git(root, "mktree", "--missing", stdin=rows).strip()
    commit = git(root, "commit-tree", "-m", "Notes", tree).strip()
    git(root, "update-ref", "refs/notes/loopgraph/bob", commit)
    assert told(notes, "refs/notes/loopgraph/bob", REF) == told(notes)


def test_what_is_no_tree_is_not_told_to_the_end(notes):
    with Telling(notes._repo, {"refs/notes/loopgraph/nobody": "0" * 40}) as telling:
        assert list(telling.lines()) == []
        assert not telling.is_whole()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
def test_where_there_is_no_room_nothing_is_told(notes):
    code = f"""
import resource
from pathlib import Path
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from loopgraph_git.git.telling import Telling
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
repo = Repo(Path({str(notes._repo.root)!r}))
with Telling(repo, {{{REF!r}: {REF!r}}}) as telling:
    print(telling.is_whole(), list(telling.lines()))
print(len([*Notes(repo).all_lines([{REF!r}])]) > 400)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "False []\nTrue\n"


def test_who_stops_listening_does_not_wait(notes):
    telling = Telling(notes._repo, {REF: REF})
    telling.close()
    telling.close()
    assert telling._process.returncode is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no copies here")
def test_a_copy_of_the_process_is_told_the_same(notes):
    code = f"""
import os, sys
from pathlib import Path
from loopgraph_git.git.repo import Repo
from loopgraph_git.git.telling import Telling
with Telling(Repo(Path({str(notes._repo.root)!r})), {{{REF!r}: {REF!r}}}) as telling:
    child = os.fork()
    # at once: two that print side by side would mix their lines
    os.write(1, b"%d\\n" % hash(tuple(telling.lines())))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    print(telling.is_whole())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    one, other, whole = done.stdout.split()
    assert one == other
    assert whole == "True"


def test_without_refs_there_is_nothing(notes):
    with Telling(notes._repo, {}) as telling:
        assert list(telling.lines()) == []
        assert telling.is_whole()
