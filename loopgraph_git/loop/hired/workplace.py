"""A place for a coding agent: a copy of the code that shares nothing with the original.

A linked worktree would share hooks, configuration and refs with the user's repository,
and an agent may write all of them. So it gets a repository of its own with one commit,
without history, remotes and hooks. Git is never run in it afterwards: what the agent
has made of its configuration would then decide what is run. The files are compared
with what they were, and the rest is thrown away.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError
from loopgraph_git.git.repo import create
from loopgraph_git.loop import paths
from loopgraph_git.records.texts import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Oid

_FILE_LIMIT_BYTES = 16 << 20
_LOG_LIMIT_BYTES = 1 << 20
_SHOWN = 120
_NAMED = 6
# what tools leave wherever they run is no part of any edit
_LITTER = re.compile(
    r"(^|/)(__pycache__|\.(pytest|ruff|mypy)_cache|\.aider\.tags\.cache\.v\d+)/"
)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A folder with the code as an agent finds it, and what it was then.

    `marks` has for each tracked path its kind and its content, in short.
    """

    repo: Repo
    folder: Path
    baseline: Oid
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an agent left: its editable files, and why they may not be used."""

    files: Mapping[str, str]
    problems: Sequence[str] = ()
    commits: int = 0


def prepared(
    repo: Repo, folder: Path, baseline: Oid, files: Mapping[str, str]
) -> Workplace:
    """Copy a commit into a folder that does not exist; `files` are the editable ones.

    They are written as they are given: what line endings and filters would make of
    them is undone when they are committed.
    """
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="loopgraph-") as name:
        index = {"GIT_INDEX_FILE": str(Path(name) / "index")}
        repo.run("read-tree", baseline, env=index)
        repo.run("checkout-index", "--all", f"--prefix={folder}/", env=index)
    for path, text in files.items():
        (folder / path).write_bytes(text.encode("utf-8", "surrogateescape"))
    create(folder, message="Baseline")
    # the user's template may have brought some
    shutil.rmtree(folder / ".git" / "hooks", ignore_errors=True)
    marks = {path: _mark(folder / path) for path in repo.tracked(baseline)}
    return Workplace(repo=repo, folder=folder, baseline=baseline, marks=marks)


def _mark(path: Path) -> str:
    """Return what a path is, and a digest of what is in it."""
    try:
        found = path.lstat()
    except OSError:
        return ""
    if stat.S_ISLNK(found.st_mode):
        return f"symlink {path.readlink()}"
    if not stat.S_ISREG(found.st_mode):
        return "folder" if stat.S_ISDIR(found.st_mode) else "special"
    kind = "program" if found.st_mode & stat.S_IXUSR else "file"
    with path.open("rb") as handle:
        return f"{kind} {hashlib.file_digest(handle, 'sha256').hexdigest()}"


def collected(place: Workplace, config: Config) -> Found:
    """Return what an agent made of the code: everything else than an edit is named."""
    changes = dict(_changes(place))
    problems = [*_renamed(changes), *_refused(changes, config)]
    files: dict[str, str] = {}
    for path in config.editable:
        try:
            text = _text(place.folder, path)
        except EditError as error:
            problems.append(str(error))
        else:
            if path in changes and text is not None:
                files[path] = text
    named = list(dict.fromkeys(problems))
    if len(named) > _NAMED:
        named[_NAMED:] = [f"and {len(named) - _NAMED} more"]
    return Found(files=files, problems=named, commits=_commits(place.folder))


def _changes(place: Workplace) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what is not as it was: path → (what it was, what it is), "" for nothing."""
    for path, before in place.marks.items():
        after = _mark(place.folder / path)
        # what is beyond a link is not in this folder
        if after and _through_link(place.folder, path):
            after = "symlink"
        if after != before:
            yield path, (before, after)
    for path in _untracked(place):
        yield path, ("", _mark(place.folder / path) or "folder")


def _through_link(folder: Path, path: str) -> bool:
    parents = list(Path(path).parents)[:-1]
    return any((folder / parent).is_symlink() for parent in parents)


def _untracked(place: Workplace) -> list[str]:
    """Return new files that nothing ignores, by the rules of the user's repository."""
    with tempfile.TemporaryDirectory(prefix="loopgraph-") as name:
        index = {"GIT_INDEX_FILE": str(Path(name) / "index")}
        place.repo.run("read-tree", place.baseline, env=index)
        listing = place.repo.run(
            f"--work-tree={place.folder}", "ls-files", "--others", "--exclude-standard",
            "-z", env=index,
        )  # fmt: skip
    found = [path for path in os.fsdecode(listing).split("\0") if path]
    return [path for path in found if not _LITTER.search(path)]


def _renamed(changes: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    new = {after: path for path, (before, after) in changes.items() if not before}
    for path, (before, after) in changes.items():
        if not after and before in new:
            yield f"{visible(path[:_SHOWN])} was renamed to {visible(new[before][:_SHOWN])}"


def _refused(changes: Mapping[str, tuple[str, str]], config: Config) -> Iterator[str]:
    """Say of every change why it may not be, what is protected first."""
    by_weight = sorted(changes, key=lambda path: path not in config.protected)
    for path in by_weight:
        before, after = changes[path]
        try:
            paths.check_path(path, config.editable, config.protected)
        except EditError as error:
            # a name may hold a newline
            why = str(error).replace("\n", "\\n")
            yield f"{why} ({_verb(before, after)})"
            continue
        kind, was = after.partition(" ")[0], before.partition(" ")[0]
        if kind != was:
            what = f"is a {kind} now" if after else "was deleted"
            yield f"{path} {what}: it may only be edited"


def _verb(before: str, after: str) -> str:
    if not after:
        return "deleted"
    return "changed" if before else "new"


def _text(folder: Path, path: str) -> str | None:
    """Return the text of an ordinary file; None where it is none. Raises EditError."""
    if not _mark(folder / path).startswith(("file ", "program ")):
        return None
    if _through_link(folder, path):
        return None
    # somebody may still be at it: what is opened must be what was looked at
    try:
        descriptor = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(descriptor, "rb") as handle:  # noqa: PTH123  it is open already
        raw = handle.read(_FILE_LIMIT_BYTES + 1)
    if len(raw) > _FILE_LIMIT_BYTES:
        raise EditError(f"{path} would be over {_FILE_LIMIT_BYTES >> 20} MiB")
    return raw.decode("utf-8", "surrogateescape")


def _commits(folder: Path) -> int:
    """Return how often an agent moved its HEAD, by git's own log; it is undone anyway."""
    log = folder / ".git" / "logs" / "HEAD"
    if _through_link(folder, ".git/logs/HEAD") or not log.is_file() or log.is_symlink():
        return 0
    with log.open("rb") as handle:
        return max(0, handle.read(_LOG_LIMIT_BYTES).count(b"\n") - 1)
