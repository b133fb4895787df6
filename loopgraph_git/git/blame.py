"""Who put a line where it is: blame along first parents, one process for a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError, UsageError
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from loopgraph_git.git.repo import Repo

_PLACE = re.compile(r"(?:(?P<rev>[^:]+):)?(?P<path>[^:]+):(?P<number>[0-9]{1,9})\Z")


class Place(NamedTuple):
    """A line of a file at a rev, as people name it: `[REV:]PATH:LINE`."""

    rev: str
    path: str
    number: int


class Line(NamedTuple):
    """A line, its text, and the commit that put it there."""

    path: str
    number: int
    text: str
    commit: Oid


def parse_place(text: str) -> Place | None:
    """Read `train.py:42` or `lg/main:train.py:42`; None for what is no line."""
    found = _PLACE.match(text)
    if not found:
        return None
    return Place(found["rev"] or "HEAD", found["path"], int(found["number"]))


def blame(repo: Repo, place: Place) -> Line:
    """Return the commit that put a line there, along first parents.

    Raises UsageError for a file or a line that is not there.
    """
    commit = repo.oid(place.rev)
    where = f"{place.path}:{place.number} at {place.rev}"
    if not place.number:
        raise UsageError(f"{where}: lines count from 1")
    if not repo.maybe("ls-tree", "-z", commit, "--", place.path):
        raise UsageError(
            f"{where}: no such file: `git ls-tree -r --name-only {place.rev}` lists "
            "those that there are, by their paths from the top"
        )
    try:
        out = repo.text(
            # commits that the user's settings pass over wrote lines all the same
            "blame", "--first-parent", "--porcelain", "--ignore-revs-file=",
            f"-L{place.number},{place.number}", commit, "--", place.path,
        )  # fmt: skip
    except GitError as error:
        said = str(error).removeprefix("git blame: ").removeprefix("fatal: ")
        raise UsageError(f"{where}: {said}") from error
    lines = out.split("\n")
    text = next((line[1:] for line in lines if line.startswith("\t")), "")
    return Line(place.path, place.number, text, Oid(lines[0].split(" ")[0]))
