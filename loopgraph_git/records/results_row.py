"""An experiment as a line of `results.tsv`, the five columns that autoresearch keeps.

    commit  val_bpb  memory_gb  status  description

A status is a verdict's word. Nothing was measured where the run crashed: the value is
0.000000 there, as autoresearch writes it.
"""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

from loopgraph_git.records.texts import flat
from loopgraph_git.records.values import Judgement, Status

if TYPE_CHECKING:
    from loopgraph_git.records.facts import Experiment

_SAME = 1e-6


def results_header(metric: str) -> str:
    """Return the first line of a `results.tsv`, without a newline."""
    return f"commit\t{metric}\tmemory_gb\tstatus\tdescription"


def results_row(experiment: Experiment, *, digits: int = 7) -> str:
    """Return an experiment as a line of `results.tsv`, without a newline.

    `digits` is the length of the commit's name.
    """
    status = _status(experiment)
    crashed = status is Judgement.CRASH
    memory = 0.0 if crashed else (experiment.peak_memory_mb or 0.0) / 1024
    value = "-" if experiment.value is None else _number(experiment.value)
    return "\t".join(
        [
            experiment.commit[:digits],
            "0.000000" if crashed else value,
            f"{memory:.1f}",
            str(status),
            flat(experiment.subject),
        ]
    )


def _number(value: float) -> str:
    """Return a value with six decimals, or with what else it takes to know it again."""
    text = f"{value:.6f}"
    return text if isclose(float(text), value, rel_tol=_SAME) else f"{value:.9g}"


def _status(experiment: Experiment) -> Judgement:
    """Return the verdict; what was measured and never judged awaits another run."""
    if experiment.verdict is not None:
        return experiment.verdict
    ended_well = experiment.status in (Status.OK, None)
    return Judgement.RETEST if ended_well else Judgement.CRASH
