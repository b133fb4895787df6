"""A file is written as a whole, and what was there is not lost."""

from __future__ import annotations

import os

import pytest

from loopgraph_git.errors import UsageError
from loopgraph_git.review.files import exchange_files, write_file


def test_an_existing_file_is_safe(tmp_path):
    path = tmp_path / "x"
    write_file(path, [b"a", b"b"])
    assert path.read_bytes() == b"ab"
    with pytest.raises(UsageError, match="--force"):
        write_file(path, [b"c"])
    assert path.read_bytes() == b"ab"
    path.chmod(0o600)
    write_file(path, [b"c"], force=True)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"c", 0o600)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    def broken():
        yield b"half"
        raise OSError(28, "No space left on device")

    path = tmp_path / "x"
    path.write_bytes(b"whole")
    with pytest.raises(OSError, match="space"):
        write_file(path, broken(), force=True)
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "to").write_bytes(b"a")
    (tmp_path / "x").symlink_to("to")
    with pytest.raises(UsageError):
        write_file(tmp_path / "x", [b"b"])
    write_file(tmp_path / "x", [b"b"], force=True)
    assert (tmp_path / "to").read_bytes() == b"b"
    assert (tmp_path / "x").is_symlink()


def test_what_is_no_file_is_never_written_over(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo):
        with pytest.raises(UsageError, match="is not a file"):
            write_file(path, [b""], force=True)
    with pytest.raises(UsageError, match="no folder"):
        write_file(tmp_path / "none" / "x", [b""])


@pytest.fixture
def pair(tmp_path):
    paths = [tmp_path / "a.py", tmp_path / "b.py"]
    for path in paths:
        path.write_bytes(b"old\r\n")
    return paths


def test_files_are_exchanged_and_keep_their_modes(pair):
    pair[0].chmod(0o750)
    exchange_files(dict.fromkeys(pair, (b"old\r\n", b"new")))
    assert [path.read_bytes() for path in pair] == [b"new", b"new"]
    assert pair[0].stat().st_mode & 0o777 == 0o750
    assert sorted(pair[0].parent.iterdir()) == pair


def test_what_was_changed_in_the_meantime_is_not_written_over(pair):
    pair[1].write_bytes(b"somebody else's")
    with pytest.raises(UsageError, match=r"b\.py was changed in the meantime"):
        exchange_files(dict.fromkeys(pair, (b"old\r\n", b"new")))
    assert pair[0].read_bytes() == b"old\r\n"
    assert pair[1].read_bytes() == b"somebody else's"


def test_one_that_cannot_be_written_puts_the_others_back(pair):
    # a folder stands where the second one's new text is to be written first
    taken = pair[1].with_name(f".b.py.{os.getpid()}")
    taken.mkdir()
    with pytest.raises(OSError, match=r"\.b\.py"):
        exchange_files(dict.fromkeys(pair, (b"old\r\n", b"new")))
    taken.rmdir()
    assert [path.read_bytes() for path in pair] == [b"old\r\n", b"old\r\n"]
    assert sorted(pair[0].parent.iterdir()) == pair
