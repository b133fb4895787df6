"""From the text of an experiment log to cells: tabs, commas or JSON lines."""

from __future__ import annotations

import csv
import json
import re
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from loopgraph_git.errors import UsageError
from loopgraph_git.loop import log_markdown
from loopgraph_git.loop.log_columns import has_verdict, is_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_COMMENT = re.compile(
    r"#+\s*(?:metric[ _-]?)?([A-Za-z]+)\s*[:=]\s*(\S+)", re.IGNORECASE
)
_CONFIG = {"metricName": "metric_name", "metric_name": "metric_name",
           "bestDirection": "metric_direction",
           "metric_direction": "metric_direction"}  # fmt: skip
_QUOTED_LINES = 20
_SHORT = 80
_SIZE_LIMIT = 32 * 1024 * 1024


class Problem(NamedTuple):
    """What could not be read, and why: a line, by its number, or a commit."""

    line: int | str
    reason: str


class Line(NamedTuple):
    """The cells of one row, the line they begin on, and the text they come from.

    A line that the file ends in may be torn: somebody may still be writing it.
    """

    number: int
    cells: list[str]
    raw: str
    torn: bool = False


class Table(NamedTuple):
    """The rows of a log (a header is the first), and what comments say of them.

    `said` may hold `metric` and `direction`. `passed` are lines of another kind.
    """

    lines: tuple[Line, ...]
    said: Mapping[str, str]
    problems: tuple[Problem, ...]
    passed: tuple[Problem, ...] = ()


def read_text(stream: IO[bytes], name: str) -> str:
    """Return the text of a log, whichever program wrote it.

    Raises UsageError for what is too large for a log, or no text.
    """
    content = stream.read(_SIZE_LIMIT + 1)
    if len(content) > _SIZE_LIMIT:
        raise UsageError(
            f"{name} is over {_SIZE_LIMIT >> 20} MiB: if it is an experiment log, "
            "split it"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    # a zero byte in a later line is one bad line; in the first, no text at all
    if b"\0" in content.partition(b"\n")[0]:
        raise UsageError(f"{name} is no text: save it as UTF-8")
    return content.decode("utf-8", "replace")


def split(text: str) -> Table:
    """Split a log into rows of cells; raises UsageError for what is no table."""
    lines, problems = _numbered(text)
    said: dict[str, str] = {}
    kept = []
    for number, row in lines:
        if _is_comment(row):
            match = _COMMENT.match(row)
            if match:
                key = match[1].lower()
                said["metric" if key in ("metric", "name") else key] = match[2]
        else:
            kept.append((number, row))
    table = _table(kept, said)
    found = list(table.lines)
    # an object of JSON and a row of Markdown show that they are whole
    whole = text.endswith(("\n", "\r"))
    if found and not (whole or found[-1].raw.rstrip().endswith(("}", "|"))):
        found[-1] = found[-1]._replace(torn=True)
    return table._replace(lines=tuple(found), problems=(*problems, *table.problems))


def _numbered(text: str) -> tuple[list[tuple[int, str]], list[Problem]]:
    """Return the lines that are not empty, and those that no text can hold."""
    # not splitlines: a line separator of Unicode may stand in a description
    ending = "\n" if "\n" in text else "\r"
    rows = [line.rstrip("\r") for line in text.lstrip("\ufeff").split(ending)]
    numbered = [(n, row) for n, row in enumerate(rows, 1) if row.strip()]
    problems = [Problem(n, "zero bytes in it") for n, row in numbered if "\0" in row]
    return [(n, row) for n, row in numbered if "\0" not in row], problems


def _table(kept: list[tuple[int, str]], said: dict[str, str]) -> Table:
    if not kept:
        return Table((), said, ())
    first = kept[0][1].lstrip()
    if first.startswith("{"):
        return _json_lines(kept, said)
    if _has_tabs(first):
        return Table(tuple(_tabs(kept)), said, ())
    if log_markdown.is_document(kept):
        return _tables(kept, said)
    if "," in first:
        lines, problems = _commas(kept)
        return Table(lines, said, problems)
    raise UsageError(
        f"line {kept[0][0]} has one cell: separate the columns by tabs or commas"
    )


def _is_comment(row: str) -> bool:
    """Say whether a line is a comment; `#12<tab>keep` is a row, and `#` a column."""
    if not row.startswith("#") or "\t" in row:
        return False
    return not is_header(row.split(",")) and (row.startswith("# ") or "," not in row)


def _has_tabs(row: str) -> bool:
    return "\t" in row or is_header(row.split("\\t"))


def _tabs(rows: list[tuple[int, str]]) -> Iterable[Line]:
    r"""Read lines with tabs between the cells, or with the `\t` that `echo` leaves."""
    width = len(_parted(rows[0][1]))
    for number, row in rows:
        cells = _parted(row)
        fits = "\t" in row or len(cells) == width
        yield Line(number, [_unquoted(x) for x in cells] if fits else [row], row)


def _parted(row: str) -> list[str]:
    return row.split("\t" if "\t" in row else "\\t")


def _tables(rows: list[tuple[int, str]], said: dict[str, str]) -> Table:
    found = log_markdown.tables(rows)
    return Table(
        tuple(Line(*row) for row in found.rows),
        said,
        tuple(Problem(*problem) for problem in found.problems),
        tuple(Problem(*passed) for passed in found.passed),
    )


def _unquoted(cell: str) -> str:
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return cell


def _commas(
    rows: list[tuple[int, str]],
) -> tuple[tuple[Line, ...], tuple[Problem, ...]]:
    """Read CSV whose quoted cells may hold newlines.

    A quote that is never closed costs its own line, not the rest of the file.
    """
    lines, problems = [], []
    place = 0
    while place < len(rows):
        number = rows[place][0]
        for count in range(1, _QUOTED_LINES + 1):
            raw = "\n".join(row for _, row in rows[place : place + count])
            cells = _cells(raw)
            if cells is not None:
                lines.append(Line(number, cells, raw))
                place += count
                break
        else:
            problems.append(Problem(number, "a quote is opened and never closed"))
            place += 1
    return tuple(lines), tuple(problems)


def _cells(raw: str) -> list[str] | None:
    """Return the cells of one record, or None while a quote is open."""
    lines = [line + "\n" for line in raw.split("\n")]
    try:
        found = list(csv.reader(lines, strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None


def _json_lines(rows: list[tuple[int, str]], said: dict[str, str]) -> Table:
    """Read JSON lines as a table whose columns are all the keys that occur.

    A line of configuration holds for the lines below it, until the next.
    """
    config: dict[str, str] = {}
    objects: list[tuple[int, dict[str, str], str]] = []
    problems: list[Problem] = []
    passed: list[Problem] = []
    for number, raw in rows:
        plain = _object(raw)
        if plain is None:
            problems.append(Problem(number, "not a JSON object"))
        elif plain.get("type") == "config":
            config = {_CONFIG[k]: str(plain[k]) for k in _CONFIG if plain.get(k)}
        elif plain.get("type") and not has_verdict(map(str, plain)):
            passed.append(Problem(number, f"of type {str(plain['type'])[:_SHORT]!r}"))
        else:
            objects.append((number, config | _flat(plain), raw))
    names = list(dict.fromkeys(name for _, cells, _ in objects for name in cells))
    if not objects:
        return Table((), said, tuple(problems), tuple(passed))
    # at least two names that mark a header are needed; JSON names its own cells
    if not is_header(names):
        raise UsageError(
            f"the keys {', '.join(names)[:200]} say no verdict: name one `status`"
        )
    lines = [Line(0, names, "")]
    lines += [
        Line(number, [cells.get(name, "") for name in names], raw)
        for number, cells, raw in objects
    ]
    return Table(tuple(lines), said, tuple(problems), tuple(passed))


def _object(raw: str) -> dict[str, Any] | None:
    try:
        plain = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None


def _flat(plain: Mapping[str, Any]) -> dict[str, str]:
    """Return an object as texts; the members of an inner object become its own."""
    cells: dict[str, str] = {}
    inner: dict[str, str] = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            inner |= {str(key): _text(item) for key, item in value.items()}
        else:
            cells[name] = _text(value)
    return inner | cells


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
