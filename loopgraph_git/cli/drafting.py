"""What `ingest --extract` does after the taking in, and how it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.errors import LoopGraphError, UsageError
from loopgraph_git.loop.drafts import Drafted, Extraction
from loopgraph_git.loop.endpoints import endpoint
from loopgraph_git.loop.providers import ChatProvider
from loopgraph_git.loop.usage import Meter
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loopgraph_git.cli.options import Wanted
    from loopgraph_git.ingest.taken import Ingested
    from loopgraph_git.loopgraph import LoopGraph

_LEFT_OUT = 5
_LINKED = "what was taken in is linked to methods by name and alias alone"


@dataclass
class Drafts:
    """What was drafted so far, and the error that ended it, if one did."""

    found: dict[str, Drafted]
    error: LoopGraphError | None = None


def drafts(
    lab: LoopGraph,
    items: Sequence[Ingested],
    wanted: Wanted,
    say: Callable[[str], None],
) -> Drafts:
    """Draft methods from all that was taken in; an error ends it, and is returned."""
    made = Drafts({})
    meter = Meter(max_tokens=wanted.max_tokens, max_cost_usd=wanted.max_cost)
    keys = dict.fromkeys(item.key for item in items if item.passages and not item.error)
    try:
        extraction = _extraction(lab, wanted, meter, say)
        for key in keys:
            made.found[key] = extraction.draft(key)
    except LoopGraphError as error:
        made.error = error
    if meter.total.requests:
        click.echo(f"the LLM: {meter.total}", err=True)
    return made


def _extraction(
    lab: LoopGraph, wanted: Wanted, meter: Meter, say: Callable[[str], None]
) -> Extraction:
    """Return who drafts; raises UsageError or ProviderError that says what is missing."""
    llm = wanted.llm or lab.config.chat_model
    if not llm:
        raise UsageError(
            "--extract needs an LLM: `--model NAME`, or chat_model in .loopgraph.yml, "
            f"and `--provider` where it is not OpenAI's; {_LINKED}"
        )
    if lab.repo.bare:
        raise UsageError("--extract: a bare repository has no folder for drafts")
    try:
        chat = ChatProvider(llm, at=endpoint(wanted.provider), meter=meter)
    except LoopGraphError as error:
        raise type(error)(f"--extract: {error}; {_LINKED}") from error
    holdings = lab.client.holdings
    return Extraction(
        provider=chat,
        llm=llm,
        shelf=holdings.shelf,
        folders=holdings.folders,
        files=lab.code("HEAD"),
        config=lab.config,
        say=say,
    )


def tell(found: Sequence[Drafted]) -> None:
    """Print what was drafted, where it is, and how it is looked at and accepted."""
    for item in found:
        head, *lines = map(render.plain, _lines(item))
        click.echo("\n  ".join([head, *lines]))
    files = [_shown(item.file) for item in found if item.file]
    if not files:
        return
    first = render.plain(files[0])
    packs = render.plain(os.path.dirname(os.path.dirname(files[0])))  # noqa: PTH120
    click.echo(
        "\nDrafts of an LLM: nothing reads them until you have. Look, and accept:\n"
        f"  git lg packs validate '{first}'\n"
        f"  mv '{first}' '{packs}/' && git lg trust\n"
        "  git lg packs show ID; git lg packs apply ID --dry-run"
    )


def _lines(item: Drafted) -> Iterator[str]:
    if item.file:
        what = "drafted" if item.new else "were drafted before:"
        yield (
            f"{item.key}: {what} {counted(len(item.methods), 'method')}, "
            f"{len(item.recipes)} with a recipe, in {_shown(item.file)}"
        )
        yield ", ".join(item.methods)
    else:
        yield f"{item.key}: nothing to draft"
    yield from (f"left out: {why}" for why in item.left_out[:_LEFT_OUT])
    more = len(item.left_out) - _LEFT_OUT
    if more > 0:
        yield f"left out: {more} more (--json has them all)"


def _shown(file: str) -> str:
    return os.path.relpath(file, Path.cwd())
