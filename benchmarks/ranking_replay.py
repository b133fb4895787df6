"""Would the ranking have told what is kept? Recorded histories, row after row.

    python benchmarks/ranking_replay.py LOG... [--priors]

A log is anything that `git lg import` reads. Logs are replayed in the order given and
rows in the order of their log; each row is predicted from the rows before it alone: its
own log is the session at hand, earlier logs are past sessions. Then its outcome is
told. What a row tried is recognised in its description, by the ids, aliases and
constants of the packs; what no pack knows is called by the words before its numbers
(`x0_lambda init 0.1 to 0.05`). Words that tell the outcome are taken out first.

Prints the AUC of "was kept", pooled over all rows and per log, for

    keywords      BM25 of the description to the goal
    family mean   share of earlier rows of the same family that were kept
    ours          the score of the ranking
    ours, stage   the same, times the share kept in the last rows of the log

with 90 % intervals: by bootstrap over logs for the pool (over rows where there are
fewer than four), and over rows within a log. Priors of packs are left out, because some
of them were read off public logs: `--priors` puts them back.
"""

from __future__ import annotations

import argparse
import platform
import random
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.library.packs import load_packs
from loopgraph_git.loop.logs.history import Log, Row, read_log
from loopgraph_git.records import Judgement, Method, Status
from loopgraph_git.researchfs.bm25 import bm25, weigh
from loopgraph_git.researchfs.naming import Names
from loopgraph_git.researchfs.ranking import rank
from loopgraph_git.researchfs.trials import Question, Trial
from loopgraph_git.resources import resource_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GOAL = "improve {metric} of a small language model within a fixed training time"
_OUTCOME = re.compile(
    r"""\b(?:slight(?:ly)?|much|far|still|marginal(?:ly)?|all[- ]time|new)?\s*\b
    (?:bett?er|best|wors[et]?|hurt\w*|flat|no\ (?:improvement|gain|effect)|fail\w*|
    improv\w*|broken|plateau\w*|diverg\w*|crash\w*|oom|nan|bad|good|win\w*|los[te]\w*|
    too\ \w+(?:\ \w+)?|invalid|valid|stable|sane|timed\ out|time[- ]?out|killed\b.*|
    contention|resource|abandon\w*|exceed\w*|over\ by\b.*|revert\w*|keep|kept|discard\w*|
    reproduced|unchanged|neutral|regress\w*|matched|slow\w*|final|definitive)\b
    |[-+]?\d+\.\d+\s*(?:val_)?bp[bc]|\(assert\b[^)]*\)
    |;.*|\s(?:—|–|--)\s.*""",  # noqa: RUF001  what follows a dash was written after the run
    re.IGNORECASE | re.VERBOSE,
)
_VALUE = re.compile(r"(?<![\w])[-+]?\d[\w.,/%*^-]*|->|→|=|\bto\b|\bfrom\b")
_VERBS = frozenset(
    [
        "a",
        "add",
        "all",
        "and",
        "at",
        "by",
        "change",
        "double",
        "each",
        "every",
        "halve",
        "increase",
        "init",
        "into",
        "less",
        "lower",
        "make",
        "more",
        "new",
        "of",
        "off",
        "on",
        "only",
        "per",
        "raise",
        "reduce",
        "remove",
        "set",
        "small",
        "test",
        "the",
        "tiny",
        "try",
        "use",
        "with",
        "cycle",
        "marathon",
        "ramp",
        "fresh",
        "restart",
    ]
)
LAST = 10
RESAMPLES = 1000


@dataclass
class Seen:
    """What was told so far, and what the next row may be predicted from."""

    methods: dict[str, Method]
    trials: list[Trial] = field(default_factory=list)
    kept: dict[str, list[bool]] = field(default_factory=dict)
    session: str = ""
    own: list[bool] = field(default_factory=list)
    wins: int = 0
    best: float | None = None
    fresh: bool = True

    def begin(self, session: str) -> None:
        """Open another log: its state of the code is new, the rest is the past."""
        self.session, self.own, self.wins, self.best = session, [], 0, None
        self.fresh = True

    @property
    def state(self) -> str:
        """The code at hand, by what was kept."""
        return f"{self.session}:{self.wins}"


@dataclass(frozen=True)
class Told:
    """A row: its log, whether it was kept, and what everyone predicted."""

    log: str
    kept: bool
    scores: dict[str, float]


def stripped(text: str) -> str:
    """Return a description without what it says of its outcome."""
    return " ".join(_OUTCOME.sub(" ", text).split())


def tried(text: str, seen: Seen) -> list[str]:
    """Return what a row tried; a name is made where no pack has one."""
    known = [x for x in seen.methods.values() if x.pack != "log"]
    found = Names(known).tried(text) or [_made(text)]
    return [name for name in found if name]


def _made(text: str) -> str:
    """Return the words before the first number as a name: `x0_lambda init`."""
    head = re.sub(r"^\s*\[[^\]]*\]", "", text)
    words = re.findall(r"[a-z_][a-z_0-9]*", _VALUE.split(head, maxsplit=1)[0].lower())
    words = words or re.findall(r"[a-z_][a-z_0-9]*", head.lower())
    kept = [part for word in words for part in word.split("_") if part not in _VERBS]
    return "-".join(dict.fromkeys(x for x in kept if len(x) > 1))[:60]


def predict(text: str, names: list[str], seen: Seen, goal: str) -> dict[str, float]:
    """Return what everyone says of a row that is not told yet."""
    for name in names:
        seen.methods.setdefault(
            name, Method(id=name, title="", summary="", family=name, pack="log")
        )
    question = Question(session=seen.session, states=frozenset({seen.state}))
    # one that nobody tried stands for a row of which nothing is recognised
    blank = Method(id="?", title="", summary="", family="?", pack="log")
    _, standings = rank([*seen.methods.values(), blank], seen.trials, question)
    ours = fmean(standings[name].score for name in names or ["?"])
    families = {seen.methods[name].family for name in names}
    before = [won for name in sorted(families) for won in seen.kept.get(name, [])]
    everything = [won for wins in seen.kept.values() for won in wins]
    usual = fmean(everything) if everything else 0.3
    lately = seen.own[-LAST:]
    # two rows' worth of the usual, so that a single row does not decide
    stage = (sum(lately) + 2 * usual) / (len(lately) + 2)
    return {
        "keywords": dict(bm25({"row": weigh([(text, 1.0)])}, goal)).get("row", 0.0),
        "family mean": fmean(before) if before else usual,
        "ours": ours,
        "ours, stage": ours * stage,
    }


def tell(row: Row, names: list[str], seen: Seen, log: Log) -> None:
    """Add a row's outcome to what is known."""
    won = row.verdict is Judgement.KEEP
    gain = None
    if row.value is not None and seen.best is not None:
        gain = log.metric.gain(seen.best, row.value)
    crashed = row.verdict is Judgement.CRASH
    if names:
        seen.trials.append(
            Trial(
                experiment=f"{len(seen.trials):06}",
                methods=tuple(names),
                gain=gain,
                status=Status.CRASH if crashed else Status.OK,
                verdict=row.verdict,
                session=seen.session,
                ts=len(seen.trials),
                state=seen.state,
            )
        )
    for family in {seen.methods[name].family for name in names}:
        seen.kept.setdefault(family, []).append(won)
    seen.own.append(won)
    seen.wins += won
    if won and row.value is not None:
        seen.best = row.value


def replay(logs: Sequence[Log], packs: dict[str, Method]) -> list[Told]:
    """Predict and tell every row of every log, in order."""
    seen, told = Seen(dict(packs)), []
    for log in logs:
        seen.begin(log.name)
        goal = GOAL.format(metric=log.metric.name)
        for row in log.rows:
            if row.verdict in (None, Judgement.RETEST):
                continue
            if seen.fresh or "baseline" in row.description.lower()[:40]:
                # nothing was tried in it: what follows is measured against it
                seen.best = row.value if row.value is not None else seen.best
                seen.fresh = False
                continue
            text = stripped(row.description)
            names = tried(text, seen)
            scores = predict(text, names, seen, goal)
            told.append(Told(log.name, row.verdict is Judgement.KEEP, scores))
            tell(row, names, seen, log)
    return told


def auc(rows: Sequence[Told], name: str) -> float | None:
    """Return how often a kept row stood above one that was not; ties count half."""
    ranked = sorted(rows, key=lambda row: row.scores[name])
    places: dict[float, list[int]] = {}
    for place, row in enumerate(ranked):
        places.setdefault(row.scores[name], []).append(place)
    wins = sum(row.kept for row in rows)
    losses = len(rows) - wins
    if not wins or not losses:
        return None
    ranks = sum(fmean(places[row.scores[name]]) for row in rows if row.kept)
    return (ranks - wins * (wins - 1) / 2) / (wins * losses)


def interval(
    groups: Sequence[Sequence[Told]], of: Callable[[Sequence[Told]], float | None]
) -> tuple[float, float]:
    """Return the 90 % interval of a statistic by drawing groups anew."""
    chance, values = random.Random(0), []
    for _ in range(RESAMPLES):
        drawn = [
            row for group in chance.choices(groups, k=len(groups)) for row in group
        ]
        value = of(drawn)
        if value is not None:
            values.append(value)
    values.sort()
    cut = len(values) // 20
    return (values[cut], values[-cut - 1]) if values else (0.0, 1.0)


def show(name: str, rows: list[Told], groups: Sequence[Sequence[Told]]) -> None:
    """Print the AUC of everyone over some rows."""
    kept = sum(row.kept for row in rows)
    print(f"\n{name}: {len(rows)} rows, {kept} kept")
    if not 0 < kept < len(rows):
        print("  all alike: no AUC")
        return
    for who in rows[0].scores:
        low, high = interval(groups, lambda drawn, who=who: auc(drawn, who))
        said = f"  {who:12} {auc(rows, who):.3f} [{low:.3f}, {high:.3f}]"
        if who.startswith("ours"):
            said += ahead(rows, groups, who)
        print(said)


def ahead(rows: list[Told], groups: Sequence[Sequence[Told]], who: str) -> str:
    """Say by how much a predictor is ahead of the keywords, with its interval."""

    def difference(drawn: Sequence[Told]) -> float | None:
        left, right = auc(drawn, who), auc(drawn, "keywords")
        return None if left is None or right is None else left - right

    low, high = interval(groups, difference)
    return f"   over keywords {difference(rows):+.3f} [{low:+.3f}, {high:+.3f}]"


def read(paths: Sequence[Path]) -> list[Log]:
    """Read the logs; what cannot be read is named and left out."""
    logs = []
    for path in paths:
        try:
            logs.append(read_log(path.read_text("utf-8", "replace"), path.stem))
        except (UsageError, OSError) as error:
            print(f"left out: {error}")
    return logs


def main() -> None:
    """Replay the logs and print what the predictions were worth."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("logs", nargs="+", type=Path)
    asked.add_argument("--priors", action="store_true", help="use those of the packs")
    given = asked.parse_args()
    packs = {
        method.id: method if given.priors else replace(method, priors=())
        for pack in load_packs([resource_dir("packs")])
        for method in pack.methods
    }
    print(f"Python {platform.python_version()}, {len(packs)} methods in packs, "
          f"{'with' if given.priors else 'without'} their priors")  # fmt: skip
    told = replay(logs := read(given.logs), packs)
    parts = [[row for row in told if row.log == log.name] for log in logs]
    for log, rows in zip(logs, parts, strict=True):
        show(log.name, rows, [[row] for row in rows])
    if not told:
        return
    by_log = [rows for rows in parts if rows]
    few = len(by_log) < 4
    groups = [[row] for row in told] if few else by_log
    show(f"pooled, by {'rows' if few else 'logs'}", told, groups)
    within(by_log)
    ours, keywords = auc(told, "ours"), auc(told, "keywords")
    if ours is not None and keywords is not None:
        met = ours >= 0.60 and ours >= keywords + 0.08
        print(
            f"\nours is at least 0.60, and 0.08 above keywords: {'yes' if met else 'NO'}"
        )


def within(by_log: Sequence[Sequence[Told]]) -> None:
    """Print the mean of the logs' own AUCs: what differs between logs is left out."""
    able = [rows for rows in by_log if 0 < sum(row.kept for row in rows) < len(rows)]
    print(f"\nwithin {len(able)} logs, weighed by rows")
    for who in able[0][0].scores if able else ():
        values = [(len(rows), auc(rows, who) or 0.0) for rows in able]
        mean = sum(n * value for n, value in values) / sum(n for n, _ in values)
        print(f"  {who:12} {mean:.3f}")


if __name__ == "__main__":
    main()
