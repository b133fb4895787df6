"""Which rows of a log are on record already, whoever recorded them, and when."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING, Any, NamedTuple

from loopgraph_git.records import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.logs.history import Row
    from loopgraph_git.records import Oid, Record

MARK, SESSION = "imported", "session"
# as many digits as a table shows
_SAME = 1e-5


class Line(NamedTuple):
    """A record to be written of a row, and the mark that it is known again by."""

    kind: Kind
    mark: str
    body: Mapping[str, Any]
    seconds: int
    seq: int


class Entry(NamedTuple):
    """One row, the commit that stands for it, and the records that tell of it.

    `lost` says why its code is not here, "" where it is.
    """

    row: Row
    commit: Oid
    lost: str
    lines: tuple[Line, ...]


def fresh(lab: Lab, session: str, entries: list[Entry]) -> list[Entry]:
    """Return the rows that are not recorded yet, each with the lines that are not.

    A row is looked for in the whole session: it may have been imported while its
    commit was missing, or when other rows stood before it.
    """
    stood_in = {item.commit for item in lab.experiments(session=session)}
    records = {
        commit: lab.records_of(commit)
        for commit in {entry.commit for entry in entries} | stood_in
    }
    known = {
        (record.kind, record.body.get(MARK))
        for told in records.values()
        for record in told
    }
    torn = _torn(records, session, entries)
    marks = {line.mark for entry in entries for line in entry.lines}
    found = []
    for entry in entries:
        new = tuple(x for x in entry.lines if (x.kind, x.mark) not in known)
        if new and not _is_known(entry, records[entry.commit], marks, torn):
            found.append(entry._replace(lines=new))
    return found


def _is_known(
    entry: Entry, records: list[Record], marks: set[str], torn: list[str]
) -> bool:
    """Say whether something else has told of a row already.

    A result without a mark was measured here, and the log only repeats it. One with
    the same value, from a row that this log does not have, is the same row in other
    words: an export, or a corrected description. A line that was torn when it was
    imported first begins as this one does.
    """
    if any(entry.row.raw.startswith(text) for text in torn):
        return True
    ours = {x.body.get("metric") for x in entry.lines if x.kind is Kind.RESULT}
    for record in records:
        if record.kind is Kind.RESULT:
            mark, value = record.body.get(MARK), record.body.get("value")
            metric = record.body.get("metric") or None
            same = _same(value, entry.row.value) and metric in ours | {None}
            if mark is None or (mark not in marks and same):
                return True
    return False


def _session_of(record: Record) -> str:
    """Return the session that a record was imported into."""
    # at first only the protocol named it
    protocol = str(record.body.get("protocol", ""))
    return str(record.body.get(SESSION) or protocol.removeprefix("imported "))


def _same(known: object, value: float | None) -> bool:
    if isinstance(known, (int, float)) and value is not None:
        return isclose(known, value, rel_tol=_SAME)
    return known is None and value is None


def _torn(
    records: Mapping[Oid, list[Record]], session: str, entries: list[Entry]
) -> list[str]:
    """Return the texts of rows that were imported and are in the log no more."""
    now = {entry.row.raw for entry in entries}
    before = {
        str(record.body.get("excerpt", "")).rsplit("\n", 1)[-1]
        for told in records.values()
        for record in told
        if record.kind is Kind.RESULT and _session_of(record) == session
    }
    return [text for text in before - now if "\t" in text or "," in text]
