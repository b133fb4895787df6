"""`note`: a word to a session while it runs; and the account of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, default_session, opened
from loopgraph_git.errors import UsageError
from loopgraph_git.loop.account import account, told
from loopgraph_git.loop.journal import under_way
from loopgraph_git.loop.steering import Steering

if TYPE_CHECKING:
    from loopgraph_git.loop.steering import Wishes
    from loopgraph_git.loopgraph import LoopGraph


@click.command()
@click.argument("text", nargs=-1)
@click.option("--session", help="Which one; the default is the one that runs.")
@click.option("--drop", type=click.IntRange(1), help="Take note number N back.")
@click.option("--pause", "wish", flag_value="pause", help="Pause before the next one.")
@click.option("--go-on", "wish", flag_value="go-on", help="Go on; take a stop back.")
@click.option("--stop", "wish", flag_value="stop", help="End after this experiment.")
@as_json
def note(
    text: tuple[str, ...],
    session: str | None,
    drop: int | None,
    wish: str | None,
    *,
    json_: bool,
) -> None:
    """Tell a running session something, or show what it was told.

    A note is part of every brief from the next experiment on, until it is dropped. A
    pause and a stop take effect when the experiment under way is over.

    Example: git lg note "prefer edits that delete code"
    """
    lab = opened()
    if text or drop is not None or wish is not None:
        lab.require_writable()
    name = session or running(lab) or default_session(lab)
    steering = Steering(lab.repo.home / "journal", name)
    if sum((bool(text), drop is not None, wish is not None)) > 1:
        raise UsageError(
            "one thing at a time: a note, --drop, --pause, --go-on, --stop"
        )
    if text:
        wishes = steering.note(" ".join(text))
    elif drop is not None:
        wishes = steering.drop(drop)
    elif wish is not None:
        if wish == "stop" and name not in under_way(lab.repo.home / "journal"):
            # it would end the next call, before its first experiment
            raise UsageError(
                f"the session {name} does not run: there is nothing to stop"
            )
        wishes = asked(steering, wish)
    else:
        wishes = steering.read()
    if json_:
        render.emit_json("note", [{"session": name, **asdict(wishes)}])
    else:
        show(name, wishes)


def asked(steering: Steering, wish: str) -> Wishes:
    """Ask a session for a pause, an end, or to go on."""
    if wish == "go-on":
        return steering.ask(paused=False, stop=False)
    return steering.ask(**{"paused" if wish == "pause" else "stop": True})


def running(lab: LoopGraph) -> str | None:
    """Return the session that a call has not finished yet, if there is just one."""
    found = under_way(lab.repo.home / "journal")
    return found[0] if len(found) == 1 else None


def show(name: str, wishes: Wishes) -> None:
    """Print what a session was told."""
    click.echo(f"session {name}", nl=False)
    states = [
        words
        for is_so, words in (
            (wishes.paused, "paused"),
            (wishes.stop, "ends after this experiment"),
        )
        if is_so
    ]
    click.echo(f": {', '.join(states)}" if states else "")
    for number, words in enumerate(wishes.notes, 1):
        click.echo(f"  {number}. {render.plain(words)}")
    if not wishes.notes:
        click.echo("  no notes")


def summarise(lab: LoopGraph, session: str, *, since: float = 0.0, json_: bool) -> None:
    """Print the account of a session; raises UsageError where there is none."""
    found = account(lab, session, since=since)
    if found is None:
        raise UsageError(
            f"there is no session {session}: `git lg log` lists experiments"
        )
    if json_:
        render.emit_json("summary", [found.to_dict()])
    else:
        click.echo(render.block("\n".join(told(found))))
