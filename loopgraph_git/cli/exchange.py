"""`import`: experiment logs that others kept, made part of the record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.git import refs
from loopgraph_git.records import Direction

if TYPE_CHECKING:
    from loopgraph_git.loop.adopt import Adopted
    from loopgraph_git.loop.history import Log

_DIRECTIONS = [str(item) for item in Direction]


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=Path)
@click.option("--session", help="The session of the rows; by default the file's name.")
@click.option("--metric", default="", help="The column that decides.")
@click.option("--direction", type=click.Choice(_DIRECTIONS), help="Which is better.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
@as_json
def import_(
    files: tuple[Path, ...],
    session: str | None,
    metric: str,
    direction: str | None,
    *,
    dry_run: bool,
    json_: bool,
) -> None:
    """Adopt experiment logs: results.tsv of autoresearch, CSV or JSON lines.

    A row whose commit is in this repository becomes records on that commit. For a
    row whose code is lost a commit without files stands in, which says so.
    Importing a file again adds only the rows that are new.

    Exits with 1 when a row could not be read; the others are imported.

    Example: git lg import results.tsv --session mar8
    """
    # tables and logs are read by this command alone
    from loopgraph_git.loop.adopt import adopt  # noqa: PLC0415
    from loopgraph_git.loop.history import read_log  # noqa: PLC0415
    from loopgraph_git.loop.log_lines import decoded  # noqa: PLC0415

    lab = opened()
    wanted = Direction(direction) if direction else None
    # all files are read before any is written: a wrong option leaves no trace
    logs = [
        read_log(decoded(path.read_bytes()), path.name, metric=metric,
                 direction=wanted, known=lab.config.metric)
        for path in files
    ]  # fmt: skip
    named = [(log, session or refs.slug(Path(log.name).stem)) for log in logs]
    done = [
        (log, name, adopt(lab, log, session=name, dry_run=dry_run))
        for log, name in named
    ]
    if json_:
        render.emit_json("import", [_plain(*item) for item in done])
    else:
        for log, name, adopted in done:
            _tell(log, name, adopted, dry_run=dry_run)
    if any(log.problems for log in logs):
        click.get_current_context().exit(1)


def _tell(log: Log, session: str, adopted: Adopted, *, dry_run: bool) -> None:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in _counts(adopted))
    added = f"{adopted.added} {'would be added' if dry_run else 'added'}"
    file = render.plain(log.name)
    click.echo(
        f"{file}: {len(log.rows)} rows of session {session}: {counts or 'none'}\n"
        f"  metric:  {log.metric.name}, {log.metric.direction} is better\n"
        f"  code:    {adopted.resolved} here, {adopted.lost} lost\n"
        f"  records: {added}, {adopted.already} known before"
    )
    for problem in adopted.problems:
        click.echo(
            f"{file}:{problem.line}: not imported: {render.plain(problem.reason)}",
            err=True,
        )


def _counts(adopted: Adopted) -> list[tuple[str, int]]:
    return sorted((str(verdict), count) for verdict, count in adopted.counts.items())


def _plain(log: Log, session: str, adopted: Adopted) -> dict[str, Any]:
    return {
        "file": log.name,
        "session": session,
        "metric": log.metric.name,
        "direction": str(log.metric.direction),
        "rows": len(log.rows),
        "counts": dict(_counts(adopted)),
        "resolved": adopted.resolved,
        "lost": adopted.lost,
        "added": adopted.added,
        "already": adopted.already,
        "problems": [problem._asdict() for problem in adopted.problems],
    }
