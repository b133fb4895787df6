"""Folders for temporary files go with their run, or when somebody finds them."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from loopgraph_git.loop.scratch import abandoned, clear, scratch_folder

LEND = """
import sys
from loopgraph_git.loop.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "checkpoint").write_bytes(bytes(1000))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def other(temporary):  # noqa: ARG001  it is in its environment
    """Return a process that has a folder, as soon as it has one."""
    with subprocess.Popen(
        [sys.executable, "-c", LEND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_a_folder_is_empty_and_goes_with_all_that_is_in_it(temporary):
    with scratch_folder() as folder:
        assert list(folder.iterdir()) == []
        (folder / "some").mkdir()
        (folder / "some" / "file").write_text("x")
    assert list(temporary.iterdir()) == []


def test_what_is_in_use_is_left_alone(temporary, other):
    clear()
    assert [path.name for path in temporary.glob("*/scratch/*")] == ["checkpoint"]
    other.stdin.close()
    other.wait()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed(temporary, other):
    other.kill()
    other.wait()
    assert len(abandoned()) == 1
    clear()
    assert list(temporary.iterdir()) == []


def test_what_only_has_the_name_is_left_alone(temporary, tmp_path):
    (temporary / "loopgraph-run-mine").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "in-use").touch()
    (temporary / "loopgraph-run-link").symlink_to(tmp_path / "elsewhere")
    clear()
    assert (tmp_path / "elsewhere" / "in-use").exists()
    assert (temporary / "loopgraph-run-mine").is_dir()


def test_gc_removes_it_and_says_so(toy, other):
    other.kill()
    other.wait()
    told = toy.json("gc", "--dry-run")
    assert [item["kind"] for item in told["removed"]] == ["scratch"]
    assert "removed 1 folder of a killed run" in toy.lg("gc").stdout
    assert abandoned() == []
