"""`check`: whether it was tried before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.errors import EditError, GitError, StoreError, UsageError
from loopgraph_git.git.drafts import PATCH_LIMIT

if TYPE_CHECKING:
    from loopgraph_git.lab import Lab
    from loopgraph_git.repeats import Checked, Match

_SHOWN = 8
_SAID = {
    "tree": "the same files",
    "code": "the same code, apart from comments, formatting and arithmetic",
    "change": "the same change",
    "near": "near",
}


@click.command()
@click.argument("what", required=False)
@click.option("--staged", is_flag=True, help="What is staged, not the working tree.")
@click.option("--text", help="An idea in words.")
@as_json
def check(what: str | None, *, staged: bool, text: str | None, json_: bool) -> None:
    """Say whether an edit was tried before, and what came of it.

    WHAT is a patch file, `-` for a patch on stdin, or a rev; without it the
    uncommitted changes to the editable files count. Comments, formatting and the way
    a constant is computed make no difference.

    Exits with 1 for a repeat, with 0 for what is new, and with 2 where it cannot
    tell. What is only near (the same constants with other values, or an idea told in
    the same words) is shown, and is new.

    Example: git diff | git lg check -
    """
    if sum((what is not None, staged, text is not None)) > 1:
        raise UsageError("give one of WHAT, --staged and --text")
    try:
        lab = opened()
        patch = _patch(lab, what) if what is not None else None
        found = lab.check(
            what if patch is None else None,
            patch=patch,
            staged=staged,
            text=text,
            say=lambda words: click.echo(words, err=True),
        )
    except (EditError, GitError, StoreError) as error:
        # 1 would say that it is a repeat
        raise UsageError(str(error)) from error
    if json_:
        render.emit_json("check", found.to_dict())
    else:
        _show(found, lab)
    click.get_current_context().exit(int(found.is_repeat))


def _patch(lab: Lab, what: str) -> bytes | None:
    """Return the patch that an argument names, or None where it names a rev."""
    if what == "-":
        return sys.stdin.buffer.read(PATCH_LIMIT + 1)
    path = Path(what)
    if not path.is_file() or lab.repo.find(what):
        return None
    with path.open("rb") as handle:
        return handle.read(PATCH_LIMIT + 1)


def _show(found: Checked, lab: Lab) -> None:
    files = ", ".join(lab.config.editable)
    if found.is_empty:
        click.echo(f"nothing to compare: {render.plain(files)} is as it was")
        return
    if found.changes:
        left = len(found.changes) - _SHOWN
        more = f", and {left} more" if left > 0 else ""
        said = ", ".join(found.changes[:_SHOWN]) + more
        click.echo(f"changes {render.plain(said)}")
    if not found.is_repeat:
        click.secho("new: nothing like it was tried", bold=True, nl=False)
        click.echo(", but this is near:" if found.matches else "")
    else:
        click.secho("a repeat: this was tried before", bold=True)
    for match in found.matches:
        _match(match, lab.config.metric.name)


def _match(match: Match, metric: str) -> None:
    item = match.experiment
    verdict = str(item.verdict or item.status)
    click.secho(f"{verdict} {item.commit.short}", bold=True, nl=False)
    click.echo(f"  {render.plain(item.subject)}")
    said = _SAID[match.level]
    if match.level == "near":
        said = f"near: {', '.join(match.changes)}" if match.changes else "near in words"
    click.echo(f"    {render.plain(said)}{_parent(match)}")
    value = f"{item.metric or metric} {render.number(item.value)}"
    gain = f" (gain {render.signed(item.delta)})" if item.delta is not None else ""
    reason = f": {render.plain(item.reason)}" if item.reason else ""
    click.echo(f"    {render.plain(value)}{gain}{reason}")


def _parent(match: Match) -> str:
    """Say what an experiment started from, and whether that is the code it is now."""
    parent = match.experiment.parent
    if not parent:
        return ""
    if match.same_parent:
        return f"; on {parent.short}, the code this starts from too"
    # an idea in words starts from nothing
    other = ", which is other code than this starts from" if match.changes else ""
    return f"; on {parent.short}{other}"
