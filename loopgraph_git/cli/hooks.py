"""`hooks`: commits of people and agents are pinned as they happen."""

from __future__ import annotations

from pathlib import Path

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json
from loopgraph_git.config import CONFIG_NAME, Config, load_config
from loopgraph_git.git import hooks as git_hooks
from loopgraph_git.git.repo import Repo


@click.group()
def hooks() -> None:
    """Pin what you and your agents commit, as it happens.

    Commits on branches that match `branches` in .loopgraph.yml, and on a detached
    HEAD, are kept from being lost by a reset. Other work leaves no trace. Existing
    hooks go on as before.

    Example: git lg hooks install
    """


@hooks.command()
def install() -> None:
    """Put the hooks in, beside those that are there.

    Run it again when `branches` has changed.

    Example: git lg hooks install
    """
    repo = Repo(Path.cwd())
    for message in git_hooks.install(repo, _patterns(repo)):
        click.echo(render.plain(message))


@hooks.command()
def uninstall() -> None:
    """Take the hooks out; every file is again what it was.

    Example: git lg hooks uninstall
    """
    done = git_hooks.uninstall(Repo(Path.cwd()))
    for message in done or ["there are no hooks of ours here"]:
        click.echo(render.plain(message))


@hooks.command()
@as_json
def status(*, json_: bool) -> None:
    """Say which hooks are there, and whether git runs them.

    Example: git lg hooks status
    """
    repo = Repo(Path.cwd())
    found = git_hooks.status(repo, _patterns(repo))
    if json_:
        render.emit_json("hooks", [hook._asdict() for hook in found])
        return
    for hook in found:
        click.echo(f"{hook.event}: {render.plain(_words(hook))}")


def _words(hook: git_hooks.Hook) -> str:
    if not hook.how:
        return "not installed: `git lg hooks install`"
    if not hook.runs and hook.how == "config":
        return (
            f"configured as hook.loopgraph-{hook.event}, but this git does not run it: "
            "it is older than 2.54, or told not to; `git lg hooks install`"
        )
    if not hook.runs:
        return f"in {hook.path}, but git does not run it: `git lg hooks install`"
    if not hook.current:
        return f"in {hook.path}, but out of date: `git lg hooks install`"
    return f"installed ({hook.how}, {hook.path})"


def _patterns(repo: Repo) -> tuple[str, ...]:
    written = not repo.bare and (repo.root / CONFIG_NAME).exists()
    return (load_config(repo.root) if written else Config()).branches
