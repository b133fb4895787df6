"""A plateau: nothing has advanced for a while, and what may be behind it.

The commit that everything is compared with may have had one lucky run, which then
nothing beats: it is run again. In simulated nights that finds as much as it costs
(benchmarks/nights.py).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loopgraph_git.loop import fingerprint
from loopgraph_git.records import Judgement

if TYPE_CHECKING:
    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.workbench import Workbench
    from loopgraph_git.records import Experiment, Metric, Oid

TRIES = 8
"""After how many experiments without an advance one is on a plateau."""
_RUNS = 3


def look(lab: Lab, bench: Workbench, tip: Oid) -> None:
    """Say that the branch is on a plateau, where it is, and measure its tip again."""
    tries = [
        item
        for item in lab.experiments(session=bench.session)
        if item.baseline == tip and judged(item)
    ]
    if not tries or len(tries) % TRIES:
        return
    bench.progress.say(report(tries, lab.config.metric))
    protocol = fingerprint.protocol(lab.repo, tip, lab.config)
    values = bench.values(tip, protocol)
    if len(values) >= runs_due(len(tries)):
        return
    bench.progress.training(f"{tip.short}, once more", lab.config.budget_seconds)
    bench.progress.measured(bench.repeat(tip))


def runs_due(tries: int) -> int:
    """Return how many runs a tip should have after so many tries in vain."""
    return min(_RUNS, 1 + tries // TRIES)


def judged(item: Experiment) -> bool:
    """Say whether an experiment was decided on, and did not advance."""
    return item.verdict in (Judgement.DISCARD, Judgement.CRASH)


def report(tries: list[Experiment], metric: Metric) -> str:
    """Return what was tried in vain on one commit, in one sentence or two."""
    families = Counter(name for item in tries for name in item.methods)
    often = ", ".join(
        f"{name} {count}x" if count > 1 else name
        for name, count in families.most_common(4)
    )
    crashed = sum(item.verdict is Judgement.CRASH for item in tries)
    said = f"nothing has advanced for {len(tries)} experiments"
    if crashed:
        said += f", {crashed} of which did not run"
    if often:
        said += f"; tried were {often}"
    measured = [item for item in tries if item.delta is not None]
    if measured:
        best = max(measured, key=lambda item: item.delta or 0.0)
        said += (
            f". The nearest was {best.commit.short} ({best.subject}), {metric.name} "
            f"{'better' if (best.delta or 0) > 0 else 'worse'} by {abs(best.delta or 0):.4g}"
        )
    return said
