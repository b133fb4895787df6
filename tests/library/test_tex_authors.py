r"""The names in `\author` are names, whatever a style writes around them."""

from __future__ import annotations

import pytest

from loopgraph_git.library.document import read_files


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (r"Ada Lovelace\thanks{Equal.} \\ A University \\ \texttt{a@b.org} \And Bo Ek",
         "Ada Lovelace, Bo Ek"),
        (r"Ada Lovelace$^{1,2}$\hspace{2mm} Bo Ek$^1$ \\ $^1$Here",
         "Ada Lovelace, Bo Ek"),
        (r"Ada Lovelace*$^2$ \hspace{1em} Bo Ek$^1$ \\ Cy Dee$^1$ \quad Di \\ $^1$Here",
         "Ada Lovelace, Bo Ek, Cy Dee, Di"),
        (r"Ada Lovelace, Bo Ek,\\ Cy Dee\\ Twitter", "Ada Lovelace, Bo Ek, Cy Dee"),
        (r"\IEEEauthorblockN{Ada} \IEEEauthorblockA{Computing\\ London}", "Ada"),
        (r"\IEEEauthorblockN{Bo Ek\IEEEauthorrefmark{1}, \\ Cy Dee}", "Bo Ek, Cy Dee"),
        (r"Ada Lovelace$^1$\\ Stanford\\ $^1$Lead", "Ada Lovelace"),
        (r"Ada~L.,~\IEEEmembership{Member,~IEEE,} and~Bo~Ek\thanks{A. is with B.}",
         "Ada L, Bo Ek"),
        (r"\name", "Ada Lovelace, Bo Ek"),
        (r"Ada\textsuperscript{1} \& Bo Ek\textsuperscript{2}", "Ada, Bo Ek"),
    ],
)  # fmt: skip
def test_names_are_told_from_what_stands_beside_them(written, names):
    text = (
        r"\documentclass{article}\newcommand{\name}{Ada Lovelace\,$^{*,1}$, Bo Ek$^2$}"
        rf"\title{{T}}\author{{{written}}}\begin{{document}}Text.\end{{document}}"
    )
    assert read_files({"main.tex": text.encode()}, "paper").authors == names
