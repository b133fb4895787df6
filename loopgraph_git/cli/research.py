"""`rank` and `suggest`: what is known."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.client import Answer
    from loopgraph_git.records import Suggestion
    from loopgraph_git.researchfs.repomap import MappedFile
    from loopgraph_git.researchfs.trials import Standing


@click.command()
@click.option(
    "-k",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How many methods.",
)
@click.option("--goal", default="", help="What you want; weighs relevance.")
@click.option(
    "--explain", "explain_", is_flag=True, help="Show every factor and the outcomes."
)
@as_json
def rank(k: int, goal: str, *, explain_: bool, json_: bool) -> None:
    """Rank the methods by what is known of them, for the code as it is at HEAD.

    Example: git lg rank --explain
    """
    answer = opened().rank(goal=goal)
    if json_:
        found = [answer.method_dict(item) for item in answer.ranking[:k]]
        render.emit_json("rank", found)
        return
    if explain_:
        explain(answer, answer.ranking[:k])
    else:
        render.ranking(answer, k)


def explain(answer: Answer, items: Sequence[Suggestion]) -> None:
    """Print every factor of some scores, and what is behind them, in 80 columns."""
    click.echo(
        "score = expected improvement x (1 - p_crash) x context x fatigue x relevance\n"
        "intervals are 90 %; effects are in units of a session's typical change"
    )
    for item in items:
        known = answer.standings[item.method]
        slot = "  exploring: the least certain" if item.slot == "explore" else ""
        click.echo()
        click.secho(render.plain(item.method), bold=True, nl=False)
        click.echo(f"  score {item.score:.4f}{slot}")
        for name, words in _lines(known):
            click.echo(_wrapped(f"  {name:<12}", render.plain(words)))


def _wrapped(head: str, words: str) -> str:
    return textwrap.fill(
        words,
        width=80,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )


def _lines(known: Standing) -> Iterator[tuple[str, str]]:
    yield "tried", _tried(known)
    low, high = known.win_interval
    yield "win rate", f"{known.win_rate:.0%} [{low:.0%}, {high:.0%}]"
    if known.mean_gain is not None:
        spread = known.gain_interval
        words = (
            f" [{spread[0]:+.3g}, {spread[1]:+.3g}]" if spread else " (no spread yet)"
        )
        yield "mean gain", f"{known.mean_gain:+.3g}{words}"
    effect = f"effect {known.mu:+.2f} with deviation {known.sigma:.2f}"
    yield "expected", f"{known.expected:.4f}, from {effect}"
    yield "p_crash", f"{known.p_crash:.3f}"
    fit = known.fit.words or "nothing in the code speaks against it"
    yield "context", f"{known.context:g}: {fit}"
    rest = f"tried {known.tried_here}x on this code, {known.unacted:.1f} suggestions in vain"
    yield "fatigue", f"{known.fatigue:.3f}: {rest}"
    yield "relevance", f"{known.relevance:.3f}"
    if known.outcomes:
        yield "outcomes", " ".join(known.outcomes)


def _tried(known: Standing) -> str:
    if not known.n:
        return "never"
    said = [f"{known.n}x, kept {known.wins}, failed to run {known.crashes}"]
    if known.recognised:
        said.append(f"{known.recognised} recognised by us, named by nobody")
    if known.elsewhere:
        said.append(f"{known.elsewhere} on another platform")
    last = render.when(known.last_ts) if known.last_ts is not None else "-"
    return f"{'; '.join(said)}; last {last}"


@click.command()
@click.option("--goal", default="", help="What you want, in words.")
@click.option(
    "-k", default=5, show_default=True, type=click.IntRange(1), help="How many methods."
)
@click.option(
    "--tokens",
    default=600,
    show_default=True,
    type=click.IntRange(1),
    help="Size of the brief.",
)
@click.option(
    "--explain", "explain_", is_flag=True, help="Show every factor and the outcomes."
)
@click.option("--map", "map_", is_flag=True, help="Map all Python files; ask nothing.")
@as_json
def suggest(
    goal: str, k: int, tokens: int, *, explain_: bool, map_: bool, json_: bool
) -> None:
    """Say what to try next on the code at HEAD, why, and what to avoid.

    The question and its answer are recorded, so that advice nobody follows tires. Asked
    again while nothing changed, it is answered from that record.

    Example: git lg suggest --goal "lower val_bpb within 5 minutes"
    """
    lab = opened()
    if map_:
        _map(lab.map(), json_=json_)
        return
    answer = lab.suggest_query(goal=goal or lab.config.goal, k=k, token_limit=tokens)
    if json_:
        render.emit_json("suggest", answer.to_dict())
        return
    click.echo(render.block(answer.brief))
    if answer.reused and answer.record:
        times = f"reused {answer.reused}x"
        click.echo(f"answered from retrieval {answer.record.id}: {times}", err=True)
    if explain_:
        explain(answer, answer.suggestions)


def _map(files: Sequence[MappedFile], *, json_: bool) -> None:
    """Print the files of a map, what the others stand on first."""
    if json_:
        render.emit_json("map", [asdict(item) for item in files])
        return
    if not files:
        click.echo("no Python files at HEAD")
        return
    rows = [
        (f"{item.rank:.3f}", item.lines, item.path, " ".join(item.defines[:6]))
        for item in files
    ]
    render.table([">rank", ">lines", "file", "defines, most used first"], rows)
