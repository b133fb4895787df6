"""What the ranking is told: trials, contexts, and suggestions nobody acted on.

Plain values without a database behind them, so that the arithmetic can be read,
tested and simulated alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopgraph_git.records import Context, Judgement, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One experiment as the ranking sees it.

    `gain` is in the metric's units, positive when better, None when nothing was
    measured. `noise` is the standard deviation of repeated baselines. `state` names
    the code it started from: the tree of its parent, or the parent where the tree is
    not known. `outcomes` are the ids of the records behind it. `recognised` says that
    nobody labelled it: its methods were read off its change.
    """

    experiment: str
    methods: tuple[str, ...]
    gain: float | None = None
    status: Status | None = None
    verdict: Judgement | None = None
    session: str = ""
    ts: int = 0
    state: str = ""
    noise: float | None = None
    outcomes: tuple[str, ...] = ()
    seed_only: bool = False
    recognised: bool = False
    platform: str = ""

    @property
    def counts(self) -> bool:
        """Say whether it tells anything of its methods.

        An edit that was rejected was never trained, what is in quarantine is not
        believed, and a change of the seed alone is luck.
        """
        told = self.status not in (Status.REJECTED, Status.QUARANTINED)
        return bool(self.methods and not self.seed_only and told)

    @property
    def crashed(self) -> bool:
        """Say whether it was trained and failed: crash, timeout, memory or NaN."""
        failed = self.status in (Status.CRASH, Status.TIMEOUT, Status.OOM, Status.NAN)
        return failed or self.verdict is Judgement.CRASH

    @property
    def won(self) -> bool:
        """Say whether it was kept."""
        return self.verdict is Judgement.KEEP and not self.crashed


def machine(platform: str) -> tuple[str, ...]:
    """Return the accelerator of a platform, without system and versions."""
    return tuple(platform.split(" · ")[:2]) if platform else ()


def is_elsewhere(platform: str, here: str) -> bool:
    """Say whether a platform is known to be another machine than the one at hand."""
    return bool(platform and here) and machine(platform) != machine(here)


@dataclass(frozen=True)
class Asked:
    """A suggestion that nobody acted on; `age` counts the questions asked since."""

    method: str
    age: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: in which session, on which code, about what.

    Without a `session`, tries of any session on the same code tire a method.
    `states` are the names of the code at hand (its commit and its tree). `relevance`
    lists method ids, the most relevant first; empty when nothing was asked in words.
    `noise` is the standard deviation of one run, where it was measured, and `platform`
    where it runs: what was measured on another tells less.
    """

    session: str = ""
    states: frozenset[str] = frozenset()
    contexts: Mapping[str, Context] = field(default_factory=dict)
    asked: Sequence[Asked] = ()
    relevance: Sequence[str] = ()
    noise: float | None = None
    platform: str = ""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known of one method, and every factor of its score.

    Gains are in the metric's units; `mu` and `sigma` are the standardised posterior.
    Intervals hold the truth nine times in ten, where the model holds.

    Of its `n` trials nobody labelled `recognised`, and `elsewhere` ran on another
    platform. `tried_here` counts those on the code at hand, `unacted` the suggestions
    that nobody acted on, each by how much of it is left.
    """

    method: str
    n: int
    wins: int
    crashes: int
    win_rate: float
    win_interval: tuple[float, float]
    mean_gain: float | None
    gain_interval: tuple[float, float] | None
    last_ts: int | None
    mu: float
    sigma: float
    expected: float
    p_crash: float
    context: float
    fatigue: float
    relevance: float
    score: float
    fit: Context = field(default_factory=Context)
    outcomes: tuple[str, ...] = ()
    recognised: int = 0
    elsewhere: int = 0
    tried_here: int = 0
    unacted: float = 0.0

    @property
    def factors(self) -> dict[str, float]:
        """Return every factor of the score, to six significant digits."""
        named = {
            "mu": self.mu,
            "sigma": self.sigma,
            "expected": self.expected,
            "p_crash": self.p_crash,
            "context": self.context,
            "fatigue": self.fatigue,
            "relevance": self.relevance,
        }
        return {name: float(f"{value:.6g}") for name, value in named.items()}
