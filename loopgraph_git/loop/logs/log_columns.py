"""The columns of experiment logs, as they are found in the wild.

Everyone names them a little differently. What is not listed here is not guessed:
the reader of the log says which line it is, and what it could not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs.cells import number_of
from loopgraph_git.loop.logs.log_verdicts import judgement_of, yes_or_no
from loopgraph_git.records import Direction, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopgraph_git.records import Judgement

_COMMITS = ("commit", "commit_hash", "commit_sha", "git_commit", "git_hash", "hash",
            "sha", "revision")  # fmt: skip
_IDS = ("run_id", "experiment_id", "exp_id", "trial_id", "run", "trial", "iteration",
        "iter", "id", "#", "cycle", "round", "attempt", "item", "experiment", "exp", "tag",
        "name")  # fmt: skip
# these name one run of a log, and never a step of it
_RUNS = ("run_id", "experiment_id", "exp_id", "trial_id", "run", "trial", "experiment",
         "exp", "name")  # fmt: skip
# columns that hold yes or no
_FLAGS = ("kept", "accepted")
_STATUSES = ("verdict", "decision", *_FLAGS, "status", "outcome", "result")
_ENDS = ("run_status", "status")
_WORDS = ("description", "desc", "summary", "change", "changes", "what_was_tried",
          "idea", "notes", "note", "comment", "message", "hypothesis",
          "experiment")  # fmt: skip
_MEMORIES = {"memory_gb": 1024.0, "peak_memory_gb": 1024.0, "vram_gb": 1024.0,
             "peak_vram_gb": 1024.0, "mem_gb": 1024.0, "memory_mb": 1.0,
             "peak_memory_mb": 1.0, "peak_vram_mb": 1.0, "vram_mb": 1.0}  # fmt: skip
_SECONDS = ("seconds", "total_seconds", "elapsed_seconds", "duration_seconds",
            "training_seconds", "duration_s", "elapsed_s", "time_s")  # fmt: skip
_TIMES = ("date", "timestamp", "datetime", "ts", "time")
# where both are there, `metric` is the name and `value` the number
_NAMELESS = ("metric_value", "value", "metric")
_METRIC_NAMES = ("metric_name", "metric")
_WAYS = ("metric_direction",)
# what an export says besides: known from the commit, or worked out again here
_DERIVED = frozenset({"runs", "delta", "noise", "baseline", "reason", "protocol",
                      "platform", "tree", "parent", "proposer", "retrieval", "tokens",
                      "excerpt"})  # fmt: skip
# what has one of these names is measured, and decides where nothing else does
_LOWER = re.compile(r"(^|_)(bpb|bpc|loss|nll|fid|ppl|perplexity|rmse|mse|mae)(_|\Z)")
_HIGHER = re.compile(
    r"(^|_)(acc|accuracy|score|reward|elo|win_?rate|sharpe|tflops|mfu|bleu|f1|auc)(_|\Z)"
)
# these tell which way a number improves, and not that it is the one that decides
_COSTS = re.compile(
    r"(^|_)(wer|cer|logloss|latency|error_rate|error|err|mape|brier)(_|\Z)"
    r"|(?<!_per)_(ns|us|ms)\Z|^(ns|us|ms)_per_"
)
_YIELDS = re.compile(
    r"(^|_)(pass_rate|success_rate|throughput|tps|iou|map\d*|psnr|ssim|elbo|loglik"
    r"|log_likelihood|recall|precision)(_|\Z)|(tok|token|tokens|_per)_(s|sec|second)\Z"
)
_BOUNDED = re.compile(r"(^|_)(bpb|bpc|loss|nll)(_|\Z)")
_RELATIVE = re.compile(
    r"(^|_)(delta|gain|best|baseline|control|prev|previous|vs|diff)(_|\Z)"
)
_DIRECTIONS = {
    "lower": Direction.LOWER,
    "lower_is_better": Direction.LOWER,
    "min": Direction.LOWER,
    "minimize": Direction.LOWER,
    "higher": Direction.HIGHER,
    "higher_is_better": Direction.HIGHER,
    "max": Direction.HIGHER,
    "maximize": Direction.HIGHER,
}
_CLAIMED = {*_COMMITS, *_IDS, *_STATUSES, *_ENDS, *_WORDS, *_MEMORIES, *_SECONDS,
            *_TIMES, *_METRIC_NAMES, *_WAYS, *_DERIVED, "session",
            "methods"}  # fmt: skip
_TOP = 20.0
# no column has a longer name
_NAME = 40
# the two orders that files without a header have been seen in
_BARE = {
    # the shorter first: a description may be a verdict's word, a number never is
    2: ("commit", "metric", "status", "description"),
    3: ("commit", "metric", "memory_gb", "status", "description"),
}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column says what; None for what a log does not have."""

    names: tuple[str, ...]
    metric: int
    status: int | None = None
    commit: int | None = None
    run: int | None = None
    description: int | None = None
    memory: int | None = None
    seconds: int | None = None
    metric_name: int | None = None
    way: int | None = None
    ending: int | None = None
    session: int | None = None
    time: int | None = None
    methods: int | None = None

    @property
    def memory_unit_mb(self) -> float:
        """How many MiB one unit of the memory column is."""
        return 1.0 if self.memory is None else _MEMORIES[self.names[self.memory]]

    def judgement_of(self, word: str) -> Judgement | None:
        """Return the verdict that a word means in the column of verdicts."""
        flags = self.status is not None and self.names[self.status] in _FLAGS
        return (yes_or_no(word) if flags else None) or judgement_of(word)

    @cached_property
    def others(self) -> dict[str, int]:
        """The columns that nothing else claims."""
        own = {self.metric, self.status, self.commit, self.run, self.description,
               self.memory, self.seconds, self.metric_name, self.ending,
               self.session, self.time, self.methods, self.way}  # fmt: skip
        left_out = _DERIVED if is_export(self.names) else {""}
        return {
            name: place
            for place, name in enumerate(self.names)
            if name and place not in own and name not in left_out
        }


def plain(name: str) -> str:
    """Return the name of a column as it is compared: `Memory (GB)` is memory_gb."""
    return re.sub(r"[\s()\[\]-]+", "_", name.lower()).strip("_")


def has_verdict(cells: Iterable[str]) -> bool:
    """Say whether one of the names of columns is that of a verdict."""
    return any(plain(cell) in _STATUSES for cell in cells)


def is_words(name: str) -> bool:
    """Say whether a column tells in words what was tried."""
    return plain(name) in _WORDS


def is_header(cells: Sequence[str]) -> bool:
    """Say whether cells name columns: a verdict and something besides."""
    names = {plain(cell) for cell in cells}
    known = {*_COMMITS, *_IDS, *_WORDS, *_MEMORIES, *_NAMELESS}
    # `kept` is a verdict too: where a number stands beside it, it is one
    is_row = any(number_of(cell) is not None for cell in cells)
    verdicts = set(_STATUSES) - (set(_FLAGS) if is_row else set())
    return bool(names & verdicts) and any(
        name in known or _is_metric(name) for name in names
    )


def is_unjudged(cells: Sequence[str]) -> bool:
    """Say whether cells name columns that tell of runs, and of no verdict.

    A curve of one training names steps: that is no log of experiments.
    """
    names = {plain(cell) for cell in cells}
    is_row = any(number_of(cell) is not None or judgement_of(cell) for cell in cells)
    told = names & {*_COMMITS, *_RUNS, *_WORDS}
    return bool(told) and len(names) > 1 and not (is_row or has_verdict(cells))


def is_export(cells: Iterable[str]) -> bool:
    """Say whether names of columns are those of an export of ours."""
    return {"verdict", "run_status", "metric", "value"} <= set(map(plain, cells))


def from_header(
    cells: Sequence[str], wanted: str = "", told: Sequence[str] = ()
) -> Columns:
    """Return the columns that a header names; raises UsageError without a metric.

    `wanted` is the name of the metric. Without it the number is the one that rows give
    the names `told` to, else the names are looked through for that of a metric.
    """
    names = tuple(map(plain, cells))
    status = _first(names, _STATUSES)
    if status is None and not is_unjudged(cells):
        raise UsageError(_undecided(names))
    commit, run = _first(names, _COMMITS), _first(names, _IDS)
    description = _first(names, _WORDS)
    metric, ending = _metric_column(names, wanted, told), _first(names, _ENDS)
    for name in {names[metric], *(names[x] for x in (status,) if x is not None)}:
        if names.count(name) > 1:
            raise UsageError(f"two columns are called {name}: rename one")
    named = place_of_name(names) if is_nameless(names[metric]) else None
    return Columns(
        names=names,
        metric=metric,
        metric_name=named,
        way=_first(names, _WAYS),
        status=status,
        ending=None if ending == status else ending,
        session=_first(names, ("session",)),
        time=_first(names, _TIMES),
        methods=_first(names, ("methods",)),
        commit=commit,
        # `experiment` is an id in one log and what was tried in another
        run=None if run == description else run,
        description=description,
        memory=_first(names, tuple(_MEMORIES)),
        seconds=_first(names, _SECONDS),
    )


def without_header(cells: Sequence[str]) -> Columns:
    """Return the columns of a file that names none, by where the verdict stands."""
    for place, names in _BARE.items():
        if place < len(cells) and judgement_of(cells[place]):
            return from_header(names)
    short = len(cells) > 1 and all(len(cell) < _NAME for cell in cells)
    if short and not any(number_of(cell) is not None for cell in cells):
        raise UsageError(_undecided(cells))
    raise UsageError(
        "the first row is no header, and no verdict stands where autoresearch writes "
        "it: add a first line such as commit, val_bpb, memory_gb, status, description"
    )


def _undecided(names: Sequence[str]) -> str:
    return (
        f"no column of {', '.join(names)[:200]} says what was decided: name one of them "
        "`status`"
    )


def _first(names: tuple[str, ...], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _metric_column(names: tuple[str, ...], wanted: str, told: Sequence[str]) -> int:
    nameless = [name for name in _NAMELESS if name in names]
    wanted = wanted if wanted or nameless else "".join(told[:1])
    found = [*(name for name in names if wanted and name == plain(wanted)), *nameless]
    if not (wanted or (told and nameless)):
        known = [x for x in names if _is_metric(x) and not _RELATIVE.search(x)]
        # the loss on held-out data decides, whatever else was written down
        found = [*(x for x in known if x.startswith("val")), *found, *known]
        # where nothing else is left, nothing else can be meant
        left = [x for x in names if x not in _CLAIMED]
        found += left if len(left) == 1 else []
        # autoresearch writes what decides first, and a speed or an error may be it
        found += [x for x in left[:1] if has_verdict(names) and _may_decide(x)]
    if not found:
        raise UsageError(
            f"no column of {', '.join(names)[:200]} is {wanted or 'a known metric'}: "
            "name the one that decides with `--metric`"
        )
    return names.index(found[0])


def _is_metric(name: str) -> bool:
    return bool(_LOWER.search(plain(name)) or _HIGHER.search(plain(name)))


def _may_decide(name: str) -> bool:
    return direction_of(name) is not None and not _RELATIVE.search(plain(name))


def is_in_doubt(name: str, names: Iterable[str]) -> bool:
    """Say whether a name tells which way it improves, and not that it decides.

    Where it is the only one of some `names` that could, it does.
    """
    left = [x for x in names if x not in _CLAIMED]
    return len(left) > 1 and not _is_metric(name) and _may_decide(name)


def is_beyond_doubt(name: str) -> bool:
    """Say whether a name leaves no doubt: a loss, or the like, on held-out data."""
    return plain(name).startswith("val") and _is_metric(name)


def place_of_name(header: Sequence[str]) -> int | None:
    """Return which column says what the number of a row is, None where none does."""
    names = tuple(map(plain, header))
    number = next((name for name in _NAMELESS if name in names), "")
    return _first(names, [name for name in _METRIC_NAMES if name != number])


def is_nameless(name: str) -> bool:
    """Say whether a column holds the metric without saying which."""
    return plain(name) in _NAMELESS


def direction_of(name: str) -> Direction | None:
    """Return which way a metric improves, as far as its name tells."""
    name = plain(name)
    if _LOWER.search(name) or _COSTS.search(name):
        return Direction.LOWER
    rises = _HIGHER.search(name) or _YIELDS.search(name)
    return Direction.HIGHER if rises else None


def read_direction(word: str) -> Direction | None:
    """Return the direction that a word means, or None."""
    return _DIRECTIONS.get(plain(word))


def is_impossible(metric: Metric, value: float) -> bool:
    """Say whether a metric cannot have a value: a loss below zero, or over 20."""
    if _BOUNDED.search(plain(metric.name)):
        return not 0 < value <= _TOP
    return metric.direction is Direction.LOWER and value < 0


def says_nothing(metric: Metric, value: float, *, crashed: bool) -> bool:
    """Say whether a zero stands for a run that measured nothing."""
    return value == 0 and (crashed or bool(_LOWER.search(plain(metric.name))))
