"""`why`: from an outcome back to the paper that it came from."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.git import refs
from loopgraph_git.git.blame import parse_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loopgraph_git.lab import Lab
    from loopgraph_git.loopgraph import LoopGraph
    from loopgraph_git.provenance import Why
    from loopgraph_git.records import Experiment
    from loopgraph_git.researchfs.provenance import Asked, Cited, Known, Suggested

_WIDTH = 79
_SHOWN = 6
_PASSAGE = 240
_BOXES = ("├─ ", "└─ ", "│  ", "   ")
_ASCII = ("|- ", "`- ", "|  ", "   ")


class _Node(NamedTuple):
    """A text of one or more lines, and what stands below it."""

    text: str
    below: tuple[_Node, ...] = ()


@click.command()
@click.argument("what")
@as_json
def why(what: str, *, json_: bool) -> None:
    """Say where a commit, a line or a method comes from, and what lost beside it.

    WHAT is a rev, a line such as train.py:42 or lg/main:train.py:42, or the id of a
    method. A line is traced along first parents to the commit that put it there.

    Example: git lg why lg/main:train.py:42
    """
    lab = opened()
    found = lab.why(_from_the_top(lab, what))
    if json_:
        render.emit_json("why", found.to_dict())
        return
    for line in _drawn(_tree(found, lab)):
        click.echo(line)


def _from_the_top(lab: LoopGraph, what: str) -> str:
    """Return a line of `./file` or `../file` by the path from the top, as git has it."""
    place = parse_place(what)
    if place is None or not place.path.startswith(("./", "../")):
        return what
    path = Path(os.path.relpath(place.path, lab.repo.root)).as_posix()
    return f"{place.rev}:{path}:{place.number}"


def _tree(found: Why, lab: Lab) -> _Node:
    if found.line is not None:
        number = f"{found.line.path}:{found.line.number}"
        below = _experiment(found) if found.experiment else _nobody(found, lab)
        return _Node(f"{number}  {found.line.text.strip()}", (below,))
    if found.commit is None:
        return _method_alone(found)
    return _experiment(found) if found.experiment else _nobody(found, lab)


def _nobody(found: Why, lab: Lab) -> _Node:
    commit = found.commit.short if found.commit else ""
    below = []
    if found.line is not None:
        sessions = [
            ref.removeprefix("refs/heads/")
            for ref in lab.repo.refs(refs.SESSIONS)
            if not found.asked_about.startswith(ref.removeprefix("refs/heads/"))
        ]
        place = f"{found.line.path}:{found.line.number}"
        below = [
            _Node(f"on {name} it may be another: `git lg why {name}:{place}`")
            for name in sessions[:2]
        ]
    said = "no experiment wrote it" if found.line else "no experiment"
    return _Node(f"{said}: commit {commit}  {found.subject}", tuple(below))


def _experiment(found: Why) -> _Node:
    item = found.experiment
    if item is None:
        return _nobody(found, opened())
    text = f"{_outcome(item)}\n{_measured(item)}"
    if found.commit != item.commit and found.commit is not None:
        text += f"\nlanded as {found.commit.short}"
    asked = found.retrieval
    ranked = {x.method: x for x in asked.suggested} if asked else {}
    chains = tuple(_method(item, ranked.get(item.id)) for item in found.methods)
    if asked is not None:
        chains = (_retrieval(asked, item, chains),)
    elif not chains:
        chains = (_Node("nobody asked the memory, and no method is named"),)
    return _Node(
        text,
        (
            *chains,
            *_group("tried on the same code", found.siblings),
            *_group(f"other tries of {', '.join(item.methods)}", found.tries),
        ),
    )


def _outcome(item: Experiment) -> str:
    verdict = str(item.verdict or item.status or "no outcome")
    return f"{verdict} {item.commit.short}  {item.subject}"


def _measured(item: Experiment) -> str:
    gain = f" (gain {render.signed(item.delta)})" if item.delta is not None else ""
    value = f"{item.metric} {render.number(item.value)}{gain}" if item.metric else ""
    return "; ".join(part for part in (value, item.reason) if part)


def _retrieval(asked: Asked, item: Experiment, chains: tuple[_Node, ...]) -> _Node:
    on = f" on {asked.baseline[:7]}" if asked.baseline else ""
    said = f"retrieval {asked.record[:7]}{on}, {render.when(asked.ts)}: {asked.goal}"
    others = tuple(
        _Node(
            f"{other.rank}. {other.method}, score {render.number(other.score)}: "
            f"{other.why}",
            tuple(_Node(_outcome(x)) for x in other.tries[:_SHOWN]),
        )
        for other in asked.suggested
        if other.method not in item.methods
    )
    also = (_Node("it also suggested", others),) if others else ()
    return _Node(said, (*chains, *also))


def _method(method: Known, ranked: Suggested | None = None) -> _Node:
    title = method.title or "in no pack that is here"
    if ranked is not None:
        title += f"; suggestion {ranked.rank}, score {render.number(ranked.score)}"
    cited = tuple(_cited(item) for item in method.cited)
    others = tuple(_cited(item) for item in method.mentioned)
    also = (_Node("also mentioned in", others),) if others else ()
    return _Node(f"method {method.id}: {title}", (*cited, *also))


def _cited(item: Cited) -> _Node:
    paper = item.paper
    named = paper.title if paper.title != paper.key else ""
    url = paper.url if paper.url not in ("", item.place) else ""
    place = item.section or item.place
    said = ", ".join(part for part in (named, paper.key, place, url) if part)
    source = _Node(f"{'pack' if paper.key.startswith('pack:') else 'paper'} {said}")
    if not item.passage:
        return source
    passage = textwrap.shorten(item.passage, _PASSAGE, placeholder=" …")
    name = f"{item.chunk} " if item.chunk else ""
    return _Node(f"passage {name}“{item.title}”: {passage}", (source,))


def _method_alone(found: Why) -> _Node:
    node = _method(found.methods[0])
    tried = _group("tried as", found.tries)
    return _Node(node.text, (*node.below, *(tried or (_Node("never tried"),))))


def _group(title: str, items: Iterable[Experiment]) -> tuple[_Node, ...]:
    found = [_Node(f"{_outcome(item)}\n{_measured(item)}") for item in items]
    if not found:
        return ()
    left = len(found) - _SHOWN
    more = (_Node(f"and {left} more (--json has them all)"),) if left > 0 else ()
    return (_Node(title, (*found[:_SHOWN], *more)),)


def _drawn(node: _Node) -> Iterator[str]:
    """Draw a tree in 79 columns, with lines that the terminal's encoding has."""
    yield from _lines(node, "", "", boxes(sys.stdout.encoding))


def boxes(encoding: str | None) -> tuple[str, str, str, str]:
    """Return what a tree is drawn with in an encoding."""
    try:
        "".join(_BOXES).encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return _ASCII
    return _BOXES


def _lines(
    node: _Node, first: str, rest: str, marks: tuple[str, str, str, str]
) -> Iterator[str]:
    tee, corner, bar, blank = marks
    lead, after = first, rest + (bar if node.below else blank)
    for line in filter(None, map(render.plain, node.text.split("\n"))):
        for part in textwrap.wrap(line, max(_WIDTH - len(after), 20)):
            yield f"{lead}{part}"
            lead = after
    for number, child in enumerate(node.below):
        last = number == len(node.below) - 1
        begin, go_on = (corner, blank) if last else (tee, bar)
        yield from _lines(child, rest + begin, rest + go_on, marks)
