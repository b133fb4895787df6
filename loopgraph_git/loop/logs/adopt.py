"""Making an experiment log part of the record: each row becomes a result and a verdict.

    row ──▶ its commit is here ──────▶ records on that commit
       └──▶ its code is lost ────────▶ a stand-in commit without files, and records on it

A stand-in is made from the row alone, and so are the records: the same log makes the
same commits and the same records in every clone, whoever imports it. A row that was
imported before is known again.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.git import bulk, commits, refs, trailers
from loopgraph_git.git.lock import locked
from loopgraph_git.loop.logs import known_rows, log_verdicts
from loopgraph_git.loop.logs.known_rows import Entry, Line
from loopgraph_git.loop.summary import redact
from loopgraph_git.records import (
    Judgement,
    Kind,
    Record,
    Result,
    Verdict,
    body_of,
    fitted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.logs.history import Log, Row
    from loopgraph_git.records import Metric, Oid

# the same records in every clone: they are nobody's own
WRITER = "imported"
_HASH = re.compile(r"[0-9a-f]{7,64}\Z")
_AGAIN = re.compile(
    r"\b(re-?run|re-?test|repeat|repro|reproduce|replicat\w*|seed|verify|confirm)\b",
    re.IGNORECASE,
)
# where a log says no times: a minute for each row, from a date that no run has
_FIRST_SECOND = 946_684_800
_ROW_SECONDS = 60
_SUBJECT_LIMIT = 72
_NAME_LIMIT = 60
_BODY_LIMIT = 3000


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """What became of a log.

    `counts` has the rows by verdict, "" for those without one; `resolved` and `lost`
    say whether their code is here, `added` and `already` whether this import wrote
    them. Of `untold` nothing is known but that they are experiments.
    """

    counts: Mapping[str, int]
    resolved: int
    lost: int
    added: int
    already: int
    untold: int


def adopt(lab: Lab, log: Log, *, session: str, dry_run: bool = False) -> Adopted:
    """Write the rows of a log that are not known yet; with `dry_run`, only count.

    Raises UsageError for an unusable name of a session, and GitError.
    """
    refs.session_branch(session)
    lock = lab.repo.home / "import.lock"
    with locked(lock, what="an import"):
        lab.reconcile()
        entries = _entries(lab, log, session, write=not dry_run)
        fresh = known_rows.fresh(lab, session, entries)
        if not dry_run:
            _write(lab, session, entries, fresh)
    lost = sum(1 for entry in entries if entry.lost)
    untold = sum(1 for entry in entries if not entry.lines)
    return Adopted(
        counts=Counter(str(row.verdict or "") for row in log.rows),
        resolved=len(entries) - lost,
        lost=lost,
        added=len(fresh),
        already=len(entries) - len(fresh) - untold,
        untold=untold,
    )


def _write(lab: Lab, session: str, entries: list[Entry], fresh: list[Entry]) -> None:
    """Pin the commits, write all records at once, then index them."""
    # pinned before anything is said of them: a record never outlives its commit
    untold = [entry.commit for entry in entries if not entry.lines]
    commits.pin(lab.repo, *dict.fromkeys([*(x.commit for x in fresh), *untold]))
    trees = bulk.trees(lab.repo, {entry.commit for entry in fresh})
    made = [
        Record(
            kind=line.kind,
            commit=entry.commit,
            tree=trees[entry.commit],
            writer=WRITER,
            seq=line.seq,
            ts=line.seconds * 1000,
            body={**line.body, known_rows.MARK: line.mark, known_rows.SESSION: session},
        )
        for entry in fresh
        for line in entry.lines
    ]
    bulk.append_records(lab.repo, made)
    lab.reconcile()


def _entries(lab: Lab, log: Log, session: str, *, write: bool) -> list[Entry]:
    """Find or make the commit of every row, and weigh each against the best."""
    keys = list(_keys(log, session))
    own, lost = _resolved(lab, log)
    names = [row for row in log.rows if row.number in lost]
    messages = [
        (_message(row, session, keys[place], lost[row.number]), _stamp(row))
        for place, row in enumerate(log.rows)
        if row.number in lost
    ]
    made = bulk.rootless_commits(lab.repo, messages, write=write)
    own |= {row.number: oid for row, oid in zip(names, made, strict=True)}
    verdicts = _verdicts(log, own)
    return [
        Entry(
            row,
            own[row.number],
            why := lost.get(row.number, ""),
            tuple(_lines(row, key, _result(row, why, log, session), verdict)),
        )
        for row, key, verdict in zip(log.rows, keys, verdicts, strict=True)
    ]


def _lines(
    row: Row, key: str, result: Result, verdict: Verdict | None
) -> Iterator[Line]:
    """Yield what is to be said of a row: the run, the verdict, or both.

    The verdict of a commit may change while its branch grows: each has its own mark,
    and the time of what decided it, so that the order of history counts.
    """
    if row.measured:
        body = body_of(fitted(result, limit=_BODY_LIMIT))
        yield Line(Kind.RESULT, key, body, _stamp(row), 1 if row.key else row.number)
    if verdict is None:
        return
    mark, seconds, seq = key, _stamp(row), row.number
    if row.key:
        mark = _digest(key, verdict.value, row.reason)
        seconds, seq = row.decided, row.turn + 1
    yield Line(Kind.VERDICT, mark, body_of(verdict), seconds, seq)


def _keys(log: Log, session: str) -> Iterator[str]:
    """Yield a name for every row that the same row has in every import.

    The same text twice in a log is two runs: the second is counted in.
    """
    seen: Counter[str] = Counter()
    for row in log.rows:
        text = row.key or row.raw
        seen[text] += 1
        yield _digest(session, str(seen[text]), text)


def _digest(*parts: str) -> str:
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _resolved(lab: Lab, log: Log) -> tuple[dict[int, Oid], dict[int, str]]:
    """Return the commits of rows, and why others have none, by the row's number.

    Some logs name the commit that an edit was made on: the same one for many rows.
    It is the code of the first of them; later ones only if they ran it again.
    """
    names = [row.commit.lower() for row in log.rows]
    here = bulk.find_commits(lab.repo, filter(_HASH.match, names))
    found: dict[int, Oid] = {}
    lost: dict[int, str] = {}
    first: dict[Oid, Row] = {}
    for row, name in zip(log.rows, names, strict=True):
        oid = here.get(name)
        if oid is None:
            called = (
                f"{row.name[:_NAME_LIMIT]!r} in the log is"
                if row.name
                else "the log names"
            )
            lost[row.number] = f"{called} no commit of this repository"
        elif _is_its_own(row, first.setdefault(oid, row)):
            found[row.number] = oid
        else:
            lost[row.number] = (
                f"{row.name[:_NAME_LIMIT]!r} in the log is the code of row {first[oid].number}"
            )
    return found, lost


def _is_its_own(row: Row, first: Row) -> bool:
    """Say whether a row measured the commit it names, rather than an edit of it."""
    same = row.description == first.description
    return (
        same or row.verdict is Judgement.RETEST or bool(_AGAIN.search(row.description))
    )


def _message(row: Row, session: str, key: str, why: str) -> str:
    subject = redact(row.description) or row.name or f"row {row.number}"
    whole = [subject] if len(subject) > _SUBJECT_LIMIT else []
    told = f"The code of this experiment is lost: {redact(why)}.\nImported as {key}."
    methods = [(trailers.METHOD, name) for name in row.methods]
    return trailers.message(
        subject, "\n\n".join([*whole, told]), [*methods, (trailers.SESSION, session)]
    )


def _stamp(row: Row) -> int:
    return row.time or _FIRST_SECOND + row.number * _ROW_SECONDS


def _verdicts(log: Log, own: Mapping[int, Oid]) -> Iterator[Verdict | None]:
    """Yield the verdict of every row, its gain taken over the best kept so far."""
    best: tuple[float, Oid] | None = None
    for row in log.rows:
        kept = row.verdict is Judgement.KEEP and row.value is not None
        verdict = None
        if row.verdict:
            reason = row.reason or f"the log says {row.word[:80]}"
            verdict = Verdict(value=row.verdict, reason=redact(reason))
        if verdict and best:
            delta = _gain(log.metric, best[0], row.value)
            verdict = replace(verdict, baseline=best[1], delta=delta)
        elif verdict and kept and not row.reason:
            verdict = replace(verdict, reason="baseline")
        yield verdict
        if kept and row.value is not None and _is_better(log.metric, best, row.value):
            best = (row.value, own[row.number])


def _gain(metric: Metric, best: float, value: float | None) -> float | None:
    # rounded, for a log holds decimal numbers: 0.9979 - 0.9860 is 0.0119
    return None if value is None else round(metric.gain(best, value), 10)


def _is_better(metric: Metric, best: tuple[float, Oid] | None, value: float) -> bool:
    return best is None or metric.gain(best[0], value) > 0


def _result(row: Row, why: str, log: Log, session: str) -> Result:
    lost = f"code lost: {why}\n" if why else ""
    return Result(
        status=row.ending or log_verdicts.ending_of(row.word, row.verdict),
        metric=log.metric.name,
        value=row.value,
        metrics={
            name: redact(item) if isinstance(item, str) else item
            for name, item in row.metrics.items()
        },
        seconds=row.seconds,
        peak_memory_mb=row.memory_mb,
        # values compare within one log, and with nothing that is known of it
        protocol=f"imported {session}",
        reason=_reason(row),
        # not where it stood: the same row must make the same record everywhere
        excerpt=redact(f"{lost}{row.raw}")[:1500],
    )


def _reason(row: Row) -> str:
    if row.verdict is Judgement.CRASH:
        return f"the log says {row.word[:80]}" if row.word else redact(row.reason)
    return "the log holds no value" if row.value is None else ""
