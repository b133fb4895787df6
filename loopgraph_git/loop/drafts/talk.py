"""The conversation about some passages: asked once, told once what is wrong."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopgraph_git.loop.drafts.answers import Answer, read_answer
from loopgraph_git.loop.drafts.passages import quoted, seen
from loopgraph_git.loop.drafts.rules import faults
from loopgraph_git.loop.prompting import prompt
from loopgraph_git.records.texts import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loopgraph_git.loop.drafts.answers import Draft
    from loopgraph_git.loop.drafts.kept import Kept
    from loopgraph_git.loop.drafts.rules import Ground
    from loopgraph_git.loop.providers import Provider
    from loopgraph_git.records import Chunk

# stands for the nonce where a question is hashed; no passage can hold it
_SLOT = "\0nonce\0"
_CODE_LIMIT = 60_000
_TITLE_LIMIT = 200
_PROBLEMS = 20
_PROBLEM_LIMIT = 400


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Who is asked, where the answers are kept, and what drafts are held against."""

    provider: Provider
    kept: Kept
    ground: Ground
    known: Sequence[str] = ()
    say: Callable[[str], None] = field(default=lambda _text: None)


def drafted(desk: Desk, passages: Sequence[Chunk]) -> Answer:
    """Return what an LLM drafts from some passages, corrected once.

    A draft may still have faults. Raises ProviderError, BudgetError, LibraryError.
    """
    numbers = dict(enumerate(passages, start=1))
    messages = _question(desk.ground, desk.known, numbers)
    text = _answer(desk, messages)
    first = read_answer(text, numbers)
    problems = _problems(first, desk)
    if not problems:
        return first
    desk.say("asking for a correction")
    told = prompt("extract_repair.md").format(problems="\n".join(problems))
    messages += [
        {"role": "assistant", "content": text},
        {"role": "user", "content": told},
    ]
    second = read_answer(_answer(desk, messages), numbers)
    if first.problem and second.problem:
        for asked in (messages[:2], messages):
            desk.kept.drop(desk.kept.key(asked))
    return _joined(first, second, desk.ground)


def _answer(desk: Desk, messages: Sequence[Mapping[str, str]]) -> str:
    """Return the answer to a question, from what is kept or from the LLM."""
    key = desk.kept.key(messages)
    known = desk.kept.get(key)
    if known is not None:
        return known
    nonce = secrets.token_hex(8)
    asked = [
        {**message, "content": message["content"].replace(_SLOT, nonce)}
        for message in messages
    ]
    text = desk.provider.complete(asked).text
    desk.kept.put(key, text)
    return text


def _question(
    ground: Ground, known: Sequence[str], passages: Mapping[int, Chunk]
) -> list[dict[str, str]]:
    code = _code(ground.files)
    recipe = prompt("extract_recipe.md").strip() if code else "none, there is no code."
    system = prompt("extract.md").format(
        nonce=_SLOT, known=", ".join(known) or "nothing yet", recipe=recipe
    )
    texts = (quoted(chunk, number, _SLOT) for number, chunk in passages.items())
    title = seen(flat(ground.paper.title))[:_TITLE_LIMIT]
    user = prompt("extract_request.md").format(
        code=code, title=title, passages="\n\n".join(texts)
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _code(files: Mapping[str, str]) -> str:
    """Return the code that recipes are for, the files that there is room for."""
    shown, room = [], _CODE_LIMIT
    for path, text in files.items():
        if len(text) <= room:
            room -= len(text)
            shown.append(f"The code, {path}:\n\n```python\n{text.rstrip()}\n```\n\n")
    return "".join(shown).replace(_SLOT, "")


def _problems(answer: Answer, desk: Desk) -> list[str]:
    if answer.problem:
        return [answer.problem]
    found = [
        f"{draft.id or 'a draft without id'}: {fault.words}"
        for draft in answer.drafts
        # what is known is not taken, right or wrong
        if draft.id not in desk.known
        for fault in faults(draft, desk.ground)
    ]
    return [f"- {flat(words)[:_PROBLEM_LIMIT]}" for words in found[:_PROBLEMS]]


def _joined(first: Answer, second: Answer, ground: Ground) -> Answer:
    """Return the drafts that were good, and the corrected ones in place of the others."""
    if second.problem:
        return first
    good = [draft for draft in first.drafts if not faults(draft, ground)]
    named = {draft.id for draft in good}
    fresh = [draft for draft in second.drafts if draft.id not in named]
    named |= {draft.id for draft in fresh}
    # what was not sent again is kept as far as it keeps the rules
    rest: list[Draft] = [draft for draft in first.drafts if draft.id not in named]
    return Answer((*good, *fresh, *rest))
