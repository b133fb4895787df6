"""Options that several commands share, and the repository they work on."""

from __future__ import annotations

from typing import Any, TypeVar

import click

from loopgraph_git.config import SANDBOXES
from loopgraph_git.loop.cage import Level
from loopgraph_git.loopgraph import LoopGraph

F = TypeVar("F")


def as_json(command: F) -> F:
    """Add `--json`."""
    option: Any = click.option(
        "--json", "json_", is_flag=True, help="Print JSON, and nothing else, on stdout."
    )
    decorated: F = option(command)
    return decorated


def sandbox_level(command: F) -> F:
    """Add `--sandbox`, which environment and settings can name too."""
    option: Any = click.option(
        "--sandbox",
        type=click.Choice(SANDBOXES),
        envvar="LOOPGRAPH_SANDBOX",
        callback=lambda _context, _option, word: word and Level[word.upper()],
        metavar="LEVEL",
        help="Not the best one: bubblewrap, landlock, rlimits or none.",
    )
    decorated: F = option(command)
    return decorated


def opened() -> LoopGraph:
    """Return the repository of the current folder, its index up to date."""
    lab = LoopGraph.open()
    click.get_current_context().call_on_close(lab.close)
    lab.reconcile()
    if lab.read_only:
        words = "nothing is kept, and what was never pinned is left out"
        click.echo(f"note: {lab.repo.home} cannot be written: {words}", err=True)
    return lab
