"""What the message of a commit says of an experiment, and what it only seems to say.

A message is mostly prose, written before the run: it hopes, compares and quotes.
Only forms that state an outcome are read; `git lg import -h` lists them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.loop.logs.log_verdicts import judgement_of

if TYPE_CHECKING:
    from loopgraph_git.records import Judgement

_NUMBER = r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\d^.]*[\d^])"
_ARROW = r"\s*(?:->|-->|=>|→)\s*"
_LABEL = re.compile(r"(experiment|expt?|trial|try)\b[^:]{0,30}:\s*", re.IGNORECASE)
_RESULTS = re.compile(r"(results?|outcome|log)\s*[:=]\s*", re.IGNORECASE)
_STATED = re.compile(
    r"(?:status|verdict|decision|outcome|results?)\s*:\s*(\S+)", re.IGNORECASE
)
_DECIDED = re.compile(
    r"(keep|kept|discard|discarded|crash|crashed|reject|rejected)\b", re.IGNORECASE
)
# fewer than a log's column may hold: (baseline) or (done) in a message judges nothing
_VERDICTS = frozenset(
    {"keep", "kept", "discard", "discarded", "crash", "crashed", "reject", "rejected",
     "revert", "reverted", "failed", "oom", "timeout", "nan", "retest"}
)  # fmt: skip
_BRACKETED = re.compile(r"[\[(]\s*([A-Za-z_ -]{3,20}?)\s*[\])]\s*\Z")
_DASHED = re.compile(r"(?:\s[-–—]+|[→|])\s*([A-Za-z_-]{3,12})\s*\Z")  # noqa: RUF001
_UNDONE = re.compile(
    r"(?:[a-z]+(?:\([^)]*\))?!?:\s*)?"
    r"(revert|reverts|undo|restore|discard|roll ?back|back out)\b",
    re.IGNORECASE,
)
_REVERTS = re.compile(r"\b[Tt]his reverts commit ([0-9a-f]{7,64})\b")
_ALSO = re.compile(r"\breverts (?:commits? )?([0-9a-f]{7,64})\b", re.IGNORECASE)
# what stands before a number that is not this run's
_OTHERS = re.compile(
    r"\b(best|baseline|previous|prev|from|vs|versus|than|over|target|goal|below|under|"
    r"above|beat|beats|expected?|hypothesis|was)\W*\Z",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(val_[a-z]+|[a-z]+_(?:loss|acc|accuracy|bpb))\b")


@dataclass(frozen=True)
class Said:
    """The outcome that a message states; `values` are more than one where it wavers."""

    values: tuple[float, ...] = ()
    verdict: Judgement | None = None
    word: str = ""


def is_labelled(subject: str) -> bool:
    """Say whether a subject calls its commit an experiment, as in `experiment: …`."""
    return bool(_LABEL.match(subject))


def without_label(subject: str) -> str:
    """Return what was tried: the subject without `experiment:` in front."""
    return _LABEL.sub("", subject, count=1) or subject


def takes_back(subject: str) -> bool:
    """Say whether a subject says that something is undone."""
    return bool(_UNDONE.match(subject))


def reverted(message: str) -> list[str]:
    """Return the oids, or their beginnings, that a message says it reverts."""
    return [*dict.fromkeys([*_REVERTS.findall(message), *_ALSO.findall(message)])]


def is_telling(subject: str) -> bool:
    """Say whether a subject tells the outcome of what was done before it."""
    return bool(_RESULTS.match(subject) or _DECIDED.match(subject))


def said_by(message: str, metric: str, *, telling: bool = False) -> Said:
    """Return the outcome that a message states.

    `telling` is for a commit that changes no code: there the first word may be the
    verdict, which would be a verb in the subject of an edit.
    """
    subject, _, body = message.strip().partition("\n")
    values = _values(subject, metric)
    verdict, word = _verdict_in(subject, telling=telling)
    for line in map(str.strip, body.splitlines()):
        values += _stated_value(line, metric)
        if verdict is None:
            verdict, word = _verdict_of_line(line)
    return Said(tuple(dict.fromkeys(values)), verdict, word)


def metrics_named(message: str) -> set[str]:
    """Return the names of metrics that a message has a number for."""
    names = set(_NAMED.findall(message.lower()))
    return {name for name in names if said_by(message, name).values}


def _values(text: str, metric: str) -> list[float]:
    """Return the values that a line gives a metric; after an arrow, the new one."""
    name = r"[ _-]".join(map(re.escape, re.split(r"[ _-]", metric)))
    pattern = rf"(?<![\w.]){name}\s*(?:[:=≈~]|is|of)?\s*{_NUMBER}(?:{_ARROW}{_NUMBER})?"
    return [
        float(match[2] or match[1])
        for match in re.finditer(pattern, text, re.IGNORECASE)
        if not _OTHERS.search(text[: match.start()])
    ]


def _stated_value(line: str, metric: str) -> list[float]:
    """Return the value of a line of a body that states nothing else."""
    results = _RESULTS.match(line)
    if results:
        told = line[results.end() :]
        arrow = re.match(rf"{_NUMBER}{_ARROW}{_NUMBER}", told)
        return [float(arrow[2])] if arrow else _values(told, metric)
    alone = re.match(r"[-*]?\s*[\w -]+?\s*[:=]?\s*[-+.\deE]+\s*\Z", line)
    return _values(line, metric) if alone else []


def _verdict_in(subject: str, *, telling: bool) -> tuple[Judgement | None, str]:
    results = _RESULTS.match(subject)
    start = subject[results.end() :] if results else subject
    first = _DECIDED.match(start) if telling or results else None
    for match in (first, _BRACKETED.search(subject), _DASHED.search(subject)):
        if match and match[1].lower() in _VERDICTS:
            return judgement_of(match[1]), match[1]
    return None, ""


def _verdict_of_line(line: str) -> tuple[Judgement | None, str]:
    if _RESULTS.match(line):
        return _verdict_in(line, telling=True)
    match = _STATED.match(line)
    if match and match[1].lower() in _VERDICTS:
        return judgement_of(match[1]), match[1]
    return None, ""
