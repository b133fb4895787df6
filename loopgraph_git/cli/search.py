"""`search`: one question, one list over all that is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.researchfs.matches import RECENT
from loopgraph_git.researchfs.query import KINDS
from loopgraph_git.researchfs.search import ask, blamed, explain_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.loopgraph import LoopGraph
    from loopgraph_git.records import Hit
    from loopgraph_git.researchfs.search import Statement

_SHOWN = 60


@click.command()
@click.argument("words", nargs=-1)
@click.option(
    "-k",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="How many answers.",
)
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind."
)
@click.option(
    "--prefix/--no-prefix",
    default=None,
    help="Take the last word for the beginning of one.  [default: on a terminal]",
)
@click.option("--sql", is_flag=True, help="Print the SQL and its parameters instead.")
@as_json
def search(
    words: tuple[str, ...],
    k: int,
    kinds: tuple[str, ...],
    *,
    prefix: bool | None,
    sql: bool,
    json_: bool,
) -> None:
    """Search experiments, methods, papers and the code. Anything typed is a query.

    Filters may stand among the words: kind:method status:crash verdict:keep
    method:swiglu session:mar8 since:2026-10-01 since:7d 'val_bpb<0.99' 'metric<0.99'.
    Without a word the most recent is listed.

    Example: git lg search learning rate verdict:keep
    """
    lab = opened()
    text = " ".join(words)
    if prefix is None:
        prefix = sys.stdout.isatty()
    if sql:
        lab.ledger.read_texts()
        made = explain_sql(
            lab.client.store, text, kinds=kinds or None, k=k, prefix=prefix
        )
        _print_sql(made, json_=json_)
        return
    found = lab.search(text, k=k, kinds=kinds or None, prefix=prefix)
    for line in _notes(lab, text, kinds, found):
        click.echo(f"note: {render.plain(line)}", err=True)
    if json_:
        render.emit_json("search", [hit.to_dict() for hit in found])
    else:
        _print(found)


def _notes(
    lab: LoopGraph, text: str, kinds: tuple[str, ...], found: Sequence[Hit]
) -> Iterator[str]:
    """Yield what was not understood, and why the answer is not what was asked for."""
    store = lab.client.store
    query = ask(store, text)
    yield from query.notes
    if found and found[0].why == RECENT and query.words.strip():
        yield f"nothing matches {_cut(query.words)!r}; these are the most recent"
    elif not found and query.filters:
        yield _blame(blamed(store, query, kinds=kinds or None))
    elif not found:
        yield "nothing is known yet: `git lg experiment -n 1` runs the first"


def _blame(filters: Sequence[str]) -> str:
    if len(filters) == 1:
        return f"nothing has {filters[0]}: leave it out to see more"
    return f"nothing has {' and '.join(filters)}: leave one out to see more"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _print(found: Sequence[Hit]) -> None:
    """Print answers: what it is and its title, the snippet, why it matched."""
    for hit in found:
        key = hit.key[:12] if hit.kind == "experiment" else hit.key
        click.secho(
            f"{render.plain(hit.kind)} {render.plain(key)}", bold=True, nl=False
        )
        click.echo(f"  {render.plain(hit.title)}")
        if hit.snippet:
            click.echo(f"    {_marked(hit)}")
        if hit.why:
            click.secho(f"    {render.plain(hit.why)}", fg="bright_black")


def _marked(hit: Hit) -> str:
    """Return a snippet with what matched in colour, where there are colours."""
    text = hit.snippet
    if render.plain(text) != text:
        # a snippet that has to be cleaned is no longer where its marks are
        return render.plain(text)
    made, last = "", 0
    for first, end in hit.marks:
        made += text[last:first] + click.style(text[first:end], fg="yellow", bold=True)
        last = end
    return made + text[last:]


def _print_sql(made: Sequence[Statement], *, json_: bool) -> None:
    if json_:
        items = [
            {"kind": item.kind, "sql": item.sql, "parameters": list(item.values)}
            for item in made
        ]
        render.emit_json("search-sql", items)
        return
    for item in made:
        click.echo(f"-- {item.kind}s\n{item.sql};")
        for place, value in enumerate(item.values, start=1):
            click.echo(f"-- parameter {place}: {render.plain(value)}")
        click.echo()
    click.echo("-- methods and code are ranked in Python, by BM25 over their words")
