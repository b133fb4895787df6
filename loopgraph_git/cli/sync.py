"""`sync`: share experiments between clones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.errors import GitError
from loopgraph_git.git.sync import remotes

if TYPE_CHECKING:
    from loopgraph_git.loopgraph import Synced


@click.command()
@click.argument("names", metavar="[REMOTE]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would be pushed; do nothing.")
@as_json
def sync(names: tuple[str, ...], *, dry_run: bool, json_: bool) -> None:
    """Push what this clone wrote, and fetch and index what others did.

    Without names every remote is meant. Only two refs of ours are pushed, and only
    tracking refs are fetched into; remote.*.fetch stays as it is.

    Example: git lg sync origin
    """
    lab = opened()
    wanted = list(names) or remotes(lab.repo)
    done: list[Synced] = []
    failed = False
    for name in wanted:
        try:
            done.append(lab.sync(name, dry_run=dry_run))
        except GitError as error:
            # one remote that is offline must not keep the others waiting
            click.echo(f"git-lg: {name}: {error}", err=True)
            failed = True
    if json_:
        render.emit_json("sync", [item._asdict() for item in done])
    elif not wanted:
        click.echo("no remote: `git remote add origin URL` adds one")
    else:
        for item in done:
            click.echo(_sentence(item, dry_run=dry_run))
    click.get_current_context().exit(1 if failed else 0)


def _sentence(item: Synced, *, dry_run: bool) -> str:
    went = f"{item.experiments_sent} experiments and {item.records_sent} records"
    if dry_run:
        return f"{item.remote}: would send {went}"
    came = f"{item.experiments_new} experiments and {item.records_new} records"
    return f"{item.remote}: sent {went}; {came} came in"
