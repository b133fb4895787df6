"""One session on the screen, or one for each device, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.cli.progress import Prefixed, Shown
from loopgraph_git.loop import devices, scratch, side_by_side
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.session import Ended, Options
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopgraph_git.loop.proposers import Proposer


def run_sessions(
    lab: LoopGraph,
    made: Callable[[], Proposer],
    options: Options,
    *,
    gpus: str | None,
    shown: Shown,
    should_stop: Callable[[], bool],
) -> Ended:
    """Run one session, or one on each of the `gpus`; returns all of them as one."""
    # a night that was killed goes on with the same command, and may have filled the disk
    scratch.clear()
    if gpus is None:
        loop = Loop(lab, made(), options, progress=shown, should_stop=should_stop)
        ended = loop.run()
        _say(shown, options.session, ended)
        return ended
    lanes = side_by_side.lanes(options, devices.chosen(options.devices, gpus))

    def own() -> LoopGraph:
        opened = LoopGraph.open(lab.repo.root)
        opened.config = lab.config
        return opened

    side_by_side.run(
        lanes,
        lab=own,
        proposer=made,
        progress=lambda lane: Prefixed(shown, lane.device.label),
        should_stop=should_stop,
    )
    for lane in lanes:
        if lane.ended:
            _say(shown, lane.options.session, lane.ended)
    return _joined([lane.ended for lane in lanes if lane.ended])


def _say(shown: Shown, session: str, ended: Ended) -> None:
    shown.say(
        f"{counted(len(ended.experiments), 'experiment')} on lg/{session}: {ended.why}"
    )


def _joined(ended: list[Ended]) -> Ended:
    worst = max(ended, key=lambda item: item.exit_code)
    return Ended(
        experiments=tuple(item for one in ended for item in one.experiments),
        why=worst.why,
        exit_code=worst.exit_code,
        began=min(item.began for item in ended),
    )
