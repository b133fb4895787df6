"""The command proposer: a coding agent edits a copy of the code, within limits.

Whatever it does there, only its edit of the editable files comes back, and passes the
same gate as every other. Its own commits are undone, what it changed elsewhere is
named and refused, and what it spent is counted by our proxy.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import OutageError, ProviderError
from loopgraph_git.library import recipes
from loopgraph_git.loop import edits, measure, prompting, runner, sandbox, summary
from loopgraph_git.loop.cage import Level, Place, caged, interpreter, needed, reaching
from loopgraph_git.loop.hired import agents, workplace
from loopgraph_git.loop.hired.proxy import Proxy, metering_proxy
from loopgraph_git.loop.proposers import Proposal
from loopgraph_git.loop.scratch import scratch_folder
from loopgraph_git.loop.usage import estimated_tokens
from loopgraph_git.records import Oid
from loopgraph_git.records.texts import visible

if TYPE_CHECKING:
    from pathlib import Path

    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.loop.endpoints import Endpoint
    from loopgraph_git.loop.hired.agents import CodingAgent
    from loopgraph_git.loop.hired.workplace import Found
    from loopgraph_git.loop.proposers import Request
    from loopgraph_git.loop.usage import Meter

_LOG_BYTES = 16 << 20
_PROCESSES = 512
_TITLE, _BODY = 72, 2000
_METHODS = 8
_HOMES = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_TITLED = re.compile(r"^[ \t*#]*Title:", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Hiring:
    """Which agent is run, and against which endpoint: its key stays with us.

    `model` may be empty: then the agent uses its own.
    """

    agent: CodingAgent
    at: Endpoint
    key: str
    meter: Meter
    model: str = ""


class CommandProposer:
    """Has a coding agent make one edit, in a place of its own."""

    name = "command"

    def __init__(
        self,
        hiring: Hiring,
        *,
        repo: Repo,
        config: Config,
        watch: runner.Watch | None = None,
        level: Level = Level.RLIMITS,
    ) -> None:
        self._hiring = hiring
        self._repo = repo
        self._config = config
        self._watch = watch or runner.Watch()
        self._level = level

    def propose(self, request: Request) -> Proposal:
        """Return what the agent made of the code, or why that cannot be used.

        Raises ProviderError where the agent or its endpoint does not work at all
        (OutageError where that may pass), BudgetError at a limit, InterruptedRunError
        when the user asked to stop.
        """
        self._hiring.meter.check()
        with scratch_folder() as folder:
            found = self._hired(request, folder)
        spent = self._hiring.meter.take()
        return replace(found, tokens=spent.tokens, cost_usd=spent.cost_usd)

    def _hired(self, request: Request, folder: Path) -> Proposal:
        hiring = self._hiring
        # not inside .git: agents rightly refuse to write there
        place = workplace.prepared(
            self._repo, folder / "code", Oid(request.baseline), request.files
        )
        brief = folder / "brief.md"
        words = prompting.hired(request)
        brief.write_text(words, "utf-8", "replace")
        with metering_proxy(hiring.at, hiring.key, hiring.meter) as proxy:
            ended = self._run(request, place.folder, brief, proxy)
        if proxy.passed.over_budget:
            hiring.meter.check()
        found = workplace.collected(place, self._config)
        self._require_work(ended, found, proxy)
        return self._made(request, ended, found, estimated_tokens(words))

    def _run(
        self, request: Request, folder: Path, brief: Path, proxy: Proxy
    ) -> runner.Ended:
        agent, model = self._hiring.agent, self._hiring.model
        home, temporary = brief.with_name("home"), brief.with_name("tmp")
        for path in (home, temporary):
            path.mkdir()
        stamp = time.time_ns()
        confined = self._level >= Level.LANDLOCK
        values = agents.values_of(proxy, str(home), request.files, confined=confined)
        own = {
            **{name: str(home / name) for name in _HOMES},
            **agents.environment(agent, model, values),
            "HOME": str(home),
            "TMPDIR": str(temporary),
            runner.RUN_ID: f"{measure.session_run_id(self._repo, request.session)}{stamp}",
        }  # fmt: skip
        env = runner.training_env(own)
        argv = agents.command_line(agent, brief=str(brief), model=model, values=values)
        place = Place(
            folder=folder,
            scratch=temporary,
            writable=(home, temporary),
            kept=self._config.protected,
            readable=(*needed(agent.argv, env), *agents.needed(agent), brief,
                      *interpreter()),
            port=proxy.port,
        )  # fmt: skip
        return runner.run_command(
            self._inside(argv, temporary, proxy.port),
            folder=folder,
            log=self._repo.home / "logs" / f"agent-{stamp}.log",
            limits=runner.Limits(
                wall_clock_seconds=self._config.agent_seconds,
                log_bytes=_LOG_BYTES,
                disk_bytes=self._config.disk_limit_mb << 20,
                processes=_PROCESSES,
            ),
            env=env,
            watch=self._watch,
            cage=caged(self._level, place),
        )

    def _inside(
        self, argv: tuple[str, ...], temporary: Path, port: int
    ) -> tuple[str, ...]:
        """Return a command line as bubblewrap is to run it."""
        if self._level is not Level.BUBBLEWRAP:
            return argv
        # inside, /tmp is that folder: it has one name, or agents are confused
        argv = ("env", f"TMPDIR={temporary}", *argv)
        if sandbox.probe(Level.LANDLOCK).problem:
            return argv
        return (*reaching(port), *argv)

    def _require_work(self, ended: runner.Ended, found: Found, proxy: Proxy) -> None:
        """Raise ProviderError where nothing was done for a reason that is no edit's."""
        if found.files or found.problems or ended.stopped:
            return
        said = _last_line(ended.tail)
        name = self._hiring.agent.name
        if not proxy.passed.answered and proxy.passed.failures:
            kind = OutageError if proxy.passed.may_pass else ProviderError
            raise kind(
                f"{self._hiring.at.base_url}: {proxy.passed.failures[-1]} ({name})"
            )
        if ended.exit_code:
            raise ProviderError(
                f"{name} ended with {ended.exit_code} and changed nothing: {said}"
            )

    def _made(
        self, request: Request, ended: runner.Ended, found: Found, told: int
    ) -> Proposal:
        name = self._hiring.agent.name
        title, method, reason = edits.read_words(_last_words(ended.tail), {})
        after = {**request.files, **found.files}
        known = list(request.methods.values())
        claimed = [method] if method in request.methods else []
        seen = recipes.detected(known, request.files, after)
        return Proposal(
            title=summary.redact(visible(title))[:_TITLE] or f"An edit by {name}",
            files=found.files,
            methods=tuple(dict.fromkeys(claimed + seen))[:_METHODS],
            body=summary.redact(_prose(reason))[:_BODY],
            failure=self._failure(ended, found),
            edit={"form": "files", "agent": name, "told": told,
                  "commits": found.commits},
        )  # fmt: skip

    def _failure(self, ended: runner.Ended, found: Found) -> str:
        name = self._hiring.agent.name
        limits = {"timeout": f"it took over {self._config.agent_seconds:g} s"}
        if ended.stopped:
            why = limits.get(ended.stopped, f"it reached its limit of {ended.stopped}")
            return f"{name} was ended: {why}"
        if found.problems:
            return "\n".join(found.problems)
        return "" if found.files else f"{name} changed nothing"


def _last_words(text: str) -> str:
    """Return the last message that has a title; an agent may repeat its brief first."""
    found = list(_TITLED.finditer(summary.clean(text)))
    return found[-1].string[found[-1].start() :] if found else ""


def _prose(text: str) -> str:
    """Return the first paragraph; what is below it is of the agent's own bookkeeping."""
    paragraph = text.strip().partition("\n\n")[0]
    return "\n".join(visible(line) for line in paragraph.split("\n"))


def _last_line(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    return visible(lines[-1])[:200] if lines else "it said nothing"


__all__ = ["CommandProposer", "Hiring"]
