"""Passages keep every word, in order, with the place it comes from."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.library.chunk import SIZE, SOLID_LIMIT, chunks_of_document, packed
from loopgraph_git.library.document import Document, Section

SENTENCE = "The rate of {n} is warmed up over the first steps, then it decays to zero."


def document(*sections: Section, abstract: str = "") -> Document:
    return Document("On rates", "A. Author", 2024, abstract, sections, "text")


def words(text: str) -> list[str]:
    return re.findall(r"\S+", text)


def prose(n: int) -> str:
    return " ".join(SENTENCE.format(n=number) for number in range(n))


def test_a_section_is_packed_by_paragraphs_and_never_reaches_over():
    parts = [
        Section(
            "Introduction", 1, f"{prose(4)}\n\n{prose(6)}\n\n{prose(5)}", "1 Intro"
        ),
        Section("Method", 1, "Short.", "2 Method"),
    ]
    chunks = chunks_of_document(document(*parts, abstract="What it says."), "arxiv:1")
    assert [chunk.ord for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.place for chunk in chunks] == [
        "Abstract",
        "1 Intro",
        "1 Intro",
        "2 Method",
    ]
    assert chunks[1].body == f"{prose(4)}\n\n{prose(6)}"
    assert {chunk.paper for chunk in chunks} == {"arxiv:1"}
    assert [chunk.kind for chunk in chunks] == ["abstract", "text", "text", "text"]


def test_a_long_paragraph_is_cut_between_sentences():
    found = packed(prose(40))
    assert len(found) > 2
    assert all(body.endswith("zero.") and len(body) <= SIZE for body in found)


def test_code_and_formulas_stay_whole_until_they_are_far_too_long():
    code = "```python\nx = 1\n\n\ny = 2\n" + "z = 3\n" * 180 + "```"
    formula = "$$\na = b\n\n+ c\n$$"
    assert len(code) < SOLID_LIMIT
    found = packed(f"{prose(11)}\n\n{code}\n\n{formula}\n\nAfter it.")
    assert found == [prose(11), code, f"{formula}\n\nAfter it."]
    longer = "```\n" + "value = 12345\n" * 300 + "```"
    assert all(len(body) <= SIZE + 40 for body in packed(longer))
    assert words("\n".join(packed(longer))) == words(longer)


def test_a_file_of_code_is_one_passage_while_it_is_short():
    section = Section("MLP", 1, "class MLP:\n\n    x = 1\n", "t.py:MLP", "code")
    (chunk,) = chunks_of_document(document(section), "github:a/b")
    assert (chunk.kind, chunk.place, chunk.title) == ("code", "t.py:MLP", "MLP")
    assert chunk.body == "class MLP:\n\n    x = 1"


MARKS = ["", "```", "~~~", "$$", "$$ x $$", "    indented", "Word. Another one.", "é"]
LINES = st.sampled_from(MARKS) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=60
)


@given(
    st.lists(LINES, max_size=60).map("\n".join)
    | st.text("ab. \n`$", max_size=4000)
    | st.just("x" * 9000)
)
def test_no_word_is_lost_and_none_changes_place(text):
    section = Section("T", 1, text, "1 T")
    for kind in ("text", "code"):
        part = Section(section.title, 1, text, "1 T", kind)
        found = chunks_of_document(document(part), "p")
        joined = "\n".join(chunk.body for chunk in found)
        # only a word longer than any passage may be cut
        assert "".join(words(joined)) == "".join(words(text))
        if len(max(words(text), key=len, default="")) <= SIZE:
            assert words(joined) == words(text)
        assert all(len(chunk.body) <= SOLID_LIMIT for chunk in found)
        assert all(chunk.body.strip() for chunk in found)
