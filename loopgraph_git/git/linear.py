"""A line of history, read in bulk: what each commit says, and which files it changed.

Only first parents are followed: what a merge brought in is another line.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import UsageError
from loopgraph_git.git import bulk
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.git.repo import Repo

COMMIT_LIMIT = 20_000
_WHEN = re.compile(rb"> (\d+) [+-]\d{4}\Z")


class Change(NamedTuple):
    """The blobs of one file before and after a commit, zeros where there is none."""

    old: str
    new: str


class Step(NamedTuple):
    """One commit of a line."""

    oid: Oid
    tree: str
    parents: tuple[str, ...]
    ts: int
    message: str
    changes: Mapping[str, Change]

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0].strip()


class Line(NamedTuple):
    """The commits from a base (left out) to a tip, and in words which they are."""

    tip: Oid
    base: Oid | None
    words: str


def find_line(repo: Repo, text: str) -> Line | None:
    """Return the line that a range or a rev means, or None where it names no commit.

    `A..B` are the commits of B that are not A's. A rev alone means its commits since
    it left the default branch, and for the default branch itself all of them. Raises
    UsageError for a rev that is on the default branch, but not its end.
    """
    start, dots, end = text.partition("..")
    if dots:
        tip, base = repo.find(end or "HEAD"), repo.find(start or "HEAD")
        if tip is None or base is None or end.startswith("."):
            return None
        return Line(tip, base, f"since {start or 'HEAD'}")
    tip = repo.find(text)
    if tip is None:
        return None
    name, default = _default_branch(repo)
    if default is None or default == tip:
        return Line(tip, None, "from the beginning")
    fork = repo.maybe("merge-base", default, tip)
    if fork == tip:
        raise UsageError(
            f"{text} is on {name} already: say which of its commits are meant, as in "
            f"`git lg import <start>..{text}`"
        )
    return Line(tip, Oid(fork) if fork else None, f"since it left {name}")


def _default_branch(repo: Repo) -> tuple[str, Oid | None]:
    head = repo.maybe("symbolic-ref", "-q", "refs/remotes/origin/HEAD")
    names = [
        *([head] if head else []),
        *(
            f"refs/{place}/{name}"
            for name in (repo.config("init.defaultBranch"), "main", "master")
            if name
            for place in ("heads", "remotes/origin")
        ),
    ]
    found = repo.refs(*names)
    # a prefix finds what is below it too
    name = next((name for name in names if name in found), "")
    short = name.removeprefix("refs/").removeprefix("heads/").removeprefix("remotes/")
    return short, found.get(name)


def read_line(repo: Repo, line: Line) -> list[Step]:
    """Return the commits of a line, the oldest first; raises UsageError for too many."""
    listing = repo.text(
        "rev-list", "--first-parent", f"--max-count={COMMIT_LIMIT + 1}", line.tip,
        *([f"^{line.base}"] if line.base else []), "--",
    )  # fmt: skip
    oids = listing.splitlines()[::-1]
    if len(oids) > COMMIT_LIMIT:
        raise UsageError(
            f"these are over {COMMIT_LIMIT} commits: give a range, as in `v1..main`"
        )
    return read_steps(repo, oids)


def read_steps(repo: Repo, oids: Iterable[str]) -> list[Step]:
    """Read commits in bulk, in the order given."""
    wanted = list(oids)
    changes = _changes(repo, wanted)
    return [
        _step(Oid(oid), content, changes.get(oid, {}))
        for oid, _, content in repo.objects(wanted)
    ]


def _step(oid: Oid, content: bytes, changes: Mapping[str, Change]) -> Step:
    header, _, message = content.partition(b"\n\n")
    rows = [row.partition(b" ") for row in header.split(b"\n")]
    found = {key: value for key, _, value in reversed(rows)}
    when = _WHEN.search(found.get(b"committer", b""))
    return Step(
        oid=oid,
        tree=found.get(b"tree", b"").decode("ascii", "replace"),
        parents=tuple(value.decode() for key, _, value in rows if key == b"parent"),
        ts=int(when[1]) if when else 0,
        message=message.decode("utf-8", "replace"),
        changes=changes,
    )


def _changes(repo: Repo, oids: list[str]) -> dict[str, dict[str, Change]]:
    """Return which files each commit changed against its first parent."""
    raw = repo.run(
        "diff-tree", "--stdin", "-r", "-z", "--raw", "--root", "-m", "--first-parent",
        "--no-renames", "--no-abbrev",
        stdin="".join(f"{oid}\n" for oid in oids).encode(),
    )  # fmt: skip
    found: dict[str, dict[str, Change]] = {}
    current: dict[str, Change] = {}
    words = iter(os.fsdecode(raw).split("\0"))
    for word in words:
        if word.startswith(":"):
            _, _, old, new, _ = word.split(" ")
            current[next(words)] = Change(old, new)
        elif word:
            current = found.setdefault(word.strip(), {})
    return found


def contents(
    repo: Repo, names: Iterable[str], *, limit: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the contents of blobs, by names such as `<oid>` or `<commit>:<path>`.

    What is missing, no blob, or larger than `limit` bytes is left out, unread.
    """
    sizes = bulk.blob_sizes(repo, names)
    small = [name for name, size in sizes.items() if size <= limit]
    for name, _, content in repo.objects(small):
        yield name, content
