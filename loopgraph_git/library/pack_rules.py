"""The rules of a pack as a whole: its methods, their sources, knobs and priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loopgraph_git.library.code_rules import check_conditions, check_recipe
from loopgraph_git.library.fields import (
    Rule,
    check_fields,
    each,
    identifier,
    joined,
    matching,
    number,
    one_of,
    positive,
    scalar,
    text,
)
from loopgraph_git.library.operations import knobs_in

if TYPE_CHECKING:
    from loopgraph_git.library.yaml_tree import Entry, Report

ORIGINS = ("arxiv", "url", "commit", "log")
_NO_SOURCE = "a number without a source is not shipped"
_ALIAS_LIMIT = 80

_SOURCE: Mapping[str, Rule] = {
    "arxiv": matching(
        r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?",
        "an arXiv id such as 2002.05202",
    ),
    "url": matching(r"https?://\S+", "an http(s) address"),
    "commit": matching(
        r"([\w.-]+/[\w.-]+@)?[0-9a-f]{7,64}", "[owner/repo@] and 7 to 64 hex digits"
    ),
    "log": text,
    "title": text,
    "section": text,
}
_KNOB: Mapping[str, Rule] = {
    "name": matching(r"[a-z][a-z0-9_]*", "a knob's name of a-z, 0-9 and _"),
    "default": scalar,
    "values": each(scalar),
}
_PRIOR: Mapping[str, Rule] = {
    "gain": number,
    "n": positive,
    "platform": text,
    "scale": text,
    "source": text,
    "spread": positive,
}


def check_pack(report: Report, entry: Entry) -> None:
    """Check a whole pack and add everything that is wrong with it to the report."""
    fields = {"pack": identifier, "title": text, "methods": _methods}
    check_fields(report, entry, "", fields=fields, required=fields)


def _methods(report: Report, entry: Entry, key: str) -> None:
    if not isinstance(entry.value, list) or not entry.value:
        report.add(entry.line, key, f"expected a list of methods, not {entry.kind}")
        return
    first: dict[str, int] = {}
    for place, item in enumerate(entry.value, 1):
        name = _text_of(item, "id")
        report.method = f"method {name or f'number {place}'}"
        _check_method(report, item)
        if name in first:
            line = item.value["id"].line
            report.add(line, "id", f"given twice, first on line {first[name]}")
        elif name:
            first[name] = item.value["id"].line
    report.method = ""


def _text_of(entry: Entry, key: str) -> str:
    """Return the text of a key, or nothing where the entry has no such text."""
    child = entry.value.get(key) if isinstance(entry.value, Mapping) else None
    return child.text if child else ""


def _check_method(report: Report, entry: Entry) -> None:
    knobs = _defaults(entry)

    def recipe(report: Report, child: Entry, key: str) -> None:
        check_recipe(report, child, key, knobs=knobs)
        _check_knobs_used(report, child, knobs)

    fields: dict[str, Rule] = {
        "id": identifier,
        "title": text,
        "family": identifier,
        "summary": text,
        "helps": text,
        "hurts": text,
        "aliases": each(_alias),
        "sources": each(_source),
        "detect": check_conditions,
        "requires": check_conditions,
        "conflicts": each(identifier),
        "knobs": _knobs,
        "priors": each(_prior),
        "recipe": recipe,
    }
    check_fields(report, entry, "", fields=fields, required=("id", "title", "summary"))


def _alias(report: Report, entry: Entry, key: str) -> None:
    text(report, entry, key)
    if len(entry.text) > _ALIAS_LIMIT:
        report.add(entry.line, key, f"longer than {_ALIAS_LIMIT} characters")


def _source(report: Report, entry: Entry, key: str) -> None:
    check_fields(report, entry, key, fields=_SOURCE)
    if isinstance(entry.value, Mapping):
        one_of(report, entry, key, names=ORIGINS)


def _prior(report: Report, entry: Entry, key: str) -> None:
    check_fields(report, entry, key, fields=_PRIOR, required=("gain", "n"))
    if isinstance(entry.value, Mapping) and "source" not in entry.value:
        report.add(entry.line, joined(key, "source"), f"missing: {_NO_SOURCE}")


def _knobs(report: Report, entry: Entry, key: str) -> None:
    each(_knob)(report, entry, key)
    items = entry.value if isinstance(entry.value, list) else []
    names = [_text_of(item, "name") for item in items]
    for place, name in enumerate(names):
        if name and name in names[:place]:
            path = f"{key}[{place + 1}].name"
            report.add(items[place].line, path, f"the knob {name} is given twice")


def _knob(report: Report, entry: Entry, key: str) -> None:
    check_fields(report, entry, key, fields=_KNOB, required=("name", "default"))


def _defaults(entry: Entry) -> dict[str, Any]:
    """Return the default of each knob that a method declares, as far as readable."""
    knobs = entry.value.get("knobs") if isinstance(entry.value, Mapping) else None
    items = knobs.value if knobs and isinstance(knobs.value, list) else []
    return {
        _text_of(item, "name"): item.value["default"].plain()
        for item in items
        if _text_of(item, "name") and "default" in item.value
    }


def _check_knobs_used(report: Report, recipe: Entry, knobs: Mapping[str, Any]) -> None:
    used = _used(recipe.plain())
    for name in knobs:
        if name not in used:
            report.add(recipe.line, "recipe", f"does not use the knob ${name}")


def _used(steps: Any) -> set[str]:
    """Return the knobs that operations refer to, alternatives included."""
    if isinstance(steps, list):
        return {name for step in steps for name in _used(step)}
    if isinstance(steps, Mapping):
        return knobs_in(steps) | _used(steps.get("any"))
    return set()
