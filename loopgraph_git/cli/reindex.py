"""`reindex`: the index is derived, and can be built anew at any time."""

from __future__ import annotations

import time

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records.texts import tallied


@click.command()
@as_json
def reindex(*, json_: bool) -> None:
    """Rebuild the index from refs, notes, packs and ingested papers alone.

    Nothing is lost by this, and no network is used: the index holds nothing that git,
    the packs and the library folder do not.

    Example: git lg reindex
    """
    started = time.monotonic()
    with LoopGraph.open(fresh=True) as lab:
        counts = lab.reindex()
    if json_:
        render.emit_json("reindex", counts)
    else:
        seconds = time.monotonic() - started
        click.echo(f"indexed {tallied(counts)} in {seconds:.2f} s")
