"""Coding agents by name: how each is started without a person and on its own.

An agent is a command of the user's machine. It is started so that it reads no
settings, hooks and servers of the repository, asks nobody, edits files, and speaks
to our proxy alone. Words in braces are filled in: {brief} {url} {root} {key} {model}
{home}, {files} (a word for each), and {sandbox} with codex's word for its own:
sandboxes inside ours cannot start.
"""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.loop.hired.proxy import Proxy

_URL_AND_KEY = {
    "OPENAI_BASE_URL": "{url}", "OPENAI_API_BASE": "{url}", "OPENAI_API_KEY": "{key}",
    "ANTHROPIC_BASE_URL": "{root}", "ANTHROPIC_API_KEY": "{key}",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CodingAgent:
    """How an agent is started; without {brief} in `argv` it reads its brief on stdin.

    `model` are the words that name a model, left out without one; `needs_model` says
    that there has to be one. `vendor` is the endpoint it is made for, `install` how a
    user gets it.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: _URL_AND_KEY)
    model: tuple[str, ...] = ()
    needs_model: bool = False
    vendor: str = "openai"
    install: str = ""


_CODEX_PROVIDER = (
    'model_provider="loopgraph"',
    'model_providers.loopgraph.name="loopgraph"',
    'model_providers.loopgraph.base_url="{url}"',
    'model_providers.loopgraph.wire_api="responses"',
    'model_providers.loopgraph.env_key="OPENAI_API_KEY"',
)
_OPENCODE_CONFIG = {
    "autoupdate": False,
    "share": "disabled",
    "permission": {"webfetch": "deny", "websearch": "deny", "bash": "deny"},
    "provider": {
        "loopgraph": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "loopgraph",
            "options": {"baseURL": "{url}", "apiKey": "{key}"},
            "models": {"{model}": {"name": "{model}"}},
        }
    },
}

AGENTS = {
    item.name: item
    for item in (
        CodingAgent(
            name="claude",
            # bare: no hooks, no plug-ins, no memory, no key but that of the variable
            argv=("claude", "--bare", "-p", "--strict-mcp-config",
                  "--setting-sources", "", "--tools", "Read,Edit,Write,Glob,Grep",
                  "--permission-mode", "acceptEdits",
                  "--no-session-persistence"),
            env={**_URL_AND_KEY, "DISABLE_AUTOUPDATER": "1",
                 "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
            model=("--model", "{model}"),
            vendor="anthropic",
            install="npm install -g @anthropic-ai/claude-code",
        ),
        CodingAgent(
            name="codex",
            argv=("codex", "exec", "--ephemeral", "--ignore-user-config",
                  "--ignore-rules", "--skip-git-repo-check", "-s", "{sandbox}",
                  *(word for line in _CODEX_PROVIDER for word in ("-c", line))),
            env={**_URL_AND_KEY, "CODEX_HOME": "{home}"},
            model=("-m", "{model}"),
            install="npm install -g @openai/codex",
        ),
        CodingAgent(
            name="opencode",
            argv=("opencode", "run", "--pure", "--auto"),
            env={**_URL_AND_KEY, "OPENCODE_CONFIG_CONTENT": json.dumps(_OPENCODE_CONFIG),
                 "OPENCODE_DISABLE_AUTOUPDATE": "1",
                 "OPENCODE_DISABLE_MODELS_FETCH": "1",
                 "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                 "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1"},
            model=("-m", "loopgraph/{model}"),
            needs_model=True,
            install="npm install -g opencode-ai",
        ),
        CodingAgent(
            name="aider",
            argv=("aider", "--message-file", "{brief}", "--yes-always",
                  "--no-auto-commits", "--no-check-update", "--no-show-release-notes",
                  "--analytics-disable", "--no-gitignore", "--no-detect-urls",
                  "--no-show-model-warnings", "--no-pretty",
                  "--chat-history-file", "{home}/chat.md",
                  "--input-history-file", "{home}/input", "{files}"),
            model=("--model", "openai/{model}"),
            needs_model=True,
            install="pip install aider-chat",
        ),
    )
}  # fmt: skip


def agent(named: str, command: str = "") -> CodingAgent:
    """Return an agent by its name, or the one that a command line starts.

    Raises UsageError for a name that nobody knows and for what is no command line.
    """
    if command:
        return _generic(command)
    found = AGENTS.get(named)
    if found is not None:
        return found
    if " " in named or "/" in named:
        return _generic(named)
    known = ", ".join(AGENTS)
    raise UsageError(
        f"no coding agent is called {named!r}: one of {known}, or a command line with "
        "--agent-command 'mytool {brief}'"
        if named
        else f"name the coding agent: --agent with one of {known}, or --agent-command"
    )


def _generic(command: str) -> CodingAgent:
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"{command!r} is no command line: {error}") from error
    if not argv:
        raise UsageError("the agent's command line is empty")
    return CodingAgent(name=argv[0].rpartition("/")[2], argv=argv)


def command_line(
    chosen: CodingAgent, *, brief: str, model: str, values: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the words that start an agent; its brief is on stdin or in a file.

    Raises ProviderError where it is not installed.
    """
    words = (*chosen.argv, *(chosen.model if model else ()))
    filled = _filled(words, {**values, "brief": brief, "model": model})
    if shutil.which(filled[0]) is None:
        hint = f": {chosen.install}" if chosen.install else " or not on PATH"
        raise ProviderError(f"{filled[0]} is not installed{hint}")
    if any("{brief}" in word for word in chosen.argv):
        return filled
    # the supervisor keeps its own stdin for itself
    return ("sh", "-c", 'exec "$@" < "$0"', brief, *filled)


def needed(chosen: CodingAgent) -> list[Path]:
    """Return what an agent is read from, besides what any command needs.

    What npm installs is a link into a package, and packages use others beside them.
    """
    program = shutil.which(chosen.argv[0])
    if program is None:
        return []
    named = [Path(word) for word in chosen.argv if word.startswith("/")]
    found = [path for path in named if path.is_file()]
    for path in (Path(program), Path(program).resolve()):
        folders = [folder for folder in path.parents if folder.name == "node_modules"]
        found += folders[-1:] or [path]
    return list(dict.fromkeys(found))


def _filled(words: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    # a word that stands for several
    files = tuple(values.get("files", "").split("\0"))
    return tuple(
        part
        for word in words
        for part in (files if word == "{files}" else (_fill(word, values),))
    )


def _fill(text: str, values: Mapping[str, str]) -> str:
    # not str.format: a command line may well hold other braces
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def values_of(
    proxy: Proxy, home: str, files: Iterable[str], *, confined: bool
) -> dict[str, str]:
    """Return what the words in braces of command lines and environments stand for.

    `files` are those that may be edited; `confined` says that the agent runs in a sandbox of ours.
    """
    return {
        "url": proxy.url,
        "root": proxy.url.removesuffix("/v1"),
        "key": proxy.key,
        "home": home,
        "files": "\0".join(files),
        "sandbox": "danger-full-access" if confined else "workspace-write",
    }


def environment(
    chosen: CodingAgent, model: str, values: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of an agent: our proxy, its throw-away key, its switches."""
    named = {**values, "model": model}
    return {name: _fill(value, named) for name, value in chosen.env.items()}
