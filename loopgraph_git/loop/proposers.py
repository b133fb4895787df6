"""What suggests an edit: recipes without any LLM, or a chat endpoint.

All proposers answer the same request with the same kind of proposal, and all of
them pass the same gate.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from loopgraph_git.errors import EditError, ExhaustedError, RecipeError
from loopgraph_git.library import recipes
from loopgraph_git.library.fitting import knob_choices
from loopgraph_git.loop.edits import Answer, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loopgraph_git.loop.providers import Provider, Reply
    from loopgraph_git.records import Method, Suggestion

_PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a proposer is asked: the code, the ranked methods and the brief.

    `check` raises EditError for an edit that breaks a rule or was tried before.
    """

    goal: str
    files: Mapping[str, str]
    suggestions: Sequence[Suggestion]
    methods: Mapping[str, Method]
    brief: str
    check: Callable[[Mapping[str, str]], None]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One edit, or the reason why there is none (`failure`)."""

    title: str
    files: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    body: str = ""
    failure: str = ""
    tokens: int = 0
    cost_usd: float = 0.0


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


class ChatProposer:
    """Asks an LLM for one edit, and once more when the edit cannot be used."""

    name = "chat"

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def propose(self, request: Request) -> Proposal:
        """Return the edit of the answer; a failed one is a proposal with a failure.

        What earlier attempts cost that came to nothing is counted in.
        """
        found = self._asked(request)
        spent = self._provider.meter.take()
        return replace(found, tokens=spent.tokens, cost_usd=spent.cost_usd)

    def _asked(self, request: Request) -> Proposal:
        messages = _messages(request)
        first = self._provider.complete(messages)
        answer, problem = _read(first, request)
        if answer is not None:
            return _proposal(answer, request)
        repair = (_PROMPTS / "repair.md").read_text("utf-8").format(problem=problem)
        messages += [
            {"role": "assistant", "content": first.text},
            {"role": "user", "content": repair},
        ]
        second = self._provider.complete(messages)
        answer, problem = _read(second, request)
        if answer is not None:
            return _proposal(answer, request)
        return Proposal(
            title="An edit that cannot be used",
            body=second.text[:2000],
            failure=problem,
        )


def _messages(request: Request) -> list[dict[str, str]]:
    path = next(iter(request.files))
    system = (_PROMPTS / "system.md").read_text("utf-8")
    asked = (_PROMPTS / "request.md").read_text("utf-8")
    system = system.format(editable=", ".join(request.files), path=path)
    parts = [
        asked.format(goal=request.goal, brief=request.brief, path=path, code=code)
        if number == 0
        else f"The current {path}:\n\n```python\n{code}\n```\n"
        for number, (path, code) in enumerate(request.files.items())
    ]
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": "\n".join(parts)},
    ]


def _read(reply: Reply, request: Request) -> tuple[Answer | None, str]:
    try:
        answer = read_answer(reply.text, request.files)
        request.check(answer.files)
    except EditError as error:
        return None, str(error)
    return answer, ""


def _proposal(answer: Answer, request: Request) -> Proposal:
    claimed = [answer.method] if answer.method in request.methods else []
    known = list(request.methods.values())
    after = {**request.files, **answer.files}
    seen = recipes.detected(known, request.files, after)
    return Proposal(
        title=answer.title,
        files=answer.files,
        methods=tuple(dict.fromkeys(claimed + seen))[:8],
        body=answer.reason,
    )
