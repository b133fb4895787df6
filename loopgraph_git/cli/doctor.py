"""`doctor`: everything can be checked, and some of it mended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.git.repo import Repo
from loopgraph_git.health import examine, mend

if TYPE_CHECKING:
    from loopgraph_git.health import Finding


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is safe to mend, and say what.")
@click.option(
    "--dump", is_flag=True, help="Print every row of the index as JSON lines."
)
@as_json
def doctor(*, fix: bool, dump: bool, json_: bool) -> None:
    """Check git, hooks, records, index and settings, and say what to do.

    `look` marks what needs you, and ends with 1. With --fix, commits that a gc would
    take are pinned, a damaged index is built anew, hooks of ours are brought up to
    date and dead worktrees of ours let go of. Your configuration, branches and files
    are never changed: there the command to run is named.

    Example: git lg doctor --fix
    """
    if dump:
        for line in opened().dump():
            click.echo(line)
        return
    repo = Repo(Path.cwd())
    mended = mend(repo) if fix else []
    findings = [*mended, *examine(repo)]
    if json_:
        render.emit_json("doctor", [finding._asdict() for finding in findings])
    else:
        for finding in findings:
            subject, words = map(render.plain, (finding.subject, finding.words))
            click.echo(f"{_mark(finding)} {subject}: {words}")
    click.get_current_context().exit(0 if all(x.ok for x in findings) else 1)


def _mark(finding: Finding) -> str:
    if finding.fixed:
        return click.style("did ", fg="yellow")
    if finding.ok:
        return click.style("ok  ", fg="green")
    return click.style("look", fg="red")
