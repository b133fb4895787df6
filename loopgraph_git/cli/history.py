"""`log`, `show` and `best`: what has been tried."""

from __future__ import annotations

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.records import Judgement, Kind, Record, Status

_VERDICTS = [str(item) for item in Judgement]


@click.command()
@click.option(
    "-n",
    "limit",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="How many; 0 is all.",
)
@click.option("--session", help="Only this session.")
@click.option("--verdict", type=click.Choice(_VERDICTS), help="Only this verdict.")
@as_json
def log(limit: int, session: str | None, verdict: str | None, *, json_: bool) -> None:
    """List experiments, the newest first.

    Example: git lg log -n 50 --verdict keep
    """
    found = opened().experiments(
        session=session,
        verdict=Judgement(verdict) if verdict else None,
        limit=limit or None,
    )
    if json_:
        render.emit_json("log", [item.to_dict() for item in found])
    elif found or not (session or verdict):
        render.experiments(found)
    else:
        wanted = [f"of session {render.plain(session)}"] * bool(session)
        wanted += [f"with the verdict {verdict}"] * bool(verdict)
        click.echo(f"no experiment {' '.join(wanted)}: `git lg log -n 0` lists all")


@click.command()
@click.argument("commit")
@as_json
def show(commit: str, *, json_: bool) -> None:
    """Show one experiment: what changed, what was measured, what was decided.

    Example: git lg show 3f2a91c
    """
    lab = opened()
    item = lab.show(commit)
    records = lab.records_of(item.commit)
    seen = lab.recognised(item.commit)
    if json_:
        plain = [
            {**record.body, "kind": record.kind, "id": record.id} for record in records
        ]
        whole = {**item.to_dict(), "recognised": seen, "records": plain}
        render.emit_json("show", whole)
        return
    click.secho(f"experiment {item.commit}", fg="yellow")
    value = "" if item.value is None else render.number(item.value, 6)
    # no dict: others name a metric as they like
    pairs = (
        ("session", item.session),
        ("proposer", item.proposer),
        ("methods", ", ".join([*item.methods, *(f"{x} (recognised)" for x in seen)])),
        ("date", render.when(item.ts)),
        ("verdict", f"{item.verdict}: {item.reason}" if item.verdict else ""),
        (item.metric, value),
        ("runs", str(item.runs)),
        ("measured", "; ".join(_ways(records))),
        ("platform", item.platform),
        ("protocol", item.protocol),
    )
    for key, text in pairs:
        if text:
            click.echo(f"{render.plain(key) + ':':<10} {render.plain(text)}")
    for flag in _flags(records):
        click.secho(f"{'flag:':<10} {render.plain(flag)}", fg="yellow")
    click.echo(f"\n    {render.plain(item.subject)}\n")
    if item.excerpt:
        click.echo(render.block(item.excerpt) + "\n")
    click.echo(render.block(lab.diff(item.commit)))


def _ways(records: list[Record]) -> list[str]:
    """Return how the runs were measured and confined, each way once."""
    results = [record.body for record in records if record.kind is Kind.RESULT]
    words = (
        f"{body.get('evaluation', 'self_reported')} in {body.get('sandbox', 'unknown')}"
        for body in results
        if body.get("status") == Status.OK
    )
    return list(dict.fromkeys(words))


def _flags(records: list[Record]) -> list[str]:
    found = (body for record in records for body in record.body.get("flags", ()))
    return list(dict.fromkeys(str(flag) for flag in found))


@click.command()
@click.option(
    "-k", default=10, show_default=True, type=click.IntRange(1), help="How many."
)
@as_json
def best(k: int, *, json_: bool) -> None:
    """List the experiments with the best metric, whatever became of them.

    Only results of one protocol and platform compare; the newest one counts.

    Example: git lg best -k 5 --json
    """
    found = opened().best(k)
    if json_:
        render.emit_json("best", [item.to_dict() for item in found])
    else:
        render.experiments(found)
