"""DVC's experiments, which are refs: `refs/exps/<2 of the baseline>/<38>/<name>`.

    refs/exps/ab/cdef…/puffy-daks ──▶ the commit it names: the experiment
    dvc.yaml at that commit ────────▶ which files hold metrics
    those files ────────────────────▶ the result
    params.yaml ────────────────────▶ the words that it is found by

The commits between a baseline and such a ref are checkpoints of one run: the last
one counts. DVC records no verdict, and so none is made up.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from loopgraph_git.errors import UsageError
from loopgraph_git.git import linear
from loopgraph_git.loop.logs import log_columns, log_metric
from loopgraph_git.loop.logs.cells import number_of
from loopgraph_git.loop.logs.history import Log, Row
from loopgraph_git.loop.logs.log_table import Problem
from loopgraph_git.records import Metric, Oid
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Direction

PREFIX = "refs/exps"
_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38}|[0-9a-f]{62})(?:/([^/]+))?\Z")
_PIPELINE, _PARAMS = "dvc.yaml", "params.yaml"
_USUAL = ("metrics.json", "dvclive/metrics.json", "dvclive.json", "metrics.yaml",
          "eval/metrics.json", "metrics.yml")  # fmt: skip
_SIZE_LIMIT = 256 * 1024
_LEAVES = 64
_NODES = 2000
_TEXT_LIMIT = 600


@dataclass(frozen=True)
class _Found:
    """One experiment: its name, its commits, and the files that tell of it."""

    ref: str
    name: str
    baseline: Oid
    commit: Oid
    metrics: Mapping[str, float | str]
    params: Mapping[str, float | str]


def read_experiments(
    repo: Repo,
    prefix: str = PREFIX,
    *,
    metric: str = "",
    direction: Direction | None = None,
    known: Metric | None = None,
) -> list[Log]:
    """Read DVC's experiments as logs, one for each baseline.

    `metric` names the number that decides, by default `known`, the repository's.
    Raises UsageError where there are no experiments, and where none has that metric.
    """
    known = known or Metric()
    name = metric or known.name
    tips, passed = _tips(repo, prefix)
    if not tips:
        raise UsageError(
            f"no experiments of DVC in {prefix}: `dvc exp pull` or `git fetch origin "
            "'refs/exps/*:refs/exps/*'` brings those of a remote"
        )
    found = list(_read(repo, tips))
    if not any(_value(item.metrics, name) is not None for item in found):
        there = sorted({key for item in found for key in item.metrics})
        hint = f"choose with `--metric` among {', '.join(there)[:200]}"
        raise UsageError(
            f"no experiment of DVC has a metric {name}: "
            + (hint if there else "no file in git holds metrics of theirs")
        )
    way = direction or log_metric.direction_of(name, known)
    decides = Metric(name, way)
    times: dict[str, int] = {
        step.oid: step.ts for step in linear.read_steps(repo, tips)
    }
    groups: dict[Oid, list[_Found]] = {}
    for item in found:
        groups.setdefault(item.baseline, []).append(item)
    logs = [_log(items, baseline, decides, times) for baseline, items in groups.items()]
    return [replace(logs[0], passed=tuple(passed)), *logs[1:]]


def _log(
    items: list[_Found], baseline: Oid, metric: Metric, times: Mapping[str, int]
) -> Log:
    ordered = sorted(items, key=lambda item: (times.get(item.commit, 0), item.name))
    rows = [
        _row(item, metric, times.get(item.commit, 0), number)
        for number, item in enumerate(ordered, 1)
    ]
    return Log(
        name=f"{PREFIX}/{baseline[:2]}/{baseline[2:9]}",
        metric=metric,
        rows=tuple(row for row in rows if row.measured),
        problems=tuple(
            Problem(row.name, f"its metrics have no {metric.name}")
            for row in rows
            if not row.measured
        ),
        session=f"dvc-{baseline.short}",
        origin=f"{counted(len(rows), 'experiment')} of DVC on {baseline.short}",
    )


def _row(item: _Found, metric: Metric, ts: int, number: int) -> Row:
    value = _value(item.metrics, metric.name)
    told = ", ".join(f"{name}={value}" for name, value in item.params.items())
    possible = value is not None and not log_columns.is_impossible(metric, value)
    return Row(
        number=number,
        name=item.name or item.commit.short,
        commit=item.commit,
        verdict=None,
        word="",
        value=value,
        description=item.name,
        metrics=item.metrics,
        raw=f"{item.ref}\n{told}".strip()[:_TEXT_LIMIT],
        time=ts,
        key=item.commit,
        measured=possible,
    )


def _tips(repo: Repo, prefix: str) -> tuple[dict[Oid, str], list[Problem]]:
    """Return the experiments' commits with their refs, and the refs that are none."""
    tips: dict[Oid, str] = {}
    others = []
    for ref, oid in repo.refs(prefix.rstrip("/")).items():
        if _REF.match(ref):
            tips.setdefault(oid, ref)
        else:
            others.append(ref)
    passed = [
        Problem(ref, "DVC's own: what failed or waits is no experiment's result")
        for ref in others
    ]
    return tips, passed


def _read(repo: Repo, tips: Mapping[Oid, str]) -> Iterator[_Found]:
    """Read the files of all experiments, with two processes for all of them."""
    first = (_PIPELINE, _PARAMS, *_USUAL)
    names = [f"{oid}:{path}" for oid in tips for path in first]
    files = dict(linear.contents(repo, names, limit=_SIZE_LIMIT))
    named = {
        oid: _metric_files(_parsed(_PIPELINE, files.get(f"{oid}:{_PIPELINE}", b"")))
        for oid in tips
    }
    more = [f"{oid}:{path}" for oid, paths in named.items() for path in paths]
    files |= dict(linear.contents(repo, more, limit=_SIZE_LIMIT))
    for oid, ref in tips.items():
        match = _REF.match(ref)
        if match is None:
            continue
        metrics: dict[str, float | str] = {}
        for path in (*named[oid], *_USUAL):
            plain = _parsed(path, files.get(f"{oid}:{path}", b""))
            metrics = {**_flat(plain, numbers=True), **metrics}
        yield _Found(
            ref=ref,
            name=match[3] or "",
            baseline=Oid(match[1] + match[2]),
            commit=oid,
            metrics=metrics,
            params=_flat(_parsed(_PARAMS, files.get(f"{oid}:{_PARAMS}", b""))),
        )


def _parsed(path: str, content: bytes) -> object:
    """Return what a file of JSON or YAML holds, or None for any other."""
    text = content.decode("utf-8", "replace")
    try:
        if path.endswith(".json"):
            return json.loads(text)
        # a merge of mappings can double what it merges, again and again
        plain = path.endswith((".yaml", ".yml")) and "<<" not in text
        return yaml.safe_load(text) if plain else None
    except (ValueError, yaml.YAMLError, RecursionError):
        return None


def _metric_files(pipeline: object) -> list[str]:
    """Return the files that a dvc.yaml names as metrics, at its top and in stages."""
    if not isinstance(pipeline, dict):
        return []
    found = _paths(pipeline.get("metrics"), "")
    stages = pipeline.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        if isinstance(stage, dict):
            folder = stage.get("wdir")
            inside = folder if isinstance(folder, str) else ""
            found += _paths(stage.get("metrics"), inside)
    return [path for path in dict.fromkeys(found) if not path.startswith(("..", "/"))]


def _paths(items: object, folder: str) -> list[str]:
    """Read a list of paths, each alone or with options of its own below it."""
    rows = items if isinstance(items, list) else []
    names = [name for row in rows for name in (row if isinstance(row, dict) else [row])]
    return [
        posixpath.normpath(posixpath.join(folder, name))
        for name in names[:_LEAVES]
        if isinstance(name, str)
    ]


def _flat(plain: object, *, numbers: bool = False) -> dict[str, Any]:
    """Return the leaves of a nested mapping under dotted names, only so many."""
    found: dict[str, Any] = {}
    left: list[tuple[str, object]] = [("", plain)]
    # counted, for a mapping of YAML may hold itself many times over
    for _ in range(_NODES):
        if not left or len(found) >= _LEAVES:
            break
        name, item = left.pop()
        if isinstance(item, dict):
            inner = [
                (f"{name}.{key}" if name else str(key), x) for key, x in item.items()
            ]
            left += inner[:_LEAVES][::-1]
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            number = number_of(str(item))
            found |= {} if number is None else {name[:80]: number}
        elif not numbers and isinstance(item, (str, bool)):
            found[name[:80]] = str(item)[:80]
    return found


def _value(metrics: Mapping[str, float | str], name: str) -> float | None:
    """Return a metric by its whole name, or by its last part where that is one's own."""
    ends = [key for key in metrics if key.rsplit(".", 1)[-1] == name]
    key = name if name in metrics else ends[0] if len(ends) == 1 else ""
    found = metrics.get(key)
    return found if isinstance(found, float) else None
