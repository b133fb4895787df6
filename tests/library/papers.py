"""A paper as its authors would send it, made here: LaTeX in several files, and a PDF.

`WORDS` is every word that a reader of the printed paper sees, section by section.
"""

from __future__ import annotations

import random
import re

VOCABULARY = [
    "gradient",
    "descent",
    "optimizer",
    "schedule",
    "warmup",
    "decay",
    "attention",
    "residual",
    "embedding",
    "dropout",
    "tokens",
    "batch",
    "learning",
    "rate",
    "momentum",
    "matrix",
    "orthogonal",
    "update",
    "weights",
    "layers",
    "depth",
    "width",
    "transformer",
    "language",
    "model",
    "training",
    "validation",
    "loss",
    "curve",
    "baseline",
    "ablation",
    "result",
    "seed",
    "variance",
    "improves",
    "degrades",
    "stable",
    "diverges",
    "scaling",
    "hypothesis",
    "evidence",
    "measured",
    "between",
    "initialization",
    "normalization",
    "activation",
    "squared",
    "gated",
    "linear",
    "unit",
    "query",
    "key",
    "value",
    "head",
]


def sentence(chance: random.Random, words: int = 14) -> str:
    """Return a sentence of made-up science."""
    chosen = chance.choices(VOCABULARY, k=words)
    return f"{' '.join(chosen).capitalize()}."


def prose(seed: int, sentences: int = 8) -> str:
    """Return a paragraph."""
    chance = random.Random(seed)  # noqa: S311
    return " ".join(sentence(chance) for _ in range(sentences))


def words(text: str) -> list[str]:
    """Return the words of a text, without case, marks and numbers."""
    return re.findall(r"[^\W\d_]{2,}", text.lower())


MACROS = r"""
\newcommand{\method}{Muon\xspace} % the name
\newcommand{\opt}[2][fast]{the #1 #2 optimizer}
\newcommand\loss{\mathcal{L}}
\def\half#1{\frac{#1}{2}}
\DeclareMathOperator*{\argmin}{arg\,min}
\newenvironment{claim}[1]{\begin{quote}\textbf{Claim #1.} }{\end{quote}}
\newtheorem{lemma}{Lemma}
\newif\ifdraft
\draftfalse
"""

MAIN = r"""% a comment with \section{Nothing}
\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{macros}
\title{Orthogonal updates\\ for small models}
\author{Ada Lovelace\thanks{Work of a summer.} \and Gödel, Kurt\\ Institute of Logic}
\date{March 2025}
\begin{document}
\maketitle
\begin{abstract}
We study \method{} for \opt[slow]{matrix} training. ABSTRACT % not this word
\end{abstract}
\section{Introduction}\label{sec:intro}
INTRO

It costs 5\% less~\cite[see][p.~3]{jordan2024,keller} than ``AdamW''---na\"ively put---and
\emph{never} diverges \footnote{We tried twice as \textbf{often}.} in Erd\H{o}s' setting.
\input{sections/method}
\include{sections/results}
% \input{sections/gone}
\appendix
\section{Proofs}
\begin{lemma}[Descent] The update descends.\end{lemma}
\begin{proof}Obvious.\end{proof} See Section~\ref{sec:method} and Table~\ref{tab:one}.
\bibliography{refs}
\end{document}
Nothing after the end.
"""

METHOD = r"""\section{The method}
\label{sec:method}
METHOD
\subsection*{Notation}
Let $\theta_{t+1} = \theta_t - \eta \nabla \loss(\theta)$ where $\half{\eta}$ decays.
\begin{equation}\label{eq:one}
  \argmin_{\theta} \sum_{i=1}^{n} \loss_i(\theta) + \lambda \|\theta\|^2
\end{equation}
\subsection{Algorithm}
\begin{claim}{one} Updates are \opt{matrix} steps. \end{claim}
\begin{itemize}
  \item First orthogonalize,
  \item then \textcolor{red}{scale} the update.
\end{itemize}
\begin{verbatim}
x = newton_schulz(grad)  % kept as it is
\end{verbatim}
\ifdraft Hidden words of a draft. \else Shown words of the paper. \fi
\begin{comment}
Nothing of this.
\end{comment}
"""

RESULTS = r"""\section{Results}
RESULTS
\begin{table}[t]
  \caption{Validation loss by optimizer.}\label{tab:one}
  \begin{tabular}{@{}lr@{}}
    \toprule
    Optimizer & Loss \\ \midrule
    AdamW & 3.28 \\
    \method & \textbf{3.21} \\ \bottomrule
  \end{tabular}
\end{table}
\begin{figure}
  \includegraphics[width=0.5\textwidth]{figures/curve}
  \caption[Short]{Curves of training.}
\end{figure}
\paragraph{Ablation} CLOSING
"""

BBL = r"""\begin{thebibliography}{9}
\bibitem[Jordan(2024)]{jordan2024} K. Jordan. \newblock Orthogonal momentum. 2024.
\end{thebibliography}
"""

FILLED = {
    "ABSTRACT": prose(1, 4),
    "INTRO": prose(2),
    "METHOD": prose(3, 12),
    "RESULTS": prose(4, 12),
    "CLOSING": prose(5),
}


def source() -> dict[str, bytes]:
    """Return the files of the paper."""
    files = {
        "main.tex": MAIN,
        "macros.sty": MACROS,
        "sections/method.tex": METHOD,
        "sections/results.tex": RESULTS,
        "main.bbl": BBL,
    }
    for mark, text in FILLED.items():
        files = {
            path: content.replace(f"{mark} ", f"{text} ").replace(
                f"{mark}\n", f"{text}\n"
            )
            for path, content in files.items()
        }
    return {path: content.encode() for path, content in files.items()} | {
        "figures/curve.pdf": b"%PDF-1.4 \0"
    }


SEEN = [
    (
        "",
        "We study Muon for the slow matrix optimizer training. " + FILLED["ABSTRACT"],
    ),
    (
        "1 Introduction",
        FILLED["INTRO"]
        + " It costs less see jordan keller p than AdamW naïvely put and never diverges in"
        " Erdős setting We tried twice as often",
    ),
    ("2 The method", FILLED["METHOD"]),
    ("Notation", "Let where decays arg min"),
    (
        "2.1 Algorithm",
        """Claim one Updates are the fast matrix optimizer steps First orthogonalize then
        scale the update newton schulz grad kept as it is Shown words of the paper""",
    ),
    (
        "3 Results",
        FILLED["RESULTS"]
        + " Table Validation loss by optimizer Optimizer Loss AdamW Muon"
        " Figure Curves of training Ablation " + FILLED["CLOSING"],
    ),
    (
        "A Proofs",
        "Lemma Descent The update descends Proof Obvious See Section and Table",
    ),
    ("References", "jordan Jordan Orthogonal momentum"),
]
"""What a reader of the paper sees, by the place where it stands."""
