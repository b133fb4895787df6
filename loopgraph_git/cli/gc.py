"""`gc`: give back the disk that nothing needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import Span, as_json, opened
from loopgraph_git.loop.leftovers import LOG_DAYS, LOG_SESSIONS, Limits, sweep

if TYPE_CHECKING:
    from loopgraph_git.loop.leftovers import Swept

_KINDS = {
    "log": ("log", "logs"),
    "journal": ("journal", "journals"),
    "temporary": ("temporary file", "temporary files"),
    "scratch": ("folder of a killed run", "folders of killed runs"),
    "visited": ("copy of a repository", "copies of repositories"),
}
_MIB = 1 << 20


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be removed; do nothing.")
@click.option(
    "--logs-older-than",
    "days",
    type=Span(0, 36500),
    default=LOG_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Remove logs that are older.",
)
@click.option(
    "--keep-sessions",
    type=click.IntRange(0),
    default=LOG_SESSIONS,
    show_default=True,
    metavar="N",
    help="Keep all logs of the newest N sessions.",
)
@as_json
def gc(*, dry_run: bool, days: float, keep_sessions: int, json_: bool) -> None:
    """Remove worktrees, logs and journals that nothing needs any more.

    No record, pin or experiment is ever removed: what a log measured, its digest and
    its last lines are in the records, and a worktree is made again when its session
    goes on. A session that runs, or has an experiment under way, is left alone, and
    so is a worktree with files of yours.

    Example: git lg gc --dry-run
    """
    swept = sweep(opened(), Limits(days, keep_sessions), dry_run=dry_run)
    if json_:
        render.emit_json("gc", _plain(swept, dry_run=dry_run))
        return
    verb = "would remove" if dry_run else "removed"
    for line in _lines(swept):
        click.echo(f"{verb} {line}")
    for name, why in swept.kept:
        click.echo(f"kept {render.plain(name)}: {render.plain(why)}")
    total = sum(item.size for item in swept.removed)
    click.echo(f"{'would free' if dry_run else 'freed'} {_mib(total)}")


def _lines(swept: Swept) -> list[str]:
    trees = [item for item in swept.removed if item.kind == "worktree"]
    lines = [
        f"the worktree of {render.plain(item.path.name)}, {_mib(item.size)}"
        for item in trees
    ]
    for kind, (one, many) in _KINDS.items():
        sizes = [item.size for item in swept.removed if item.kind == kind]
        if sizes:
            word = one if len(sizes) == 1 else many
            lines.append(f"{len(sizes)} {word}, {_mib(sum(sizes))}")
    return lines


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f} MiB"


def _plain(swept: Swept, *, dry_run: bool) -> dict[str, object]:
    removed = [
        {"kind": item.kind, "path": str(item.path), "bytes": item.size}
        for item in swept.removed
    ]
    return {
        "dry_run": dry_run,
        "freed_bytes": sum(item.size for item in swept.removed),
        "removed": removed,
        "kept": [item._asdict() for item in swept.kept],
    }
