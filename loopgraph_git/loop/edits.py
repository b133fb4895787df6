"""From an answer in words to new files in memory.

Two forms are understood: search/replace blocks and a whole file. An edit is all or
nothing, every search must match exactly one place, and nothing is guessed by
likeness.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError, RecipeError
from loopgraph_git.library.recipes import apply_operations
from loopgraph_git.records import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK = re.compile(
    r"^<{5,9} ?SEARCH[^\n]*\n(?P<search>.*?)^={5,9}[ \t]*\n(?P<replace>.*?)"
    r"^>{5,9} ?REPLACE",
    re.MULTILINE | re.DOTALL,
)
_FENCE = re.compile(r"^```[\w.+-]*[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\W{0,4}(Title|Method)\W{1,4}(.+)$", re.MULTILINE)
_WHOLE_FILE_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an answer says: its title, method, reason, and the files it makes."""

    title: str
    method: str
    reason: str
    files: dict[str, str]


def read_answer(text: str, before: Mapping[str, str]) -> Answer:
    """Return the experiment that an answer describes; raises EditError.

    `before` holds the editable files as they are.
    """
    text = text.replace("\r\n", "\n")
    fields = {key: value.strip(" `*") for key, value in reversed(_FIELD.findall(text))}
    return Answer(
        title=fields.get("Title", "")[:72] or "unnamed experiment",
        method=fields.get("Method", "").lower(),
        reason=_reason(text),
        files=_blocks(text, before) or _whole(text, before),
    )


def _reason(text: str) -> str:
    prose = re.split(r"^(?:<{5,9} ?SEARCH|```)", text, maxsplit=1, flags=re.MULTILINE)[
        0
    ]
    lines = [line for line in prose.splitlines() if not _FIELD.match(line)]
    return "\n".join(lines).strip()[:1500]


def _blocks(text: str, before: Mapping[str, str]) -> dict[str, str]:
    """Return the files that search/replace blocks make, all blocks of one together.

    Two blocks may be sound only as a pair, so only the whole has to compile.
    """
    blocks: dict[str, list[Operation]] = {}
    for match in _BLOCK.finditer(text):
        path = _path_above(text[: match.start()], before)
        arguments = {"search": match["search"], "replace": match["replace"]}
        operation = Operation(verb="search", arguments=arguments)
        blocks.setdefault(path, []).append(operation)
    try:
        return {
            path: apply_operations(operations, before[path], name=path)
            for path, operations in blocks.items()
        }
    except RecipeError as error:
        raise EditError(str(error)) from error


def _path_above(text: str, before: Mapping[str, str]) -> str:
    """Return the file a block is for: named just above it, or the only one."""
    for line in reversed(text.splitlines()[-4:]):
        word = line.strip().strip("`*#: ")
        if word in before:
            return word
        if re.fullmatch(r"[\w./-]+\.\w+", word):
            raise EditError(f"{word} may not be edited, only {', '.join(before)}")
    if len(before) == 1:
        return next(iter(before))
    raise EditError("a block names no file: put the path on the line above it")


def _whole(text: str, before: Mapping[str, str]) -> dict[str, str]:
    """Return the one file that the answer gives whole."""
    fences = _FENCE.findall(text)
    if not fences:
        raise EditError("the answer holds neither a SEARCH block nor a whole file")
    body = max(fences, key=len)
    start = text[: text.index(body)].rpartition("```")[0]
    path = _path_above(start, before)
    if len(body) < _WHOLE_FILE_SHARE * len(before[path]):
        raise EditError(
            f"the block for {path} is no whole file and has no SEARCH and REPLACE"
        )
    return {path: body}
