"""Packs: methods as YAML, one file per family, checked as a whole before use.

`docs/packs.md` is the specification. A pack that breaks a rule is refused with
everything that is wrong with it, each with file, line, method and key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import PackError
from loopgraph_git.library.operations import operation
from loopgraph_git.library.pack_rules import check_pack
from loopgraph_git.library.yaml_tree import (
    SIZE_LIMIT,
    Entry,
    Problem,
    Report,
    read_yaml,
)
from loopgraph_git.records import Knob, Method, Prior, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SUFFIXES = (".yml", ".yaml")
# Values that are more than text; every other key is read as it is written, so
# that an arXiv id or a commit of digits is never taken for a number.
_VALUES = ("to", "times", "equals", "not_equals", "above", "below", "contains")
_FIGURES = ("gain", "n", "spread", "default", "values")


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One family of methods; `sha256` is the digest of the file it came from.

    `lines` says where each method is defined, and where it names each conflict
    (`gelu swiglu`).
    """

    name: str
    title: str
    methods: tuple[Method, ...]
    sha256: str
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)


def load_packs(folders: Sequence[Path]) -> list[Pack]:
    """Return the packs of some folders, sorted by file name.

    A method of a later folder replaces one of the same id of an earlier folder;
    a folder that does not exist holds none. Raises PackError with every problem
    of every file.
    """
    problems: list[str] = []
    found: list[tuple[str, int, Pack]] = []
    owner: dict[str, tuple[int, str]] = {}
    for level, folder in enumerate(folders):
        for path in pack_files(folder):
            try:
                pack = load_pack(path)
            except PackError as error:
                problems.append(str(error))
                continue
            found.append((path.name, level, pack))
            problems += claim(owner, pack, level)
    if problems:
        raise PackError("\n".join(problems))
    ordered = sorted(found, key=lambda item: item[:2])
    owned = [_owned(pack, level, owner) for _, level, pack in ordered]
    return [pack for pack in owned if pack.methods]


def pack_files(folder: Path) -> list[Path]:
    """Return the packs of a folder by name; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)


def claim(owner: dict[str, tuple[int, str]], pack: Pack, level: int) -> list[str]:
    """Note whose each method is; return those that one folder defines twice."""
    problems = []
    for method in pack.methods:
        other = owner.get(method.id)
        if other and other[0] == level:
            problems.append(
                f"{pack.file}:{pack.lines[method.id]}: method {method.id}: id: expected "
                f"an id of its own, but it is already defined in {other[1]}"
            )
        owner[method.id] = (level, pack.file)
    return problems


def _owned(pack: Pack, level: int, owner: Mapping[str, tuple[int, str]]) -> Pack:
    kept = tuple(item for item in pack.methods if owner[item.id][0] == level)
    return replace(pack, methods=kept)


def load_pack(path: Path) -> Pack:
    """Return the pack of a file; raises PackError with every problem."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise PackError(f"{path}: larger than {SIZE_LIMIT} bytes")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise PackError(f"{path}: cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise PackError(f"{path}: not UTF-8 at byte {error.start}") from error
    return _parsed(text, str(path), hashlib.sha256(data).hexdigest())


def parse_pack(text: str, name: str) -> Pack:
    """Return the pack that a text holds; raises PackError with every problem.

    `name` stands for the file in messages.
    """
    return _parsed(
        text, name, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    )


def validate(text: str, name: str) -> list[Problem]:
    """Return everything that is wrong with a pack, in the order of its lines."""
    return _read(text, name)[1]


def _read(text: str, name: str) -> tuple[Entry | None, list[Problem]]:
    report = Report(name)
    entry = read_yaml(text, report)
    if entry is not None:
        check_pack(report, entry)
    return entry, sorted(report.problems, key=lambda problem: problem.line)


def _parsed(text: str, name: str, digest: str) -> Pack:
    entry, problems = _read(text, name)
    if problems or entry is None:
        raise PackError("\n".join(map(str, problems)))
    plain = plain_of(entry)
    return Pack(
        name=plain["pack"],
        title=plain["title"],
        methods=tuple(_method(item, plain["pack"]) for item in plain["methods"]),
        sha256=digest,
        file=name,
        lines=dict(_lines(entry)),
    )


def _lines(entry: Entry) -> Iterator[tuple[str, int]]:
    for item in entry.value["methods"].value:
        name = item.value["id"]
        yield name.text, name.line
        conflicts = item.value.get("conflicts")
        for other in conflicts.value if conflicts else ():
            yield f"{name.text} {other.text}", other.line


def plain_of(entry: Entry, *, as_value: bool = False) -> Any:
    """Return an entry of a pack as plain values, text as it was written."""
    if isinstance(entry.value, Mapping):
        return {
            name: plain_of(child, as_value=name in _VALUES + _FIGURES)
            for name, child in entry.value.items()
        }
    if isinstance(entry.value, list):
        return [plain_of(child, as_value=as_value) for child in entry.value]
    return entry.value if as_value else entry.text


def _method(plain: Mapping[str, Any], pack: str) -> Method:
    return Method(
        id=plain["id"],
        title=plain["title"],
        family=plain.get("family", pack),
        summary=plain["summary"].strip(),
        pack=pack,
        aliases=tuple(plain.get("aliases", ())),
        helps=plain.get("helps", "").strip(),
        hurts=plain.get("hurts", "").strip(),
        sources=tuple(Source(**item) for item in plain.get("sources", ())),
        detect=_conditions(plain.get("detect", ())),
        requires=_conditions(plain.get("requires", ())),
        conflicts=tuple(plain.get("conflicts", ())),
        knobs=tuple(_knob(item) for item in plain.get("knobs", ())),
        priors=tuple(Prior(**item) for item in plain.get("priors", ())),
        recipe=tuple(operation(item) for item in plain.get("recipe", ())),
    )


def _conditions(given: Any) -> tuple[Mapping[str, Any], ...]:
    return (given,) if isinstance(given, Mapping) else tuple(given)


def _knob(plain: Mapping[str, Any]) -> Knob:
    return Knob(**{**plain, "values": tuple(plain.get("values", ()))})


def unknown_conflicts(packs: Sequence[Pack], others: Sequence[Pack] = ()) -> list[str]:
    """Return a line for each conflict of some packs with a method that is nowhere.

    It may be in these packs or in the others.
    """
    methods = [(pack, method) for pack in packs for method in pack.methods]
    known = {method.id for pack in (*packs, *others) for method in pack.methods}
    return [
        f"{pack.file}:{pack.lines[f'{method.id} {name}']}: method {method.id}: conflicts: "
        f"expected the id of a method, but no pack has {name}"
        for pack, method in methods
        for name in method.conflicts
        if name not in known
    ]
