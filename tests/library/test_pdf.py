"""A PDF comes out as text in reading order, whoever drew it, and hostile ones end."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.document import read_document
from loopgraph_git.library.pdf import read_pdf
from tests.library import papers
from tests.library.papers import prose
from tests.library.pdfs import Layout, Row, interleaved, pdf
from tests.library.test_latex import recovered

SECTIONS = (
    ("Abstract", "", prose(11, 5)),
    (
        "1 Introduction",
        "1",
        "We find an efficient first fluent office. " + prose(12, 20),
    ),
    ("2 Method", "2", prose(13, 14)),
    ("2.1 Scaling the update", "2.1", prose(14, 24)),
    ("3 Results", "3", prose(15, 20)),
    ("References", "", "[1] K. Jordan. Orthogonal momentum. 2024."),
)


def paper() -> Layout:
    layout = Layout()
    layout.title("Orthogonal updates for small models")
    layout.row("Ada Lovelace and Kurt Godel")
    for title, _, text in SECTIONS:
        layout.heading(title)
        halves = text.partition(". ") if title == "1 Introduction" else (text, "", "")
        layout.paragraph(halves[0] + halves[1].strip())
        if halves[2]:
            layout.paragraph(halves[2])
    return layout


@pytest.mark.parametrize("order", [list, interleaved])
def test_a_paper_comes_out_with_its_words_in_the_order_of_its_sections(order):
    pages = [order(page) for page in paper().pages]
    assert len(pages) > 1
    document = read_document(pdf(pages), "paper.pdf")
    assert document.kind == "pdf"
    assert document.title == "Orthogonal updates for small models"
    assert document.authors == "Ada Lovelace, Kurt Godel"
    places = [part.place for part in document.sections if part.place]
    assert places == [title for title, _, _ in SECTIONS[1:]]
    assert [part.level for part in document.sections if part.place] == [1, 1, 2, 1, 1]
    texts = [document.abstract, *(p.text for p in document.sections if p.place)]
    for (title, _, seen), text in zip(SECTIONS, texts, strict=True):
        assert recovered(seen, text) >= 0.98, title
        assert recovered(text, seen) >= 0.98, title
    assert "Preprint" not in " ".join(texts)
    assert document.sections[-1].kind == "references"
    assert "efficient first fluent office.\n\n" in texts[1]


def test_large_words_in_a_figure_are_no_section_of_a_numbered_paper():
    layout = Layout()
    layout.title("Orthogonal updates for small models")
    for title in ("1 Introduction", "2 Method", "3 Results", "Thanks to all"):
        layout.heading(title)
        layout.paragraph(prose(len(title), 12))
        layout.row("Tokens per second", size=14)
        layout.paragraph("The text goes on.")
    document = read_document(pdf(layout.pages), "paper.pdf")
    places = [part.place for part in document.sections if part.place]
    assert places == ["1 Introduction", "2 Method", "3 Results", "Thanks to all"]
    assert "Tokens per second" in document.sections[-1].text
    assert document.sections[-1].text.endswith("The text goes on.")


def test_words_cut_at_the_end_of_a_line_are_whole_again():
    rows = [
        "We use state-of-the-art meth-",
        "ods for pre-training, a well-",
        "known way;",
    ]
    rows += ["a well-known one: pretrain-", "ing of state-", "of-the-art models."]
    layout = Layout(head="")
    for text in rows:
        layout.row(text)
    document = read_document(pdf(layout.pages), "x.pdf")
    assert document.sections[0].text == (
        "We use state-of-the-art methods for pre-training, a well-known way; a "
        "well-known one: pretraining of state-of-the-art models."
    )


def test_a_footnote_does_not_tear_a_sentence():
    layout = Layout(head="")
    layout.paragraph(prose(3, 4))
    layout.row("This sentence is not")
    layout.row("A footnote below.", size=7)
    layout.y = 0
    layout.row("at its end.")
    document = read_document(pdf(layout.pages), "x.pdf")
    assert "This sentence is not at its end.\n\nA footnote below." in (
        document.sections[0].text
    )


def test_accents_that_are_drawn_apart_come_to_their_letters():
    layout = Layout(head="")
    layout.row("G\u00a8odel, Fran\u00b8cois, na\u00a8ive, \u02c6Ile \u00b4elan")
    document = read_document(pdf(layout.pages), "x.pdf")
    assert (
        document.sections[0].text
        == "G\u00f6del, Fran\u00e7ois, na\u00efve, \u00cele \u00e9lan"
    )


def test_the_outline_tells_headings_that_look_like_text():
    layout = Layout(head="")
    for title in ("Of rates", "Of batches"):
        layout.row(title)
        layout.paragraph(prose(3, 3))
    data = pdf(layout.pages, outline=("Of rates", "Of batches"))
    document = read_document(data, "x.pdf")
    assert [part.title for part in document.sections] == ["Of rates", "Of batches"]


def test_what_the_file_says_of_itself_is_used_where_the_page_says_less():
    layout = Layout()
    layout.paragraph(prose(3, 3))
    info = "/Title (On rates) /Author (Ada Lovelace; Kurt G\\366del)"
    document = read_document(pdf(layout.pages, info=info), "x.pdf")
    assert (document.title, document.authors) == (
        "On rates",
        "Ada Lovelace, Kurt Gödel",
    )


def test_a_pdf_without_text_says_what_to_do():
    with pytest.raises(
        DocumentError, match=r"scan\.pdf has no text in it.*recognition"
    ):
        read_document(pdf([[], []]), "scan.pdf")


def test_a_locked_pdf_says_what_to_do():
    whole = pdf([[Row("secret", 54, 400)]])
    for password, opens in (("x", False), ("", True)):
        copy = PdfWriter(clone_from=PdfReader(io.BytesIO(whole)))
        copy.encrypt(password, "owner", algorithm="RC4-128")
        out = io.BytesIO()
        copy.write(out)
        if opens:
            document = read_document(out.getvalue(), "locked.pdf")
            assert document.sections[0].text == "secret"
        else:
            with pytest.raises(DocumentError, match=r"locked\.pdf is locked by a pass"):
                read_document(out.getvalue(), "locked.pdf")


def test_a_damaged_pdf_is_read_as_far_as_it_goes_or_says_so():
    whole = pdf(paper().pages)
    with pytest.raises(DocumentError, match=r"cut\.pdf cannot be read as a PDF"):
        read_document(whole[:400], "cut.pdf")
    # where the table of its objects is wrong, they are still found
    table = whole.index(b"startxref")
    document = read_document(whole[:table] + b"startxref\n7\n%%EOF\n", "x.pdf")
    assert recovered(SECTIONS[3][2], document.sections[3].text) >= 0.98


WHOLE = pdf(paper().pages[:1])


@given(
    st.lists(
        st.tuples(
            st.integers(9, len(WHOLE)),
            st.binary(max_size=12)
            | st.sampled_from(
                [b"/Kids [2 0 R]", b"/Count -1", b"<<", b">>", b"0 R", b"]"]
            ),
            st.integers(0, 30),
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_any_bytes_are_a_document_or_the_one_error(changes, grows):
    data = bytearray(WHOLE)
    for place, new, cut in changes:
        data[place : place + (cut if grows else len(new))] = new
    with suppress(DocumentError):
        read_document(bytes(data), "x.pdf")


@given(
    st.binary(max_size=300) | st.binary(max_size=99).map(lambda data: b"%PDF-" + data)
)
def test_any_file_is_a_document_or_the_one_error(data):
    with suppress(DocumentError):
        read_document(data, "any")


def test_what_takes_too_long_is_left_out():
    whole = pdf(paper().pages)
    with pytest.raises(
        DocumentError, match=r"x has no text .*from page 1 on: it takes"
    ):
        read_pdf(whole, "x", seconds=0)
    assert not read_pdf(whole, "x").left_out


@pytest.mark.long
def test_a_page_that_draws_for_ever_is_left_out():
    pages = [*paper().pages[:1], [Row("x " * 11_000_000, 54, 400)]]
    started = time.process_time()
    document = read_document(pdf(pages), "x.pdf")
    assert document.left_out == (f"page {len(pages)}: its drawing is too large",)
    assert time.process_time() - started < 10


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_what_latex_prints_comes_out_as_what_its_source_says(tmp_path):
    files = papers.source()
    del files["figures/curve.pdf"]
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(
            content.replace(
                rb"\includegraphics[width=0.5\textwidth]{figures/curve}", b""
            )
        )
    # what the smallest TeX has
    preamble = rb"""\usepackage{xspace,amsmath,natbib,verbatim,color}
    \newcommand{\toprule}{\hline}\newcommand{\midrule}{\hline}
    \newcommand{\bottomrule}{\hline}"""
    main = tmp_path / "main.tex"
    main.write_bytes(
        main.read_bytes().replace(
            rb"\usepackage{macros}", preamble + rb"\usepackage{macros}"
        )
    )
    for _ in range(2):
        subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "main.tex"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=60,
        )
    document = read_document((tmp_path / "main.pdf").read_bytes(), "main.pdf")
    assert document.title == "Orthogonal updates for small models"
    texts = {part.place: part.text for part in document.sections}
    assert [place for place in texts if place] == [p for p, _ in papers.SEEN[1:]]
    everything = " ".join([document.abstract, *texts.values()])
    # citations and signs print otherwise than they are written
    seen = " ".join([*papers.FILLED.values(), papers.SEEN[4][1]])
    assert recovered(seen, everything) >= 0.98
    for place, mark in (("1 Introduction", "INTRO"), ("2 The method", "METHOD")):
        assert recovered(papers.FILLED[mark], texts[place]) >= 0.98
