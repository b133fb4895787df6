"""`ingest`: papers, files, repositories and packs, taken into the memory."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import Wanted, as_json, opened, paid_llm
from loopgraph_git.errors import UsageError
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loopgraph_git.ingest.taken import Ingested
    from loopgraph_git.loopgraph import LoopGraph

_METHODS = 8
_SHORT = 12
_LEFT_OUT = 3
_HOW = {"latex": "the LaTeX source", "pdf": "the PDF", "abstract": "the abstract alone"}


@click.command()
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "-n",
    "limit",
    default=10,
    show_default=True,
    type=click.IntRange(1, 2000),
    help="How many papers of a search.",
)
@click.option("--refresh", is_flag=True, help="Look whether there is a newer version.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken in.")
@click.option("--list", "list_", is_flag=True, help="List what was taken in before.")
@click.option("--extract", is_flag=True, help="Let an LLM draft methods, for review.")
@click.option("--model", help="The LLM for --extract.")
@paid_llm
@as_json
def ingest(  # noqa: PLR0913  one parameter an option
    targets: tuple[str, ...],
    *,
    limit: int,
    refresh: bool,
    dry_run: bool,
    list_: bool,
    extract: bool,
    model: str | None,
    provider: str | None,
    max_tokens: int | None,
    max_cost: float | None,
    json_: bool,
) -> None:
    """Take in papers, files, repositories and packs, to be searched and cited.

    \b
    arxiv:2002.05202, a URL of arXiv    a paper; with v1 that version
    'search:muon optimizer'             the first papers that arXiv finds
    paper.pdf, notes.md, a folder       what is in the file or the folder
    paper/, paper.tar.gz                the LaTeX source of a paper
    github:OWNER/NAME[@REV], file://    the code and the pages of a repository
    mine.yml                            a pack of methods, for .loopgraph/packs/

    What was fetched is kept in this clone and not asked for twice: interrupted,
    an ingest goes on where it was. Exits with 1 when a target failed; the others
    are taken in.

    With --extract an LLM reads the passages that speak of training, and drafts
    methods with recipes for your code, in .loopgraph/packs/drafts/. Nothing reads
    them there: you do, and move up what is good. Exits with 4 at a budget.

    Example: git lg ingest arxiv:2002.05202 notes/
    """  # noqa: D301  click reads the backspace: a table is not to be wrapped
    if list_ == bool(targets):
        raise UsageError("give what to take in, or --list alone")
    wanted = _wanted(Wanted(model, provider, max_tokens, max_cost), extract=extract)
    if extract and (list_ or dry_run):
        raise UsageError("--extract takes in: not with --list or --dry-run")
    lab = opened()
    if list_:
        _print(lab.client.holdings.shelved(), json_=json_, listed=True)
        return
    found: list[Ingested] = []
    for target in dict.fromkeys(targets):
        with _told() as say, _interruptible():
            came = lab.ingest(
                target, limit=limit, refresh=refresh, dry_run=dry_run, say=say
            )
        found += came
        if not json_:
            for item in came:
                _tell(item)
    _finish(lab, found, wanted, json_=json_)
    if any(item.error for item in found):
        click.get_current_context().exit(1)


def _wanted(given: Wanted, *, extract: bool) -> Wanted | None:
    """Return who is to draft, None where nobody is; raises UsageError."""
    if not extract and any(given):
        raise UsageError("--model, --provider and the limits belong to --extract")
    return given if extract else None


def _finish(
    lab: LoopGraph, found: Sequence[Ingested], wanted: Wanted | None, *, json_: bool
) -> None:
    if wanted:
        _extract(lab, found, wanted, json_=json_)
    else:
        _print(found, json_=json_)


def _extract(
    lab: LoopGraph, found: Sequence[Ingested], wanted: Wanted, *, json_: bool
) -> None:
    """Draft methods from what was taken in, print both, and raise what ended it."""
    # 0.2 s, and only those who have an LLM need it
    from loopgraph_git.cli.drafting import drafts, tell  # noqa: PLC0415

    if not json_:
        _print(found, json_=False)
    with _told() as say, _interruptible():
        made = drafts(lab, found, wanted, say)
    if json_:
        by_key = {key: item.to_dict() for key, item in made.found.items()}
        plain = [{**item.to_dict(), "drafted": by_key.get(item.key)} for item in found]
        render.emit_json("ingest", plain)
    else:
        tell(list(made.found.values()))
    if made.error:
        raise made.error


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("note: what was read is kept: the same command goes on", err=True)
        raise


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Show on stderr what goes on: a live line on a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield lambda text: click.echo(render.plain(text), err=True)
        return
    from rich.console import Console  # noqa: PLC0415  43 ms
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True, highlight=False).status("") as line:
        # a text of its own: brackets in it would be taken for markup
        yield lambda text: line.update(Text(render.plain(text)))


def _print(found: Sequence[Ingested], *, json_: bool, listed: bool = False) -> None:
    if json_:
        render.emit_json("ingest", [item.to_dict() for item in found])
        return
    if listed:
        for item in found:
            _tell(item)
    click.echo(_summary(found))


def _tell(item: Ingested) -> None:
    """Print what came of a target; what failed goes to stderr."""
    if item.error:
        # a broken pack says a line for each thing that is wrong with it
        said = item.error
        if not said.startswith(item.target):
            said = f"{item.target}: {said}"
        click.echo(f"git-lg: {render.block(said)}", err=True)
        return
    click.secho(
        render.plain(f"{item.key} {item.version[:_SHORT]}"), bold=True, nl=False
    )
    click.echo(f"  {render.plain(item.title)}")
    for line in _lines(item):
        click.echo(f"  {render.plain(line)}")


def _lines(item: Ingested) -> Iterator[str]:
    read = f", {counted(item.passages, 'passage')}" if item.passages else ""
    how = f" from {_HOW.get(item.how, item.how)}" if item.how and read else ""
    yield f"{item.came}{read}{how}"
    if item.why:
        yield f"nothing better: {item.why}"
    if item.same_as:
        yield f"repeats {item.same_as} ({item.share:.0%} alike): that one is searched"
    names = list(item.methods or ())
    if names:
        more = f" and {len(names) - _METHODS} more" if len(names) > _METHODS else ""
        verb = "has" if item.how == "pack" else "mentions"
        yield f"{verb} {', '.join(names[:_METHODS])}{more}"
    yield from item.notes
    for words in item.left_out[:_LEFT_OUT]:
        yield f"left out: {words}"
    if len(item.left_out) > _LEFT_OUT:
        yield f"left out: {len(item.left_out) - _LEFT_OUT} more (--json has them all)"


def _summary(found: Sequence[Ingested]) -> str:
    good = [item for item in found if not item.error]
    methods = {name for item in good for name in item.methods or ()}
    parts = [
        counted(len({item.key for item in good}), "source"),
        counted(sum(item.passages for item in good if not item.same_as), "passage"),
        counted(len(methods), "method"),
    ]
    failed = len(found) - len(good)
    return ", ".join([*parts, *([f"{failed} failed"] if failed else [])])
