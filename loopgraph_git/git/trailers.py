"""Trailers: what was known of an experiment before it was trained.

They stand in the last paragraph of the commit message, where git and people find
them, and survive a rebase.
"""

from __future__ import annotations

import re

from loopgraph_git.records.texts import HIDDEN, flat

METHOD = "Loopgraph-Method"
RETRIEVAL = "Loopgraph-Retrieval"
PROPOSER = "Loopgraph-Proposer"
SESSION = "Loopgraph-Session"
_LINE = re.compile(r"(Loopgraph-[A-Za-z-]+):(.*)\Z", re.DOTALL)
# what git and people put beside ours, and is no prose: Signed-off-by, (cherry picked …)
_OTHER = re.compile(r"[A-Za-z0-9-]+:[ \t]|\(cherry picked from ")
_GAP = re.compile(r"\n[ \t\r]*\n")
# a message may come from anybody, and be of any size
_VALUES = 100
_FOLDED = 1000


def message(subject: str, body: str, trailers: list[tuple[str, str]]) -> str:
    """Return a commit message: one line, prose, and the trailer paragraph."""
    prose = HIDDEN.sub("", body).strip()
    values = [(key, flat(value)) for key, value in trailers]
    block = "\n".join(f"{key}: {value}" for key, value in values if value)
    parts = [flat(subject)[:72].strip() or "experiment", prose, block]
    return "\n\n".join(part for part in parts if part) + "\n"


def parse(text: str) -> tuple[str, str, dict[str, tuple[str, ...]]]:
    """Split a commit message into subject, body and its Loopgraph trailers."""
    subject, _, rest = text.strip("\n").partition("\n")
    paragraphs = _GAP.split(rest.strip("\n"))
    found: dict[str, list[str]] = {}
    prose = []
    value: list[str] | None = None
    # not splitlines: a separator of lines within a value would begin another trailer
    for line in paragraphs[-1].split("\n"):
        folded = line[:1] in (" ", "\t")
        match = None if folded else _LINE.match(line)
        if match:
            value = found.setdefault(match[1], [])
            value.append(match[2].strip())
        elif folded and value:
            value[-1] = f"{value[-1][:_FOLDED]} {line.strip()}"
        else:
            value = None
            prose += [] if _OTHER.match(line) else [line]
    body = [*paragraphs[:-1], "\n".join(prose)] if found else paragraphs
    kept = {key: tuple(values[:_VALUES]) for key, values in found.items()}
    return subject.strip(), "\n\n".join(body).strip(), kept
