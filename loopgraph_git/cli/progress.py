"""Progress of a session, on stderr: a live line on a terminal, else plain lines."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import click

from loopgraph_git.cli import render
from loopgraph_git.records import Judgement
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.status import Status as Spinner

    from loopgraph_git.records import Experiment, Metric, Result

_REFRESH_SECONDS = 0.2


class Stop:
    """Ctrl-C once asks to stop after the bookkeeping, twice stops at once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._say = say
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        """Say whether the user has asked to stop."""
        return self.asked

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, _frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        name = signal.Signals(number).name
        self._say(f"{name}: finishing the bookkeeping (again to stop at once)")


class Shown(Closing):
    """What a person sees of a session: where it is, the best so far, time left."""

    def __init__(self, metric: Metric, *, quiet: bool = False) -> None:
        self.metric = metric
        self.quiet = quiet
        self.best: float | None = None
        self._subject = ""
        self._ends = 0.0
        self._last = ""
        self._shown_at = 0.0
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self.quiet:
            from rich.console import Console  # noqa: PLC0415  43 ms

            self._spinner = Console(stderr=True, highlight=False).status("starting")
            self._spinner.start()
        return self

    def close(self) -> None:
        """Take the live line away."""
        if self._spinner:
            self._spinner.stop()

    def say(self, text: str) -> None:
        """Print one line, above the live one."""
        if self.quiet:
            return
        if self._spinner is None:
            click.echo(render.plain(text), err=True)
        else:
            # printed past rich, it would land on the live line
            self._spinner.console.print(
                render.plain(text), markup=False, soft_wrap=True
            )

    def begin(self, best: float | None) -> None:
        """Know the metric that is to be beaten."""
        self.best = best

    def training(self, subject: str, seconds: float) -> None:
        """Begin the clock of a run."""
        self._subject, self._ends, self._last = subject, time.monotonic() + seconds, ""
        if self._spinner is None and subject.startswith("baseline"):
            self.say(f"training the {subject}")
        self._update()

    def line(self, text: str) -> None:
        """Keep the last line of the log in view."""
        self._last = render.plain(text)
        if time.monotonic() - self._shown_at >= _REFRESH_SECONDS:
            self._update()

    def _update(self) -> None:
        if self._spinner is None:
            return
        self._shown_at = time.monotonic()
        left = max(0.0, self._ends - self._shown_at)
        best = f" · best {self.best:.4f}" if self.best is not None else ""
        text = f"{render.plain(self._subject)} · {left:.0f} s left{best} · {self._last[:60]}"
        from rich.text import Text  # noqa: PLC0415  43 ms

        # a text of its own: brackets in it would be taken for markup
        self._spinner.update(Text(text))

    def measured(self, result: Result) -> None:
        """Show a run of the baseline."""
        shown = render.number(result.value, 6) if result.value else result.status
        self.say(f"baseline: {result.metric} {shown} (seed {result.seed})")

    def finished(self, experiment: Experiment, number: int, total: int | None) -> None:
        """Print one line for an experiment."""
        if experiment.verdict is Judgement.KEEP:
            self._improve(experiment.value)
        place = f"[{number}/{total}]" if total else f"[{number}]"
        value = render.number(experiment.value, 6)
        best = render.number(self.best, 6)
        self.say(
            f"{place} {experiment.commit.short} {experiment.verdict} "
            f"{experiment.metric} {value}  {experiment.subject}: {experiment.reason}"
            f"  (best {best})"
        )

    def _improve(self, value: float | None) -> None:
        if value is None:
            return
        if self.best is None or self.metric.gain(self.best, value) > 0:
            self.best = value


class Prefixed(Shown):
    """One of several sessions on one screen: whole lines, each with its name."""

    _turns = threading.Lock()

    def __init__(self, screen: Shown, name: str) -> None:
        super().__init__(screen.metric, quiet=screen.quiet)
        self._screen = screen
        self._name = name

    def say(self, text: str) -> None:
        """Print one line, under the name of the session."""
        with self._turns:
            self._screen.say(f"{self._name} | {text}")
