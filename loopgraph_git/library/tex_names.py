r"""What LaTeX's commands stand for, as data: signs, accents, and arguments to drop.

A command that is not named here, and not defined by the paper, says nothing by itself;
what stands in its braces is read as text.
"""

# ruff: noqa: RUF001  signs that look like others are what this table is for

from __future__ import annotations

import unicodedata

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron "
    "pi rho sigma tau upsilon phi chi psi omega"
)
_SIGNS = r"""
le ≤ leq ≤ leqslant ≤ ge ≥ geq ≥ geqslant ≥ ne ≠ neq ≠ ll ≪ gg ≫ approx ≈ sim ~ simeq ≃
cong ≅ equiv ≡ propto ∝ in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ cup ∪
cap ∩ setminus ∖ emptyset ∅ varnothing ∅ forall ∀ exists ∃ neg ¬ lnot ¬ land ∧ wedge ∧
lor ∨ vee ∨ to → rightarrow → leftarrow ← gets ← leftrightarrow ↔ Rightarrow ⇒
Leftarrow ⇐ Leftrightarrow ⇔ implies ⇒ iff ⇔ mapsto ↦ longrightarrow → longmapsto ↦
uparrow ↑ downarrow ↓ times × div ÷ cdot · pm ± mp ∓ ast * star ⋆ circ ∘ bullet • odot ⊙
oplus ⊕ otimes ⊗ sum ∑ prod ∏ int ∫ iint ∬ oint ∮ partial ∂ nabla ∇ infty ∞ ell ℓ hbar ℏ
Re ℜ Im ℑ aleph ℵ angle ∠ perp ⊥ parallel ∥ mid | vert | lvert | rvert | Vert ‖ lVert ‖
rVert ‖ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ dagger † ddagger ‡ prime ′
dots … ldots … cdots … vdots ⋮ ddots ⋱ dotsc … dotsb … textellipsis … colon : lbrace {
rbrace } lbrack [ rbrack ] backslash \ triangle △ square □ Box □ checkmark ✓ cmark ✓
xmark ✗ top ⊤ bot ⊥ models ⊨ vdash ⊢ sqcup ⊔ sqcap ⊓ prec ≺ succ ≻ preceq ⪯ succeq ⪰
varepsilon ε vartheta ϑ varpi ϖ varrho ϱ varsigma ς varphi φ Vec ⃗
llbracket ⟦ rrbracket ⟧ vcentcolon : coloneqq ≔ eqqcolon ≕ xrightarrow → xleftarrow ←
leadsto ⇝ lesssim ≲ gtrsim ≳ doteq ≐ longleftrightarrow ↔ Longleftrightarrow ⇔
Longrightarrow ⇒ Longleftarrow ⇐ hookrightarrow ↪ twoheadrightarrow ↠ longleftarrow ←
bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ bigwedge ⋀ bigvee ⋁ triangleleft ◁
triangleright ▷ diamond ⋄ blacksquare ■ nmid ∤ subsetneq ⊊ supsetneq ⊋ ltimes ⋉ rtimes ⋊
"""
_TEXT_SIGNS = r"""
ss ß ae æ AE Æ oe œ OE Œ o ø O Ø l ł L Ł i i j j aa å AA Å dh ð DH Ð th þ TH Þ S § P ¶
copyright © textcopyright © pounds £ texteuro € euro € dag † ddag ‡ textendash – textemdash
— textbackslash \ textasciitilde ~ textasciicircum ^ textbar | textless < textgreater >
textunderscore _ textdegree ° degree ° textpm ± texttimes × textmu µ textregistered ®
texttrademark ™ textquotedblleft " textquotedblright " textquoteleft ' textquoteright '
textdollar $ textbullet • textperiodcentered · guillemotleft « guillemotright » dq "
TeX TeX LaTeX LaTeX LaTeXe LaTeX2e BibTeX BibTeX eg e.g. ie i.e. etal et~al.
"""


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def _greek() -> dict[str, str]:
    found = {}
    for name in _GREEK.split():
        letter = "LAMDA" if name == "lambda" else name.upper()
        found[name] = unicodedata.lookup(f"GREEK SMALL LETTER {letter}")
        found[name.capitalize()] = unicodedata.lookup(f"GREEK CAPITAL LETTER {letter}")
    return found


# what a paper may define as it likes, and else means this
SHORT = {"eg": "e.g.", "ie": "i.e.", "etal": "et al."}
TEXT_SIGNS = {**_pairs(_TEXT_SIGNS), **SHORT}
SIGNS = {**_greek(), **_pairs(_SIGNS), "|": "‖"}

ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308",
    "=": "\u0304", ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b",
    "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323", "b": "\u0331",
    "t": "\u0361",
}  # fmt: skip
MATH_ACCENTS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303",
    "bar": "\u0304", "overline": "\u0304", "vec": "\u20d7", "dot": "\u0307",
    "ddot": "\u0308", "check": "\u030c", "breve": "\u0306", "acute": "\u0301",
    "grave": "\u0300", "mathring": "\u030a", "underline": "\u0332",
}  # fmt: skip

SPACES = {
    "\\ ": " ", "\\,": " ", "\\;": " ", "\\:": " ", "\\>": " ", "\\\n": " ", "\\\t": " ",
    "\\!": "", "\\/": "", "\\-": "", "\\@": "", "\\+": "", "\\(": "", "\\)": "",
    "\\quad": " ", "\\qquad": " ", "\\enspace": " ", "\\space": " ", "\\hfill": " ",
    "\\hfil": " ", "\\thinspace": " ", "\\enskip": " ", "\\xspace": "", "\\null": "",
    "\\tabularnewline": "\n", "\\newline": "\n", "\\linebreak": "\n", "\\cr": "\n",
}  # fmt: skip

# how the arguments of a command are read: o drops an optional one, O the same in
# parentheses, d drops one in braces; what follows is text. A word in `BARE` is dropped
# with all of the dimension that may follow it.
ARGUMENTS = {
    "label": "d", "index": "d", "glossary": "d", "vspace": "d", "hspace": "d",
    "includegraphics": "ood", "includesvg": "od", "epsfig": "d", "epsfbox": "d",
    "psfig": "d", "plotone": "d", "includepdf": "od", "animategraphics": "oddd",
    "usepackage": "od", "RequirePackage": "odo", "documentclass": "od",
    "documentstyle": "od", "PassOptionsToPackage": "dd", "PassOptionsToClass": "dd",
    "hypersetup": "d", "geometry": "d", "lstset": "d", "lstdefinestyle": "dd",
    "lstdefinelanguage": "odod", "captionsetup": "od", "sisetup": "d", "tikzset": "d",
    "pgfplotsset": "d", "usetikzlibrary": "d", "usepgfplotslibrary": "d",
    "setlength": "dd", "addtolength": "dd", "settowidth": "dd", "newlength": "d",
    "setcounter": "dd", "addtocounter": "dd", "stepcounter": "d", "refstepcounter": "d",
    "newcounter": "do", "counterwithin": "dd", "numberwithin": "dd", "value": "d",
    "arabic": "d", "roman": "d", "Roman": "d", "alph": "d", "Alph": "d",
    "pagestyle": "d", "thispagestyle": "d", "pagenumbering": "d", "markboth": "dd",
    "markright": "d", "bibliographystyle": "d", "graphicspath": "d",
    "color": "od", "textcolor": "od", "colorbox": "od", "fcolorbox": "odd",
    "definecolor": "ddd", "colorlet": "dd", "rowcolor": "od", "cellcolor": "od",
    "columncolor": "od", "rowcolors": "ddd", "pagecolor": "d", "arrayrulecolor": "d",
    "rule": "odd", "fontsize": "dd", "fontfamily": "d", "fontseries": "d",
    "fontshape": "d", "usefont": "dddd", "linespread": "d", "selectlanguage": "d",
    "foreignlanguage": "d", "parbox": "oood", "raisebox": "doo", "makebox": "oo",
    "framebox": "oo", "resizebox": "dd", "scalebox": "do", "rotatebox": "od",
    "adjustbox": "d", "multicolumn": "dd", "multirow": "oodod", "cline": "d",
    "cmidrule": "oOd", "addlinespace": "o", "specialrule": "ddd", "toprule": "o",
    "midrule": "o", "bottomrule": "o", "hyphenation": "d", "phantom": "d",
    "hphantom": "d", "vphantom": "d", "hyperref": "o", "hypertarget": "d",
    "hyperlink": "d", "texorpdfstring": "", "pdfbookmark": "odd", "nocite": "d",
    "phantomsection": "", "addcontentsline": "ddd", "todo": "od", "marginpar": "od",
    "marginnote": "od", "thanks": "d", "footnotemark": "o", "inst": "d", "orcid": "d",
    "email": "d", "affil": "od", "affiliation": "od", "institute": "d", "address": "od",
    "orcidlink": "d", "icmlsetsymbol": "dd", "icmlaffiliation": "dd",
    "icmlcorrespondingauthor": "dd", "icmlkeywords": "d", "keywords": "d",
    "printAffiliationsAndNotice": "d", "icmltitlerunning": "d", "titlerunning": "d",
    "authorrunning": "d", "acmConference": "oddd", "acmDOI": "d", "acmISBN": "d",
    "acmYear": "d", "acmPrice": "d", "acmJournal": "d", "acmVolume": "d",
    "acmNumber": "d", "acmArticle": "d", "acmMonth": "d", "acmSubmissionID": "d",
    "ccsdesc": "od", "setcopyright": "d", "copyrightyear": "d", "received": "od",
    "citestyle": "d", "setcitestyle": "d", "DeclareGraphicsExtensions": "d",
    "newtheoremstyle": "ddddddddd", "theoremstyle": "d", "setlist": "od",
    "allowdisplaybreaks": "o", "AtBeginDocument": "d", "AtEndDocument": "d",
    "ensuremath": "", "subfloat": "o", "subcaptionbox": "d", "caption@setup": "d",
    "algrenewcommand": "dd", "SetKwInOut": "dd", "SetKwData": "dd", "SetKw": "dd",
    "DontPrintSemicolon": "", "DeclareMathSizes": "dddd", "subjclass": "od",
    "dedicatory": "d", "urlstyle": "d", "bibitem": "", "newblock": "", "enlargethispage":
    "d", "DeclareRobustCommand": "", "vskip": "", "crefname": "ddd", "Crefname": "ddd",
    "newfloat": "", "newsavebox": "d", "sbox": "dd", "usebox": "d", "savebox": "dd",
    "protect": "", "unskip": "", "ignorespaces": "", "spacefactor": "", "titleformat":
    "doddddo", "titlespacing": "dddd", "setmainfont": "od", "setsansfont": "od",
    "setmonofont": "od", "lstinputlisting": "od", "VerbatimInput": "od", "pgfmathsetmacro":
    "dd", "doparttoc": "", "faketableofcontents": "", "ProvidesPackage": "do", "altaffilmark": "d", "altaffiltext": "dd", "SetMathAlphabet":
    "dddddd", "SetSymbolFont": "ddddd", "DeclareSymbolFont": "ddddd",
    "NeedsTeXFormat": "do", "ProvidesFile": "do", "ExecuteOptions": "d",
    "@setfontsize": "ddd", "@setsize": "dddd", "IEEEauthorblockA": "d",
    "IEEEauthorrefmark": "d", "IEEEmembership": "d", "IEEEcompsocitemizethanks": "d",
    "tcbset": "d", "mdfsetup": "d", "tikzmark": "od", "newtcolorbox": "odood",
    "newmdenv": "od",
    "ProcessOptions": "", "DeclareOption": "dd", "IfFileExists": "d",
}  # fmt: skip
BARE = frozenset(
    [
        "vskip",
        "hskip",
        "kern",
        "vspace*",
        "parskip",
        "parindent",
        "baselineskip",
        "textwidth",
        "textheight",
        "oddsidemargin",
        "evensidemargin",
        "topmargin",
        "headheight",
        "headsep",
        "footskip",
        "hsize",
        "vsize",
        "columnsep",
        "hoffset",
        "voffset",
        "tabcolsep",
        "arraycolsep",
        "topskip",
        "lineskip",
        "bigskipamount",
        "penalty",
        "tolerance",
        "hbadness",
        "vbadness",
        "clubpenalty",
        "widowpenalty",
        "mkern",
        "mskip",
    ]
)

CITES = frozenset(
    [
        "cite",
        "citep",
        "citet",
        "citealp",
        "citealt",
        "citeauthor",
        "citeyear",
        "citeyearpar",
        "parencite",
        "textcite",
        "autocite",
        "footcite",
        "fullcite",
        "citenum",
        "Citet",
        "Citep",
        "citealp*",
        "shortcite",
        "newcite",
        "onlinecite",
        "citeposs",
        "nocitep",
    ]
)
REFS = frozenset(
    [
        "ref",
        "eqref",
        "autoref",
        "cref",
        "Cref",
        "pageref",
        "nameref",
        "vref",
        "Vref",
        "subref",
        "labelcref",
        "hyperref*",
        "cpageref",
        "fullref",
    ]
)
NAMED_REFS = frozenset(("autoref", "cref", "Cref", "fullref"))
DISPLAYS = frozenset(
    [
        "equation",
        "equation*",
        "displaymath",
        "math",
        "align",
        "align*",
        "alignat",
        "alignat*",
        "gather",
        "gather*",
        "multline",
        "multline*",
        "flalign",
        "flalign*",
        "eqnarray",
        "eqnarray*",
        "dmath",
        "dmath*",
        "subequations",
    ]
)
NUMBERED = frozenset(
    ["equation", "align", "alignat", "gather", "multline", "flalign", "eqnarray"]
)
FLOATS = {
    "figure": "Figure", "wrapfigure": "Figure", "SCfigure": "Figure",
    "sidewaysfigure": "Figure", "teaserfigure": "Figure", "marginfigure": "Figure",
    "table": "Table", "wraptable": "Table", "sidewaystable": "Table",
    "algorithm": "Algorithm", "algorithm2e": "Algorithm", "listing": "Listing",
}  # fmt: skip
DROPPED = frozenset(
    [
        "comment",
        "tikzpicture",
        "pgfpicture",
        "picture",
        "CCSXML",
        "forest",
        "tikzcd",
        "overpic",
        "psmatrix",
        "pspicture",
        "filecontents",
        "axis",
        "feynmandiagram",
        "asy",
    ]
)
VERBATIM = frozenset(
    [
        "verbatim",
        "Verbatim",
        "BVerbatim",
        "LVerbatim",
        "lstlisting",
        "minted",
        "alltt",
        "pycode",
        "python",
        "code",
        "comment",
        "filecontents",
        "verbatimtab",
        "SaveVerbatim",
    ]
)
# what stands after \begin{...} besides its name
ENVIRONMENTS = {
    "tabular": "od", "tabular*": "dod", "tabularx": "dod", "tabulary": "dod",
    "longtable": "od", "array": "od", "minipage": "oood", "multicols": "d",
    "thebibliography": "d", "wrapfigure": "odod", "wraptable": "odod", "figure": "o",
    "table": "o", "algorithm": "o", "algorithmic": "o", "enumerate": "o", "itemize": "o",
    "description": "o", "list": "dd", "subfigure": "ood", "subtable": "ood",
    "adjustbox": "d", "alignat": "d", "alignat*": "d", "alignedat": "d", "xltabular":
    "dod", "tblr": "od", "mdframed": "o", "tcolorbox": "o", "threeparttable": "o",
    "adjustwidth": "dd", "spacing": "d", "CJK": "odd", "CJK*": "odd", "otherlanguage": "d",
    "appendices": "", "landscape": "", "tablenotes": "o", "matrix": "o", "aligned": "o",
    "gathered": "o", "split": "", "cases": "", "frame": "oo",
}  # fmt: skip
LISTS = frozenset(
    [
        "itemize",
        "enumerate",
        "description",
        "list",
        "compactitem",
        "compactenum",
        "inparaenum",
        "tablenotes",
        "trivlist",
        "enumerate*",
        "itemize*",
    ]
)
LEVELS = {
    "part": 0, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4,
}  # fmt: skip
RUN_IN = frozenset(("paragraph", "subparagraph"))
