"""`export`: the experiments as a table that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli.options import opened
from loopgraph_git.errors import UsageError
from loopgraph_git.records import Judgement
from loopgraph_git.records.texts import counted
from loopgraph_git.review import export as tables
from loopgraph_git.review.export import Format
from loopgraph_git.review.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.records import Experiment

_FORMATS = [str(item) for item in Format]
_VERDICTS = [str(item) for item in Judgement]


@click.command()
@click.option("-o", "--output", metavar="FILE", help="The file; else stdout.")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(_FORMATS),
    help="By default what the file's name says, and tsv on stdout.",
)
@click.option("-n", "limit", type=click.IntRange(1), help="Only the newest so many.")
@click.option("--session", help="Only this session.")
@click.option("--verdict", type=click.Choice(_VERDICTS), help="Only this verdict.")
@click.option("--metric", default="", help="The metric of a tsv, which has one.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
def export(  # noqa: PLR0913  one parameter an option
    *,
    output: str | None,
    wanted: str | None,
    limit: int | None,
    session: str | None,
    verdict: str | None,
    metric: str,
    force: bool,
) -> None:
    """Write the experiments as results.tsv, CSV, JSON lines or Parquet.

    The oldest comes first. A tsv has the five columns of autoresearch; the others
    have every field (docs/export.md). `git lg import` reads all but Parquet.

    Example: git lg export -o experiments.csv --verdict keep
    """
    path = Path(output) if output and output != "-" else None
    form = Format(wanted) if wanted else tables.format_of(path) if path else Format.TSV
    if form is Format.PARQUET and path is None:
        raise UsageError("Parquet is no text: name a file with `-o FILE`")
    lab = opened()
    listed = lab.experiments(
        session=session,
        verdict=Judgement(verdict) if verdict else None,
        limit=limit,
    )
    found = [*reversed(listed)]
    chosen = metric or tables.metric_of(found, lab.config.metric.name)
    if path is None:
        for line in _lines(form, found, chosen):
            click.echo(line, nl=False)
    else:
        write_file(path, _parts(form, found, chosen), force=force)
        count = len(tables.tsv_rows(found, chosen) if form is Format.TSV else found)
        click.echo(f"wrote {counted(count, 'experiment')} to {path}", err=True)
    if form is Format.TSV:
        _tell_left_out(found, chosen)


def _parts(form: Format, found: list[Experiment], metric: str) -> Iterator[bytes]:
    if form is Format.PARQUET:
        yield tables.parquet(found)
    else:
        for line in _lines(form, found, metric):
            yield line.encode("utf-8", "replace")


def _lines(form: Format, found: list[Experiment], metric: str) -> Iterator[str]:
    if form is Format.TSV:
        return tables.tsv_lines(found, metric)
    return (tables.csv_lines if form is Format.CSV else tables.jsonl_lines)(found)


def _tell_left_out(found: list[Experiment], metric: str) -> None:
    left_out = len(found) - len(tables.tsv_rows(found, metric))
    if left_out:
        click.echo(
            f"note: left out {counted(left_out, 'experiment')} without an outcome in "
            f"{metric}: --format jsonl has all",
            err=True,
        )
