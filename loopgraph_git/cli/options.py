"""Options that several commands share, and the repository they work on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from loopgraph_git.config import SANDBOXES
from loopgraph_git.git import refs
from loopgraph_git.loopgraph import LoopGraph

if TYPE_CHECKING:
    from loopgraph_git.loop.cage import Level

F = TypeVar("F")


class Span(click.FloatRange):
    """A number within bounds. NaN is none: click takes it to be within any."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or end with a usage error."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail("nan is no number.", param, ctx)
        return number


POSITIVE = Span(0, min_open=True)
SEED = click.IntRange(0, 2**31 - 1)
"""What every library of random numbers takes, also with some more added for repeats."""


def as_json(command: F) -> F:
    """Add `--json`."""
    option: Any = click.option(
        "--json", "json_", is_flag=True, help="Print JSON, and nothing else, on stdout."
    )
    decorated: F = option(command)
    return decorated


def sandbox_level(command: F) -> F:
    """Add `--sandbox`, which environment and settings can name too."""
    option: Any = click.option(
        "--sandbox",
        type=click.Choice(SANDBOXES),
        envvar="LOOPGRAPH_SANDBOX",
        callback=lambda _context, _option, word: word and _level(word),
        metavar="LEVEL",
        help="Not the best one: bubblewrap, landlock, rlimits or none.",
    )
    decorated: F = option(command)
    return decorated


def _level(word: str) -> Level:
    # what confines runs is 5 ms that a list of experiments does not need
    from loopgraph_git.loop.cage import Level  # noqa: PLC0415

    return Level[word.upper()]


def paid_llm(command: F) -> F:
    """Add `--provider`, `--max-tokens` and `--max-cost`."""
    options: list[Any] = [
        click.option(
            "--provider", help="Its endpoint: a name (openai, ollama, ...) or a URL."
        ),
        click.option(
            "--max-tokens", type=click.IntRange(1), help="Stop once they are spent."
        ),
        click.option(
            "--max-cost",
            type=POSITIVE,
            help="Stop once these dollars are spent.",
        ),
    ]
    decorated: Any = command
    for option in reversed(options):
        decorated = option(decorated)
    found: F = decorated
    return found


class Wanted(NamedTuple):
    """Which LLM is wanted, where it is, and what it may cost."""

    llm: str | None = None
    provider: str | None = None
    max_tokens: int | None = None
    max_cost: float | None = None


def default_session(lab: LoopGraph) -> str:
    """Return the name of the branch that the user is on, as a session's name."""
    branch = (lab.repo.branch() or "detached").removeprefix("refs/heads/")
    return refs.slug(branch.removeprefix("lg/"))


def opened() -> LoopGraph:
    """Return the repository of the current folder, its index up to date."""
    lab = LoopGraph.open()
    click.get_current_context().call_on_close(lab.close)
    lab.reconcile()
    if lab.read_only:
        words = "nothing is kept, and what was never pinned is left out"
        click.echo(f"note: {lab.repo.home} cannot be written: {words}", err=True)
    return lab
