"""`packs`: the methods that are known, and their recipes on your own files."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.grounds import Grounds, grounds
from loopgraph_git.cli.options import as_json
from loopgraph_git.cli.patching import patch
from loopgraph_git.errors import PackError, StoreError, UsageError
from loopgraph_git.library import fitting
from loopgraph_git.library.catalogue import catalogue, find, template, validated
from loopgraph_git.library.conditions import describe
from loopgraph_git.library.fields import ID
from loopgraph_git.library.packs import pack_files
from loopgraph_git.library.yaml_tree import typed
from loopgraph_git.records.texts import tallied
from loopgraph_git.review.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loopgraph_git.library.catalogue import Listed
    from loopgraph_git.library.fitting import Attempt
    from loopgraph_git.records import Method, Operation, Prior, Source

_WIDTH = 80
_TRUST = "Packs are trusted with the settings: `git lg trust` has to be given anew."
_ORIGINS = {"arxiv": "arXiv:", "commit": "commit ", "url": "", "log": ""}


@click.group()
def packs() -> None:
    """List, show, check, apply and write methods.

    Methods come from the packs that git lg ships with and from those in
    .loopgraph/packs/, which override them by id. docs/packs.md has the format.

    Example: git lg packs list
    """


@packs.command("list")
@click.option("--family", help="Only this family, such as optimizer.")
@as_json
def list_(*, family: str | None, json_: bool) -> None:
    """List the methods, and how each stands to the code at HEAD.

    "applies" means that its recipe was tried and fits; nothing is written.

    Example: git lg packs list --family attention
    """
    ground = grounds()
    known = catalogue(ground.folders)
    chosen = _of_family(known, family) if family else known
    tried = _tried(ground)
    stands = _stands(known, chosen, ground.at_head())
    if json_:
        found = [
            {**_summary(item), "tries": tried[name], **_state(stands.get(name))}
            for name, item in chosen.items()
        ]
        render.emit_json("packs", found)
        return
    rows = [
        (
            name,
            item.method.family,
            "yes" if item.method.recipe else "-",
            tried[name] or "-",
            _state(stands.get(name))["state"] or "-",
            item.method.title,
        )
        for name, item in chosen.items()
    ]
    render.table(["method", "family", "recipe", ">tries", "at HEAD", "title"], rows)
    click.echo(f"\n{_counted(stands)}" if stands else f"\n{ground.why_no_code}")


def _of_family(known: Mapping[str, Listed], family: str) -> dict[str, Listed]:
    chosen = {name: x for name, x in known.items() if x.method.family == family}
    if not chosen:
        families = sorted({item.method.family for item in known.values()})
        raise UsageError(f"no family {family!r}; there are {', '.join(families)}")
    return chosen


def _stands(
    known: Mapping[str, Listed],
    chosen: Mapping[str, Listed],
    files: Mapping[str, str],
) -> dict[str, Attempt]:
    if not files:
        return {}
    contexts = fitting.contexts([item.method for item in known.values()], files)
    return {
        name: fitting.attempt(item.method, files, contexts[name])
        for name, item in chosen.items()
    }


def _tried(ground: Grounds) -> Counter[str]:
    """Return how often each method was tried, where an index is there to tell."""
    found: Counter[str] = Counter()
    path = ground.repo.home / "researchfs.db" if ground.repo else None
    if path is None or not path.is_file():
        return found
    from loopgraph_git.researchfs import standings  # noqa: PLC0415  30 ms
    from loopgraph_git.researchfs.store import Store  # noqa: PLC0415

    with suppress(StoreError), Store.open(path) as store:
        for trial in standings.trials(store):
            found.update(trial.methods)
    return found


def _counted(stands: Mapping[str, Attempt]) -> str:
    counts = Counter(item.state for item in stands.values())
    return ", ".join(
        f"{counts[state]} {state}" for state in fitting.State if counts[state]
    )


def _state(found: Attempt | None) -> dict[str, str | None]:
    """Return how a method stands to the code; nothing where there is no code."""
    if found is None:
        return {"state": None, "why": None}
    return {"state": str(found.state), "why": found.why}


def _summary(item: Listed) -> dict[str, Any]:
    method = item.method
    return {
        "id": method.id,
        "family": method.family,
        "title": method.title,
        "recipe": bool(method.recipe),
        "file": item.file,
        "line": item.line,
        "overrides": item.overrides,
    }


@packs.command()
@click.argument("method")
@as_json
def show(method: str, *, json_: bool) -> None:
    """Show all that a pack says of a method, and where it says so.

    Example: git lg packs show swiglu
    """
    ground = grounds()
    known = catalogue(ground.folders)
    item = find(known, method)
    found = _stands(known, {method: item}, ground.at_head()).get(method)
    if json_:
        told = {**asdict(item.method), **_summary(item), **_state(found)}
        render.emit_json("method", told)
        return
    click.secho(render.plain(item.method.id), bold=True, nl=False)
    click.echo(f"  {render.plain(item.method.title)}\n")
    for name, words in _told(item, found):
        click.echo(_wrapped(f"{name:<10}", render.plain(words), whole=name == "pack"))
    if item.method.recipe:
        click.echo("\nrecipe")
        for number, step in enumerate(item.method.recipe, 1):
            click.echo(render.block("\n".join(_step(step, f"{number}. "))))


def _wrapped(head: str, words: str, *, whole: bool = False) -> str:
    return textwrap.fill(
        words,
        width=len(head + words) if whole else _WIDTH,  # a path may have spaces
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
        break_long_words=False,
    )


def _told(item: Listed, found: Attempt | None) -> Iterator[tuple[str, str]]:
    method = item.method
    yield "family", method.family
    over = f", in place of the one in {item.overrides}" if item.overrides else ""
    yield "pack", f"{item.file}:{item.line}{over}"
    if found:
        yield "at HEAD", f"{found.state}: {found.why}" if found.why else found.state
    yield "what", method.summary
    said = (("helps", method.helps), ("hurts", method.hurts))
    yield from ((name, words) for name, words in said if words)
    if method.aliases:
        yield "also", ", ".join(method.aliases)
    yield from (("source", _source(source)) for source in method.sources)
    yield from _conditions(method)
    for knob in method.knobs:
        others = ", ".join(map(str, knob.values))
        yield "knob", f"{knob.name} = {knob.default} (also {others or 'any value'})"
    yield from (("prior", _prior(prior)) for prior in method.priors)
    if not method.recipe:
        yield "recipe", "none: the edit needs a person, or a chat proposer"


def _conditions(method: Method) -> Iterator[tuple[str, str]]:
    if method.detect:
        yield "is there", f"with {' and '.join(map(describe, method.detect))}"
    yield from (("needs", describe(condition)) for condition in method.requires)
    if method.conflicts:
        yield "excludes", ", ".join(method.conflicts)


def _source(source: Source) -> str:
    given = ((word, getattr(source, name)) for name, word in _ORIGINS.items())
    place = next(f"{word}{value}" for word, value in given if value)
    section = f"section {source.section}" if source.section else ""
    return ", ".join(part for part in (source.title, place, section) if part)


def _prior(prior: Prior) -> str:
    where = ", ".join(part for part in (prior.platform, prior.scale) if part)
    seen = f"n {prior.n:g}, typical change {prior.spread:g}"
    about = f"{where}; {seen}" if where else seen
    return f"{prior.gain:+g} ({about}): {prior.source}"


def _step(step: Operation, lead: str) -> Iterator[str]:
    """Yield a step of a recipe as lines: its verb and place, then its text."""
    if step.verb == "any":
        yield f"{lead}the first of these that applies"
        blank = " " * len(lead)
        for alternative in step.arguments["any"]:
            for number, inner in enumerate(alternative):
                yield from _step(inner, f"{blank}{'- ' if number == 0 else '  '}")
        return
    short = {k: str(v) for k, v in step.arguments.items() if "\n" not in str(v)}
    unless = step.arguments.get("unless")
    if unless is not None:
        listed = unless if isinstance(unless, list | tuple) else [unless]
        short["unless"] = f"there is {' and '.join(map(describe, listed))}"
    first = f"{step.verb} {short.pop(step.verb, '')}".rstrip()
    yield lead + ", ".join([first, *(f"{key} {value}" for key, value in short.items())])
    for key, value in step.arguments.items():
        if key not in short and "\n" in str(value):
            if key != step.verb:
                yield f"{' ' * len(lead)}{key}"
            yield textwrap.indent(str(value).rstrip("\n"), " " * (len(lead) + 4))


@packs.command(short_help="Say what is wrong with packs, and where.")
@click.argument("files", nargs=-1, metavar="[FILE...]", type=click.Path())
def validate(files: tuple[str, ...]) -> None:
    """Say what is wrong with packs: file, line, method, key and what was expected.

    Without a FILE, the packs of git lg and those in .loopgraph/packs/ are checked.
    Exits with 1 where anything is wrong.

    Example: git lg packs validate .loopgraph/packs/mine.yml
    """
    folders = grounds().folders
    paths = [Path(name) for name in files]
    if not paths:
        paths = [path for folder in folders for path in pack_files(folder)]
    sound, problems = validated(paths, folders)
    if problems:
        raise PackError("\n".join(problems))
    methods = [method for pack in sound for method in pack.methods]
    recipes = sum(bool(method.recipe) for method in methods)
    found = {"packs": len(sound), "methods": len(methods), "recipes": recipes}
    click.echo(f"{tallied(found)}: nothing is wrong")


@packs.command()
@click.argument("method")
@click.argument("files", nargs=-1, metavar="[FILE...]", type=click.Path())
@click.option("--dry-run", is_flag=True, help="Show the diff, write nothing.")
@click.option(
    "--knob",
    "knobs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Turn a knob of the recipe; may be given again.",
)
def apply(
    method: str, files: tuple[str, ...], *, dry_run: bool, knobs: tuple[str, ...]
) -> None:
    """Make the edit of a method's recipe in your own files.

    FILE is what may be edited; without it, the `editable` files of the repository as
    they are in your checkout. The diff is printed. Every file is written as a whole,
    and none where a step does not apply.

    Example: git lg packs apply swiglu --dry-run
    """
    ground = grounds()
    known = catalogue(ground.folders)
    chosen = find(known, method).method
    patch(
        ground,
        chosen,
        [item.method for item in known.values()],
        ground.texts(files),
        knobs=_knobs(chosen, knobs),
        dry_run=dry_run,
    )


def _knobs(method: Method, given: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE; raises UsageError for a knob or a value of the wrong kind."""
    defaults = {knob.name: knob.default for knob in method.knobs}
    values: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or name not in defaults:
            known = ", ".join(defaults) or "none"
            raise UsageError(
                f"{item!r} turns no knob of {method.id}: write NAME=VALUE; "
                f"its knobs: {known}"
            )
        values[name] = typed(text)
        if not isinstance(defaults[name], str) and not isinstance(
            values[name], int | float
        ):
            raise UsageError(f"the knob {name} takes a number, not {text!r}")
    return values


@packs.command(short_help="Write a pack to begin with.")
@click.argument("name", default="mine")
def new(name: str) -> None:
    """Write a pack to begin with, every key explained, into .loopgraph/packs/.

    Example: git lg packs new attention-ideas
    """
    if not re.fullmatch(ID, name):
        raise UsageError(f"{name!r} is no name for a pack: a-z, 0-9 and - only")
    folder = grounds().own_folder()
    path = folder / f"{name}.yml"
    if path.exists():
        raise UsageError(f"{path} exists: name another")
    folder.mkdir(parents=True, exist_ok=True)
    write_file(path, [template(name).encode()])
    click.echo(f"wrote {path}: edit it, then `git lg packs validate`.\n{_TRUST}")
