"""A method as JSON and back: what the `definition` column holds."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from msgspec import to_builtins

from loopgraph_git.errors import StoreError
from loopgraph_git.records import Knob, Method, Operation, Prior, Source, canonical

_VERSION = re.compile(r"v\d+\Z")
_WORDS = ("id", "title", "family", "summary", "pack", "helps", "hurts")


def encode_method(method: Method) -> str:
    """Return the JSON text of a method; raises RecordError for what JSON cannot."""
    return canonical(to_builtins(method))


@lru_cache(maxsize=4096)
def decode_method(text: str) -> Method:
    """Read a method back; raises StoreError when the row was written by a stranger."""
    try:
        plain: dict[str, Any] = json.loads(text)
        return Method(
            **{name: plain[name] for name in _WORDS},
            aliases=tuple(plain["aliases"]),
            sources=tuple(Source(**item) for item in plain["sources"]),
            detect=tuple(plain["detect"]),
            requires=tuple(plain["requires"]),
            conflicts=tuple(plain["conflicts"]),
            knobs=tuple(_knob(item) for item in plain["knobs"]),
            priors=tuple(Prior(**item) for item in plain["priors"]),
            recipe=tuple(_operation(item) for item in plain["recipe"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"a stored method cannot be read ({error}): run `git lg reindex`"
        ) from error


def source_key(source: Source | None, pack: str) -> str:
    """Return the key of the paper that a source means: `arxiv:<id>` without version.

    What is no paper (a log line, a commit, nothing) is known by the pack that says
    it, `pack:<name>`.
    """
    if source is None or not source.arxiv:
        return f"pack:{pack}"
    return f"arxiv:{_VERSION.sub('', source.arxiv)}"


def source_place(source: Source | None) -> str:
    """Return where the claim stands: section, log line, commit or address."""
    if source is None:
        return ""
    return source.section or source.log or source.commit or source.url


def _knob(item: dict[str, Any]) -> Knob:
    return Knob(
        name=item["name"], default=item["default"], values=tuple(item["values"])
    )


def _operation(item: dict[str, Any]) -> Operation:
    """Read an operation back; those of `any` hold lists of operations themselves."""
    arguments = dict(item["arguments"])
    if item["verb"] == "any":
        arguments["any"] = tuple(
            tuple(_operation(step) for step in alternative)
            for alternative in arguments["any"]
        )
    return Operation(verb=item["verb"], arguments=arguments)
