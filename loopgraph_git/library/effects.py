"""What a version of the code comes to, and what a change of it changes.

A version is told by its *parts*: the effective value of every constant of a module or
a class (`2**19` and `524288` are one), and a digest of every definition. A change is
the parts that differ, so that the same change is known again on other code.
"""

from __future__ import annotations

import ast
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from loopgraph_git.library.literals import NotConstantError, evaluate
from loopgraph_git.library.pieces import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loopgraph_git.library.literals import Constant
    from loopgraph_git.library.pieces import Bound, Piece

_OPAQUE = "#"
_SHOWN = 40


@dataclass(frozen=True)
class Effect:
    """One version: a digest of its syntax trees, and its parts by path and name."""

    code: str
    parts: Mapping[str, str]

    @property
    def whole(self) -> str:
        """A digest that is equal where all parts are."""
        return _joint(sorted(self.parts.items()))


@dataclass(frozen=True)
class Changed:
    """The parts that two versions differ in: what they were, and what they are."""

    parts: tuple[tuple[str, str | None, str | None], ...]

    @property
    def digest(self) -> str:
        """What is equal for the same change, on whatever code; "" for no change."""
        return _joint((name, new) for name, _, new in self.parts)

    @property
    def names(self) -> str:
        """What is equal where the same constants changed; "" where none did."""
        if not any(
            _is_constant(old) and _is_constant(new) for _, old, new in self.parts
        ):
            return ""
        return _joint((name, "") for name, _, _ in self.parts)

    def words(self) -> list[str]:
        """Return the change as people write it: `BATCH 16 -> 8`."""
        return [_words(name, old, new) for name, old, new in self.parts]


def effect(
    files: Mapping[str, Sequence[Piece] | str], *, named: bool = False
) -> Effect:
    """Return what a version comes to; a file that is not Python is its text.

    With `named` the parts say which file they are in.
    """
    statements: list[str] = []
    parts: dict[str, str] = {}
    for path, pieces in files.items():
        prefix = f"{path}: " if named else ""
        if isinstance(pieces, str):
            own = {"": _OPAQUE + digest(pieces.strip())}
            statements += [path, *own.values()]
        else:
            own = _parts(pieces)
            statements += [path, *(one for x in pieces for one in x.statements)]
        parts |= {prefix + name: value for name, value in own.items()}
    return Effect(digest("\n".join(statements)), parts)


def changed(old: Effect, new: Effect) -> Changed:
    """Return the parts of two versions that differ."""
    names = sorted({*old.parts, *new.parts})
    pairs = ((name, old.parts.get(name), new.parts.get(name)) for name in names)
    return Changed(tuple(item for item in pairs if item[1] != item[2]))


def _parts(pieces: Sequence[Piece]) -> dict[str, str]:
    bound = [item for piece in pieces for item in piece.bound]
    fixed = _fixed(pieces, bound)
    known: dict[str, Constant] = {}
    opaque: dict[str, list[str]] = {}
    for item in bound:
        known.pop(item.name, None)
        if item.name in fixed:
            with suppress(NotConstantError):
                known[item.name] = _value(item, known)
                continue
        opaque.setdefault(item.name, []).append(repr(item.value))
    for piece in pieces:
        for name, frame in piece.frames:
            opaque.setdefault(name, []).append(frame)
    found = {name: _OPAQUE + digest("\n".join(x)) for name, x in opaque.items()}
    return found | {name: repr(value) for name, value in known.items()}


def _fixed(pieces: Sequence[Piece], bound: Iterable[Bound]) -> set[str]:
    """Return the names that nothing but plain statements gives a value to."""
    stored: Counter[str] = Counter()
    for piece in pieces:
        stored.update(piece.stored)
    times = Counter(item.name for item in bound)
    moved = {item.name for item in bound if not item.direct}
    moved |= {name for piece in pieces for name in piece.globals}
    return {name for name, n in times.items() if n >= stored[name]} - moved


def _value(item: Bound, known: Mapping[str, Constant]) -> Constant:
    if item.plain:
        value: Constant = item.value
        return value
    if not item.scope:
        return evaluate(_expression(item.value), known)
    # a field sees its class's earlier fields before the module's names
    prefix = f"{'.'.join(item.scope)}."
    own = {
        name.removeprefix(prefix): value
        for name, value in known.items()
        if name.startswith(prefix)
    }
    return evaluate(_expression(item.value), {**known, **own})


@lru_cache(maxsize=4096)
def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _joint(pairs: Iterable[tuple[str, str | None]]) -> str:
    lines = [f"{name}\0{value}" for name, value in pairs]
    return digest("\n".join(lines)) if lines else ""


def _is_constant(value: str | None) -> bool:
    return value is not None and not value.startswith(_OPAQUE)


def _words(name: str, old: str | None, new: str | None) -> str:
    name = name.removesuffix(": ") or "other code"
    if old is None:
        return f"{name} added" if not _is_constant(new) else f"{name} = {_cut(new)}"
    if new is None:
        return f"{name} removed"
    if _is_constant(old) and _is_constant(new):
        return f"{name} {_cut(old)} -> {_cut(new)}"
    return f"{name} changed"


def _cut(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
