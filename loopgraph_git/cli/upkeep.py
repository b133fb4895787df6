"""`reindex` and `doctor`: the index is derived, and everything can be checked."""

from __future__ import annotations

import platform
import shutil
import time

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json
from loopgraph_git.health import Finding, examine
from loopgraph_git.loop.trust import is_trusted
from loopgraph_git.loopgraph import LoopGraph


@click.command()
@as_json
def reindex(*, json_: bool) -> None:
    """Rebuild the index from refs, notes and packs alone.

    Nothing is lost by this: the index holds nothing that git does not.

    Example: git lg reindex
    """
    started = time.monotonic()
    with LoopGraph.open(fresh=True) as lab:
        counts = lab.reindex()
    if json_:
        render.emit_json("reindex", counts)
    else:
        words = ", ".join(f"{count} {name}" for name, count in counts.items())
        click.echo(f"indexed {words} in {time.monotonic() - started:.2f} s")


@click.command()
@click.option(
    "--dump", is_flag=True, help="Print every row of the index as JSON lines."
)
@as_json
def doctor(*, dump: bool, json_: bool) -> None:
    """Check git, the index, the settings and the tools, and say what to do.

    Example: git lg doctor
    """
    with LoopGraph.open() as lab:
        lab.reconcile()
        if dump:
            for line in lab.dump():
                click.echo(line)
            return
        findings = [*_tools(lab), *examine(lab)]
    if json_:
        render.emit_json("doctor", [finding._asdict() for finding in findings])
    else:
        for finding in findings:
            mark = (
                click.style("ok  ", fg="green")
                if finding.ok
                else click.style("look", fg="red")
            )
            click.echo(f"{mark} {finding.subject}: {render.plain(finding.words)}")
    click.get_current_context().exit(0 if all(x.ok for x in findings) else 1)


def _tools(lab: LoopGraph) -> list[Finding]:
    """Look at what lies outside the repository: git, SQLite, trust, the command."""
    version = lab.repo.text("version").removeprefix("git version ")
    found = [Finding("git", version), Finding("python", platform.python_version())]
    command = lab.config.run[0]
    if shutil.which(command) is None:
        words = f"`{command}` is not on PATH: install it, or change `run`"
        found.append(Finding("command", words, ok=False))
    if not is_trusted(lab.repo, lab.trusted_config):
        words = "not trusted: read .loopgraph.yml, then `git lg trust`"
        found.append(Finding("trust", words, ok=False))
    if lab.repo.config("alias.lg"):
        words = "your alias `lg` gets every call that is no command of ours"
        found.append(Finding("alias", words))
    return found
