"""Endpoints by name: where they are, whose key they take, and their habits.

An endpoint and its key are the user's: they come from the command line and the
environment, never from a repository. A key is only ever sent to the endpoint that
its variable is named for.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopgraph_git.errors import ProviderError, UsageError
from loopgraph_git.loop import runner

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER = "LOOPGRAPH_PROVIDER"
KEY = "LOOPGRAPH_API_KEY"
KEY_COMMAND = "LOOPGRAPH_KEY_COMMAND"
_LOCAL = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
_URL = re.compile(r"https?://(?P<host>[\w.-]+|\[[0-9A-Fa-f:]+\])(:\d+)?(/\S*)?\Z")
_KEY_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible endpoint.

    `key` names the variable its key is in, "" where it wants none; `extra` goes into
    the body of every request.
    """

    name: str
    base_url: str
    key: str = ""
    local: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


PRESETS = {
    item.name: item
    for item in (
        Endpoint(
            name="openai", base_url="https://api.openai.com/v1", key="OPENAI_API_KEY"
        ),
        Endpoint(
            name="openrouter",
            base_url="https://openrouter.ai/api/v1",
            key="OPENROUTER_API_KEY",
        ),
        Endpoint(
            name="venice",
            base_url="https://api.venice.ai/api/v1",
            key="VENICE_API_KEY",
            # else a system prompt of theirs stands before ours
            extra={"venice_parameters": {"include_venice_system_prompt": False}},
        ),
        Endpoint(
            name="anthropic",
            base_url="https://api.anthropic.com/v1",
            key="ANTHROPIC_API_KEY",
        ),
        Endpoint(name="ollama", base_url="http://localhost:11434/v1", local=True),
        Endpoint(name="vllm", base_url="http://localhost:8000/v1", local=True),
        Endpoint(name="lmstudio", base_url="http://localhost:1234/v1", local=True),
    )
}


def endpoint(
    named: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    usual: str = "openai",
) -> Endpoint:
    """Return the endpoint of a name or a URL; without one, the environment's.

    LOOPGRAPH_PROVIDER names it, else OPENAI_BASE_URL is its address, else it is
    OpenAI's; `usual` may name another vendor, whose variable counts then. Raises
    UsageError for a name that nobody knows.
    """
    named = named or environ.get(PROVIDER)
    if named:
        return PRESETS.get(named) or _at(named, KEY)
    vendor = PRESETS[usual]
    url = environ.get(f"{usual.upper()}_BASE_URL", "").rstrip("/")
    if url and usual == "anthropic" and not url.endswith("/v1"):
        # Anthropic's own clients leave it out
        url += "/v1"
    return _at(url, vendor.key) if url else vendor


def _at(url: str, key: str) -> Endpoint:
    """Return an endpoint at a URL; its key is in the variable `key`, if there is one."""
    found = _URL.match(url)
    if found is None:
        raise UsageError(
            f"{url!r} is no provider: one of {', '.join(PRESETS)}, or a URL such as "
            "http://localhost:8080/v1"
        )
    host = found["host"].strip("[]")
    return Endpoint(name=host, base_url=url, key=key, local=host in _LOCAL)


def key_of(place: Endpoint, environ: Mapping[str, str] = os.environ) -> str:
    """Return the key for an endpoint: from its variable, or what a command prints.

    Raises ProviderError where it needs one and there is none.
    """
    key = environ.get(place.key, "") if place.key else ""
    command = environ.get(KEY_COMMAND, "")
    if not key and command and not place.local:
        key = _printed(command)
    if key:
        return key
    if place.name in PRESETS and place.key:
        raise ProviderError(
            f"no key for {place.name}: set {place.key} (or {KEY_COMMAND} to a command "
            "that prints it), or name another endpoint with --provider: "
            f"{', '.join(PRESETS)}, or a URL"
        )
    # local servers want any key that is not empty
    return "none"


def _printed(command: str) -> str:
    """Return the first line that a command of the user prints."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise ProviderError(f"{KEY_COMMAND} is no command line: {error}") from error
    try:
        text = runner.printed(argv, seconds=_KEY_SECONDS)
    except (OSError, ValueError) as error:
        raise ProviderError(f"{KEY_COMMAND} ({argv[0]}) failed: {error}") from error
    return text.split("\n", 1)[0].strip()
