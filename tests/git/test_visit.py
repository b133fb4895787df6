"""A repository of others is read as a snapshot, and nothing of it comes to life."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import GitError, UsageError
from loopgraph_git.git.visit import Address, contents, find_address, snapshot, visit
from tests.conftest import git


@pytest.mark.parametrize(
    ("text", "name", "url", "rev"),
    [
        ("github:a/b", "a/b", "https://github.com/a/b.git", ""),
        ("github:a/b.c@v1.0", "a/b.c", "https://github.com/a/b.c.git", "v1.0"),
        ("https://github.com/a/b.git", "a/b", "https://github.com/a/b.git", ""),
        ("https://github.com/a/b/tree/x/y", "a/b", "https://github.com/a/b.git", "x/y"),
        ("https://x.org/g/a/b@main", "a/b", "https://x.org/g/a/b", "main"),
        ("ssh://git@x.org/a/b.git@x/y", "a/b", "ssh://git@x.org/a/b.git", "x/y"),
        ("file:///tmp/my repo".replace(" ", "%20"), "tmp/my%20repo", None, ""),
    ],
)
def test_addresses_that_people_write(text, name, url, rev):
    found = find_address(text)
    assert found is not None
    assert (found.name, found.rev) == (name, rev)
    assert found.url == (url or text)


def test_a_title_is_what_people_write():
    found = find_address("file:///tmp/mein%20r%C3%AApo%1b/%E2%9C%93")
    assert found is not None
    assert found.title == "mein rêpo/✓"


def test_an_address_is_named_without_its_password():
    found = find_address("https://ada:secret@x.org/a/b")
    assert found is not None
    assert found.key == str(found) == "https://x.org/a/b"
    assert str(find_address("github:a/b@v1")) == "github:a/b@v1"


@pytest.mark.parametrize(
    "text", ["", "a/b", "github:a", "github:-a/b", "--upload-pack=x", "ext::sh -c x",
             "github:a/b\x1b[2J", "https://", "git://x/a/b", "github:../x"]
)  # fmt: skip
def test_what_is_no_address(text):
    assert find_address(text) is None


@pytest.mark.parametrize("rev", ["-x", "--upload-pack=x", "a..b", "x:y", "/x", "x^"])
def test_a_rev_that_cannot_be_one_is_refused(rev):
    with pytest.raises(UsageError, match="is no branch, tag or commit"):
        find_address(f"github:a/b@{rev}")


@given(st.text())
def test_any_text_is_an_address_or_none(text):
    for start in ("", "github:", "github:a/b@", "file:///", "https://github.com/"):
        try:
            found = find_address(start + text)
        except UsageError:
            continue
        assert found is None or not found.url.startswith("-")


@pytest.fixture
def theirs(tmp_path):
    """Return a repository of others, with everything in it that must not happen."""
    root = tmp_path / "their repo"
    (root / "pkg").mkdir(parents=True)
    git(root, "init", "-q", "--template=", "-b", "main")
    (root / "README.md").write_text("# Theirs\n")
    (root / "pkg" / "a.py").write_text("A = 1\n")
    (root / "big.bin").write_bytes(b"\0" * 5000)
    (root / "évil\x1bname.py").write_text("x\n")
    (root / "link.py").symlink_to("/etc/passwd")
    (root / ".gitattributes").write_text("*.py filter=evil\n")
    (root / ".gitmodules").write_text('[submodule "x"]\npath = x\nurl = ../x\n')
    git(root, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "One")
    git(root, "tag", "v1")
    return root


def address(root, rev: str = "") -> Address:
    return Address("their/repo", f"file://{root}", rev)


def test_a_snapshot_has_the_plain_files_and_their_content(theirs, tmp_path):
    found = visit(tmp_path / "kept", address(theirs))
    assert found.commit == git(theirs, "rev-parse", "HEAD")
    sizes = {file.path: file.size for file in found.files}
    assert sizes == {
        "README.md": 9,
        "pkg/a.py": 6,
        "big.bin": 5000,
        ".gitattributes": 17,
        ".gitmodules": 36,
    }
    wanted = [file for file in found.files if file.path.endswith((".py", ".md"))]
    assert contents(tmp_path / "kept", wanted) == {
        "README.md": b"# Theirs\n",
        "pkg/a.py": b"A = 1\n",
    }
    # nothing of theirs is a file here
    kept = {name for _, _, names in os.walk(tmp_path / "kept") for name in names}
    assert not kept & {"README.md", "a.py", "big.bin"}
    assert snapshot(tmp_path / "kept", found.commit) == found


def test_a_second_visit_finds_what_is_new_and_any_rev(theirs, tmp_path):
    first = visit(tmp_path / "kept", address(theirs))
    assert visit(tmp_path / "kept", address(theirs)) == first
    (theirs / "pkg" / "a.py").write_text("A = 2\n")
    git(theirs, "commit", "-q", "-a", "--amend", "-m", "Two")
    second = visit(tmp_path / "kept", address(theirs))
    assert second.commit != first.commit
    changed = set(second.files) - set(first.files)
    assert contents(tmp_path / "kept", changed) == {"pkg/a.py": b"A = 2\n"}
    for rev in ("v1", "main", first.commit):
        assert visit(tmp_path / "kept", address(theirs, rev)).commit == git(
            theirs, "rev-parse", rev
        )


def test_what_cannot_be_had_says_why_and_what_to_do(theirs, tmp_path):
    kept = tmp_path / "kept"
    with pytest.raises(
        GitError, match="it has no gone: name a branch, a tag or a commit"
    ):
        visit(kept, address(theirs, "gone"))
    short = git(theirs, "rev-parse", "--short=8", "HEAD")
    with pytest.raises(GitError, match="write all 40 digits"):
        visit(kept, address(theirs, short))
    with pytest.raises(GitError, match="check the address"):
        visit(kept, Address("a/b", f"file://{tmp_path}/none"))


def test_another_protocol_than_that_of_the_address_is_not_spoken(theirs, tmp_path):
    # as a redirect or a setting of theirs would have it
    config = tmp_path / "config"
    config.write_text(f'[url "file://{theirs}"]\n insteadOf = https://x.example/a\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        with pytest.raises(GitError, match="not allowed"):
            visit(tmp_path / "kept", Address("a/a", "https://x.example/a"))
