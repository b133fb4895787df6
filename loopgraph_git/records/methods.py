"""What is known besides experiments: methods, papers and their passages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a claim about a method comes from: one of arxiv, commit, url or log."""

    arxiv: str = ""
    title: str = ""
    section: str = ""
    url: str = ""
    commit: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """An effect seen elsewhere, in the metric's units; positive is better.

    `n` is the number of runs behind it, `spread` the typical absolute change in
    that session, by which the gain is standardised.
    """

    gain: float
    n: float
    platform: str = ""
    scale: str = ""
    source: str = ""
    spread: float = 0.002


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A number of a method that can be turned, and the values worth trying."""

    name: str
    default: float | int | str | None = None
    values: tuple[float | int | str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One step of a recipe: a verb and its arguments, checked by the validator."""

    verb: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Method:
    """An idea with an id, found in a pack."""

    id: str
    title: str
    family: str
    summary: str
    pack: str = ""
    aliases: tuple[str, ...] = ()
    helps: str = ""
    hurts: str = ""
    sources: tuple[Source, ...] = ()
    detect: tuple[Mapping[str, Any], ...] = ()
    requires: tuple[Mapping[str, Any], ...] = ()
    conflicts: tuple[str, ...] = ()
    knobs: tuple[Knob, ...] = ()
    priors: tuple[Prior, ...] = ()
    recipe: tuple[Operation, ...] = ()


class Fit(StrEnum):
    """How a method stands to the code at hand."""

    FITS = "fits"
    MISSING = "missing"
    CONFLICT = "conflict"
    PRESENT = "present"


@dataclass(frozen=True)
class Context:
    """The fit of a method to the code, and the words that say why."""

    fit: Fit = Fit.FITS
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A source of knowledge: a paper, a repository or a pack; `key` is its name."""

    key: str
    title: str
    authors: str = ""
    year: int | None = None
    url: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A passage of a paper; `place` is the section or file it was taken from."""

    paper: str
    ord: int
    title: str
    body: str
    kind: str = "text"
    place: str = ""
