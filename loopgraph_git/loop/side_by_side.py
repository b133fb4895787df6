"""Sessions side by side on one machine: a device each, and one memory for all.

Each session has a thread, an index connection, a worktree and a branch of its own; what
one has tried, all know. They end together: when the user asks, and when the harness dies.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import LoopGraphError
from loopgraph_git.loop.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.devices import Device
    from loopgraph_git.loop.proposers import Proposer
    from loopgraph_git.loop.session import Ended, Options, Progress


class Lane:
    """One session of several: where it runs, and how it ended."""

    def __init__(self, device: Device, options: Options) -> None:
        self.device = device
        name = f"{options.session}-{device.label}"
        self.options = replace(options, session=name, device=device)
        self.ended: Ended | None = None
        self.error: Exception | None = None


def lanes(options: Options, devices: Sequence[Device]) -> list[Lane]:
    """Return a session for each device, named after it."""
    return [Lane(device, options) for device in devices]


def run(
    lanes: Sequence[Lane],
    *,
    lab: Callable[[], Lab],
    proposer: Callable[[], Proposer],
    progress: Callable[[Lane], Progress],
    should_stop: Callable[[], bool],
) -> None:
    """Run every lane to its end; one that fails leaves the others alone.

    `lab`, `proposer` and `progress` are called once a lane, in its thread. Raises the
    first error once all have ended.
    """

    def work(lane: Lane) -> None:
        try:
            with lab() as own:
                shown = progress(lane)
                loop = Loop(
                    own,
                    proposer(),
                    lane.options,
                    progress=shown,
                    should_stop=should_stop,
                )
                lane.ended = loop.run()
        except Exception as error:  # noqa: BLE001  raised again, in the main thread
            lane.error = error

    threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        # in short waits, so that signals are handled meanwhile
        while thread.is_alive():
            thread.join(0.2)
    _raise_first([lane.error for lane in lanes if lane.error])


def _raise_first(errors: list[Exception]) -> None:
    """Raise one of the errors, what is nobody's fault but ours before the others."""
    ours = [error for error in errors if not isinstance(error, LoopGraphError)]
    for error in (*ours, *errors):
        raise error
