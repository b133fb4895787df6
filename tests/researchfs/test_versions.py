"""Versions that are remembered: found by digest, and thrown away when they are damaged."""

from __future__ import annotations

import sqlite3

import pytest

from loopgraph_git.errors import StoreError, StoreKeptError
from loopgraph_git.researchfs.versions import Version, Versions

ONE = Version("p", "t", "code", "whole", "before", "change", "names", ("A 1 -> 2",))
OTHER = Version("p", "u", "code2", "whole2", "before", "change", "", ())


def test_versions_are_found_by_each_of_their_digests(tmp_path):
    with Versions.open(tmp_path / "new" / "v.db", scope="s") as known:
        known.put([ONE, OTHER, ONE], {"k": "said"})
        assert known.known() == {("p", "t"), ("p", "u")}
        assert known.alike(code="code") == known.alike(whole="whole") == [ONE]
        assert known.alike(change="change") == [ONE, OTHER]
        assert known.alike(names="") == []
        assert known.pieces(["k", "l"]) == {"k": "said"}
        known.set_stamp("1")
        known.set_stamp("2")
    with Versions.open(tmp_path / "new" / "v.db", scope="s") as again:
        assert again.alike(code="code") == [ONE]
        assert again.stamp() == "2"
    with Versions.open(tmp_path / "new" / "v.db", scope="other files") as other:
        assert other.known() == set()
        assert other.stamp() == ""


@pytest.mark.parametrize("harm", [b"no database, and long enough to be one" * 99, b"x"])
def test_a_file_that_cannot_be_read_is_made_anew(tmp_path, harm):
    path = tmp_path / "v.db"
    path.write_bytes(harm)
    with Versions.open(path, scope="s") as known:
        known.put([ONE], {})
        assert known.alike(code="code") == [ONE]


def test_a_file_of_another_version_is_made_anew(tmp_path):
    path = tmp_path / "v.db"
    with Versions.open(path, scope="s") as known:
        known.put([ONE], {})
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=99")
    other.close()
    with Versions.open(path, scope="s") as known:
        assert known.known() == set()


def test_who_waits_too_long_is_told_why(tmp_path):
    path = tmp_path / "v.db"
    with Versions.open(path, scope="s", busy_seconds=0.01) as known:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreKeptError, match="another process"):
            known.put([ONE], {})
        other.close()
    with pytest.raises(StoreError, match="cannot be used"):
        known.alike(code="code")


def test_a_folder_in_its_place_is_an_error_in_words(tmp_path):
    (tmp_path / "v.db").mkdir()
    with pytest.raises(StoreError, match=r"v\.db cannot be used"):
        Versions.open(tmp_path / "v.db", scope="s")
