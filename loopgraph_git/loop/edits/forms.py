"""The small forms of an edit: a value to set, a search/replace block, JSON."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import EditError
from loopgraph_git.library.layout import tokens_of
from loopgraph_git.loop.edits.hunks import Edit, Exchange, Setting, Whole, from_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HEAD = re.compile(r"([ \t]*)(<{5,9}) ?(?:SEARCH|ORIGINAL|HEAD|BEFORE|OLD)\b[:\s]*(.*)")
TAIL = re.compile(r"[ \t]*>{5,9} ?(?:REPLACE|UPDATED|AFTER|NEW|[\w./-]*)\s*\Z")
_DIVIDER = re.compile(r"[ \t]*(={5,9})[ \t]*\Z")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_SET = re.compile(
    r"""[ \t]*(?:[-*+>][ \t]+|\d+[.)][ \t]+)?[`*]{0,3}SET[ \t]+
    (?:(?P<path>[\w./-]+\.\w+):[ \t]*)?
    (?P<name>[^\W\d][\w.]*(?:\([ \t]*\w+[ \t]*\))?)
    (?:[ \t]*:[ \t]*[\w.\[\], |]+?)?[ \t]*
    (?P<how>\*=|:?=(?!=)|(?<=[ \t])to(?=[ \t]))""",
    re.VERBOSE,
)
_VALUE_LINES = 12
_NAME_LENGTH = 300
_DEPTH = 6
_NAMES = {
    "path": ("path", "file", "file_path", "filename"),
    "search": ("search", "old_string", "old_str", "old", "before"),
    "replace": ("replace", "new_string", "new_str", "new", "after"),
    "patch": ("patch", "diff", "input"),
    "whole": ("content", "whole", "code", "file_text"),
}


def setting(lines: Sequence[str], path: str) -> tuple[Setting, int] | None:
    """Return the value that a line sets, and how many lines that takes.

    None where the first line does not begin with SET.
    """
    # no name is longer, and none is looked for in a long line
    found = _SET.match(lines[0][:_NAME_LENGTH])
    if not found:
        return None
    first = lines[0][found.end() :].strip()
    value, size = first, 1
    for more in range(min(_VALUE_LINES, len(lines))):
        longer = "\n".join([first, *lines[1 : more + 1]])
        if _is_expression(longer):
            value, size = longer.strip(), more + 1
            break
    return Setting(
        path=found["path"] or path,
        name=re.sub(r"[ \t]", "", found["name"]),
        value=_number(value) if found["how"] == "*=" else _clean(value),
        times=found["how"] == "*=",
    ), size


def _is_expression(text: str) -> bool:
    try:
        ast.parse(f"({_clean(text)}\n)", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _clean(value: str) -> str:
    """Return a value without decoration and without a comment behind it."""
    value = value.strip().rstrip("`") if value.count("`") % 2 else value.strip()
    if "#" not in value or "\n" in value:
        return value
    for token in tokens_of(value):
        if token.string.startswith("#"):
            return value[: token.start[1]].rstrip()
    return value


def _number(value: str) -> object:
    try:
        return ast.literal_eval(_clean(value))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EditError(f"SET … *= takes a number, not {value[:40]}") from error


def block(lines: Sequence[str], path: str) -> tuple[Exchange, int]:
    """Return the search/replace block that begins here, and how many lines it takes.

    Raises EditError where it breaks off.
    """
    head = HEAD.match(lines[0])
    if not head:
        raise EditError("a block has to begin with <<<<<<< SEARCH")
    end = next((at for at in range(1, len(lines)) if TAIL.match(lines[at])), None)
    again = next((at for at in range(1, len(lines)) if HEAD.match(lines[at])), end)
    if end is None or (again is not None and again < end):
        raise EditError("a block breaks off: it has no >>>>>>> REPLACE")
    body = [line.removeprefix(head[1]) for line in lines[1:end]]
    cuts = [at for at, line in enumerate(body) if _DIVIDER.match(line)]
    if len(cuts) > 1:
        size = len(head[2])
        cuts = [at for at in cuts if len(body[at].strip()) == size]
    if len(cuts) != 1:
        number = len(cuts) or "no"
        raise EditError(f"a block has {number} lines of ======= where it needs one")
    search, replacement = _unfenced(body[: cuts[0]]), _unfenced(body[cuts[0] + 1 :])
    edit = Exchange(path=path, hunks=from_blocks(search, replacement), form="search")
    return edit, end + 1


def _unfenced(lines: list[str]) -> list[str]:
    """Return lines without a fence around them."""
    fence = _FENCE.match(lines[0]) if len(lines) > 1 else None
    if fence and lines[-1].strip() == fence[1]:
        return lines[1:-1]
    return lines


def from_json(
    text: str, read: Callable[[str], list[Edit]]
) -> tuple[list[Edit], Mapping[str, Any]] | None:
    """Return the edits of an answer in JSON, and its other members.

    `read` reads a patch that stands in a string. None where the text is not JSON, or
    JSON without an edit.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return None
    edits = list(_edits(plain, read, _DEPTH))
    if not edits:
        return None
    return edits, plain if isinstance(plain, dict) else {}


def _edits(plain: Any, read: Callable[[str], list[Edit]], depth: int) -> list[Edit]:
    if depth == 0:
        return []
    if isinstance(plain, list):
        return [edit for item in plain for edit in _edits(item, read, depth - 1)]
    if isinstance(plain, str):
        return read(plain) if "*** Begin Patch" in plain else []
    if not isinstance(plain, dict):
        return []
    given = {
        name: next((plain[key] for key in keys if key in plain), None)
        for name, keys in _NAMES.items()
    }
    path = given["path"] if isinstance(given["path"], str) else ""
    own = _operation(plain, given, path, read)
    if own:
        return own
    return [
        edit
        for item in plain.values()
        if isinstance(item, list | dict | str)
        for edit in _edits(item, read, depth - 1)
    ]


def _operation(
    plain: Mapping[str, Any],
    given: Mapping[str, Any],
    path: str,
    read: Callable[[str], list[Edit]],
) -> list[Edit]:
    """Return the edit that a JSON object is, if it is one."""
    name = plain.get("set")
    if isinstance(name, str):
        return [_setting(name, plain, path)]
    search, replacement = given["search"], given["replace"]
    if isinstance(search, str) and isinstance(replacement, str):
        old, new = (_lines(text) for text in (search, replacement))
        return [Exchange(path=path, hunks=from_blocks(old, new), form="search")]
    if isinstance(given["patch"], str):
        return read(given["patch"])
    if isinstance(given["whole"], str) and path:
        return [Whole(path=path, text=given["whole"])]
    return []


def _setting(name: str, plain: Mapping[str, Any], path: str) -> Setting:
    """Return the value that a JSON object sets: a scalar, a list of them, or code."""
    for key in ("to", "value", "code", "times"):
        value = plain.get(key)
        items = value if isinstance(value, list) else [value]
        if key in plain and not any(isinstance(item, list | dict) for item in items):
            if isinstance(value, str) and key != "code" and not _is_expression(value):
                value = repr(value)
            return Setting(path=path, name=name, value=value, times=key == "times")
    raise EditError(f"set {name[:40]} has no value: give `to` or `times`")


def _lines(text: str) -> list[str]:
    text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []
