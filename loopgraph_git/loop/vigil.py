"""A session left alone: when it ends, what it waits for, and what wakes it.

An LLM that does not answer and a disk that is full pass; the session waits for them
with growing pauses, as long as its time lasts. A person may pause it, end it after the
experiment under way, and leave notes for whoever proposes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loopgraph_git.errors import OutageError
from loopgraph_git.loop.space import has_space
from loopgraph_git.loop.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loopgraph_git.loop.journal import Journal
    from loopgraph_git.loop.proposers import Proposal, Proposer, Request
    from loopgraph_git.loop.session import Options, Progress

_LONGEST_PAUSE_SECONDS = 600.0
_LOOK_SECONDS = 0.2
_ALONE_SECONDS = 3600.0
"""How long a session without an end waits for an LLM."""


class Vigil:
    """Decides whether a session goes on, and waits for what it needs."""

    def __init__(
        self,
        home: Path,
        options: Options,
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self.steering = Steering(home / "journal", options.session)
        self._home = home
        self._first_pause = options.pause_seconds
        self._progress = progress
        self._should_stop = should_stop

    def over(self, journal: Journal) -> str | None:
        """Return why a session is over, None while it is not; waits out a pause."""
        why = self._ended(journal)
        if why is None and self.steering.read().paused:
            self._progress.say("paused: `git lg note --go-on` takes it up again")
            while why is None and self.steering.read().paused:
                time.sleep(_LOOK_SECONDS)
                why = self._ended(journal)
        return why

    def _ended(self, journal: Journal) -> str | None:
        plan = journal.plan
        if plan is None or plan.done >= plan.target:
            return "all experiments of this call are done"
        if plan.until is not None and time.time() >= plan.until:
            return "the time is up"
        if self._should_stop():
            return "interrupted"
        if self.steering.read().stop:
            # a wish is granted once: the next call is a new one
            self.steering.ask(stop=False)
            return "asked to stop after this one"
        return None

    def propose(
        self, proposer: Proposer, request: Request, journal: Journal
    ) -> Proposal | None:
        """Return a proposal, however long the LLM is away; None when time is over.

        Raises OutageError where the session has no end and an hour has passed.
        """
        pause, since = self._first_pause, time.monotonic()
        while True:
            try:
                return proposer.propose(request)
            except OutageError as error:
                endless = journal.plan is None or journal.plan.until is None
                if endless and time.monotonic() - since > _ALONE_SECONDS:
                    raise
                self._progress.say(f"{error}: trying again in {pause:g} s")
            if not self._wait(pause, journal):
                return None
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def wait_for_space(self, journal: Journal) -> bool:
        """Wait until the disk has some space; False when the session is over first.

        It waits once at the least: another disk may be the one that is full.
        """
        self._progress.say(f"a disk is full, {self._home}: waiting for space")
        while self._wait(self._first_pause, journal):
            if has_space(self._home):
                return True
        return False

    def _wait(self, seconds: float, journal: Journal) -> bool:
        """Wait; False where the session ends meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._ended(journal) is not None:
                return False
            time.sleep(min(_LOOK_SECONDS, max(0.0, until - time.monotonic())))
        return True
