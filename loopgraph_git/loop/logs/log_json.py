"""Logs in JSON: one object a line, or an array of them."""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs.log_columns import has_verdict, is_unjudged, is_words
from loopgraph_git.loop.logs.log_table import Line, Problem, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONFIG = {"metricName": "metric_name", "metric_name": "metric_name",
           "bestDirection": "metric_direction",
           "metric_direction": "metric_direction"}  # fmt: skip
_ARRAY = re.compile(r"\s*\[")
_GAP = ", \t\r\n"
_DECODER = json.JSONDecoder()
_SHORT = 80


def table(rows: list[tuple[int, str]], said: dict[str, str]) -> Table:
    """Read objects of JSON as a table whose columns are all the keys that occur.

    A line of configuration holds for the lines below it, until the next.
    """
    config: dict[str, str] = {}
    objects: list[tuple[int, dict[str, Any], str]] = []
    problems: list[Problem] = []
    passed: list[Problem] = []
    for number, raw, plain in _array(rows) or _lines(rows):
        if not isinstance(plain, dict):
            problems.append(Problem(number, "not a JSON object"))
        elif plain.get("type") == "config":
            config = {_CONFIG[k]: str(plain[k]) for k in _CONFIG if plain.get(k)}
        elif plain.get("type") and not has_verdict(map(str, plain)):
            passed.append(Problem(number, f"of type {str(plain['type'])[:_SHORT]!r}"))
        else:
            objects.append((number, config | plain, raw))
    shared = set[str]().union(*(_shared(plain) for _, plain, _ in objects))
    flat = [(number, _flat(plain, shared), raw) for number, plain, raw in objects]
    names = list(dict.fromkeys(name for _, cells, _ in flat for name in cells))
    if not objects:
        return Table((), said, tuple(problems), tuple(passed))
    if not (has_verdict(names) or is_unjudged(names)):
        raise UsageError(
            f"the keys {', '.join(names)[:200]} say no verdict: name one `status`"
        )
    lines = [Line(0, names, "")]
    lines += [
        Line(number, [cells.get(name, "") for name in names], raw)
        for number, cells, raw in flat
    ]
    return Table(tuple(lines), said, tuple(problems), tuple(passed))


def _lines(rows: list[tuple[int, str]]) -> Iterator[tuple[int, str, Any]]:
    return ((number, raw, _loaded(raw)) for number, raw in rows)


def _array(rows: list[tuple[int, str]]) -> list[tuple[int, str, Any]]:
    """Return the members of a file that is one array, alone or in an object.

    They stand for the lines that they begin on. Their text is that of the array
    without its layout: the same member, however the file is indented.
    """
    text = "\n".join(raw for _, raw in rows)
    whole = _loaded(text)
    opening = _ARRAY.match(text)
    for name, value in whole.items() if isinstance(whole, dict) else ():
        members = isinstance(value, list) and all(isinstance(x, dict) for x in value)
        if members and value and any(has_verdict(member) for member in value):
            opening = re.search(rf"{re.escape(json.dumps(name))}\s*:\s*\[", text)
    if opening is None or whole is None:
        return []
    starts = list(accumulate((len(raw) + 1 for _, raw in rows), initial=0))
    found, place = [], opening.end()
    while text[place] != "]":
        if text[place] in _GAP:
            place += 1
            continue
        line = rows[bisect(starts, place) - 1][0]
        member, place = _DECODER.raw_decode(text, place)
        found.append((line, json.dumps(member), member))
    return found


def _loaded(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _shared(plain: Mapping[str, Any]) -> set[str]:
    """Return the keys that more than one inner object has."""
    inner = [value for value in plain.values() if isinstance(value, dict)]
    counted = Counter(str(key) for value in inner for key in value)
    return {key for key, count in counted.items() if count > 1}


def _flat(plain: Mapping[str, Any], shared: set[str]) -> dict[str, str]:
    """Return an object as texts; the members of an inner object become its own.

    Those that are `shared` are called by both names: `train_loss` and `val_loss`.
    """
    cells: dict[str, str] = {}
    inner: dict[str, str] = {}
    for name, value in plain.items():
        if not isinstance(value, dict):
            cells[name] = _text(value)
            continue
        members = {str(key): _text(item) for key, item in value.items()}
        if is_words(name):
            cells[name] = ", ".join(f"{key}: {item}" for key, item in members.items())
        for key, item in members.items():
            inner[f"{name}_{key}" if key in shared else key] = item
    return inner | cells


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
