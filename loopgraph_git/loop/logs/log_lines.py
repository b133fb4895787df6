"""From the text of an experiment log to cells: tabs, commas or JSON lines."""

from __future__ import annotations

import csv
import re
from typing import IO, TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs import log_json, log_markdown
from loopgraph_git.loop.logs.log_columns import is_export, is_header
from loopgraph_git.loop.logs.log_table import Line, Problem, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMENT = re.compile(
    r"#+\s*(?:metric[ _-]?)?([A-Za-z]+)\s*[:=]\s*(\S+)", re.IGNORECASE
)
_QUOTED_LINES = 20
# so many lines of words may stand above a header
_WORDS = 50
_DECIMAL = re.compile(r"\A([+-]?\d+),(\d+)\Z")
_FORMULA = re.compile("''*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
_CLOSED = re.compile(r'"(?:[^"]|"")*"\s*\Z')
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SIZE_LIMIT = 32 * 1024 * 1024


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
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "".join(map(_decoded, content.splitlines(keepends=True)))


def _decoded(line: bytes) -> str:
    """Return a line, in what Windows wrote before UTF-8 where it is not that."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def split(text: str) -> Table:
    """Split a log into rows of cells; raises UsageError for what is no table."""
    lines, problems = _numbered(_COLOUR.sub("", text))
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
    if first.startswith(("{", "[")):
        return log_json.table(kept, said)
    if _has_tabs(first):
        return Table(tuple(_tabs(kept)), said, ())
    if log_markdown.is_document(kept):
        return log_markdown.table(kept, said)
    return _below(kept, said)


def _below(kept: list[tuple[int, str]], said: dict[str, str]) -> Table:
    """Read a table whose header need not be the first line: words may precede it."""
    separators = [_separator(row) for _, row in kept[:_WORDS]]
    start = next((n for n, found in enumerate(separators) if found), 0)
    separator = separators[start] or ","
    rows = kept[start:]
    if separator not in rows[0][1]:
        raise UsageError(
            f"line {rows[0][0]} has one cell: separate the columns by tabs or commas"
        )
    above = tuple(Problem(n, "it stands above the header") for n, _ in kept[:start])
    if separator == "\t":
        return Table(tuple(_tabs(rows)), said, above)
    lines, problems = _commas(rows, separator)
    if is_export(lines[0].cells if lines else ()):
        lines = tuple(x._replace(cells=[*map(_bare, x.cells)]) for x in lines)
    return Table(lines, said, (*above, *problems))


def _bare(cell: str) -> str:
    """Return a text without what an export puts before the sign of a formula."""
    return cell[1:] if _FORMULA.match(cell) else cell


def _separator(row: str) -> str:
    """Return what parts the names of columns, "" for a line that is no header."""
    return next((x for x in "\t,;" if is_header(_cells(row, x) or ())), "")


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
    place = 0
    while place < len(rows):
        number, row = rows[place]
        cells = _parted(row)
        count, quoted = _quoted(rows[place : place + _QUOTED_LINES], width)
        fits = "\t" in row or len(cells) == width
        if quoted:
            raw = "\n".join(text for _, text in rows[place : place + count])
            yield Line(number, quoted, raw)
        else:
            yield Line(number, [_unquoted(x) for x in cells] if fits else [row], row)
        place += count


def _quoted(rows: list[tuple[int, str]], width: int) -> tuple[int, list[str]]:
    """Return how many lines one record takes, and its cells where quotes join them.

    What is quoted may hold tabs and newlines, but no line that is a record itself.
    """
    first = _parted(rows[0][1])
    if not any(x.startswith('"') and not _CLOSED.match(x) for x in first):
        return 1, []
    for count in range(1, len(rows) + 1):
        if count > 1 and len(_parted(rows[count - 1][1])) >= width:
            break
        cells = _cells("\n".join(row for _, row in rows[:count]), "\t")
        if cells is not None and len(cells) == width:
            return count, cells
    return 1, []


def _parted(row: str) -> list[str]:
    return row.split("\t" if "\t" in row else "\\t")


def _unquoted(cell: str) -> str:
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return cell


def _commas(
    rows: list[tuple[int, str]], separator: str
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
            cells = _cells(raw, separator)
            if cells is not None:
                if separator == ";":
                    # nothing else can be meant there by a comma in a number
                    cells = [_DECIMAL.sub(r"\1.\2", cell) for cell in cells]
                lines.append(Line(number, cells, raw))
                place += count
                break
        else:
            problems.append(Problem(number, "a quote is opened and never closed"))
            place += 1
    return tuple(lines), tuple(problems)


def _cells(raw: str, separator: str) -> list[str] | None:
    """Return the cells of one record, or None while a quote is open."""
    lines = [line + "\n" for line in raw.split("\n")]
    try:
        found = list(
            csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
        )
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None
