"""What happened on experiment branches while nobody looked, hooks or not.

A commit is an experiment when it is on such a branch, or was by its reflog, and on no
other branch and no tag. Where no other ref bounds a branch, as in a clone of it alone,
only what it came by here counts: ordinary history leaves no trace.
"""

from __future__ import annotations

import hashlib
import os
import re
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError
from loopgraph_git.git import refs
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.git.repo import Repo

_LOCAL, _TRACKING = "refs/heads/", "refs/remotes/"
_WALKED = 50_000
"""Commits that are read at most; a longer history is one that nothing bounds."""
_REBASED = re.compile(r"(pull .*)?rebase\b.*(\(finish\)|finished)")


class Look(NamedTuple):
    """All branches at one moment, told apart by the configured patterns.

    `marks` says of each experiment branch whether anything happened on it, and `mark`
    the same of all branches together.
    """

    experiments: dict[str, Oid]
    others: dict[str, Oid]
    marks: dict[str, str]
    mark: str


class Entry(NamedTuple):
    """A line of a reflog: where the branch went, and by what."""

    oid: Oid
    message: str


class Node(NamedTuple):
    """A commit as a walk through history needs it."""

    tree: Oid
    parents: tuple[Oid, ...]


class Move(NamedTuple):
    """What one command put in the place of what; both newest first."""

    how: str
    old: tuple[Oid, ...]
    new: tuple[Oid, ...]


class Found(NamedTuple):
    """The experiments of some branches, and how they were rewritten.

    `judged` are the tips whose history never has to be read again.
    """

    commits: list[Oid]
    moves: list[Move]
    judged: set[Oid]
    nodes: dict[Oid, Node]


def look(repo: Repo, patterns: Sequence[str]) -> Look:
    """Return where every branch is; one process, whatever their number."""
    listing = repo.text(
        "for-each-ref", "--format=%(objectname) %(refname) %(symref)",
        "--", _LOCAL, _TRACKING,
    )  # fmt: skip
    experiments, others = {}, {}
    # some characters of a name are an end of line to Python, but not to git
    for line in listing.split("\n") if listing else []:
        oid, ref, symref = line.split(" ", 2)
        if symref:
            continue
        if not matches(ref, patterns):
            others[ref] = Oid(oid)
        elif ref.startswith(_LOCAL):
            experiments[ref] = Oid(oid)
    marks = {ref: f"{oid} {_reflog(repo, ref)}" for ref, oid in experiments.items()}
    whole = f"{sorted(patterns)}\n{listing}\n{sorted(marks.items())}"
    mark = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()
    return Look(experiments, others, marks, mark)


def matches(ref: str, patterns: Iterable[str]) -> bool:
    """Say whether a branch, of this clone or of a remote, is an experiment branch."""
    name = ref.removeprefix(_LOCAL)
    if ref.startswith(_TRACKING):
        name = ref.removeprefix(_TRACKING).partition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _reflog(repo: Repo, ref: str) -> str:
    """Return what changes with every line that a branch's reflog gets."""
    # a commit that was reset away leaves the tip as it was
    for path in (repo.common_dir / "logs" / ref,
                 repo.common_dir / "reftable" / "tables.list"):  # fmt: skip
        try:
            found = os.stat(path)  # noqa: PTH116  several hundred of them, often
        except OSError:
            continue
        return f"{found.st_size} {found.st_mtime_ns}"
    return ""


def find(repo: Repo, seen: Look, fresh: Iterable[str], judged: Iterable[Oid]) -> Found:
    """Return the experiments of the branches `fresh`.

    What can be reached from the tips `judged` was decided by an earlier call.
    """
    logs = reflogs(repo, list(fresh))
    starts = {
        ref: {seen.experiments[ref], *(entry.oid for entry in log)}
        for ref, log in logs.items()
    }
    every = {oid for found in starts.values() for oid in found}
    nodes = history(repo, every, seen.others.values())
    decided = _reach(nodes, judged)
    commits: dict[Oid, None] = {}
    kept = set()
    for ref, log in logs.items():
        own = _reach(nodes, starts[ref])
        endless = len(nodes) >= _WALKED or any(not nodes[oid].parents for oid in own)
        if not endless:
            kept.add(seen.experiments[ref])
        if endless or _is_ours(ref, log):
            own -= _before(nodes, log) if log else own
        own -= decided
        commits |= dict.fromkeys(oid for oid in nodes if oid in own)
    moves = [move for log in logs.values() for move in _moves(nodes, log)]
    return Found(list(commits), moves, kept, nodes)


def reflogs(repo: Repo, names: Sequence[str]) -> dict[str, list[Entry]]:
    """Return the reflogs of branches, the newest entry first."""
    found: dict[str, list[Entry]] = {name: [] for name in names}
    if not names:
        return found
    try:
        raw = repo.run(
            "log", "-g", "--format=%H%x00%gD%x00%gs", "--stdin",
            stdin="".join(f"{name}\n" for name in names).encode(errors="surrogateescape"),
        )  # fmt: skip
    except GitError:
        # a branch that went away meanwhile is no reason to fail
        return found
    for line in os.fsdecode(raw).split("\n")[:-1]:
        oid, ref, message = line.split("\0", 2)
        name = ref.rpartition("@{")[0]
        if name in found:
            found[name].append(Entry(Oid(oid), message))
    return found


def history(
    repo: Repo, starts: Iterable[Oid], bounds: Iterable[Oid], *, most: int = _WALKED
) -> dict[Oid, Node]:
    """Return what can be reached from `starts`, but from no bound and no tag."""
    lines = [*sorted(starts), *(f"^{oid}" for oid in sorted(set(bounds)))]
    listing = repo.text(
        "log", "--format=%H %T %P", f"--max-count={most}", "--ignore-missing",
        "--no-notes", "--no-patch", "--stdin", "--not", "--tags",
        stdin="".join(f"{line}\n" for line in lines).encode(),
    )  # fmt: skip
    rows = ([Oid(word) for word in line.split()] for line in listing.splitlines())
    return {oid: Node(tree, tuple(parents)) for oid, tree, *parents in rows}


def _reach(nodes: Mapping[Oid, Node], starts: Iterable[Oid]) -> set[Oid]:
    reached: set[Oid] = set()
    left = list(starts)
    while left:
        oid = left.pop()
        if oid in nodes and oid not in reached:
            reached.add(oid)
            left.extend(nodes[oid].parents)
    return reached


def _is_ours(ref: str, log: Sequence[Entry]) -> bool:
    """Say whether `git lg` made the branch: it begins at a baseline of the user's."""
    return bool(log) and ref.startswith(refs.SESSIONS) and not log[-1].message


def _before(nodes: Mapping[Oid, Node], log: Sequence[Entry]) -> set[Oid]:
    """Return what was there before the branch was, or before its reflog."""
    first = log[-1]
    if first.message.startswith("commit (initial)"):
        return set()
    return _reach(nodes, [first.oid])


def _moves(nodes: Mapping[Oid, Node], log: Sequence[Entry]) -> list[Move]:
    """Return the amends and rebases that a reflog tells of, the oldest first."""
    moves = []
    for new, old in pairwise(log):
        if new.message.startswith("commit (amend)"):
            moves.append(Move("amend", (old.oid,), (new.oid,)))
        elif _REBASED.match(new.message):
            before, after = (_reach(nodes, [entry.oid]) for entry in (old, new))
            sides = (before - after, after - before)
            past, now = (tuple(x for x in nodes if x in side) for side in sides)
            moves.append(Move("rebase", past, now))
    return moves[::-1]
