"""`sync`: share experiments between clones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.errors import GitError, UsageError
from loopgraph_git.git.sync import default_remote, remotes
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from loopgraph_git.loopgraph import LoopGraph, Synced


@click.command()
@click.argument("names", metavar="[REMOTE]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every remote there is.")
@click.option("--no-push", is_flag=True, help="Only fetch; send nothing.")
@click.option("--dry-run", is_flag=True, help="Say what was not sent yet; ask nobody.")
@as_json
def sync(
    names: tuple[str, ...], *, every: bool, no_push: bool, dry_run: bool, json_: bool
) -> None:
    """Fetch and index what other clones wrote, and push what this one did.

    Without names the remote is the one that `git push` uses. Only refs of this
    writer are pushed, and only tracking refs are fetched into; branches, tags and
    remote.*.fetch stay as they are.

    Example: git lg sync origin
    """
    lab = opened()
    done: list[Synced] = []
    failed = False
    for name in _wanted(lab, names, every=every):
        try:
            item = lab.sync(name, dry_run=dry_run, push=not no_push, ask=os.isatty(0))
        except GitError as error:
            # one remote that is offline must not keep the others waiting
            _warn(name, str(error))
            failed = True
            continue
        done.append(item)
        failed = failed or bool(item.refused)
        if not json_:
            click.echo(_sentence(item, dry_run=dry_run, push=not no_push))
        _remarks(item)
    if json_:
        render.emit_json("sync", [item._asdict() for item in done])
    click.get_current_context().exit(1 if failed else 0)


def _wanted(lab: LoopGraph, names: tuple[str, ...], *, every: bool) -> list[str]:
    known = remotes(lab.repo)
    if names and every:
        raise UsageError("name remotes, or say --all: not both")
    if every and known:
        return known
    # the same remote twice is once
    return list(dict.fromkeys(names)) or [default_remote(lab.repo)]


def _sentence(item: Synced, *, dry_run: bool, push: bool) -> str:
    went = _both(item.experiments_sent, item.records_sent)
    if dry_run:
        return f"{item.remote}: {went} not sent yet"
    came = _both(item.experiments_new, item.records_new)
    if not push:
        return f"{item.remote}: {came} came in"
    return f"{item.remote}: sent {went}; {came} came in"


def _both(experiments: int, records: int) -> str:
    return f"{counted(experiments, 'experiment')} and {counted(records, 'record')}"


def _remarks(item: Synced) -> None:
    """Say on stderr what did not go as usual."""
    if item.refused:
        _warn(
            item.remote,
            f"{item.refused}\nnothing was sent, and nothing is lost: ask for the right "
            "to push to refs/notes/loopgraph/* and refs/loopgraph/keep/* there, sync "
            "with another remote, or only fetch (`--no-push`)",
        )
    if item.writer:
        words = f"another clone has this one's id; from now on it is {item.writer}"
        _warn(item.remote, words)
    for words in item.left_out:
        _warn(item.remote, f"left out {words}")


def _warn(remote: str, words: str) -> None:
    click.echo(f"git-lg: {render.plain(remote)}: {render.block(words)}", err=True)
