"""A repository of others is taken in at a commit, and looked at again for a newer one."""

from __future__ import annotations

import pytest

from tests.conftest import git

MODEL = '''\
"""A model with gates."""


class MLP:
    """SwiGLU of two projections."""

    def forward(self, zebra):
        return zebra * self.gate(zebra)
'''


@pytest.fixture
def theirs(tmp_path):
    root = tmp_path / "their repo"
    (root / "vendor").mkdir(parents=True)
    (root / "README.md").write_text("# Theirs\nA repository about giraffes.\n")
    (root / "model.py").write_text(MODEL)
    (root / "vendor" / "x.py").write_text("elephant = 1")
    (root / "link.md").symlink_to("/etc/passwd")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


def chunks(client, words):
    hits = client.search(words, kinds=["chunk"], k=50)
    return [hit for hit in hits if hit.key.startswith("file:") and words in hit.why]


def test_a_repository_is_searched_by_definition(theirs, take, client):
    url = theirs.as_uri()
    (found,) = take(url)
    assert (str(found.came), found.key, found.how) == ("new", url, "code")
    assert found.version == git(theirs, "rev-parse", "HEAD")
    assert found.methods == {"swiglu": 1}
    assert chunks(client, "giraffes")
    (hit,) = chunks(client, "zebra")
    place = "SELECT place FROM chunks WHERE body LIKE '%zebra%'"
    assert client.store.db.column(place) == ["model.py:MLP"]
    assert hit.title
    assert not chunks(client, "elephant")


def test_what_changed_is_taken_in_and_the_rest_is_known(theirs, take, client):
    take(theirs)
    assert [str(item.came) for item in take(theirs)] == ["known"]
    (theirs / "README.md").write_text("# Theirs\nA repository about lions.\n")
    git(theirs, "commit", "-qam", "two")
    assert [str(item.came) for item in take(theirs.as_uri())] == ["newer"]
    assert chunks(client, "lions")
    assert not chunks(client, "giraffes")
    first = git(theirs, "rev-parse", "HEAD~1")
    git(theirs, "tag", "v1", first)
    assert [item.version for item in take(f"{theirs.as_uri()}@v1")] == [first]
    assert len(client.holdings.shelf.names()) == 2
    assert chunks(client, "lions")
    git(theirs, "reset", "-q", "--hard", "v1")
    assert [str(item.came) for item in take(theirs)] == ["newer"]
    assert chunks(client, "giraffes")


def test_a_repository_that_is_gone_is_named_and_what_was_read_stays(
    theirs, take, client, tmp_path
):
    take(theirs)
    url = theirs.as_uri()
    theirs.rename(tmp_path / "moved")
    found = take(url, f"{url}@v9", "https://example.com/none.pdf")
    assert [str(item.came) for item in found] == ["failed"] * 3
    assert url in found[0].error
    assert chunks(client, "giraffes")
    assert "save it, and give the file" in found[2].error


@pytest.mark.parametrize(
    "address",
    [
        "http://ada:hush@127.0.0.1:1/a/b",
        "http://ada:hu@sh@127.0.0.1:1/a/b.git",
        "http://ada:hush@127.0.0.1:1/a/b.pdf",
        "http://ada:hush@",
    ],
)
def test_a_password_is_never_said_of_what_fails(take, address):
    (item,) = take(address)
    said = f"{item.target} {item.error}"
    assert item.error
    assert "hush" not in said
    assert "ada" not in said
    assert "sh@" not in said
