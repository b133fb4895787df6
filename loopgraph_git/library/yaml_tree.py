"""YAML as a tree that remembers its lines, and reads only the plain part of YAML.

Scalars are typed as people expect them: `1e-3` is a number, `yes` is a word, and
the text as written is kept, so that an arXiv id never becomes a float. Anchors,
aliases, tags and duplicate keys are refused: they are how a small file becomes a
large one, or says two things at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

SIZE_LIMIT = 1_000_000
DEPTH_LIMIT = 40
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_DIGITS = 300
_TAGS = re.compile(r"tag:yaml\.org,2002:(?:map|seq|str|int|float|bool|null)\Z")
# Plain scalars may also look like these to YAML 1.1; here they are text.
_LOOKS = re.compile(r"tag:yaml\.org,2002:(?:timestamp|merge|value)\Z")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with a pack: where, in which method and key, and what."""

    file: str
    line: int
    method: str
    key: str
    message: str

    def __str__(self) -> str:
        """Return one line: `file:line: method: key: what is wrong`."""
        parts = [f"{self.file}:{self.line}", self.method, self.key, self.message]
        return ": ".join(part for part in parts if part)


@dataclass(frozen=True)
class Entry:
    """A scalar, list or mapping, with its line (from 1) and its text as written."""

    value: Any
    line: int
    text: str = ""

    @property
    def kind(self) -> str:
        """What it is, in the words of an error message."""
        if isinstance(self.value, Mapping):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return "nothing" if self.value is None else repr(self.text)

    def plain(self) -> Any:
        """Return the value with plain scalars, lists and dicts inside."""
        if isinstance(self.value, Mapping):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value


class Report:
    """Collects every problem of one file; `method` is the one being read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.method = ""
        self.problems: list[Problem] = []

    def add(self, line: int, key: str, message: str) -> None:
        """Note one problem of the method being read."""
        self.problems.append(
            Problem(
                file=self.file, line=line, method=self.method, key=key, message=message
            )
        )


def read_yaml(text: str, report: Report) -> Entry | None:
    """Return a YAML text as a tree; None where nothing can be read at all.

    What is wrong with it is added to the report.
    """
    if len(text.encode("utf-8", "replace")) > SIZE_LIMIT:
        report.add(1, "", f"larger than {SIZE_LIMIT} bytes")
        return None
    try:
        if _is_bomb(text, report):
            return None
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "not YAML"
        report.add(mark.line + 1 if mark else 1, "", f"not YAML: {reason}")
        return None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        report.add(1, "", f"not YAML: {str(error).splitlines()[0]}")
        return None
    if node is None:
        report.add(1, "", "empty")
        return None
    return _Builder(report).entry(node, "")


def _is_bomb(text: str, report: Report) -> bool:
    """Refuse aliases and deep nesting while they are events, not yet a tree.

    The composer of libyaml calls itself for every level, which could end the
    process; and an alias, once composed, no longer knows its line.
    """
    depth, before = 0, len(report.problems)
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if getattr(event, "anchor", None) is not None:
            report.add(line, "", "anchors and aliases (&name, *name) are not allowed")
        if depth > DEPTH_LIMIT:
            report.add(line, "", f"nested deeper than {DEPTH_LIMIT} levels")
            break
    return len(report.problems) > before


class _Builder:
    """Turns YAML nodes into entries, refusing what a pack has no use for."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def entry(self, node: yaml.Node, key: str) -> Entry:
        """Return a node as an entry; what is refused becomes an empty one."""
        line = node.start_mark.line + 1
        problem = _refusal(node)
        if problem:
            self._report.add(line, key, problem)
            return Entry(None, line)
        if isinstance(node, yaml.MappingNode):
            return Entry(self._mapping(node, key), line)
        if isinstance(node, yaml.SequenceNode):
            items = [
                self.entry(item, f"{key}[{number}]")
                for number, item in enumerate(node.value, 1)
            ]
            return Entry(items, line)
        value = typed(node.value) if _is_plain(node) else node.value
        return Entry(value, line, node.value)

    def _mapping(self, node: yaml.MappingNode, key: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                self._report.add(line, key, "a key must be a word")
                continue
            path = f"{key}.{name.value}" if key else name.value
            if name.value in entries:
                first = entries[name.value].line
                self._report.add(line, path, f"given twice, first on line {first}")
                continue
            entries[name.value] = self.entry(value, path)
        return entries


def _refusal(node: yaml.Node) -> str:
    if _TAGS.match(node.tag) or (_is_plain(node) and _LOOKS.match(node.tag)):
        return ""
    return f"the tag {node.tag} is not allowed"


def _is_plain(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style in (None, "")


def typed(text: str) -> Any:
    """Return an unquoted scalar as YAML 1.2 reads it: number, bool, null or text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text) and len(text) <= _DIGITS:
        return int(text)
    if _FLOAT.match(text) and math.isfinite(float(text)):
        return float(text)
    return text
