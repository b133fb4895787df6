r"""LaTeX comes out as a reader of the printed paper sees it, whatever is thrown at it."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.chunk import chunks_of_document
from loopgraph_git.library.document import read_document, read_files
from loopgraph_git.records.texts import HIDDEN
from tests.library import papers
from tests.library.papers import words
from tests.library.test_unpack import tarball, zipped


def recovered(seen: str, found: str) -> float:
    wanted, got = Counter(words(seen)), Counter(words(found))
    return (wanted & got).total() / wanted.total()


def read(text: str, **files: str) -> str:
    """Return the text of a LaTeX document with a given body."""
    whole = rf"\documentclass{{article}}\begin{{document}}{text}\end{{document}}"
    named = {f"{name}.tex": content.encode() for name, content in files.items()}
    document = read_files({"main.tex": whole.encode(), **named}, "paper")
    return "\n\n".join(part.text for part in document.sections)


def test_a_paper_comes_out_with_its_words_in_the_order_of_its_sections():
    document = read_files(papers.source(), "paper.tar.gz")
    assert document.kind == "latex"
    assert document.title == "Orthogonal updates for small models"
    assert document.authors == "Ada Lovelace, Gödel, Kurt"
    assert document.year == 2025
    places = [part.place for part in document.sections]
    assert places == [place for place, _ in papers.SEEN[1:]]
    texts = [document.abstract, *(part.text for part in document.sections)]
    for (place, seen), text in zip(papers.SEEN, texts, strict=True):
        assert recovered(seen, text) >= 0.98, place
        assert recovered(text, seen) >= 0.9, place
    everything = " ".join(seen for _, seen in papers.SEEN)
    assert recovered(everything, " ".join(texts)) >= 0.98
    assert "Nothing" not in " ".join(texts)
    assert "Hidden" not in " ".join(texts)
    assert document.left_out == ()


def test_what_is_written_is_what_is_read():
    document = read_files(papers.source(), "paper.tar.gz")
    text = {part.place: part.text for part in document.sections}
    assert (
        'It costs 5% less [see, jordan2024, keller, p. 3] than "AdamW"'
        in (text["1 Introduction"])
    )
    assert text["1 Introduction"].endswith("\n\nWe tried twice as often.")
    assert "θ_{t+1} = θ_t - η ∇ L(θ) where η/2 decays" in text["Notation"]
    assert "$$\narg min_θ ∑_{i=1}^n L_i(θ) + λ ‖ θ ‖^2\n$$" in text["Notation"]
    assert "- First orthogonalize,\n- then scale the update." in text["2.1 Algorithm"]
    assert "```\nx = newton_schulz(grad)  % kept as it is\n```" in text["2.1 Algorithm"]
    assert "Optimizer | Loss\nAdamW | 3.28\nMuon | 3.21" in text["3 Results"]
    assert "Table 1: Validation loss by optimizer." in text["3 Results"]
    assert "Lemma (Descent). The update descends." in text["A Proofs"]
    assert "See Section 2 and Table 1." in text["A Proofs"]
    assert [part.kind for part in document.sections][-1] == "references"


def test_a_tarball_a_gzipped_file_and_a_plain_one_say_the_same():
    files = papers.source()
    data = tarball(*files.items())
    assert read_document(data, "2501.00001") == read_files(files, "2501.00001")
    assert read_document(zipped(*files.items()), "2501.00001").kind == "latex"
    one = papers.MAIN.replace(r"\bibliography{refs}", "").encode()
    plain = read_document(one, "main.tex")
    assert read_document(gzip.compress(one), "main.tex.gz") == plain
    assert plain.left_out == (
        "sections/method: asked for, but not in the source",
        "sections/results: asked for, but not in the source",
    )


def test_the_paper_is_found_among_what_came_with_it():
    other = (
        r"\documentclass{article}\begin{document}Response to reviewers.\end{document}"
    )
    part = r"\documentclass[main]{subfiles}\begin{document}Inner text.\end{document}"
    paper = (
        r"\documentclass{article}\title{T}\begin{document}\subfile{sub/part}"
        r"\section{One}x\end{document}"
    )
    files = {"letter.tex": other, "sub/part.tex": part, "zz.tex": paper}
    document = read_files({k: v.encode() for k, v in files.items()}, "paper")
    assert document.title == "T"
    assert document.sections[0].text == "Inner text."


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (r"\newcommand{\a}[2][x]{#1-#2}\a{y} \a[z]{y}", "x-y z-y"),
        (r"\def\a#1#2{#2#1}\a bc", "cb"),
        (r"\let\old\emph\renewcommand{\emph}[1]{\old{#1}}\emph{kept}", "kept"),
        (r"\newcommand{\be}{\begin{equation}}\newcommand{\ee}{\end{equation}}\be x\ee",
         "$$\nx\n$$"),
        (r"\iffalse no \iftrue no \fi \else yes \fi end", "yes end"),
        (r"\c{c}\'e\"{o}\v{s}\aa\ss{} \^{\i}", "çéöšåß î"),
        ("a % b\n  c%d\n\ne", "a c\n\ne"),
        (r"\verb|\x{%}| and \url{http://a.b/c_d%e}", r"\x{%} and http://a.b/c_d%e"),
        (r"\begin{tabular}{l}a & b \\[2pt] \multicolumn{2}{c}{c} \\\hline\end{tabular}",
         "a | b\nc"),
        (r"\NewDocumentCommand{\x}{m O{d}}{#1}\x{a}[b] c", "a c"),
        (r"$\frac{a+b}{\sqrt{2}}$, \(x\), $\text{if } y$", "(a+b)/√2, x, if y"),
        (r"\[ \begin{aligned} a &= b \\ c &= d \end{aligned} \]", "$$\na = b\nc = d\n$$"),
        (r"\unknown{kept} \unknown[x]{kept} [not an option]",
         "kept kept [not an option]"),
        (r"\href{http://x}{text} \vspace*{2em}here \hskip 2pt there", "text here there"),
        (r"``quoted'' --- `once' -- don't", "\"quoted\" \u2014 'once' \u2013 don't"),
        (r"\section{A}\label{a}\autoref{a}, \ref{a} and \cref{none}",
         "Section 1, 1 and [none]"),
        (r"\newcommand*\c[1]{\tikz[x=y]{\node[draw,inner sep=4pt] (a) {#1};}}Step \c{1}",
         "Step 1"),
        (r"\tikz \draw (0,0) -- (1,1); then", "then"),
        (r"\tikzstyle{box} = [draw=black, fill=red] text \hrule height 1pt end",
         "text end"),
        (r"$\llbracket x \rrbracket \coloneqq y$", "⟦ x ⟧ ≔ y"),
        (r"\textbf{un\-break\-able} ca\~non", "unbreakable cañon"),
    ],
)  # fmt: skip
def test_what_is_often_written(written, seen):
    assert read(written) == seen


def test_a_drawing_around_text_is_only_a_frame():
    text = r"\begin{minipage}{2cm}A claim.\end{minipage}"
    drawing = (
        rf"\begin{{tikzpicture}}\node (b) {{{text}}};\node {{x}};\end{{tikzpicture}}"
    )
    assert read(f"{drawing} end") == "A claim.\n\nend"


def test_files_that_ask_for_each_other_come_to_an_end():
    assert read(r"\input{a}", a=r"one \input{b}", b=r"two \input{a}").startswith(
        "one two"
    )
    assert read(r"\input{main} here") == "here"


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    [
        r"\def\a{\a\a}\a after",
        r"\def\a{x\b}\def\b{\a y}\a after",
        r"\newcommand{\a}[1]{#1#1#1#1}" + r"\a{" * 20 + "x" + "}" * 20 + " after",
        r"\section{" * 3000 + "after",
        "{" * 100_000 + "after",
        "$" * 100_001 + "after",
        r"\begin{verbatim}" * 3000 + "after",
        r"\footnote{" * 2000 + "}" * 2000 + " after",
        r"$\frac{" * 2000 + "after",
        r"\cite[" * 5000 + "after",
        r"\begin{figure}" * 300 + "after",
        r"\verb|" * 3001 + "after",
    ],
)
def test_what_never_ends_takes_a_moment(text):
    started = time.process_time()
    with suppress(DocumentError):
        read(text)
    assert time.process_time() - started < 5


PIECES = st.sampled_from(
    [
        r"\documentclass{a}",
        r"\begin{document}",
        r"\end{document}",
        r"\section{",
        r"\section*",
        r"}",
        r"{",
        r"$",
        r"$$",
        r"\(",
        r"\[",
        r"\]",
        r"&",
        r"%",
        r"#",
        r"#1",
        r"#2",
        r"^",
        r"_",
        r"~",
        r"[",
        r"]",
        r"\\",
        r"\def\a",
        r"\def\a#1",
        r"\newcommand{\a}",
        r"\renewcommand\a[1]",
        r"\a",
        r"\let\a\b",
        r"\b",
        r"\begin{figure}",
        r"\end{figure}",
        r"\caption{",
        r"\footnote{",
        r"\cite{",
        r"\cite[",
        r"\ref{x}",
        r"\label{x}",
        r"\begin{equation}",
        r"\end{equation}",
        r"\begin{tabular}",
        r"\end{tabular}",
        r"\item",
        r"\title{",
        r"\author{",
        r"\and",
        r"\begin{abstract}",
        r"\end{abstract}",
        r"\verb|",
        r"\begin{verbatim}",
        r"\end{verbatim}",
        r"\input{a}",
        r"\input{main}",
        r"\include",
        r"\ifx",
        r"\iffalse",
        r"\else",
        r"\fi",
        r"\newif\ifa",
        r"\atrue",
        r"\frac{",
        r"\sqrt[",
        r"\left(",
        r"\right.",
        r"\text{",
        r"\'",
        r"\"{o}",
        r"\c",
        r"\newenvironment{e}",
        r"\begin{e}",
        r"\end{e}",
        r"\csname",
        r"\endcsname",
        r"\@ifnextchar",
        r"\bibitem{k}",
        r"\begin{thebibliography}{9}",
        r"\appendix",
        r"word",
        r"\chapter{",
        r"\part",
        r"\usepackage{a}",
        r"\multicolumn{2}{c}{x}",
        r"\hskip",
        r"\url{",
        r"\href{",
    ]
) | st.sampled_from(["\n", "\n\n", " ", "\0", "é", "\ud800", "\x1b[2J"])


@given(st.lists(PIECES, max_size=40).map("".join), st.booleans())
def test_any_latex_is_a_document_or_the_one_error(text, whole):
    if whole:
        text = rf"\documentclass{{article}}\begin{{document}}{text}"
    files = {"main.tex": text, "a.tex": text[::2], "a.sty": text[1:]}
    data = {path: t.encode("utf-8", "surrogatepass") for path, t in files.items()}
    with suppress(DocumentError):
        document = read_files(data, "paper")
        chunks = chunks_of_document(document, "p")
        assert all(chunk.body.strip() for chunk in chunks)
        assert not any(HIDDEN.search(chunk.body + chunk.title) for chunk in chunks)


def test_the_style_of_a_conference_is_no_part_of_the_paper():
    style = r"""
\renewcommand{\footnotesize}{\@setfontsize\footnotesize\@ixpt\@xpt
  \abovedisplayskip 6\p@ \@plus 2\p@}
\renewenvironment{table}{\setlength{\abovecaptionskip}{1pt}\@float{table}}{\end@float}
"""
    text = r"""\documentclass{article}\usepackage[final]{neurips_2023}\begin{document}
Before. {\footnotesize Small.} After.
\begin{figure}\caption{Seen.}\end{figure}
\begin{table}\caption{Counted.}\label{t}\end{table} See \autoref{t}.
\end{document}"""
    files = {"main.tex": text.encode(), "neurips_2023.sty": style.encode()}
    document = read_files(files, "paper")
    assert document.left_out == ()
    assert document.year == 2023
    assert document.sections[0].text.split("\n\n") == [
        "Before. Small. After. See Table 1.",
        "Figure 1: Seen.",
        "Table 1: Counted.",
    ]
