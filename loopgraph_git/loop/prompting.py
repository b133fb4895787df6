"""The words that an LLM is asked with; all of them are data, in prompts/."""

from __future__ import annotations

from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from loopgraph_git.loop.excerpts import excerpt
from loopgraph_git.loop.usage import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.loop.edits import Outcome
    from loopgraph_git.loop.proposers import Request

_FOLDER = Path(__file__).parent / "prompts"
_DETAILS = 6000
# local servers drop silently what is beyond their context, often of 32,768 tokens, and
# the answer and a repair need room as well
CODE_TOKENS = 16_000
"""What the editable files take at most of a question, together."""
_BRIEF_BYTES = 32_000
_GOAL = 2000
_NAMED = 40


def forms_for(llm: str, chosen: str = "") -> tuple[str, ...]:
    """Return the forms of edit that an LLM is asked for, in their order.

    `chosen` comes first where it is given.
    """
    rules = yaml.safe_load(prompt("forms.yml"))
    forms = next(
        rule["forms"] for rule in rules if fnmatch(llm.lower(), rule["match"].lower())
    )
    return tuple(dict.fromkeys([*([chosen] if chosen else []), *forms]))


@cache
def prompt(name: str) -> str:
    """Return the words of a file in prompts/."""
    return (_FOLDER / name).read_text("utf-8")


def question(request: Request, form: str) -> list[dict[str, str]]:
    """Return the conversation that asks for an edit in a form."""
    path = next(iter(request.files))
    system = prompt("system.md").format(
        editable=", ".join(request.files), form=_form(form, path)
    )
    parts = [
        prompt("request.md").format(path=path, code=code, **_common(request))
        if number == 0
        else f"The current {path}:\n\n```python\n{code}\n```\n"
        for number, (path, code) in enumerate(_shown(request).items())
    ]
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": "\n".join(parts)},
    ]


def _common(request: Request) -> dict[str, str]:
    """Return what an LLM and a coding agent are told alike."""
    standing = request.standing
    protected = ", ".join(request.protected[:_NAMED]) or "nothing"
    rules = standing and prompt("rules.md").format(
        command=standing.command,
        budget=f"{standing.budget_seconds:g}",
        metric=standing.metric,
        direction=standing.direction,
        standing=standing.sentence(),
        protected=protected,
    )
    return {
        "goal": request.goal[:_GOAL],
        "rules": (rules or "").strip(),
        "brief": request.brief[:_BRIEF_BYTES],
    }


def _shown(request: Request) -> dict[str, str]:
    """Return the editable files, cut where they are larger than an LLM can read."""
    left = CODE_TOKENS
    shown: dict[str, str] = {}
    for number, (path, code) in enumerate(request.files.items()):
        # what one file does not need is for those after it
        room = left // (len(request.files) - number)
        shown[path] = excerpt(code, room=room, words=request.brief)
        left -= estimated_tokens(shown[path])
    return shown


def told(messages: Sequence[Mapping[str, str]]) -> int:
    """Return about how many tokens the messages of a conversation take."""
    return sum(estimated_tokens(message["content"]) for message in messages)


def hired(request: Request) -> str:
    """Return what a coding agent is told; it reads the files by itself."""
    return prompt("agent.md").format(
        editable=", ".join(request.files), **_common(request)
    )


def _form(form: str, path: str) -> str:
    return prompt(f"{form}.md").format(path=path).strip()


def repair(problem: str, outcome: Outcome | None) -> str:
    """Return what is said of an edit that cannot be used, and what to send again.

    `outcome` says which blocks failed, and which fit: nothing is applied before all do.
    """
    first, _, details = problem.partition("\n")
    resend = "Answer again in the same form, with the whole corrected edit."
    if outcome and outcome.failures:
        shown = [str(failure) for failure in outcome.failures]
        details = "\n\n".join(shown)
        if outcome.kept:
            resend = _resend(len(outcome.failures), len(outcome.kept))
    return prompt("repair.md").format(
        problem=first, details=details[:_DETAILS].strip(), resend=resend
    )


def _resend(failed: int, kept: int) -> str:
    others = (
        "The other edit fits and is kept"
        if kept == 1
        else (f"The other {kept} edits fit and are kept")
    )
    block = "the corrected block" if failed == 1 else f"the {failed} corrected blocks"
    return (
        f"{others} as you sent it; nothing is applied until everything fits. Send only "
        f"{block}, in the same form, and not the others."
    ).replace("are kept as you sent it", "are kept as you sent them")


def again(problem: str, form: str, paths: Sequence[str]) -> str:
    """Return the question for the same experiment in another form."""
    return prompt("again.md").format(
        problem=problem.partition("\n")[0], form=_form(form, paths[0])
    )
