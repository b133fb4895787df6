"""Markdown is parted at its headings, and what looks like one in code is not."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.document import read_document

PAGE = b"""\
---
title: "Notes on rates"
authors: Ada
date: 2023-05-01
---
Before any heading.

# Warming up

Text with `# code` in it.

```sh
# not a heading
---
make
```

Setext, the other way
---------------------

- a list
---

After a rule.

### Deep ###
~~~
# nor this
"""


def test_a_page_is_parted_at_its_headings():
    document = read_document(PAGE, "docs/notes.md")
    assert document.kind == "markdown"
    assert document.title == "Notes on rates"
    assert (document.authors, document.year) == ("Ada", 2023)
    assert [(part.title, part.level) for part in document.sections] == [
        ("", 0),
        ("Warming up", 1),
        ("Setext, the other way", 2),
        ("Deep", 3),
    ]
    assert "# not a heading\n---\nmake" in document.sections[1].text
    assert document.sections[2].text == "- a list\n---\n\nAfter a rule."
    assert document.sections[3].text == "~~~\n# nor this"


def test_the_title_is_the_first_heading_or_the_name():
    assert read_document(b"## Two\n\nx\n\n# One\n", "a.md").title == "One"
    assert read_document(b"no heading", "a.md").title == "a.md"


def test_text_is_one_section_whatever_its_encoding():
    for data in ("Zoë".encode(), "Zoë".encode("utf-16"), "Zoë".encode("cp1252")):
        document = read_document(data, "notes.txt")
        assert document.kind == "text"
        assert [part.text for part in document.sections] == ["Zoë"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\x7fELF\0\0\0", "is not text"),
        (b"<!DOCTYPE html><html>", "is a web page"),
    ],
)
def test_what_is_no_document_is_refused_by_name(data, said):
    with pytest.raises(DocumentError, match=rf"notes\.txt {said}"):
        read_document(data, "notes.txt")
