"""`rank`, `search` and `suggest`: what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened

if TYPE_CHECKING:
    from loopgraph_git.client import Answer


@click.command()
@click.option("-k", default=20, show_default=True, help="How many methods.")
@click.option("--goal", default="", help="What you want; weighs relevance.")
@click.option("--explain", is_flag=True, help="Show every factor and the outcomes.")
@as_json
def rank(k: int, goal: str, *, explain: bool, json_: bool) -> None:
    """Rank the methods by what is known of them, for the code as it is at HEAD.

    Example: git lg rank --explain
    """
    answer = opened().rank(goal=goal)
    if json_:
        found = [answer.method_dict(item) for item in answer.ranking[:k]]
        render.emit_json("rank", found)
        return
    render.ranking(answer, k)
    if explain:
        _explain(answer, k)


def _explain(answer: Answer, k: int) -> None:
    click.echo(
        "\nscore = expected improvement · (1 - p_crash) · context · fatigue · relevance\n"
    )
    for item in answer.ranking[:k]:
        factors = "  ".join(
            f"{name} {value:.3g}" for name, value in item.factors.items()
        )
        click.echo(f"{item.method}: {factors}")
        known = answer.standings[item.method]
        if known.n:
            low, high = known.win_interval
            click.echo(
                f"    won {known.win_rate:.0%}, most likely {low:.0%} to {high:.0%}"
            )
            click.echo(f"    outcomes: {', '.join(known.outcomes)}")


@click.command()
@click.argument("words", nargs=-1)
@click.option("-k", default=10, show_default=True, help="How many answers.")
@click.option("--kind", "kinds", multiple=True, help="chunk, method or experiment.")
@as_json
def search(
    words: tuple[str, ...], k: int, kinds: tuple[str, ...], *, json_: bool
) -> None:
    """Search papers, methods and experiments. Anything typed is a query.

    Example: git lg search learning rate warmdown
    """
    found = opened().search(" ".join(words), k=k, kinds=kinds or None)
    if json_:
        render.emit_json("search", [hit.to_dict() for hit in found])
    else:
        render.hits(found)


@click.command()
@click.option("--goal", default="", help="What you want, in words.")
@click.option("-k", default=5, show_default=True, help="How many methods.")
@click.option("--tokens", default=600, show_default=True, help="Size of the brief.")
@as_json
def suggest(goal: str, k: int, tokens: int, *, json_: bool) -> None:
    """Say what to try next on the code at HEAD, why, and what to avoid.

    The question and its answer are recorded, so that advice nobody follows tires.

    Example: git lg suggest --goal "lower val_bpb within 5 minutes"
    """
    lab = opened()
    answer = lab.suggest_query(goal=goal or lab.config.goal, k=k, token_limit=tokens)
    if json_:
        render.emit_json("suggest", answer.to_dict())
    else:
        click.echo(render.block(answer.brief))
