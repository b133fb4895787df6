"""What a person types into a search: words, and filters among them.

    warmdown kind:experiment status:crash method:swiglu verdict:keep session:mar8
    since:2026-10-01  since:7d  val_bpb<0.99  metric<0.99

Filters of one name widen each other (`status:crash status:oom`), those of different
names narrow. What looks like a filter and is none is words again, and a note says so:
any text is a query.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loopgraph_git.records import Judgement, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

KINDS = ("experiment", "method", "chunk", "code")
_CHOICES = {
    "kind": KINDS,
    "status": tuple(map(str, Status)),
    "verdict": tuple(map(str, Judgement)),
}
_FREE = ("method", "session")
NAMES = (*_CHOICES, *_FREE, "since")
ANY_METRIC = "metric"
# the text of a whole file may be pasted; no more than 64 words are asked for
_READ = 4000
_NOTES = 3
_NAMED = re.compile(r"([A-Za-z]\w{0,40}):(?:\"([^\"]*)\"|(?!//|:)(\S+))\Z")
_COMPARED = re.compile(
    r"([A-Za-z_][\w./@-]{0,80})(<=|>=|<|>)([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\Z",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z]\w{0,40}:\"[^\"]*\"(?!\S)|\S+")
# `val_bpb < 0.99` is `val_bpb<0.99`
_LOOSE = re.compile(r"(?<=\w)[ \t]{0,3}(<=|>=|<|>)[ \t]{0,3}(?=[-+]?\.?\d)")
_AGO = re.compile(r"(\d{1,6})([hdw])\Z")
_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True)
class Filter:
    """One condition, as it was typed; `number` is a limit or a time in seconds."""

    name: str
    text: str
    value: str = ""
    sign: str = ""
    number: float = 0.0


@dataclass(frozen=True)
class Query:
    """A text taken apart: its words, its filters, and notes on what was neither."""

    words: str
    filters: tuple[Filter, ...] = ()
    notes: tuple[str, ...] = ()

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values that the filters of one name allow, none for all."""
        return tuple(item.value for item in self.filters if item.name == name)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that the text itself allows."""
        return self.values("kind") or KINDS

    def without(self, dropped: Filter) -> Query:
        """Return the query with one filter left out."""
        kept = tuple(item for item in self.filters if item != dropped)
        return replace(self, filters=kept)


def read_query(
    text: str, *, metrics: Callable[[], Collection[str]], now: float
) -> Query:
    """Take a text apart; `metrics` is asked only when a comparison is met.

    Raises nothing: what cannot be understood is words.
    """
    text = text[:_READ]
    words: list[str] = []
    filters: list[Filter] = []
    notes: list[str] = []
    for token in _TOKEN.findall(_LOOSE.sub(r"\1", text)):
        made = _filter(token, metrics, now)
        if isinstance(made, Filter):
            filters.append(made)
            continue
        words.append(token)
        if made:
            notes.append(made)
    # a filter is no word, but where there is none the text stays as it was typed
    said = " ".join(words) if filters else text
    return Query(said, tuple(dict.fromkeys(filters)), tuple(notes[:_NOTES]))


def _filter(
    token: str, metrics: Callable[[], Collection[str]], now: float
) -> Filter | str:
    """Return the filter that a token is, or why it is words, or an empty text."""
    if compared := _COMPARED.match(token):
        return _comparison(token, compared, metrics())
    named = _NAMED.match(token)
    if named is None:
        return ""
    name, value = named[1].lower(), named[2] if named[2] is not None else named[3]
    if name not in NAMES:
        return f"{token}: there is no filter {name!r}; searched as words"
    if name == "since":
        return _since(token, value, now)
    return _choice(token, name, value)


def _comparison(
    token: str, found: re.Match[str], metrics: Collection[str]
) -> Filter | str:
    name, sign, number = found[1], found[2], float(found[3])
    if not math.isfinite(number):
        return f"{token}: the number is too large; searched as words"
    if name != ANY_METRIC and name not in metrics:
        return f"{token}: no result has a metric {name!r}; searched as words"
    return Filter("metric", token, name, sign, number)


def _choice(token: str, name: str, value: str) -> Filter | str:
    choices = _CHOICES.get(name)
    if choices is None:
        return Filter(name, token, value)
    for choice in choices:
        if value.lower() in (choice, f"{choice}s"):
            return Filter(name, token, choice)
    other = next((x for x, known in _CHOICES.items() if value.lower() in known), "")
    hint = f" (did you mean {other}:{value.lower()}?)" if other else ""
    return f"{token}: a {name} is one of {', '.join(choices)}{hint}; searched as words"


def _since(token: str, value: str, now: float) -> Filter | str:
    if ago := _AGO.match(value.lower()):
        return Filter("since", token, number=now - int(ago[1]) * _SECONDS[ago[2]])
    try:
        when = datetime.fromisoformat(value)
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return Filter("since", token, number=aware.timestamp())
    except (ValueError, OverflowError):
        return (
            f"{token}: since is a date (2026-10-01) or 12h, 7d, 2w; searched as words"
        )
