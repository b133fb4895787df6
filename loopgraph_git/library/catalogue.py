"""The methods of all packs that hold here, each with the file that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import PackError, UsageError
from loopgraph_git.library.packs import claim, load_pack, pack_files, unknown_conflicts
from loopgraph_git.library.source import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loopgraph_git.library.packs import Pack
    from loopgraph_git.records import Method

_TEMPLATE = Path(__file__).parent / "template.yml"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A method, where it is defined, and the file whose method it overrides, if any."""

    method: Method
    file: str
    line: int
    overrides: str = ""


def catalogue(folders: Sequence[Path]) -> dict[str, Listed]:
    """Return the methods of some folders' packs by id; a later folder overrides.

    Raises PackError with every problem of every file.
    """
    found: dict[str, Listed] = {}
    problems: list[str] = []
    for folder in folders:
        packs, wrong = checked(pack_files(folder))
        problems += wrong
        own = {item.method.id: item for pack in packs for item in _listed(pack)}
        for name, item in own.items():
            earlier = found.get(name)
            found[name] = Listed(
                method=item.method,
                file=item.file,
                line=item.line,
                overrides=earlier.file if earlier else "",
            )
    if problems:
        raise PackError("\n".join(problems))
    return dict(sorted(found.items()))


def _listed(pack: Pack) -> Iterator[Listed]:
    for method in pack.methods:
        yield Listed(method=method, file=pack.file, line=pack.lines[method.id])


def checked(paths: Iterable[Path]) -> tuple[list[Pack], list[str]]:
    """Return the sound packs among some files, and everything that is wrong.

    That a folder defines a method twice is wrong, too.
    """
    packs: list[Pack] = []
    problems: list[str] = []
    owner: dict[str, tuple[int, str]] = {}
    folders: list[Path] = []
    for path in paths:
        if path.parent not in folders:
            folders.append(path.parent)
        try:
            pack = load_pack(path)
        except PackError as error:
            problems += str(error).splitlines()
            continue
        packs.append(pack)
        problems += claim(owner, pack, folders.index(path.parent))
    return packs, problems


def validated(
    paths: Sequence[Path], folders: Sequence[Path]
) -> tuple[list[Pack], list[str]]:
    """Return the sound packs of some files, and all that is wrong with the files.

    A conflict may name a method of these files, or of the packs in `folders`.
    """
    packs, problems = checked(paths)
    given = {path.resolve() for path in paths}
    around = [
        path
        for folder in folders
        for path in pack_files(folder)
        if path.resolve() not in given
    ]
    return packs, problems + unknown_conflicts(packs, checked(around)[0])


def find(known: dict[str, Listed], name: str) -> Listed:
    """Return a method by id; raises UsageError that names the nearest one."""
    if name not in known:
        hint = nearest(name, known)
        raise UsageError(f"no method {name!r}{hint}: `git lg packs list` lists them")
    return known[name]


def template(name: str) -> str:
    """Return a pack to begin with, every key explained; it is sound as it is."""
    return _TEMPLATE.read_text("utf-8").replace("NAME", name)
