"""The rules that a draft has to keep: those of a pack, and more, since nobody wrote it.

Texts are short, and hold no address, path or command. A recipe says nothing that
reaches beyond a training script, and applies to the code at HEAD under the rules of any
edit. A figure stands in the passage it is said to be from.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from loopgraph_git.errors import EditError, PackError, RecipeError
from loopgraph_git.library import fitting
from loopgraph_git.library.packs import parse_pack, validate
from loopgraph_git.loop import gate, lint
from loopgraph_git.loop.drafts.reach import beyond_words, overreach
from loopgraph_git.loop.drafts.writing import dumped, listed, method_of
from loopgraph_git.records import Context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loopgraph_git.config import Config
    from loopgraph_git.library.fitting import Attempt
    from loopgraph_git.loop.drafts.answers import Draft
    from loopgraph_git.records import Method, Paper

REQUIRED = ("id", "title", "summary")
_WORDS = {"id": 60, "title": 100, "family": 40, "summary": 600, "helps": 400, "hurts": 400}  # fmt: skip
_LISTS = {"aliases": 8, "conflicts": 8, "detect": 6, "requires": 6, "knobs": 6, "priors": 4}  # fmt: skip
_VALUES = 8
_CODE_LIMIT, _STEPS = 8000, 40
_FIGURE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_PERCENT = 100.0
_FIGURES = 200


class Fault(NamedTuple):
    """One thing wrong with a draft: under which key, and what."""

    key: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What drafts are held against: the paper, and the code at HEAD, which may be none."""

    paper: Paper
    files: Mapping[str, str]
    config: Config


def faults(draft: Draft, ground: Ground) -> list[Fault]:
    """Return all that is wrong with a draft; what depends on it is not looked at."""
    if draft.passage is None:
        return [
            Fault("passage", "expected the number of a passage that you were shown")
        ]
    problems = validate(_pack(draft, ground), "draft")
    found = [
        Fault(_top(item.key, draft), f"{item.key}: {item.message}") for item in problems
    ]
    found += _said(draft)
    wrong = {fault.key for fault in found}
    if "priors" not in wrong:
        found += _unfounded(draft)
    if not wrong:
        found += _misfits(draft, ground)
    return found


def _pack(draft: Draft, ground: Ground) -> str:
    """Return the pack that holds one draft alone."""
    method = method_of(draft, ground.paper)
    return dumped({"pack": "draft", "title": "A draft", "methods": [method]})


def _top(key: str, draft: Draft) -> str:
    """Return the key of a draft that the path of a problem begins with."""
    found = re.match(r"[\w-]+", key)
    return key if key in draft.keys or not found else found[0]


def _said(draft: Draft) -> Iterator[Fault]:
    """Yield what is too long, or says more than words."""
    for key, limit in _WORDS.items():
        if len(str(draft.keys.get(key, ""))) > limit:
            yield Fault(key, f"{key}: longer than {limit} characters")
    for key, limit in _LISTS.items():
        if len(listed(draft.keys.get(key))) > limit:
            yield Fault(key, f"{key}: more than {limit}")
    for key, value in draft.keys.items():
        # a recipe is code, and judged as such
        said = [] if key == "recipe" else map(_unsaid, _texts(value))
        yield from (Fault(key, f"{key}: {wrong}") for wrong in said if wrong)
    yield from _shaped(draft)


def _unsaid(text: str) -> str:
    if len(text) > max(_WORDS.values()):
        return "too long"
    if beyond_words(text):
        return "holds an address, a path or a command: words alone are taken"
    return ""


def _shaped(draft: Draft) -> Iterator[Fault]:
    for knob in listed(draft.keys.get("knobs")):
        if isinstance(knob, dict) and len(listed(knob.get("values"))) > _VALUES:
            yield Fault("knobs", f"knobs: more than {_VALUES} values")
    for key in ("detect", "requires", "recipe"):
        if any(name == "pattern" for name in _names(draft.keys.get(key))):
            words = "a regular expression is left to people"
            yield Fault(key, f"{key}: {words}; use defines, calls, constant")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _names(value: Any) -> Iterator[str]:
    """Yield every key inside a plain value."""
    inside = value.values() if isinstance(value, dict) else listed(value)
    if isinstance(value, dict):
        yield from map(str, value)
    for inner in inside:
        if isinstance(inner, dict | list):
            yield from _names(inner)


def _unfounded(draft: Draft) -> Iterator[Fault]:
    """Yield the priors whose gain is no figure of the passage, nor of two a difference."""
    body = draft.passage.body if draft.passage else ""
    said = _FIGURE.findall(body)[:_FIGURES]
    for prior in listed(draft.keys.get("priors")):
        gain = prior["gain"]
        if not _is_told(abs(float(gain)), said):
            words = "the passage has no such figure, nor two that differ by it"
            yield Fault("priors", f"priors: gain {gain:g}: {words}")


def _is_told(gain: float, said: Sequence[str]) -> bool:
    told = [float(figure) for figure in said]
    told += [figure / _PERCENT for figure in told]
    # whole numbers are counts, and differ by anything
    broken = [float(figure) for figure in said if "." in figure]
    told += [abs(one - other) for one, other in product(broken, broken)]
    return any(math.isclose(gain, x, rel_tol=1e-3) for x in told if x)


def _misfits(draft: Draft, ground: Ground) -> list[Fault]:
    """Return why a recipe cannot be kept, if there is one."""
    recipe = draft.keys.get("recipe")
    if recipe is None:
        return []
    why = _unfit(draft, recipe, ground)
    return [Fault("recipe", f"recipe: {why}")] if why else []


def _unfit(draft: Draft, recipe: Any, ground: Ground) -> str:
    if sum(map(len, _texts(recipe))) > _CODE_LIMIT or _size(recipe) > _STEPS:
        return f"longer than {_STEPS} steps or {_CODE_LIMIT} characters"
    why = overreach([recipe, draft.keys.get("knobs")], ground.files)
    if why:
        return f"{why}: that reaches beyond a training script"
    metric = re.compile(rf"[\"'][^\"'\n]*\b{re.escape(ground.config.metric.name)}\s*:")
    if any(map(metric.search, _texts(recipe))):
        return f"prints {ground.config.metric.name} itself"
    if not ground.files:
        return "there is no code at HEAD to try it on"
    try:
        (method,) = parse_pack(_pack(draft, ground), "draft").methods
        tried = fitting.attempt(method, ground.files, Context())
    except (PackError, RecipeError) as error:
        return str(error)
    return tried.why or _refused(tried, method, ground)


def _size(recipe: Any) -> int:
    """Return how many steps a recipe has, those of every alternative counted."""
    if isinstance(recipe, dict):
        return 1 + sum(map(_size, recipe.values()))
    return sum(map(_size, recipe)) if isinstance(recipe, list) else 0


def _refused(tried: Attempt, method: Method, ground: Ground) -> str:
    """Return what any edit would be refused for, or flagged."""
    try:
        gate.check(ground.files, tried.files, config=ground.config)
    except EditError as error:
        return str(error)
    flags = lint.flags(ground.files, tried.files, ground.config)
    grave = [flag.text for flag in flags if flag.weight >= lint.Weight.QUARANTINED]
    return f"{method.id} {grave[0]}" if grave else ""
