"""Logs that are committed beside the code: which rows each commit added to them."""

from __future__ import annotations

import re
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import UsageError
from loopgraph_git.git import linear
from loopgraph_git.loop.logs.history import read_log
from loopgraph_git.loop.logs.log_lines import read_text
from loopgraph_git.loop.logs.log_table import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopgraph_git.git.linear import Change, Step
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.loop.logs.history import Row
    from loopgraph_git.records import Metric, Oid

_LOG = re.compile(
    r"(?:.*/)?[\w.-]*(?:results?|experiments?|autoresearch|runs?|history|log)[\w-]*"
    r"\.(?:tsv|csv|jsonl|ndjson)\Z",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r".*(?:\.(?:md|rst|tsv|csv|jsonl|ndjson|log|out|png|jpe?g|gif|svg|pdf|html|ipynb)"
    r"|(?:\A|/)(?:\.gitignore|\.gitattributes|LICENSE))\Z",
    re.IGNORECASE,
)
_LIMIT = 8 * 1024 * 1024
_BATCH = 50


class Added(NamedTuple):
    """The rows that one commit added to a log, and what of them cannot be read."""

    path: str
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def is_prose(path: str) -> bool:
    """Say whether a file tells of experiments, rather than being what is run."""
    return bool(_PROSE.match(path))


def rows_added(repo: Repo, steps: Sequence[Step], metric: Metric) -> dict[Oid, Added]:
    """Return what each commit added to the committed logs, by commit.

    A complaint about a whole file is made once.
    """
    found: dict[Oid, Added] = {}
    complaints: set[tuple[str, str]] = set()
    touched = [
        (step, path, change)
        for step in steps
        for path, change in step.changes.items()
        if _LOG.match(path) and change.new.strip("0")
    ]
    for start in range(0, len(touched), _BATCH):
        batch = touched[start : start + _BATCH]
        texts = dict(_texts(repo, [change for _, _, change in batch]))
        for step, path, change in batch:
            added = _added(texts.get(change.old, ""), texts.get(change.new, ""))
            try:
                log = read_log(
                    added,
                    path,
                    metric=metric.name,
                    direction=metric.direction,
                    judged=True,
                )
            except UsageError as error:
                if added and (path, str(error)) not in complaints:
                    complaints.add((path, str(error)))
                    found[step.oid] = Added(path, (), (Problem("", str(error)),))
            else:
                found[step.oid] = Added(path, log.rows, log.problems)
    return found


def _texts(repo: Repo, changes: list[Change]) -> Iterator[tuple[str, str]]:
    names = {name for change in changes for name in change if name.strip("0")}
    for name, content in linear.contents(repo, names, limit=_LIMIT):
        try:
            yield name, read_text(BytesIO(content), name)
        except UsageError:
            continue


def _added(before: str, after: str) -> str:
    """Return the lines that are new, below the header that they are read by."""
    lines = after.splitlines()
    old = Counter(before.splitlines())
    new = []
    for line in lines:
        if old[line]:
            old[line] -= 1
        else:
            new.append(line)
    rows = [line for line in new if line.strip()]
    if not rows:
        return ""
    head = [line for line in lines if line.strip()][:1]
    header = [] if head[0].lstrip().startswith("{") else head
    return "\n".join([*header, *(line for line in rows if line not in header), ""])
