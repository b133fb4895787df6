"""How values look on a terminal: tables, numbers, JSON. The only place with widths.

Texts come from commits, notes and logs of others: nothing in them may move the
cursor, so control characters are taken out before anything is printed.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopgraph_git.client import Answer
    from loopgraph_git.records import Experiment, Hit

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STYLES = {
    "keep": "green",
    "discard": "bright_black",
    "crash": "red",
    "retest": "yellow",
}


def plain(text: object) -> str:
    """Return text that is safe to print on one line."""
    return " ".join(_CONTROL.sub("", str(text)).split())


def block(text: str) -> str:
    """Return text that is safe to print over several lines."""
    return "\n".join(_CONTROL.sub("", line) for line in text.splitlines())


def emit_json(kind: str, items: Any) -> None:
    """Print one JSON document: {"schema": "loopgraph/<kind>/1", "items": …}."""
    document = {"schema": f"loopgraph/{kind}/1", "items": items}
    click.echo(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns; the last one is cut to the width of a terminal."""
    from rich.console import Console  # noqa: PLC0415  43 ms
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for number, header in enumerate(headers):
        right = header.startswith(">")
        last = number == len(headers) - 1
        made.add_column(
            header.lstrip(">"),
            justify="right" if right else "left",
            no_wrap=not last,
            overflow="ellipsis",
        )
    for row in rows:
        made.add_row(*(Text(plain(cell), style=_style(plain(cell))) for cell in row))
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 160, highlight=False).print(made)


def _style(word: str) -> str:
    return _STYLES.get(word, "")


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with a fixed count of decimals, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """Return a number with its sign, or a dash."""
    return "-" if value is None else f"{value:+.{digits}f}"


def when(seconds: int) -> str:
    """Return a time as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def experiments(found: Sequence[Experiment]) -> None:
    """Print experiments as a table."""
    if not found:
        click.echo("no experiments yet: `git lg experiment -n 1` runs the first")
        return
    metric = next((item.metric for item in found if item.metric), "metric")
    headers = ["commit", f">{metric}", ">gain", ">seconds", "verdict", "subject"]
    table(headers, (_experiment(item) for item in found))


def _experiment(item: Experiment) -> list[str]:
    return [
        item.commit.short,
        number(item.value),
        signed(item.delta),
        number(item.seconds, 0),
        str(item.verdict or item.status or "-"),
        "baseline" if item.reason == "baseline" else item.subject,
    ]


def hits(found: Sequence[Hit]) -> None:
    """Print the answers of a search, two lines each."""
    for hit in found:
        key = hit.key[:12] if hit.kind == "experiment" else hit.key
        click.secho(f"{hit.kind} {plain(key)}", bold=True, nl=False)
        click.echo(f"  {plain(hit.title)}")
        if hit.snippet:
            click.echo(f"    {plain(hit.snippet)}")


def ranking(answer: Answer, k: int) -> None:
    """Print ranked methods: what each has won, and why it stands where it does."""
    rows = []
    for item in answer.ranking[:k]:
        known = answer.standings[item.method]
        won = f"{known.wins}/{known.n}" if known.n else "-"
        gain = signed(known.mean_gain)
        rows.append([item.method, number(item.score), won, gain, item.why])
    table(["method", ">score", ">won", ">mean gain", "why"], rows)
