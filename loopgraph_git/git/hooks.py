"""Hooks that pin what is committed, as it happens; every command works without them.

They go beside the hooks that are there; git 2.54 and newer run them from the
configuration. Folders that are not this clone's alone (tracked, or shared by all
repositories) are never written to: there the user adds one line. Taking the hooks out
gives back every byte and mode.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError
from loopgraph_git.git import hook_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.git.repo import Repo

EVENTS = ("post-commit", "post-rewrite")
CONFIG_HOOKS = (2, 54)
# does nothing where git lg is not installed, so a team can share it; git is started
# only where it must be asked, as that is most of what a hook costs
_LINE = (
    'lg=.git; [ -z "${{GIT_DIR-}}" ] && [ -d .git ] || '
    "lg=$(git rev-parse --git-common-dir); lg=$lg/loopgraph/hooks/{event}; "
    '[ ! -f "$lg" ] || . "$lg"'
)


class Hook(NamedTuple):
    """One of our hooks: how it is there, if at all, and whether git runs it.

    `how` is `block`, `file`, `wrapper`, `config`, `line` (added by hand), or empty.
    """

    event: str
    how: str
    path: str
    runs: bool
    current: bool


class Place(NamedTuple):
    """The folder git runs hooks from, and the reason why it is not ours to change."""

    folder: Path
    objection: str = ""


def install(
    repo: Repo, patterns: Sequence[str], *, version: tuple[int, int] | None = None
) -> list[str]:
    """Put the hooks in, for branches that match the patterns; returns what was done.

    Doing it again changes nothing, or brings older blocks up to date. Raises GitError
    with the line to add by hand where the folder of hooks is not ours to change.
    """
    there = status(repo, patterns)
    if all(hook.how and hook.current and hook.runs for hook in there):
        return [f"{hook.event}: is there already ({hook.path})" for hook in there]
    uninstall(repo)
    if (version or git_version(repo)) >= CONFIG_HOOKS:
        return [_into_config(repo, event, patterns) for event in EVENTS]
    place = find_place(repo)
    folder = place.folder
    if folder.exists() and not folder.is_dir():
        raise GitError(
            f"git runs no hooks here: it looks for them in {folder}, which is no "
            "folder; see `git config --show-origin core.hooksPath`"
        )
    if place.objection:
        return _by_hand(repo, place, patterns)
    made = sum(not path.exists() for path in (folder, *folder.parents))
    folder.mkdir(parents=True, exist_ok=True)
    return [hook_files.put_in(folder, event, patterns, made=made) for event in EVENTS]


def uninstall(repo: Repo) -> list[str]:
    """Take the hooks out, every file as it was before; returns what was done."""
    done = [
        f"{path.name}: {hook_files.take_out(path, event)}"
        for folder in _folders(repo)
        for event in EVENTS
        for path in hook_files.carriers(folder, event)
    ]
    # the last one that was put in comes out first
    for event in reversed(EVENTS):
        if _section(repo, event, "command") is not None:
            _out_of_config(repo, event)
            done.append(f"{event}: taken out of the configuration")
        script = _script(repo, event)
        if script.exists():
            script.unlink()
            done.append(f"{event}: removed {script}")
    with suppress(OSError):
        _script(repo, "").rmdir()
        repo.home.rmdir()
    place = find_place(repo)
    hands = [_hand(place, event) for event in EVENTS if place.objection]
    lines = [path for path in hands if _has_line(path, path.name)]
    return done + [
        f"{path.name}: take our line out of {path} by hand" for path in lines
    ]


def status(repo: Repo, patterns: Sequence[str] | None = None) -> list[Hook]:
    """Return how each of our hooks is there; current means: with these patterns."""
    place = find_place(repo)
    return [_status(repo, place, event, patterns) for event in EVENTS]


def _status(
    repo: Repo, place: Place, event: str, patterns: Sequence[str] | None
) -> Hook:
    script = _script(repo, event)
    hand = _hand(place, event)
    found, how = script, ""
    if _section(repo, event, "command") is not None:
        how = "config"
    elif place.objection:
        how = "line" if script.exists() and _has_line(hand, event) else ""
    elif carriers := list(hook_files.carriers(place.folder, event)):
        found = carriers[0]
        how = hook_files.kind_of(found.read_bytes())
    if not how:
        return Hook(event, how, str(hand), runs=False, current=False)
    current = found.exists() and hook_files.is_current(found, event, patterns)
    shown = hand if how == "line" else found
    # a framework that moved it away may call it, but without its stdin
    runs = found.name == event and os.access(found, os.X_OK)
    if how == "config":
        # an older git reads it without a word, and a newer one may be told not to
        listed = repo.maybe("hook", "list", "-z", event) or ""
        runs = runs and f"loopgraph-{event}" in listed.split("\0")
    return Hook(event, how, str(shown), runs=runs, current=current)


def git_version(repo: Repo) -> tuple[int, int]:
    """Return the first two numbers of git's version."""
    found = re.search(r"(\d+)\.(\d+)", repo.text("version"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_place(repo: Repo) -> Place:
    """Return the folder that git runs hooks from, links followed."""
    scope, value = _hooks_path(repo)
    folder = repo.common_dir / "hooks"
    if scope:
        # our own calls run without hooks, so this one is told where they are
        ask = ("rev-parse", "--path-format=absolute", "--git-path", "hooks")
        # git finds nothing where it is set to nothing
        asked = f"core.hooksPath={value or os.devnull}"
        folder = Path(repo.text("-c", asked, *ask))
    folder = Path(os.path.realpath(folder))
    if scope in ("system", "global"):
        return Place(folder, f"core.hooksPath is set for all repositories ({scope})")
    if folder.is_relative_to(os.path.realpath(repo.common_dir)):
        return Place(folder)
    if not folder.is_relative_to(os.path.realpath(repo.root)):
        return Place(folder, "the folder of hooks is outside of this repository")
    if folder.name == "_":
        return Place(folder, "the folder of hooks is made anew by husky")
    if _is_tracked(repo, folder):
        return Place(folder, "the folder of hooks is tracked")
    return Place(folder)


def _hooks_path(repo: Repo) -> tuple[str, str]:
    """Return the scope and the value of the user's core.hooksPath, or two blanks."""
    asked = repo.maybe("config", "-z", "--show-scope", "--get-all", "core.hooksPath")
    words = (asked or "").split("\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    # what is set on the command line is our own
    return ([("", "")] + [pair for pair in pairs if pair[0] != "command"])[-1]


def _is_tracked(repo: Repo, folder: Path) -> bool:
    top = Path(os.path.realpath(repo.root))
    inside = str(folder.relative_to(top))
    listed = repo.run("--literal-pathspecs", "ls-files", "-z", "--", inside)
    return bool(listed)


def _shared(folder: Path) -> Path:
    """Return where people keep hooks: husky keeps what calls them in `_`."""
    return folder.parent if folder.name == "_" else folder


def _hand(place: Place, event: str) -> Path:
    return (_shared(place.folder) if place.objection else place.folder) / event


def _script(repo: Repo, event: str) -> Path:
    return repo.home / "hooks" / event


def _folders(repo: Repo) -> list[Path]:
    """Return the folders that may hold our blocks: hooksPath may have changed since."""
    place = find_place(repo)
    own = Path(os.path.realpath(repo.common_dir / "hooks"))
    return list({own, *([] if place.objection else [place.folder])})


def _make_script(repo: Repo, event: str, patterns: Sequence[str]) -> None:
    script = _script(repo, event)
    script.parent.mkdir(parents=True, exist_ok=True)
    hook_files.write(
        script, hook_files.SHEBANG + hook_files.block(event, patterns, "file"), 0o755
    )


def _into_config(repo: Repo, event: str, patterns: Sequence[str]) -> str:
    _make_script(repo, event, patterns)
    size = _unended(repo)
    section = f"hook.loopgraph-{event}"
    repo.run("config", "--local", f"{section}.command", _LINE.format(event=event))
    repo.run("config", "--local", f"{section}.event", event)
    if size:
        repo.run("config", "--local", f"{section}.unended", str(size))
    return f"{event}: configured as {section}"


def _out_of_config(repo: Repo, event: str) -> None:
    size = _section(repo, event, "unended")
    repo.run("config", "--local", "--remove-section", f"hook.loopgraph-{event}")
    path = Path(os.path.realpath(repo.common_dir / "config"))
    content = path.read_bytes()
    # git ended the last line of the user's before it added ours
    if size == str(len(content) - 1) and content.endswith(b"\n"):
        hook_files.write(path, content[:-1], stat.S_IMODE(path.stat().st_mode))


def _unended(repo: Repo) -> int:
    """Return the size of the configuration if its last line has no end, else 0."""
    content = (repo.common_dir / "config").read_bytes()
    return 0 if content.endswith(b"\n") else len(content)


def _section(repo: Repo, event: str, key: str) -> str | None:
    return repo.maybe("config", "--local", "--get", f"hook.loopgraph-{event}.{key}")


def _by_hand(repo: Repo, place: Place, patterns: Sequence[str]) -> list[str]:
    lacking = []
    for event in EVENTS:
        _make_script(repo, event, patterns)
        path = _hand(place, event)
        if not _has_line(path, event):
            lacking.append(f"  {path}\n    {_LINE.format(event=event)}")
    if lacking:
        raise GitError(
            f"{place.objection}, so nothing there was changed. Add by hand, as the "
            "first line after the shebang of\n" + "\n".join(lacking)
        )
    return [f"{event}: called from {_hand(place, event)}" for event in EVENTS]


def _has_line(path: Path, event: str) -> bool:
    try:
        return f"/loopgraph/hooks/{event}".encode() in path.read_bytes()
    except OSError:
        return False
