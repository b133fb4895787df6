"""All lines of notes that nobody has read yet, told while something else is done."""

from __future__ import annotations

import os
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, cast

from loopgraph_git.git.notes import Notes
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.git.repo import Repo

_OPTIONS = (
    "--threads=1", "--text", "--no-color", "-h", "--no-line-number", "--no-column",
    "--no-textconv", "--no-recurse-submodules",
)  # fmt: skip
_READ_BYTES = 1 << 18
_LINE_BYTES = 1 << 16
"""What is kept of a line that does not end: sixteen times the longest record."""
_ABOUT = b'"commit":"'


class Telling(Closing):
    """The lines with a text, as every record has, of all notes of refs: ref → tip.

    One `git grep` finds them, as far as the notes can be read, and writes them to a file.
    It takes half the time of reading the notes one by one, for which git asks of each how
    large it is, and goes on while the caller does something else. Use it in a `with`
    statement, or close it.
    """

    def __init__(self, repo: Repo, tips: Mapping[str, str], text: str = "{") -> None:
        self.tips = dict(tips)
        self._repo = repo
        self._open = ExitStack()
        if tips:
            self._file = TemporaryFile()  # noqa: SIM115  closed with git itself
            self._open.callback(self._file.close)
            asked = ("grep", *_OPTIONS, "-F", "-e", text, *tips.values(), "--")
            self._process = repo.begin(*asked, stdout=self._file)
            self._open.enter_context(self._process)

    def close(self) -> None:
        """End git, if it is still at it; closing twice is fine."""
        if self.tips and self._process.poll() is None:
            self._process.kill()
        self._open.close()

    def _wait(self) -> None:
        """Wait for git, here and in copies of this process: a pipe of its ends with it.

        What it complains of is taken out, or it would wait for ever to be heard.
        """
        if self.tips:
            complaints = cast("IO[bytes]", self._process.stderr)
            while os.read(complaints.fileno(), _READ_BYTES):
                pass

    def is_whole(self) -> bool:
        """Wait for git, and say whether it came to its end; not for copies to ask.

        If not, there are no lines: what there was of them is let go of.
        """
        self._wait()
        # 1: there is no such line
        whole = not self.tips or self._process.wait() in (0, 1)
        if not whole:
            # others may need the room: the disk may be full
            self._file.truncate(0)
        return whole

    def lines(self) -> Iterator[bytes]:
        """Wait for git, and yield the lines; those of over 64 KB are cut.

        Two processes may read them at once.
        """
        self._wait()
        rest, place = b"", 0
        while self.tips and (
            piece := os.pread(self._file.fileno(), _READ_BYTES, place)
        ):
            place += len(piece)
            text = rest + piece
            lines = text.split(b"\n")
            rest = lines.pop()[:_LINE_BYTES]
            # some editors add the \r
            yield from (x.rstrip(b"\r") for x in lines) if b"\r" in text else lines

    def untold(self) -> Iterator[bytes]:
        """Yield the lines of one note after the other, if git could not tell them at once.

        A stranger may have let a ref point to something else than a commit. It is not
        for copies to ask.
        """
        if not self.is_whole():
            yield from Notes(self._repo).all_lines(self.tips)

    def share(self, digits: Iterable[str], *, its: bool) -> Iterator[bytes]:
        """Yield the lines about commits whose names begin with some digits, or the others.

        Every line is in one of the two, whatever it says.
        """
        wanted = {digit.encode() for digit in digits}
        for line in self.lines():
            place = line.find(_ABOUT) + len(_ABOUT)
            if (line[place : place + 1] in wanted) == its:
                yield line
