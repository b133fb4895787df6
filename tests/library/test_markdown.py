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


def test_the_front_of_a_paper_says_who_wrote_it_in_several_ways():
    page = """---
title: 'A tool: in Python'
tags:
  - Python
authors:
  - name: Ada Lovelace^[Corresponding author.]
    orcid: 0000-0002
    affiliation: "1, 2" # quoted
  - orcid: 0000-0003
    name: Bo Ek
affiliations:
 - name: University of Here
date: 11 October 2019
abstract: |
  First line,
  and the second.
---
# Summary
"""
    document = read_document(page.encode(), "paper.md")
    assert document.title == "A tool: in Python"
    assert (document.authors, document.year) == ("Ada Lovelace, Bo Ek", 2019)
    assert document.abstract == "First line, and the second."
    for front in ("author: [Ada, 'Bo Ek']", "author:\n- Ada\n- Bo Ek"):
        page = f"---\n{front}\n---\ntext"
        assert read_document(page.encode(), "a.md").authors == "Ada, Bo Ek"
    page = "# T\n\n**Authors**: Ada ([me](https://a.b))  \n**Date:** May 2026\n\n## One\n\n**Date:** 1999"
    document = read_document(page.encode(), "a.md")
    assert (document.authors, document.year) == ("Ada", 2026)


def test_a_title_may_be_html_and_the_heading_below_a_preface_is_none():
    page = b'<p><img></p>\n<h1 align="center">The <b>Tool</b></h1>\n\n## Use\n'
    assert read_document(page, "README.md").title == "The Tool"
    assert read_document(b"Text.\n\n## Use\n", "README.md").title == "README.md"


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
