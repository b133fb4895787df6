"""How methods stand to some code: what it has, what excludes what, what applies.

`contexts` is quick and tries nothing; `attempt` applies the recipe and says why where
that fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice, product
from typing import TYPE_CHECKING

from loopgraph_git.errors import RecipeError, UnchangedError
from loopgraph_git.library import recipes
from loopgraph_git.records import Context, Fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.records import Method

    Files = Mapping[str, str]
    Knobs = Mapping[str, float | int | str]

_KNOB_CHOICES = 24


class State(StrEnum):
    """What became of trying a method on some code."""

    APPLIES = "applies"
    PRESENT = "present"
    CONFLICT = "conflict"
    MISSING = "missing"
    NO_PLACE = "no place"
    BY_HAND = "by hand"


_STATES = {Fit.PRESENT: State.PRESENT, Fit.MISSING: State.MISSING}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A method tried on some code: its state, why, and the files as they would be.

    Where the code has the method already, or lacks what it needs, `files` are those
    that its recipe changes nevertheless. `knobs` are the settings under which it does.
    """

    method: str
    state: State
    why: str = ""
    files: Files = field(default_factory=dict)
    knobs: Knobs = field(default_factory=dict)


def contexts(methods: Sequence[Method], code: str | Files) -> dict[str, Context]:
    """Return how each method stands to some code, by id; no recipe is tried."""
    present = {method.id for method in methods if recipes.detect(method, code)}
    rivals = _rivals(methods)
    return {
        method.id: _context(method, present, rivals.get(method.id, set()), code)
        for method in methods
    }


def _rivals(methods: Sequence[Method]) -> dict[str, set[str]]:
    """Return which methods exclude each one, whichever of the two says so."""
    found: dict[str, set[str]] = {}
    for method in methods:
        for other in method.conflicts:
            found.setdefault(method.id, set()).add(other)
            found.setdefault(other, set()).add(method.id)
    return found


def _context(
    method: Method, present: set[str], rivals: set[str], code: str | Files
) -> Context:
    if method.id in present:
        return Context(Fit.PRESENT, "the code has it already")
    against = sorted(rivals & present)
    if against:
        return Context(Fit.CONFLICT, f"conflicts with {', '.join(against)}")
    lacking = recipes.missing(method, code)
    if lacking:
        return Context(Fit.MISSING, "; ".join(lacking))
    return Context()


def attempt(
    method: Method,
    files: Files,
    context: Context,
    *,
    knobs: Knobs | None = None,
) -> Attempt:
    """Try a method's recipe on some files that it stands to as `context` says.

    Without `knobs` every setting is tried, the defaults first.
    """
    if context.fit is Fit.CONFLICT:
        against = context.words.removeprefix("conflicts with ")
        verb = "is" if ", " not in against else "are"
        why = f"{against} {verb} in the code already: {method.id} conflicts with it"
        return Attempt(method=method.id, state=State.CONFLICT, why=why)
    if not method.recipe:
        why = context.words or "no recipe: it needs a person or a chat proposer"
        return Attempt(
            method=method.id, state=_STATES.get(context.fit, State.BY_HAND), why=why
        )
    settings = [knobs] if knobs else knob_choices(method)
    after, chosen, why = _applied(method, files, settings)
    state = State.APPLIES if after else State.NO_PLACE
    return Attempt(
        method=method.id,
        state=_STATES.get(context.fit, state),
        why=context.words or why,
        files=after,
        knobs=chosen,
    )


def _applied(
    method: Method,
    files: Files,
    choices: Sequence[Knobs],
) -> tuple[Files, Knobs, str]:
    """Return what the first setting that changes something makes, or why none does."""
    why = ""
    for knobs in choices:
        try:
            return recipes.apply_to_files(method, files, knobs=knobs), knobs, ""
        except UnchangedError as error:
            why = str(error)
        except RecipeError as error:
            # a step without a place has none under another setting either
            why = str(error)
            break
    return {}, {}, why.removeprefix(f"{method.id}: ")


def knob_choices(method: Method) -> list[dict[str, float | int | str]]:
    """Return the settings worth trying, the defaults first, each once."""
    names = [knob.name for knob in method.knobs if knob.default is not None]
    columns = [
        list(dict.fromkeys((knob.default, *knob.values)))
        for knob in method.knobs
        if knob.default is not None
    ]
    rows = islice(product(*columns), _KNOB_CHOICES)
    return [dict(zip(names, row, strict=True)) for row in rows]


def explained(
    method: Method, why: str, *, earlier: Files, brought: Sequence[str]
) -> str:
    """Return why a method does not apply, naming what was brought before it.

    `earlier` is the code as it was before the methods `brought` were put in. Only where
    the recipe applied to that code are they to blame.
    """
    if not brought or not _applied(method, earlier, knob_choices(method))[0]:
        return why
    return f"{why}; it applied before {', '.join(brought)} changed the code"
