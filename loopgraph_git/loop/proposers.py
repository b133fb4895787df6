"""What suggests an edit: recipes without any LLM, or a script.

An LLM is in chat.py, a coding agent in command.py. All proposers answer the same request with the same kind of proposal, and all of
them pass the same gate.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loopgraph_git.errors import EditError, ExhaustedError, RecipeError
from loopgraph_git.library import recipes
from loopgraph_git.library.fitting import knob_choices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loopgraph_git.records import Method, Suggestion


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How runs are measured, and where the baseline stands under that protocol.

    `values` are what its runs measured, `noise` the standard deviation of repeated
    runs, None where it is not known.
    """

    command: str
    budget_seconds: float
    metric: str
    direction: str
    values: tuple[float, ...] = ()
    noise: float | None = None

    def sentence(self) -> str:
        """Say what the baseline measured, and how much of a gain may be luck."""
        if not self.values:
            return "The code as it is has not been measured yet."
        runs = f"{len(self.values)} run{'s' if len(self.values) > 1 else ''}"
        mean = sum(self.values) / len(self.values)
        noise = (
            f" The same code varies by {self.noise:.2g} (one standard deviation): a "
            "smaller gain is no gain."
            if self.noise
            else ""
        )
        return f"The code as it is measures {mean:.6g} ({runs}).{noise}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a proposer is asked: the code, the ranked methods and the brief.

    `check` raises EditError for an edit that breaks a rule or was tried before.
    `baseline` is the commit that the code is of, "" where it is none.
    """

    goal: str
    files: Mapping[str, str]
    suggestions: Sequence[Suggestion]
    methods: Mapping[str, Method]
    brief: str
    check: Callable[[Mapping[str, str]], None]
    protected: Sequence[str] = ()
    standing: Standing | None = None
    baseline: str = ""
    session: str = ""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One edit, or the reason why there is none (`failure`).

    `edit` says how an answer in words became files: form, rung, fuzz, blocks, answers.
    """

    title: str
    files: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    body: str = ""
    failure: str = ""
    tokens: int = 0
    cost_usd: float = 0.0
    edit: Mapping[str, str | int] = field(default_factory=dict)


class Proposer(Protocol):
    """Anything that answers a request with one proposal."""

    name: str

    def propose(self, request: Request) -> Proposal:
        """Return the next edit to try; raises ExhaustedError when there is none."""
        ...


class RecipeProposer:
    """Applies the best-ranked recipe that fits and was not tried on this code.

    Deterministic: the same memory and the same code give the same edit.
    """

    name = "recipe"

    def propose(self, request: Request) -> Proposal:
        """Return the first recipe of the ranking that makes a new, sound edit."""
        for suggestion in request.suggestions:
            method = request.methods.get(suggestion.method)
            if method is None or not method.recipe or suggestion.score <= 0:
                continue
            for knobs in knob_choices(method):
                found = _applied(method, knobs, request)
                if found is not None:
                    return found
        raise ExhaustedError(
            "every recipe that applies to this code has been tried on it: add methods "
            "(see docs/packs.md), start from other code, or use `--proposer chat`"
        )


def _applied(
    method: Method, knobs: Mapping[str, float | int | str], request: Request
) -> Proposal | None:
    try:
        files = recipes.apply_to_files(method, request.files, knobs=knobs)
        request.check(files)
    except (RecipeError, EditError):
        return None
    settings = ", ".join(f"{name} {value}" for name, value in knobs.items())
    return Proposal(
        title=f"{method.title} ({settings})" if settings else method.title,
        files=files,
        methods=(method.id,),
        body=textwrap.fill(method.summary, 72),
    )


class ScriptedProposer:
    """Proposes edits from a list, one after the other; for tests and rehearsals."""

    name = "scripted"

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self._left = list(proposals)

    def propose(self, request: Request) -> Proposal:  # noqa: ARG002  the protocol's
        """Return the next proposal of the script."""
        if not self._left:
            raise ExhaustedError("the script is at its end")
        return self._left.pop(0)
