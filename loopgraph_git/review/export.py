"""Experiments as tables for other tools: results.tsv, CSV, JSON lines and Parquet.

Nothing here knows of git or of files: experiments come in, lines or bytes go out.
`docs/export.md` describes the columns.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
import re
from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from loopgraph_git.errors import UsageError
from loopgraph_git.records import results_header, results_row
from loopgraph_git.records.texts import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import PurePath

    from loopgraph_git.records import Experiment


class Format(StrEnum):
    """What an export can be written as."""

    TSV = "tsv"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


_SUFFIXES = {
    ".tsv": Format.TSV,
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
}


class Column(NamedTuple):
    """A column, the field of an experiment that it holds, and what its values are.

    `kind` is text, texts, number, count or time.
    """

    name: str
    field: str
    kind: str = "text"


# logs of this kind call a verdict `status` and a subject `description`; how a run
# ended must not stand where their readers look for a verdict
COLUMNS = (
    Column("commit", "commit"),
    Column("date", "ts", "time"),
    Column("session", "session"),
    Column("description", "subject"),
    Column("methods", "methods", "texts"),
    Column("verdict", "verdict"),
    Column("value", "value", "number"),
    Column("metric", "metric"),
    Column("runs", "runs", "count"),
    Column("delta", "delta", "number"),
    Column("noise", "noise", "number"),
    Column("baseline", "baseline"),
    Column("reason", "reason"),
    Column("run_status", "status"),
    Column("seconds", "seconds", "number"),
    Column("peak_memory_mb", "peak_memory_mb", "number"),
    Column("protocol", "protocol"),
    Column("platform", "platform"),
    Column("tree", "tree"),
    Column("parent", "parent"),
    Column("proposer", "proposer"),
    Column("retrieval", "retrieval"),
    Column("tokens", "tokens", "count"),
    Column("excerpt", "excerpt"),
)
# what a spreadsheet takes for the beginning of a formula; what looks like one of ours
# gets an apostrophe too, so that taking one away gives every text back
_FORMULA = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
_SHORT, _LONGER = 7, 12
_LAST_SECOND = 253_402_300_799


def format_of(path: PurePath) -> Format:
    """Return the format that a file's name asks for; raises UsageError."""
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        known = ", ".join(_SUFFIXES)
        raise UsageError(
            f"{path.name!r} ends in none of {known}: name the format with `--format`"
        )
    return found


def metric_of(experiments: Iterable[Experiment], preferred: str) -> str:
    """Return the metric of a table that has room for one: the one most often measured.

    `preferred` wins where it was measured at all, and where nothing was known. Where
    no run measured anything it is the one that was to be measured.
    """
    runs = [item for item in experiments if item.metric]
    measured = Counter(item.metric for item in runs if item.value is not None)
    seen = measured or Counter(item.metric for item in runs)
    if not seen or preferred in seen:
        return preferred
    return min(seen, key=lambda name: (-seen[name], name))


def tsv_rows(experiments: Iterable[Experiment], metric: str) -> list[Experiment]:
    """Return the experiments that have a place in a results.tsv of one metric.

    Left out are those that nothing is known of but their code, and those that were
    measured by another metric.
    """
    return [
        item
        for item in experiments
        if (item.verdict or item.status) and item.metric in ("", metric)
    ]


def tsv_lines(experiments: Sequence[Experiment], metric: str) -> Iterator[str]:
    """Yield a results.tsv as autoresearch keeps it; see `tsv_rows`."""
    rows = tsv_rows(experiments, metric)
    shared = Counter(item.commit[:_SHORT] for item in rows)
    yield results_header(metric) + "\n"
    for item in rows:
        alone = shared[item.commit[:_SHORT]] == 1
        yield results_row(item, digits=_SHORT if alone else _LONGER) + "\n"


def csv_lines(experiments: Iterable[Experiment]) -> Iterator[str]:
    """Yield CSV, one line an experiment, that a spreadsheet opens without harm."""
    yield _csv_line([column.name for column in COLUMNS])
    for item in experiments:
        yield _csv_line([_cell(value) for value in row_of(item).values()])


def _csv_line(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    """Return a cell on one line: a text that looks like a formula gets an apostrophe."""
    if isinstance(value, list):
        value = ";".join(value)
    if not isinstance(value, str):
        return value
    text = flat(" | ".join(value.split("\n")))
    return f"'{text}" if _FORMULA.match(text) else text


def jsonl_lines(experiments: Iterable[Experiment]) -> Iterator[str]:
    """Yield JSON lines in ASCII: every text is exact, and none can move a cursor."""
    for item in experiments:
        yield json.dumps(row_of(item), allow_nan=False) + "\n"


def row_of(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment by column, as plain values: times are ISO 8601 in UTC."""
    return {
        column.name: _plain(getattr(experiment, column.field), column.kind)
        for column in COLUMNS
    }


def _plain(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "time":
        return _time(value).strftime("%Y-%m-%dT%H:%M:%SZ")
    if kind == "texts":
        return list(value)
    if kind == "number":
        return value if math.isfinite(value) else None
    return str(value) if kind == "text" else value


def _time(seconds: int) -> datetime:
    # a commit may claim any second; years have four digits here
    return datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC)


def parquet(experiments: Sequence[Experiment]) -> bytes:
    """Return a Parquet file; raises UsageError where pyarrow is not installed."""
    try:
        arrow = importlib.import_module("pyarrow")
        files = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: `pip install 'loopgraph-git[parquet]'`, or write "
            "`--format jsonl`"
        ) from error
    kinds = {
        "text": arrow.string(),
        "texts": arrow.list_(arrow.string()),
        "number": arrow.float64(),
        "count": arrow.int64(),
        "time": arrow.timestamp("ms", tz="UTC"),
    }
    rows = [row_of(x) | {"date": _time(x.ts)} for x in experiments]
    schema = arrow.schema([(x.name, kinds[x.kind]) for x in COLUMNS])
    sink = arrow.BufferOutputStream()
    files.write_table(arrow.Table.from_pylist(rows, schema=schema), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
