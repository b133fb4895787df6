"""Rules for the fields of a mapping: which keys, and what each may hold.

A rule takes a report, an entry and the path of its key, and adds problems to the
report; it never raises, so that a reader sees everything wrong at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from loopgraph_git.library.literals import is_number
from loopgraph_git.library.yaml_tree import Entry, Report

Rule = Callable[[Report, Entry, str], None]
ID = r"[a-z][a-z0-9-]*"


def check_fields(
    report: Report,
    entry: Entry,
    key: str,
    *,
    fields: Mapping[str, Rule],
    required: Iterable[str] = (),
) -> None:
    """Check a mapping: known keys only, required ones present, each by its rule."""
    if not isinstance(entry.value, Mapping):
        report.add(entry.line, key, f"expected a mapping, not {entry.kind}")
        return
    for name, child in entry.value.items():
        path = joined(key, name)
        if name in fields:
            fields[name](report, child, path)
        else:
            report.add(child.line, path, unknown(name, fields))
    for name in required:
        if name not in entry.value:
            report.add(entry.line, joined(key, name), "missing")


def joined(key: str, name: str) -> str:
    """Return the path of a key inside another."""
    return f"{key}.{name}" if key else name


def unknown(name: str, known: Iterable[str]) -> str:
    """Return the words for an unknown key: the nearest known one, and all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f", did you mean {close[0]}?" if close else ","
    return f"unknown key{hint} known are {', '.join(names)}"


def text(report: Report, entry: Entry, key: str) -> None:
    """Expect a scalar with something in it."""
    if isinstance(entry.value, Mapping | list) or not entry.text.strip():
        report.add(entry.line, key, f"expected text, not {entry.kind}")


def number(report: Report, entry: Entry, key: str) -> None:
    """Expect a finite number."""
    if not is_number(entry.value):
        report.add(entry.line, key, f"expected a number, not {entry.kind}")


def positive(report: Report, entry: Entry, key: str) -> None:
    """Expect a number above zero."""
    if not is_number(entry.value) or entry.value <= 0:
        report.add(entry.line, key, f"expected a number above 0, not {entry.kind}")


def scalar(report: Report, entry: Entry, key: str) -> None:
    """Expect a number or a text: what a knob can be turned to."""
    if isinstance(entry.value, Mapping | list | bool | None):
        report.add(entry.line, key, f"expected a number or text, not {entry.kind}")


def literal(report: Report, entry: Entry, key: str) -> None:
    """Expect a scalar or a list of literals: what can be written as Python."""
    if isinstance(entry.value, list):
        each(literal)(report, entry, key)
    elif isinstance(entry.value, Mapping):
        report.add(entry.line, key, "expected a value or a list, not a mapping")


def matching(pattern: str, words: str) -> Rule:
    """Return a rule that expects text of one form, described by `words`."""
    form = re.compile(pattern)

    def rule(report: Report, entry: Entry, key: str) -> None:
        if not form.fullmatch(entry.text):
            report.add(entry.line, key, f"expected {words}, not {entry.kind}")

    return rule


def one_word_of(words: Iterable[str]) -> Rule:
    """Return a rule that expects one of a few words."""
    known = tuple(words)
    return matching("|".join(map(re.escape, known)), f"one of {', '.join(known)}")


def each(rule: Rule) -> Rule:
    """Return a rule that expects a list of what another rule expects."""

    def check(report: Report, entry: Entry, key: str) -> None:
        if not isinstance(entry.value, list):
            report.add(entry.line, key, f"expected a list, not {entry.kind}")
            return
        for place, item in enumerate(entry.value, 1):
            rule(report, item, f"{key}[{place}]")

    return check


def one_of(
    report: Report, entry: Entry, key: str, *, names: Iterable[str]
) -> str | None:
    """Return the only one of some keys that a mapping has; None and a problem else."""
    wanted = tuple(names)
    found = [name for name in wanted if name in entry.value]
    if len(found) == 1:
        return found[0]
    had = f", not {' and '.join(found)}" if found else ""
    report.add(entry.line, key, f"expected exactly one of {', '.join(wanted)}{had}")
    return None


identifier = matching(ID, "an id of a-z, 0-9 and -, beginning with a letter")
