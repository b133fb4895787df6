"""`init` and `trust`: once per repository."""

from __future__ import annotations

from pathlib import Path

import click

from loopgraph_git.config import CONFIG_NAME, Config, load_config
from loopgraph_git.errors import ConfigError
from loopgraph_git.git.repo import Repo
from loopgraph_git.loop import detect
from loopgraph_git.loop.trust import is_trusted
from loopgraph_git.loop.trust import trust as approve

_DECORATION = "log.excludeDecoration"
_OURS = "refs/loopgraph/*"


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the settings, write nothing.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
@click.option(
    "--hide-refs", is_flag=True, help="Keep our refs out of `git log --decorate`."
)
def init(*, dry_run: bool, force: bool, hide_refs: bool) -> None:
    """Find out how this repository trains, and write .loopgraph.yml.

    Nothing is run and nothing is committed. What is found is shown with the reason
    for it; change what is wrong in the file.

    Example: git lg init --dry-run
    """
    repo = Repo(Path.cwd())
    if repo.bare:
        raise ConfigError("a bare repository has no files to train: use a clone of it")
    path = repo.root / CONFIG_NAME
    if path.exists() and not (force or dry_run):
        load_config(repo.root)
        click.echo(f"{path} is there and valid: nothing to do (--force writes it anew)")
        return
    repo.oid("HEAD")
    found = detect.detect(repo)
    text = detect.render(found)
    if not dry_run:
        path.write_text(text, "utf-8")
    click.echo(f"{'would write' if dry_run else 'wrote'} {path}:\n")
    click.echo("".join(f"    {line}\n" for line in text.splitlines()))
    for warning in found.warnings:
        click.echo(f"note: {warning}", err=True)
    if dry_run:
        return
    _decoration(repo, hide=hide_refs)
    click.echo("Next: read it, then `git lg trust` and `git lg experiment -n 3`.")


def _decoration(repo: Repo, *, hide: bool) -> None:
    if repo.config(_DECORATION) == _OURS:
        return
    if hide:
        repo.run("config", "--add", _DECORATION, _OURS)
        click.echo(f"set {_DECORATION} to {_OURS} in this repository")
    else:
        click.echo(
            f"To keep `git log --all` readable: git config --add {_DECORATION} '{_OURS}'"
        )


@click.command()
@click.option("--check", is_flag=True, help="Only say whether it is trusted.")
def trust(*, check: bool) -> None:
    """Approve the commands that .loopgraph.yml names, as they are now.

    The approval is kept outside the repository and ends when the settings or the
    repository's own packs change.

    Example: git lg trust
    """
    repo = Repo(Path.cwd())
    config = load_config(repo.root)
    _describe(config)
    if check:
        trusted = is_trusted(repo, config)
        click.echo("trusted" if trusted else "not trusted")
        click.get_current_context().exit(0 if trusted else 3)
    approve(repo, config)
    click.echo("Trusted, until any of this changes.")


def _describe(config: Config) -> None:
    click.echo(f"runs       {' '.join(config.run)}")
    click.echo(f"edits      {', '.join(config.editable)}")
    click.echo(f"protects   {', '.join(config.protected) or 'nothing'}")
    click.echo(
        f"judges by  {config.metric.name}, {config.metric.direction} is better, "
        f"{config.budget_seconds:g} s a run"
    )
