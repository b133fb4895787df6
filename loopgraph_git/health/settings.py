"""Settings: ours in `.loopgraph.yml`, and those of git that can destroy records."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.config import CONFIG_NAME, Config, load_config
from loopgraph_git.errors import ConfigError
from loopgraph_git.git import refs
from loopgraph_git.health.finding import Finding
from loopgraph_git.loop.trust import is_trusted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.git.repo import Repo

# what only this clone may write: a forced or pruning fetch would delete it
_OURS = (refs.NOTES, refs.PINS, refs.KEEP)
_REMOTE = re.compile(r"remote\.(.+)\.(fetch|mirror)\Z", re.DOTALL)
_SCOPES = ("system", "global", "local", "worktree")
_FILES = ("config", ".gitconfig", "gitconfig", "config.worktree")


class Settings(NamedTuple):
    """The settings of a repository: None where it has none that can be read."""

    config: Config | None
    problem: str = ""


class Value(NamedTuple):
    """One value of git's configuration, and where it was written."""

    scope: str
    origin: str
    key: str
    text: str


def read_settings(repo: Repo) -> Settings:
    """Read `.loopgraph.yml`; what is wrong with it comes in words."""
    if repo.bare:
        return Settings(Config())
    try:
        return Settings(load_config(repo.root))
    except ConfigError as error:
        return Settings(None, str(error))


def findings(repo: Repo, found: Settings) -> Iterator[Finding]:
    """Look at our settings, at what they name, and at git's."""
    if found.config is None:
        yield Finding("settings", found.problem, ok=False)
    elif repo.bare:
        yield Finding("settings", "a bare repository has none: nothing is trained here")
    else:
        yield Finding("settings", f"{CONFIG_NAME} is valid")
        yield from _command(repo, found.config)
    if repo.config("alias.lg"):
        words = "your alias `lg` gets every call that is no command of ours"
        yield Finding("alias", words)
    if repo.find("refs/heads/lg") is not None:
        words = (
            "a branch `lg` makes every lg/SESSION impossible: `git branch -m lg old-lg`"
        )
        yield Finding("branch", words, ok=False)
    for value in git_values(repo):
        words = _danger(value)
        if words:
            yield Finding(value.key, f"{words}: {_unset(value)}", ok=False)


def _command(repo: Repo, config: Config) -> Iterator[Finding]:
    command = config.run[0]
    # a path is taken from the folder that it is run in
    path = str(repo.root / command) if os.sep in command else command
    if shutil.which(path) is None:
        words = f"`{command}` is not there, or not on PATH: install it, or change `run`"
        yield Finding("command", words, ok=False)
    if not is_trusted(repo, config):
        words = f"not trusted: read {CONFIG_NAME}, then `git lg trust`"
        yield Finding("trust", words, ok=False)


def git_values(repo: Repo) -> Iterator[Value]:
    """Yield everything in git's configuration but what we set on the command line."""
    listing = repo.run("config", "--show-scope", "--show-origin", "-z", "--list")
    words = os.fsdecode(listing).split("\0")
    for scope, origin, row in zip(words[::3], words[1::3], words[2::3], strict=False):
        key, _, text = row.partition("\n")
        if scope in _SCOPES:
            yield Value(scope, origin.removeprefix("file:"), key, text)


def _danger(value: Value) -> str:
    """Return what a value of git's configuration would do to records, or ""."""
    if value.key == "notes.rewriteref" and _names_notes(value.text):
        return (
            f"{value.text} copies results to amended commits, whose code was never "
            "trained"
        )
    if value.key == "core.notesref" and value.text.startswith(refs.NOTES):
        return f"`git notes` would write into our {value.text}"
    remote = _REMOTE.match(value.key)
    if remote and remote[2] == "fetch" and covers(value.text):
        return f"{value.text} lets a fetch overwrite records that were not pushed yet"
    if remote and remote[2] == "mirror" and value.text.lower() in ("", "true", "1"):
        return f"a push to {remote[1]} would delete there what other writers have sent"
    return ""


def _names_notes(pattern: str) -> bool:
    whole = pattern if any(mark in pattern for mark in "*?[") else f"{pattern}/*"
    own = f"{refs.NOTES}x"
    return fnmatchcase(own, whole) or pattern.startswith(refs.NOTES)


def covers(refspec: str) -> bool:
    """Say whether fetching with a refspec could write to refs that are ours alone."""
    target = refspec.removeprefix("+").partition(":")[2]
    start, star, _ = target.partition("*")
    return any(
        start.startswith(ours) or (star and ours.startswith(start)) for ours in _OURS
    )


def _unset(value: Value) -> str:
    """Return the command that takes a value out again."""
    place = f"--{value.scope}"
    if Path(value.origin).name not in _FILES:
        place = f"--file {shlex.quote(value.origin)}"
    words = [value.key, value.text] if value.text else [value.key]
    named = " ".join(map(shlex.quote, words))
    fixed = "--fixed-value " if value.text else ""
    return f"`git config {place} {fixed}--unset-all {named}`"
