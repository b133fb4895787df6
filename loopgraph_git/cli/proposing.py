"""Who proposes, by the words of a command line and the settings of a repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.errors import ProviderError, UsageError
from loopgraph_git.loop import prompting
from loopgraph_git.loop.cage import Level
from loopgraph_git.loop.chat import ChatProposer
from loopgraph_git.loop.endpoints import endpoint, key_of
from loopgraph_git.loop.hired.agents import AGENTS, agent
from loopgraph_git.loop.hired.command import CommandProposer, Hiring
from loopgraph_git.loop.proposers import Proposer, RecipeProposer
from loopgraph_git.loop.providers import ChatProvider
from loopgraph_git.loop.sandbox import chosen as chosen_level

if TYPE_CHECKING:
    from loopgraph_git.loop.runner import Watch
    from loopgraph_git.loop.usage import Meter
    from loopgraph_git.loopgraph import LoopGraph

PROPOSERS = ("recipe", "chat", "command")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line says of the proposer; None where the settings decide."""

    name: str | None = None
    agent: str | None = None
    agent_command: str | None = None
    model: str | None = None
    provider: str | None = None
    sandbox: Level | None = None


def proposer_of(lab: LoopGraph, asked: Asked, meter: Meter, watch: Watch) -> Proposer:
    """Return the proposer that was asked for, else that of the settings.

    Raises UsageError where something that it needs is not named.
    """
    named = asked.agent or asked.agent_command
    name = asked.name or ("command" if named else lab.config.proposer)
    if named and name != "command":
        raise UsageError(f"--agent is for --proposer command, not for {name}")
    if name == "recipe":
        return RecipeProposer()
    if name == "chat":
        return _chat(lab, asked, meter)
    if name == "command":
        return _command(lab, asked, meter, watch)
    raise UsageError(f"no proposer is called {name!r}: {', '.join(PROPOSERS)}")


def _chat(lab: LoopGraph, asked: Asked, meter: Meter) -> Proposer:
    llm = asked.model or lab.config.chat_model
    if not llm:
        raise UsageError(
            "name the LLM: `--model NAME`, or chat_model in .loopgraph.yml"
        )
    chat = ChatProvider(llm, at=endpoint(asked.provider), meter=meter)
    return ChatProposer(chat, prompting.forms_for(llm, lab.config.chat_form))


def _command(lab: LoopGraph, asked: Asked, meter: Meter, watch: Watch) -> Proposer:
    command = asked.agent_command or ""
    if asked.agent and command:
        raise UsageError("--agent or --agent-command: which of the two?")
    chosen = agent(asked.agent or ("" if command else lab.config.agent), command)
    model = asked.model or (lab.config.chat_model if chosen.needs_model else "")
    if chosen.needs_model and not model:
        raise UsageError(
            f"name the LLM for {chosen.name}: `--model NAME`, or chat_model in "
            ".loopgraph.yml"
        )
    at = endpoint(asked.provider, usual=chosen.vendor)
    try:
        key = key_of(at)
    except ProviderError:
        # a tool that nobody knows may need no LLM at all
        if chosen.name in AGENTS or asked.provider:
            raise
        key = ""
    hiring = Hiring(agent=chosen, at=at, key=key, meter=meter, model=model)
    level = chosen_level(asked.sandbox, Level[lab.config.sandbox.upper()])
    return CommandProposer(
        hiring, repo=lab.repo, config=lab.config, watch=watch, level=level
    )
