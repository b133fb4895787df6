"""A repository is read file by file; Python by definition, and no line is lost."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.chunk import chunks_of_document
from loopgraph_git.library.python_text import sections_of_python
from loopgraph_git.library.repository import (
    FILE_LIMIT,
    chosen,
    read_repository,
    sections_of_file,
)

SOURCE = '''\
"""A module."""

import torch

DEPTH = 8


# why it is wide
@decorated
class MLP(nn.Module):
    """Two layers."""

    width = 4

    def __init__(self):
        pass

    # comes before
    def forward(self, x):
        """Square the rectified."""
        return F.relu(x).square()


def main(): return MLP()
if __name__ == "__main__":
    main()
'''


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def test_python_is_parted_by_definition():
    parts = sections_of_python(SOURCE, "train.py")
    assert [part.place for part in parts] == [
        "train.py",
        "train.py:MLP",
        "train.py:main",
        "train.py",
    ]
    assert parts[1].text.startswith("# why it is wide\n@decorated\nclass MLP")
    assert {part.kind for part in parts} == {"code"}


def test_a_long_class_is_parted_into_its_methods():
    long = SOURCE.replace("width = 4", "\n    ".join(f"w{n} = {n}" for n in range(400)))
    parts = sections_of_python(long, "train.py")
    assert [part.place for part in parts][1:4] == [
        "train.py:MLP",
        "train.py:MLP.__init__",
        "train.py:MLP.forward",
    ]
    assert parts[3].title == "MLP.forward"
    assert parts[3].text.startswith("    # comes before\n    def forward")


def test_what_is_not_python_is_text():
    (part,) = sections_of_python("def broken(:\n  1\n", "a.py")
    assert (part.place, part.text) == ("a.py", "def broken(:\n  1")


STDLIB = Path(os.__file__).parent


@pytest.mark.parametrize("name", ["ast", "argparse", "typing", "dataclasses", "this"])
def test_no_line_of_real_modules_is_lost(name):
    text = (STDLIB / f"{name}.py").read_text()
    parts = sections_of_python(text, f"{name}.py")
    assert lines("\n".join(part.text for part in parts)) == lines(text)
    document = read_repository({f"{name}.py": text.encode()}, "x")
    chunks = chunks_of_document(document, "github:a/b")
    assert "".join("".join(c.body for c in chunks).split()) == "".join(text.split())


@given(
    st.lists(
        st.sampled_from(
            ["def f():", "class A:", "    x = 1", "    def g(self):", "        return 1",
             "# note", "@d", "", "\f", "x = '''", "'''", "async def h(): pass", "if x:"]
        )
        | st.text(max_size=20),
        max_size=30,
    ).map("\n".join)
)  # fmt: skip
def test_no_line_of_any_text_is_lost(text):
    parts = sections_of_file("a.py", text.encode("utf-8", "surrogatepass"))
    for part in parts:
        assert part.text.strip()
    if text.isascii() and text.isprintable():
        assert lines("\n".join(part.text for part in parts)) == lines(text)
    with suppress(DocumentError):
        read_repository({"README.md": text.encode("utf-8", "replace")}, "x")


def test_what_is_worth_reading_is_told_by_name_and_size():
    sizes = {
        "README.md": 10, "LICENSE": 10, "docs/guide.md": 10, "pkg/a.py": 10,
        "pkg/data.json": 10, "vendor/b.py": 10, "x/node_modules/y/README.md": 10,
        "big.py": FILE_LIMIT + 1, "notes.txt": 10, "logo.png": 10, "pkg/README.txt": 9,
    }  # fmt: skip
    assert chosen(sizes) == (
        ["README.md", "LICENSE", "docs/guide.md", "pkg/README.txt", "pkg/a.py"],
        ("big.py: larger than 512 kB",),
    )


def test_a_repository_is_one_document_with_the_readme_first():
    document = read_repository(
        {
            "pkg/a.py": SOURCE.encode(),
            "README.md": b"Intro.\n\n# Use\n\nRun it.\n",
            "LICENSE": b"\nMIT License\n\nCopyright (c) 2026 Ada\n\nPermission is",
            "docs/b.md": b"# Deep\n\nx\n",
        },
        "ada/thing",
    )
    assert (document.title, document.kind) == ("ada/thing", "code")
    assert [part.place for part in document.sections[:4]] == [
        "README.md",
        "README.md: Use",
        "LICENSE",
        "docs/b.md: Deep",
    ]
    assert document.sections[2].text.startswith("MIT License\nCopyright (c) 2026 Ada")
    with pytest.raises(DocumentError, match="ada/none has no README"):
        read_repository({"a.py": b"\n"}, "ada/none")
