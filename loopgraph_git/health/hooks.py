"""Hooks: which of them git runs, from where, and whether ours are among them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loopgraph_git.git import hooks as git_hooks
from loopgraph_git.health.finding import Finding
from loopgraph_git.health.settings import git_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loopgraph_git.git.hooks import Hook
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.health.settings import Settings

_INSTALL = "`git lg hooks install`"
# how `git hook list` names the file in the folder
_FOLDER = "hook from hookdir"


def findings(repo: Repo, found: Settings) -> Iterator[Finding]:
    """Say where git's hooks are, and what becomes of each of ours."""
    patterns = found.config.branches if found.config else None
    try:
        place = git_hooks.find_place(repo)
        there = git_hooks.status(repo, patterns)
    except OSError as error:
        words = f"{error.filename} cannot be read: {error.strerror}"
        yield Finding("hooks", words, ok=False)
        return
    yield Finding("hooks", _where(repo, place))
    if not any(hook.how for hook in there):
        words = f"ours are not installed; {_INSTALL} pins what you commit yourself"
        yield Finding("hooks", words)
    yield from _configured(repo)
    for hook in there:
        yield from _of(hook, place.folder, some=any(x.how for x in there))


def _where(repo: Repo, place: git_hooks.Place) -> str:
    asked = [x for x in git_values(repo) if x.key == "core.hookspath"]
    by = f" ({asked[-1].scope} core.hooksPath)" if asked else ""
    why = f": {place.objection}, so they are yours to edit" if place.objection else ""
    return f"git runs those in {place.folder}{by}{why}"


def _configured(repo: Repo) -> Iterator[Finding]:
    """Yield the hooks of others that a newer git runs from its configuration."""
    if git_hooks.git_version(repo) < git_hooks.CONFIG_HOOKS:
        return
    for event in git_hooks.EVENTS:
        listed = (repo.maybe("hook", "list", event) or "").splitlines()
        others = [x for x in listed if x not in ("", f"loopgraph-{event}", _FOLDER)]
        if others:
            words = f"the configuration has git run {', '.join(others)} too"
            yield Finding(f"hooks {event}", words)


def _of(hook: Hook, folder: Path, *, some: bool) -> Iterator[Finding]:
    """Yield what git does for one event."""
    subject = f"hooks {hook.event}"
    file = folder / hook.event
    exists = file.exists()
    asleep = exists and not os.access(file, os.X_OK)
    if not hook.how:
        if some:
            yield Finding(subject, f"ours is not installed: {_INSTALL}", ok=False)
        elif exists:
            words = "is not executable: git passes it over" if asleep else "runs alone"
            yield Finding(subject, f"your {file} {words}")
    elif not hook.runs:
        words = f"git does not run {hook.path}"
        step = f"chmod +x {hook.path}" if asleep else "git lg hooks install"
        yield Finding(subject, f"{words}: `{step}`", ok=False)
    elif not hook.current:
        yield Finding(subject, f"{hook.path} is out of date: {_INSTALL}", ok=False)
    else:
        yield Finding(subject, f"{_how(hook)} runs{_also(hook, file)}")


def _how(hook: Hook) -> str:
    return {
        "block": f"our block in your {hook.path}",
        "file": f"our {hook.path}",
        "wrapper": f"our {hook.path}, and then your hook,",
        "config": f"hook.loopgraph-{hook.event} of the configuration",
        "line": f"the line you added to {hook.path}",
    }.get(hook.how, f"our {hook.path}")


def _also(hook: Hook, file: Path) -> str:
    return f", and then {file}" if hook.how == "config" and file.exists() else ""
