"""What is on the shelf is whole, stays as it is, and is read without a network."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from loopgraph_git.errors import LibraryError
from loopgraph_git.library.section import Document, Section
from loopgraph_git.library.shelf import Shelf, Shelved, file_of
from loopgraph_git.records import Paper

DATA = b"\x1f\x8b source"
DOCUMENT = Document(
    title="Gates",
    authors="Ada",
    year=2020,
    abstract="We try gates.",
    sections=(Section("SwiGLU", 1, "It\n\nhelps. \u2028 ✓", "2 SwiGLU"),),
    kind="latex",
    left_out=("a figure",),
)


def entry(key="arxiv:2002.05202", version="v1", **words):
    return Shelved(
        **{
            "paper": Paper(key=key, title="Gates", version=version),
            "target": "arxiv:2002.05202",
            "how": "latex",
            "fetched": 1_700_000_000,
            "files": (file_of("source", "https://arxiv.org/e-print/x", DATA),),
            **words,
        }
    )


def inside(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "library")


def test_nothing_is_made_before_something_is_kept(shelf):
    assert (shelf.names(), shelf.entries(), shelf.state()) == ([], [], "")
    assert not shelf.folder.exists()


def test_an_entry_comes_back_as_it_was(shelf):
    kept = shelf.add(entry(), DOCUMENT, [DATA])
    assert re.fullmatch(r"arxiv-2002\.05202\.v1\.[0-9a-f]{8}", kept.name)
    (found,) = Shelf(shelf.folder).entries()
    assert found == entry()
    assert shelf.document(found) == DOCUMENT
    assert (shelf.folder / kept.name / "source").read_bytes() == DATA
    folder = shelf.folder / kept.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    plain = json.loads((folder / "entry.json").read_text())
    assert (plain["v"], plain["how"], plain["fetched"]) == (1, "latex", 1_700_000_000)
    assert plain["files"][0]["sha256"] == file_of("", "", DATA).sha256


def test_the_same_twice_is_one(shelf):
    shelf.add(entry(), DOCUMENT, [DATA])
    state = shelf.state()
    shelf.add(entry(), DOCUMENT, [DATA])
    assert len(shelf.names()) == 1
    assert shelf.state() == state != ""


def test_versions_are_kept_and_the_newest_is_last(shelf):
    for version in ("v10", "v1", "v2"):
        shelf.add(entry(version=version), DOCUMENT, [DATA])
    found = [item.paper.version for item in shelf.versions("arxiv:2002.05202")]
    assert found == ["v1", "v2", "v10"]
    assert shelf.versions("arxiv:2002.0520") == []


def test_a_better_text_takes_the_place_of_the_same_version(shelf):
    poor = replace(entry(), how="abstract", files=(), why="404")
    shelf.add(poor, DOCUMENT)
    shelf.add(replace(entry(), fetched=1_800_000_000), DOCUMENT, [DATA])
    assert [item.how for item in Shelf(shelf.folder).entries()] == ["latex"]
    assert inside(shelf.folder) == [".lock", shelf.names()[0]]


@pytest.mark.parametrize(
    "key",
    ["file:../../evil", "file:/etc/passwd", "file:a b\n\x1b[31m", "..", "x" * 400, "é"],
)
def test_no_key_leads_out_of_the_folder(shelf, key):
    kept = shelf.add(entry(key=key, version="../v"), DOCUMENT, [DATA])
    assert inside(shelf.folder.parent) == ["library"]
    assert kept.name in inside(shelf.folder)
    assert shelf.entries() == [entry(key=key, version="../v")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"v":1}',
        '{"v":2}',
        '{"v":1,"paper":3}',
        "\0",
        "9" * 5000,
    ],
)
def test_an_entry_that_cannot_be_read_is_passed_over(shelf, text):
    shelf.add(entry(), DOCUMENT, [DATA])
    (name,) = shelf.names()
    (shelf.folder / name / "entry.json").write_text(text)
    again = Shelf(shelf.folder)
    assert again.entries() == []
    assert again.damaged() == [name]


def test_a_text_that_cannot_be_read_is_named(shelf):
    kept = shelf.add(entry(), DOCUMENT, [DATA])
    for text in ("", "[]", '{"sections": 3}'):
        (shelf.folder / kept.name / "document.json").write_text(text)
        with pytest.raises(LibraryError, match=r"delete .*ingest arxiv:2002\.05202"):
            shelf.document(kept)


def test_other_folders_and_files_are_left_alone(shelf):
    shelf.folder.mkdir()
    (shelf.folder / "mine").mkdir()
    (shelf.folder / "notes.txt").write_text("")
    shelf.add(entry(), DOCUMENT, [DATA])
    assert len(shelf.names()) == 1
    assert (shelf.folder / "mine").is_dir()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "library").write_text("")
    with pytest.raises(LibraryError, match=r"library: .*nothing is kept of arxiv"):
        Shelf(tmp_path / "library").add(entry(), DOCUMENT, [DATA])


ADD = """
import os, sys
from pathlib import Path
from loopgraph_git.library import shelf
from tests.library.test_shelf import DATA, DOCUMENT, entry
written = shelf._write
def write(path, data):
    if path.endswith("entry.json"):
        print("here", flush=True)
        sys.stdin.read()
    written(path, data)
shelf._write = write
shelf.Shelf(Path(sys.argv[1])).add(entry(), DOCUMENT, [DATA])
"""


def test_what_a_killed_process_left_is_no_entry_and_goes(shelf):
    process = subprocess.Popen(
        [sys.executable, "-c", ADD, shelf.folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"here\n"
        (left,) = [name for name in inside(shelf.folder) if name != ".lock"]
        # while it writes, another does not take its folder away
        shelf.add(entry(version="v2"), DOCUMENT, [DATA])
        assert (shelf.folder / left / "document.json").exists()
        process.kill()
    assert len(shelf.names()) == 1
    assert (shelf.folder / left).exists()
    shelf.add(entry(version="v3"), DOCUMENT, [DATA])
    assert not (shelf.folder / left).exists()
    assert len(shelf.names()) == 2


def test_a_copy_of_the_shelf_is_the_same_shelf(shelf, tmp_path):
    shelf.add(entry(), DOCUMENT, [DATA])
    shutil.copytree(shelf.folder, tmp_path / "copy")
    copy = Shelf(tmp_path / "copy")
    assert (copy.state(), copy.entries()) == (shelf.state(), shelf.entries())
