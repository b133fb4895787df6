"""An LLM's answer as drafts: plain values, read as a pack is read, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopgraph_git.library.packs import plain_of
from loopgraph_git.library.yaml_tree import Report, read_yaml
from loopgraph_git.loop.drafts.reach import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.records import Chunk

_FENCE = re.compile(r"^[ ]{0,3}```[\w-]*[ \t]*\n(.*?)^[ ]{0,3}```", re.DOTALL | re.MULTILINE)  # fmt: skip
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,4}(?![0-9])")
_MOST = 12
_LIMIT = 100_000


@dataclass(frozen=True)
class Draft:
    """A method as an LLM wrote it: its keys, and the passage that it is from.

    `left_out` says which keys were taken out of it, and why.
    """

    keys: Mapping[str, Any]
    passage: Chunk | None
    left_out: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        """Its id as it was given, which may be none."""
        return str(self.keys.get("id", ""))

    def without(self, key: str, why: str) -> Draft:
        """Return it without a key, which is noted."""
        keys = {name: value for name, value in self.keys.items() if name != key}
        return Draft(keys, self.passage, (*self.left_out, words_of(f"{key}: {why}")))


@dataclass(frozen=True)
class Answer:
    """The drafts of an answer, or what is wrong with it as a whole."""

    drafts: tuple[Draft, ...] = ()
    problem: str = ""


def read_answer(text: str, passages: Mapping[int, Chunk]) -> Answer:
    """Return the drafts in an answer to some passages, by the number they were given."""
    if len(text) > _LIMIT:
        return Answer(problem=f"the answer is longer than {_LIMIT} characters")
    problem = "the answer has no `methods:` list"
    for part in _parts(_THOUGHT.sub("", text)):
        report = Report("answer")
        entry = read_yaml(part, report)
        if report.problems:
            problem = f"line {report.problems[0].line}: {report.problems[0].message}"
            continue
        found = plain_of(entry) if entry else None
        listed = found.get("methods") if isinstance(found, Mapping) else found
        # `methods: []`, or nothing behind the colon, are answers too
        if isinstance(found, Mapping) and "methods" in found and not listed:
            return Answer()
        if isinstance(listed, list) and all(isinstance(x, Mapping) for x in listed):
            return Answer(tuple(_draft(item, passages) for item in listed[:_MOST]))
    return Answer(problem=problem)


def _parts(text: str) -> Iterator[str]:
    blocks = _FENCE.findall(text)
    # an answer that was cut off has no closing fence
    yield from blocks or [re.sub(r"\A.*?^[ ]{0,3}```[\w-]*[ \t]*\n", "", text, count=1, flags=re.DOTALL | re.MULTILINE)]  # fmt: skip


def _draft(given: Mapping[str, Any], passages: Mapping[int, Chunk]) -> Draft:
    number = _NUMBER.search(str(given.get("passage", "")))
    chunk = passages.get(int(number[0])) if number else None
    # the source is the passage's, whatever an answer says
    ours = ("passage", "sources")
    return Draft({k: v for k, v in given.items() if k not in ours and v not in (None, "", [])}, chunk)  # fmt: skip
