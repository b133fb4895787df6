"""A pack of a person's own: checked as a whole, and copied beside the others.

Nothing is overwritten. What it overrides by id is said, and that the repository's
commands have to be approved again, because a recipe decides what is run.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from loopgraph_git.errors import PackError, UsageError
from loopgraph_git.ingest.taken import Came, Ingested
from loopgraph_git.library.packs import load_pack, load_packs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loopgraph_git.library.packs import Pack


def take_pack(
    text: str, path: Path, folders: Sequence[Path], *, dry_run: bool
) -> Ingested:
    """Check a pack and copy it into the last folder, the others being ours.

    Raises PackError with everything that is wrong with it, UsageError where it has no
    place to go to.
    """
    pack = load_pack(path)
    if len(folders) == 1:
        raise UsageError(
            f"{path}: there is no folder for packs of your own: give `packs=[folder]`"
        )
    place = folders[-1] / path.name
    _refuse_twice(pack, place)
    data = path.read_bytes()
    came = Came.WOULD if dry_run else placed(place, data)
    return Ingested(
        target=text,
        came=came,
        key=f"pack:{pack.name}",
        title=pack.title,
        how="pack",
        methods={method.id: 0 for method in pack.methods},
        notes=tuple(_notes(pack, place, folders)) if came is not Came.KNOWN else (),
    )


def _refuse_twice(pack: Pack, place: Path) -> None:
    """Raise PackError for a method that another file beside it defines."""
    mine = {method.id for method in pack.methods}
    beside = load_packs([place.parent]) if place.parent.is_dir() else []
    for other in beside:
        both = sorted(mine & {method.id for method in other.methods})
        if both and other.file != str(place):
            raise PackError(
                f"{pack.file}: method {both[0]}: id: already defined in {other.file}: "
                "take it out of one of them"
            )


def placed(place: Path, data: bytes) -> Came:
    """Write a pack in its place, whole; raises PackError where another has it."""
    if place.is_file() and place.read_bytes() == data:
        return Came.KNOWN
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    fresh.write_bytes(data)
    try:
        # a link is refused where there is something, and never half a file
        os.link(fresh, place)
    except FileExistsError as error:
        raise PackError(
            f"{place} is there with another content, and is not overwritten: compare "
            "them, and give yours another name"
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
    return Came.NEW


def _notes(pack: Pack, place: Path, folders: Sequence[Path]) -> list[str]:
    notes = [f"is {place}"]
    others = {
        method.id: other.file
        for other in load_packs([folder for folder in folders[:-1] if folder.is_dir()])
        for method in other.methods
    }
    notes += [
        f"its {method.id} overrides that of {others[method.id]}"
        for method in pack.methods
        if method.id in others
    ]
    return [*notes, "`git lg trust` approves the commands again: recipes decide what runs"]  # fmt: skip
