"""The chat proposer: an LLM is asked for an edit, and told once what is wrong with it.

Answers may be in any form. Blocks that fit are kept while the others are sent again,
but files change only when every block fits. After the repair the next form is asked
for; when the last one fails too, the proposal is a failure, and is recorded as one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError
from loopgraph_git.library import recipes
from loopgraph_git.loop import edits, prompting
from loopgraph_git.loop.proposers import Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgraph_git.loop.edits import Answer, Outcome
    from loopgraph_git.loop.proposers import Request
    from loopgraph_git.loop.providers import Provider, Reply

_SHOWN = 2000
_METHODS = 8


class ChatProposer:
    """Asks an LLM for one edit, in one form after the other until one can be used."""

    name = "chat"

    def __init__(
        self, provider: Provider, forms: Sequence[str] = ("edits", "whole")
    ) -> None:
        self._provider = provider
        self._forms = forms

    def propose(self, request: Request) -> Proposal:
        """Return the edit of the answer; a failed one is a proposal with a failure.

        What earlier attempts cost that came to nothing is counted in.
        """
        found = _Talk(self._provider, request).proposal(self._forms)
        spent = self._provider.meter.take()
        return replace(found, tokens=spent.tokens, cost_usd=spent.cost_usd)


class _Talk:
    """One conversation about one edit."""

    def __init__(self, provider: Provider, request: Request) -> None:
        self.provider = provider
        self.request = request
        self.messages: list[dict[str, str]] = []
        self.replies: list[Reply] = []
        self.problem = ""
        # the size of the first question, in estimated tokens
        self.told = 0
        # what the last answer came to, as far as it could be read
        self.outcome: Outcome | None = None
        self.blocks = 0

    def proposal(self, forms: Sequence[str]) -> Proposal:
        """Return the first edit that can be used, or why the last one cannot."""
        for form in forms:
            self.begin(form)
            answer = self.ask() or self.repair()
            if answer is not None:
                return self.made(answer)
        return Proposal(
            title="An edit that cannot be used",
            body=self.replies[-1].text[:_SHOWN],
            failure=self.problem,
            edit={"form": forms[-1], "answers": len(self.replies), "told": self.told},
        )

    def begin(self, form: str) -> None:
        """Ask in a form; after another one, for the same experiment."""
        self.messages = prompting.question(self.request, form)
        self.told = self.told or prompting.told(self.messages)
        self.outcome = None
        if self.replies:
            paths = list(self.request.files)
            self.say(prompting.again(self.problem, form, paths))

    def say(self, words: str) -> None:
        """Answer the last reply."""
        self.messages += [
            {"role": "assistant", "content": self.replies[-1].text},
            {"role": "user", "content": words},
        ]

    def ask(self) -> Answer | None:
        """Return the answer to what was said, None where it cannot be used."""
        reply = self.provider.complete(self.messages)
        self.replies.append(reply)
        kept, blocks = self.outcome, self.blocks
        self.outcome = None
        try:
            found = edits.find_edits(reply.text, self.request.files)
        except EditError as error:
            self.problem = str(error)
            return None
        sent = sum(edit.blocks for edit in found.edits)
        if kept and kept.kept and sent < blocks:
            new = [edit for edit in found.edits if edit not in kept.kept]
            joined = found._replace(edits=[*kept.kept, *new])
            answer = self.used(joined, reply.text)
            if answer is not None:
                return answer
        return self.used(found, reply.text)

    def used(self, found: edits.FoundEdits, text: str) -> Answer | None:
        """Return the answer that some edits make, None where one of them fails."""
        request = self.request
        outcome = edits.apply(found.edits, request.files, request.protected)
        self.outcome = outcome
        self.blocks = sum(edit.blocks for edit in found.edits)
        if outcome.failures:
            self.problem = edits.explained(outcome)
            return None
        try:
            request.check(outcome.files)
        except EditError as error:
            self.problem = str(error)
            return None
        return edits.made(text, found, outcome)

    def repair(self) -> Answer | None:
        """Say what is wrong and ask once more."""
        self.say(prompting.repair(self.problem, self.outcome))
        answer = self.ask()
        if answer is None or edits.read_words(self.replies[-1].text, {})[0]:
            return answer
        # a repair often consists of the edit alone
        title, method, reason = edits.read_words(self.replies[-2].text, {})
        return replace(
            answer, title=title or answer.title, method=method, reason=reason
        )

    def made(self, answer: Answer) -> Proposal:
        """Return the proposal that an answer is."""
        request = self.request
        claimed = [answer.method] if answer.method in request.methods else []
        known = list(request.methods.values())
        after = {**request.files, **answer.files}
        seen = recipes.detected(known, request.files, after)
        return Proposal(
            title=answer.title,
            files=answer.files,
            methods=tuple(dict.fromkeys(claimed + seen))[:_METHODS],
            body=answer.reason,
            edit={**answer.edit, "answers": len(self.replies), "told": self.told},
        )
