"""Unified diffs and V4A patches, with every fault that they are written with.

Counts are ignored and line numbers are hints: what counts is the marked lines. The
lines before the first hunk of a file are where a patch says what else it would do
(a link, a new mode, another name), so that is where those are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError
from loopgraph_git.loop.edits.hunks import (
    Edit,
    Exchange,
    Hunk,
    Line,
    Whole,
    split_at_gaps,
)
from loopgraph_git.records.texts import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

HUNK_LIMIT = 500
_NUMBERS = re.compile(r"@@+\s*-(\d+)(?:,\d+)?\s+\+\d+(?:,\d+)?\s*(?:@@+)?[ \t]?(.*)")
_V4A = re.compile(r"\*\*\* (Update|Add|Delete) File: *(.+)")
_FORBIDDEN = (
    (re.compile(r"(?:new file mode|new mode) 12"), "would become a symlink"),
    (re.compile(r"(?:new file mode|new mode) 16"), "would become a submodule"),
    (re.compile(r"(?:old|new) mode \d"), "would change its mode"),
    (re.compile(r"deleted file mode|\+\+\+ /dev/null"), "would be deleted"),
    (re.compile(r"rename (?:from|to) |\*\*\* Move to:"), "would be renamed"),
    (re.compile(r"copy (?:from|to) "), "would be copied"),
    (re.compile(r"GIT binary patch|Binary files .* differ"), "is given in binary"),
)
_QUIET = re.compile(r"index [0-9a-f]+\.\.|(?:dis)?similarity index |Index: |={20,}")
_ENVELOPE = re.compile(r"\*\*\* (?:Begin Patch|End Patch|End of File)")


def read_diff(lines: Sequence[str]) -> list[Edit]:
    """Return the edits of a diff or a patch, one for each file.

    Raises EditError, naming the file, for all but changed lines.
    """
    reader = _Reader(lines)
    while reader.at < len(lines):
        reader.step()
    reader.finish_file()
    return reader.edits


class _Reader:
    """Reads a diff line by line; `at` is the line that comes next."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.at = 0
        self.edits: list[Edit] = []
        self.form = "diff"
        self.path = ""
        self.added = False
        self.hunks: list[Hunk] = []
        self.count = 0
        self.inside = False
        self.begin_hunk()

    def begin_hunk(
        self, hint: int | None = None, anchors: tuple[str, ...] = ()
    ) -> None:
        self.body: list[tuple[str, str]] = []
        self.hint = hint
        self.anchors = anchors
        # which marks stood before "\ No newline at end of file"
        self.unended: set[str] = set()

    def step(self) -> None:
        """Take the next line, or a header of two."""
        line = self.lines[self.at]
        self.at += 1
        if self.is_file_header(line):
            return
        if line.startswith("@@"):
            self.hunk_header(line)
        elif _ENVELOPE.match(line):
            self.finish_hunk()
        elif self.has_lines or not self.is_preamble(line):
            self.take(line)

    def is_file_header(self, line: str) -> bool:
        """Begin another file where a line says so."""
        after = self.lines[self.at] if self.at < len(self.lines) else ""
        patch = _V4A.match(line)
        if patch:
            self.v4a_header(patch[1], patch[2].strip())
        elif line.startswith("diff --git "):
            self.begin_file(_last_path(line))
        elif _is_header(line, after, self.lines[self.at + 1 : self.at + 2]):
            self.at += 1
            self.header(_path(line), _path(after))
        elif line.startswith("+++ ") and after.startswith("@@"):
            self.begin_file(_path(line))
        else:
            return False
        return True

    @property
    def shown(self) -> str:
        return visible(self.path or "a file")

    def is_preamble(self, line: str) -> bool:
        """Say whether a line only describes the file; refuse what is no change of lines."""
        for pattern, problem in _FORBIDDEN:
            if pattern.match(line):
                raise EditError(f"{self.shown} {problem}: only lines may change")
        self.added = self.added or line.startswith("new file mode ")
        return bool(_QUIET.match(line)) or line.startswith("new file mode ")

    def v4a_header(self, verb: str, path: str) -> None:
        self.begin_file(path)
        self.form = "v4a"
        if verb == "Delete":
            raise EditError(f"{self.shown} would be deleted: only lines may change")
        self.added = verb == "Add"

    def header(self, old: str, new: str) -> None:
        named = [path for path in (old, new) if path != "/dev/null"]
        if new == "/dev/null":
            raise EditError(f"{visible(old)} would be deleted: only lines may change")
        if len(named) > 1 and _bare(old) != _bare(new):
            raise EditError(
                f"{visible(old)} would be renamed to {visible(new)}: only lines may "
                "change"
            )
        added = self.added and self.path and _bare(self.path) == _bare(new)
        if not (self.path and _bare(self.path) == _bare(new) and not self.has_lines):
            self.begin_file(new)
        self.added = bool(added) or old == "/dev/null"

    @property
    def has_lines(self) -> bool:
        return bool(self.body or self.hunks)

    def hunk_header(self, line: str) -> None:
        numbers = _NUMBERS.match(line)
        heading = numbers[2] if numbers else line.strip("@ \t.…")
        anchors = (heading.strip(),) if heading.strip() else ()
        if not self.body and not numbers:
            # V4A names a class first, then the function in it
            anchors = (*self.anchors, *anchors)
        self.finish_hunk()
        self.inside = True
        self.begin_hunk(int(numbers[1]) or None if numbers else None, anchors)

    def take(self, line: str) -> None:
        """Take a line of a hunk; one without a mark is context that lost it."""
        mark = line[:1] if line[:1] in ("+", "-", " ") else ""
        if line.startswith("\\"):
            if self.body:
                self.unended.add(self.body[-1][0])
        elif mark or self.body or (line and (self.path or self.inside)):
            # otherwise a blank line, or a title above the first hunk
            self.body.append((mark, line))

    def finish_hunk(self) -> None:
        body = self.body
        while body and body[-1] == ("", ""):
            body.pop()
        while body and body[0] == ("", ""):
            body.pop(0)
        if any(mark in ("+", "-") for mark, _ in body):
            self.add(body)
        self.begin_hunk()

    def add(self, body: list[tuple[str, str]]) -> None:
        lines = tuple(
            Line(mark or " ", text[1:] if mark else text) for mark, text in body
        )
        lost = tuple(
            Line(mark or " ", text[1:] if mark in ("+", "-") else text)
            for mark, text in body
        )
        if any(text and not mark for mark, text in body):
            # some marks are lost for certain
            lines, lost = lost, lines
        hunk = Hunk(
            lines=lines,
            hint=self.hint,
            anchors=self.anchors,
            ends=self.ends(),
            lost_marks=lost if lost != lines else (),
        )
        self.hunks += split_at_gaps(hunk)
        self.count += 1
        if self.count > HUNK_LIMIT:
            raise EditError(f"the patch has over {HUNK_LIMIT} hunks")

    def ends(self) -> bool | None:
        """Say whether the file ends in a newline, as far as the diff tells."""
        if not self.unended:
            return None
        return not self.unended & {"+", " "}

    def begin_file(self, path: str) -> None:
        self.finish_file()
        self.path = path
        self.added = False
        self.form = "diff"

    def finish_file(self) -> None:
        self.finish_hunk()
        if self.hunks:
            self.edits.append(self.edit())
        self.hunks = []

    def edit(self) -> Edit:
        lines = [line for hunk in self.hunks for line in hunk.lines]
        if self.added and all(line.mark == "+" for line in lines):
            text = "".join(f"{line.text}\n" for line in lines)
            return Whole(path=self.path, text=text, form=self.form)
        return Exchange(path=self.path, hunks=tuple(self.hunks), form=self.form)


def _is_header(line: str, after: str, third: Sequence[str]) -> bool:
    """Tell two lines of file names from a removed and an added line."""
    if not line.startswith("--- ") or not after.startswith("+++ "):
        return False
    begins = not third or third[0].startswith("@@")
    return begins or bool(re.search(r"[./]\w", _path(after)))


def _path(line: str) -> str:
    """Return the path of a `---` or `+++` line, without a time behind it."""
    return line[4:].split("\t", maxsplit=1)[0].strip().strip('"`')


def _last_path(line: str) -> str:
    return line.rpartition(" ")[2].strip('"')


def _bare(path: str) -> str:
    return re.sub(r"^(?:\./|(?:[abciow12]|old|new)/)+", "", path)
