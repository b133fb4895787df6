"""How values look on a terminal: tables, numbers, JSON. The only place with widths.

Texts come from commits, notes and logs of others: nothing in them may move the
cursor, hide a word or be taken for markup. `plain` is for words in a line, `block`
for code and logs, where what is hidden is shown; JSON escapes it.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from loopgraph_git.records.texts import HIDDEN, flat, visible

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from loopgraph_git.client import Answer
    from loopgraph_git.records import Experiment

_GAP = 2
_LAST = 24
"""Columns that the last one of a table has at least."""
_WIDE = 1e9
_BEYOND = 0x10000
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last one that a date can be in."""
_STYLES = {
    "keep": "green",
    "discard": "bright_black",
    "crash": "red",
    "retest": "yellow",
}


def plain(text: object) -> str:
    """Return text that is safe to print on one line."""
    return flat(str(text))


def block(text: str) -> str:
    """Return text that is safe to print over several lines."""
    # not splitlines: a lone \r must not begin what looks like another line of a diff
    return "\n".join(visible(line.removesuffix("\r")) for line in text.split("\n"))


def json_line(value: Any, *, indent: int | None = None) -> str:
    """Return the JSON of a value, without what a terminal or a parser chokes on.

    Control characters and lone surrogates are escaped, numbers that are not finite
    (another program's record may hold 1e999) are null.
    """
    text = json.dumps(_finite(value), indent=indent, sort_keys=True, ensure_ascii=False)
    return HIDDEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    # JSON knows four digits, and pairs of surrogates for what lies beyond them
    return f"\\u{code:04x}" if code < _BEYOND else json.dumps(found[0])[1:-1]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    odd = isinstance(value, float) and not math.isfinite(value)
    return None if odd else value


def emit_json(kind: str, items: Any) -> None:
    """Print one JSON document: {"schema": "loopgraph/<kind>/1", "items": …}."""
    document = {"schema": f"loopgraph/{kind}/1", "items": items}
    click.echo(json_line(document, indent=1))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns; on a terminal the last one is wrapped to its width.

    Nothing is ever cut: a narrow terminal breaks long lines itself. Where no terminal
    is, each row is one line, for grep and awk.
    """
    from rich.cells import cell_len  # noqa: PLC0415  43 ms
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    # a metric is named by others, and a header would be read as markup
    names = [plain(header.removeprefix(">")) for header in headers]
    cells = [[plain(cell) for cell in row] for row in rows]
    *fixed, last = (max(map(cell_len, x)) for x in zip(names, *cells, strict=True))
    for header, name in zip(headers, names, strict=True):
        side: Any = "right" if header.startswith(">") else "left"
        made.add_column(Text(name), justify=side, overflow="fold")
    for row in cells:
        made.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    for column, width in zip(made.columns, fixed, strict=False):
        column.min_width = width
    console = Console(highlight=False)
    taken = sum(fixed) + _GAP * len(fixed)
    room = max(console.width - taken, _LAST) if sys.stdout.isatty() else last
    console.width = taken + min(last, room)
    with console.capture() as printed:
        console.print(made)
    lines = [line.rstrip() for line in printed.get().rstrip("\n").split("\n")]
    click.echo("\n".join(lines))


def _style(word: str) -> str:
    return _STYLES.get(word, "")


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with a fixed count of decimals, or a dash."""
    return "-" if value is None else f"{value:{_form(value, digits)}}"


def signed(value: float | None, digits: int = 4) -> str:
    """Return a number with its sign, or a dash."""
    return "-" if value is None else f"{value:+{_form(value, digits)}}"


def _form(value: float, digits: int) -> str:
    # 1e300 would be three hundred digits wide
    return f".{digits}f" if abs(value) < _WIDE else ".3g"


def when(seconds: int) -> str:
    """Return a time as a date and time in UTC, or a dash for one in no calendar."""
    if not 0 <= seconds <= _LAST_SECOND:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def experiments(found: Sequence[Experiment]) -> None:
    """Print experiments as a table."""
    if not found:
        click.echo(
            "no experiments yet: `git lg experiment -n 1` runs the first, "
            "`git lg sync` fetches those of others"
        )
        return
    metrics = sorted({item.metric for item in found if item.metric})
    # numbers of several metrics do not stand below one name
    several = len(metrics) > 1
    names = ["metric", ">value"] if several else [f">{''.join(metrics) or 'value'}"]
    headers = ["commit", *names, ">gain", ">seconds", "verdict", "subject"]
    table(headers, (_experiment(item, named=several) for item in found))


def _experiment(item: Experiment, *, named: bool) -> list[str]:
    return [
        item.commit.short,
        *([item.metric or "-"] if named else []),
        number(item.value),
        signed(item.delta),
        # an adopted log seldom says how long a run took
        number(item.seconds or None, 0),
        str(item.verdict or item.status or "-"),
        "baseline" if item.reason == "baseline" else item.subject,
    ]


def ranking(answer: Answer, k: int) -> None:
    """Print ranked methods: what each has won, and why it stands where it does."""
    rows = []
    for item in answer.ranking[:k]:
        known = answer.standings[item.method]
        won = f"{known.wins}/{known.n}" if known.n else "-"
        gain = signed(known.mean_gain)
        rows.append([item.method, number(item.score), won, gain, item.why])
    table(["method", ">score", ">won", ">mean gain", "why"], rows)
