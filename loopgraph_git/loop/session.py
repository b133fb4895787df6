"""A session from outside: what a call asks for, shows, and ends with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loopgraph_git.loop.devices import NvidiaSmi

if TYPE_CHECKING:
    from loopgraph_git.loop.cage import Level
    from loopgraph_git.loop.devices import Device, Devices
    from loopgraph_git.records import Experiment, Result


class Progress(Protocol):
    """Who watches a session; every call is a moment worth showing."""

    def say(self, text: str) -> None:
        """Show one sentence."""
        ...

    def begin(self, best: float | None) -> None:
        """Show where the session stands: the metric of its branch, if known."""
        ...

    def training(self, subject: str, seconds: float) -> None:
        """Show that a run begins, and the budget it has."""
        ...

    def line(self, text: str) -> None:
        """Show the last line that the training command printed."""
        ...

    def measured(self, result: Result) -> None:
        """Show what a run of the baseline measured."""
        ...

    def finished(self, experiment: Experiment, number: int, total: int | None) -> None:
        """Show an experiment that is complete."""
        ...


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one call sets out to do; without `n` and `hours` it goes on and on.

    Without `sandbox` the runs get the best level that the machine has, without
    `device` all the devices that they can see. `pause_seconds` is the first of the
    growing pauses in which it waits for an LLM or a full disk.
    """

    session: str
    n: int | None = None
    hours: float | None = None
    seed: int = 0
    sandbox: Level | None = None
    device: Device | None = None
    devices: Devices = field(default_factory=NvidiaSmi)
    pause_seconds: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call ended: the experiments it finished, and why there are no more.

    `began` is when it was first called, in seconds since the epoch: it may have been
    cut off and taken up again.
    """

    experiments: tuple[Experiment, ...]
    why: str
    exit_code: int = 0
    began: float = 0.0
