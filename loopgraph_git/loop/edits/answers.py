"""From an answer in words to the edits in it.

An answer is prose with edits somewhere in it: in fences or bare, in a shell's here
document, in JSON, in one form or several. What is neither is passed over.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import EditError
from loopgraph_git.loop.edits import forms
from loopgraph_git.loop.edits.diffs import read_diff
from loopgraph_git.loop.edits.hunks import Edit, Whole

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

ANSWER_LIMIT = 2_000_000
LINE_LIMIT = 40_000
EDIT_LIMIT = 200
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^`~]*)\Z")
_HERE = re.compile(
    r"[ \t]*(?:\$ )?(?:cat|tee|apply_patch|git apply|patch)\b[^<]*?"
    r"<<-?[ \t]*(['\"]?)(\w+)\1(.*)"
)
_INTO = re.compile(r"(?:>|\btee)[ \t]*([\w./-]+)")
_DIFF_INFO = {"diff", "patch", "udiff", "v4a"}
_DIFF_START = re.compile(
    r"diff --git |\*\*\* Begin Patch|\*\*\* (?:Update|Add|Delete) File:"
)
_DIFF_LINE = re.compile(
    r"[-+ @\\]|$|\*\*\* |diff --git |index [0-9a-f]|(?:old|new|deleted) |rename |copy "
    r"|(?:dis)?similarity |Binary files |GIT binary "
)
_NAMED = re.compile(
    r"(?:file(?:name)?|path|in|edit|update|modify|change)\b[:\s]+[`*\"']*(.+)",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?!\d+\.\d+\Z)[\w.~/\\@:-]*(?:[/\\][\w.~/\\-]+|\w\.[A-Za-z]\w*)")
_JSON_FENCE = re.compile(
    r"^```(?:json)?[ \t]*\n([\[{].*?)^```", re.MULTILINE | re.DOTALL
)
_LOOKED_BACK = 4
_FENCES_TRIED = 4
_HERE_TRIED = 40
_PATH_LENGTH = 300


class FoundEdits(NamedTuple):
    """The edits of an answer, and the members that came with them in JSON."""

    edits: list[Edit]
    members: Mapping[str, object]


def find_edits(text: str, known: Collection[str] = ()) -> FoundEdits:
    """Return the edits of an answer; `known` are the files it may be about.

    Raises EditError where there are none, or where one breaks off.
    """
    if len(text) > ANSWER_LIMIT:
        raise EditError(
            f"the answer has {len(text):,} characters, over the limit of "
            f"{ANSWER_LIMIT:,}"
        )
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if text.count("\n") > LINE_LIMIT:
        raise EditError(f"the answer has over {LINE_LIMIT:,} lines")
    found = _from_json(text, known)
    if found is None:
        found = FoundEdits(_Scanner(text.split("\n"), known).edits(), {})
    if not found.edits:
        raise EditError(
            "the answer holds no edit: neither SET, nor a SEARCH block, a patch or a "
            "whole file"
        )
    return found


def _from_json(text: str, known: Collection[str]) -> FoundEdits | None:
    """Return the edits of an answer that is JSON, or has JSON in fences."""
    found = _of_json(text.strip())
    if found:
        return found
    edits: list[Edit] = []
    members: dict[str, object] = {}
    past = 0
    for fence in _JSON_FENCE.finditer(text):
        found = _of_json(fence[1])
        if found:
            # what stands around it belongs to the same answer
            edits += _Scanner(text[past : fence.start()].split("\n"), known).blocks()
            edits += found.edits
            members.update(found.members)
            past = fence.end()
    if not edits:
        return None
    edits += _Scanner(text[past:].split("\n"), known).blocks()
    return FoundEdits(edits, members)


def _of_json(text: str) -> FoundEdits | None:
    if text[:1] not in ("{", "["):
        return None
    found = forms.from_json(text, lambda patch: find_edits(patch).edits)
    return FoundEdits(*found) if found else None


class _Scanner:
    """Reads an answer line by line."""

    def __init__(
        self, lines: Sequence[str], known: Collection[str], *, depth: int = 0
    ) -> None:
        self.lines = lines
        self.known = known
        # here documents may stand in each other, and be left open
        self.depth = depth
        self.at = 0
        self.found: list[Edit] = []
        # the fence that is open: its mark, what it says, and its line
        self.fence: tuple[str, str, int] | None = None
        # no path is looked for before the end of the last edit
        self.past = 0

    def edits(self) -> list[Edit]:
        return self.blocks() or self.whole()

    def blocks(self) -> list[Edit]:
        while self.at < len(self.lines):
            self.step()
        if self.fence and self.past > self.fence[2]:
            raise EditError("the answer breaks off inside a block of code")
        return self.found

    def step(self) -> None:
        line = self.lines[self.at]
        if forms.HEAD.match(line):
            edit, size = forms.block(self.rest(), self.path_above(line))
            self.take([edit], size)
        elif self.is_diff():
            end = self.diff_end()
            edits = read_diff(self.lines[self.at : end])
            self.take(self.with_path(edits), end - self.at)
        elif line.lstrip(" \t`*->+.)0123456789").startswith("SET "):
            found = forms.setting(self.rest(), self.path_above(line))
            self.take([found[0]] if found else [], found[1] if found else 1)
        elif _HERE.match(line) and self.here_document(line):
            pass
        else:
            self.look_at_fence(line)
            self.at += 1

    def rest(self) -> Sequence[str]:
        return self.lines[self.at :]

    def take(self, edits: list[Edit], size: int) -> None:
        self.found += edits
        if len(self.found) > EDIT_LIMIT:
            raise EditError(f"the answer has over {EDIT_LIMIT} edits")
        self.at += size
        if edits:
            self.past = self.at

    def look_at_fence(self, line: str) -> None:
        found = _FENCE.match(line)
        if not found:
            return
        if self.fence is None:
            self.fence = (found[1], found[2].strip(), self.at)
        elif self.closes(line):
            self.fence = None
        elif found[2].strip():
            # a fence inside a fence, such as ```python inside ````markdown
            self.fence = (found[1], found[2].strip(), self.at)

    def closes(self, line: str) -> bool:
        mark = line.strip()
        opened = self.fence[0] if self.fence else ""
        return bool(opened) and not mark.strip(opened[0]) and len(mark) >= len(opened)

    def is_diff(self) -> bool:
        line = self.lines[self.at]
        after = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        if _DIFF_START.match(line):
            return True
        if line.startswith("--- ") and after.startswith("+++ "):
            return True
        if line.startswith("+++ ") and after.startswith("@@"):
            return True
        info = self.fence[1].split() if self.fence else []
        says_diff = bool(info) and info[0].lower() in _DIFF_INFO
        if says_diff and self.fence and not self.closes(line):
            return True
        return line.startswith("@@") and (
            bool(self.fence) or bool(_DIFF_LINE.match(after))
        )

    def diff_end(self) -> int:
        """Return the line behind a diff: its fence, its envelope's end, or prose."""
        enveloped = self.lines[self.at].startswith("*** Begin Patch")
        for at in range(self.at, len(self.lines)):
            line = self.lines[at]
            if line.startswith("*** End Patch"):
                return at + 1
            if (self.fence and self.closes(line)) or forms.HEAD.match(line):
                return at
            if not self.fence and not enveloped and not _DIFF_LINE.match(line):
                return at
        if enveloped and not self.fence:
            raise EditError("the patch breaks off: it has no *** End Patch")
        return len(self.lines)

    def with_path(self, edits: list[Edit]) -> list[Edit]:
        """Give a diff without a file header the path that stands above it."""
        if all(edit.path for edit in edits):
            return edits
        above = self.path_above("")
        return [edit if edit.path else replace(edit, path=above) for edit in edits]

    def here_document(self, line: str) -> bool:
        """Take what a shell would be given; False where it has no end."""
        found = _HERE.match(line)
        self.depth += 1
        if not found or self.depth > _HERE_TRIED:
            return False
        end = next(
            (
                at
                for at in range(self.at + 1, len(self.lines))
                if self.lines[at].strip() == found[2]
            ),
            None,
        )
        if end is None:
            return False
        body = self.lines[self.at + 1 : end]
        into = _INTO.search(line)
        if into and not any(map(_DIFF_START.match, body[:1])):
            edits: list[Edit] = [Whole(path=into[1], text="\n".join([*body, ""]))]
        else:
            edits = _Scanner([*body, ""], self.known, depth=self.depth).edits()
        self.take(edits, end + 1 - self.at)
        return True

    def path_above(self, line: str) -> str:
        """Return the path on the marker, on the fence, or on the lines above."""
        head = forms.HEAD.match(line)
        named = path_in(head[3], self.known) if head else ""
        first = max(self.past, self.at - _LOOKED_BACK)
        for above in [] if named else reversed(self.lines[first : self.at]):
            fence = _FENCE.match(above)
            words = re.split(r"[\s:={}\"']+", fence[2]) if fence else [above]
            named = next(filter(None, (path_in(x, self.known) for x in words)), "")
            if named or (above.strip() and not fence and not _is_blank(above)):
                break
        return named

    def whole(self) -> list[Edit]:
        """Return the one file that the longest fence gives whole."""
        opening, closing, paired = self.fences()
        if not paired:
            return []
        if len(self.known) > 1:
            return self.several(paired)
        start, end = max(paired, key=lambda pair: pair[1] - pair[0])
        # code may hold fences of its own
        spans = [
            (first, last)
            for first in opening[:_FENCES_TRIED]
            for last in closing[-_FENCES_TRIED:]
            if first < last
        ]
        spans.sort(key=lambda pair: pair[0] - pair[1])
        others = tuple(self.between(*pair) for pair in spans)
        path = self.path_of(start)
        return [Whole(path=path, text=self.between(start, end), others=others)]

    def several(self, paired: list[tuple[int, int]]) -> list[Edit]:
        """Return every file that is given whole, by the path above its fence."""
        texts: dict[str, str] = {}
        for start, end in paired:
            path, text = self.path_of(start), self.between(start, end)
            if len(text) > len(texts.get(path, "")):
                texts[path] = text
        if len(texts) > 1:
            # a fence without a path is an example
            texts.pop("", None)
        return [Whole(path=path, text=text) for path, text in texts.items()]

    def path_of(self, fence: int) -> str:
        """Return the path on a fence, or above it."""
        self.past, self.at = 0, fence + 1
        return self.path_above("")

    def between(self, start: int, end: int) -> str:
        """Return the lines between two lines as a text."""
        return "\n".join([*self.lines[start + 1 : end], ""])

    def fences(self) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Return the lines that may open and close a fence, and them paired in turn."""
        opening: list[int] = []
        closing: list[int] = []
        paired: list[tuple[int, int]] = []
        last: int | None = None
        for at, line in enumerate(self.lines):
            found = _FENCE.match(line)
            if not found:
                continue
            opening.append(at)
            bare = not found[2].strip()
            if bare:
                closing.append(at)
            if bare and last is not None:
                paired.append((last, at))
            last = at if last is None or not bare else None
        return opening, closing, paired


def _is_blank(line: str) -> bool:
    return not line.strip(" \t`*#-_:")


def path_in(line: str, known: Collection[str]) -> str:
    """Return the path that a line consists of, or an empty text."""
    if len(line) > _PATH_LENGTH:
        return ""
    word = line.strip().strip("`*#:\"' ").strip()
    if word in known:
        return word
    named = _NAMED.fullmatch(word)
    if named:
        word = named[1].strip("`*:\"' ")
    if word in known:
        return word
    return word if _PATH.fullmatch(word) else ""
