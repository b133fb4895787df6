"""Trailers: what was known of an experiment before it was trained.

They stand in the last paragraph of the commit message, where git and people find
them, and survive a rebase.
"""

from __future__ import annotations

import re

METHOD = "Loopgraph-Method"
RETRIEVAL = "Loopgraph-Retrieval"
PROPOSER = "Loopgraph-Proposer"
SESSION = "Loopgraph-Session"
_LINE = re.compile(r"(Loopgraph-[A-Za-z-]+): *(.*)\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def message(subject: str, body: str, trailers: list[tuple[str, str]]) -> str:
    """Return a commit message: one line, prose, and the trailer paragraph."""
    prose = _CONTROL.sub("", body).strip()
    block = "\n".join(f"{key}: {_flat(value)}" for key, value in trailers if value)
    parts = [_flat(subject)[:72] or "experiment", prose, block]
    return "\n\n".join(part for part in parts if part) + "\n"


def parse(text: str) -> tuple[str, str, dict[str, tuple[str, ...]]]:
    """Split a commit message into subject, body and its Loopgraph trailers."""
    subject, _, rest = text.strip("\n").partition("\n")
    paragraphs = re.split(r"\n[ \t]*\n", rest.strip("\n"))
    found: dict[str, tuple[str, ...]] = {}
    for line in paragraphs[-1].splitlines():
        match = _LINE.match(line.strip())
        if match:
            found[match[1]] = (*found.get(match[1], ()), match[2].strip())
    body = paragraphs[:-1] if found else paragraphs
    return subject.strip(), "\n\n".join(body).strip(), found


def _flat(value: str) -> str:
    return " ".join(_CONTROL.sub("", value).split())
