"""A map of many source files: which of them the others stand on.

A file points to another where it imports it, or uses a name that the other alone
defines. PageRank over these (Brin and Page 1998, damping 0.85) puts what everything
stands on first, and what nothing uses last.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from loopgraph_git.researchfs.codemap import DEFINED, parsed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DAMPING = 0.85
ROUNDS = 50
_DEFINERS = 3
"""A name that more files than these define, such as `main`, says nothing."""


@dataclass(frozen=True)
class MappedFile:
    """One file of a map: its rank, its lines, what it defines, and what it uses.

    `defines` begins with what other files use most.
    """

    path: str
    rank: float
    lines: int
    defines: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


def repository_map(files: Mapping[str, str]) -> list[MappedFile]:
    """Return the files, what the others stand on first; ties are broken by path."""
    trees = {path: parsed(text) for path, text in sorted(files.items())}
    defined = {path: _definitions(tree) for path, tree in trees.items()}
    used = {path: _names(tree) for path, tree in trees.items()}
    links = _links(trees, defined, used)
    ranks = page_rank(links)
    asked: dict[str, int] = defaultdict(int)
    for names in used.values():
        for name, count in names.items():
            asked[name] += count
    return [
        MappedFile(
            path=path,
            rank=ranks[path],
            lines=files[path].count("\n") + 1,
            defines=tuple(sorted(defined[path], key=lambda x: (-asked[x], x))),
            uses=tuple(links[path]),
        )
        for path in sorted(trees, key=lambda path: (-ranks[path], path))
    ]


def _names(tree: ast.Module | None) -> Counter[str]:
    """Return how often each name is read; attributes are left out, `x.value` is any."""
    nodes = ast.walk(tree) if tree else ()
    return Counter(
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )


def page_rank(links: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the share of each node; what points nowhere points everywhere."""
    if not links:
        return {}
    count = len(links)
    ranks = dict.fromkeys(links, 1 / count)
    totals = {node: sum(to.values()) for node, to in links.items()}
    for _ in range(ROUNDS):
        loose = sum(rank for node, rank in ranks.items() if not totals[node])
        new = dict.fromkeys(links, (1 - DAMPING + DAMPING * loose) / count)
        for node, to in links.items():
            for other, weight in to.items():
                new[other] += DAMPING * ranks[node] * weight / totals[node]
        ranks = new
    return ranks


def _definitions(tree: ast.Module | None) -> set[str]:
    """Return the classes, functions and constants of a module, its own ones left out."""
    found = set()
    for node in tree.body if tree else ():
        if isinstance(node, DEFINED):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {item.id for item in targets if isinstance(item, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def _links(
    trees: Mapping[str, ast.Module | None],
    defined: Mapping[str, set[str]],
    used: Mapping[str, Collection[str]],
) -> dict[str, dict[str, float]]:
    homes: dict[str, list[str]] = defaultdict(list)
    for path, names in defined.items():
        for name in names:
            homes[name].append(path)
    modules = {_module(path): path for path in trees}
    links: dict[str, dict[str, float]] = {}
    for path, tree in trees.items():
        weights: dict[str, float] = defaultdict(float)
        for name in used[path]:
            for other, weight in _owners(homes.get(name, []), path):
                weights[other] += weight
        for name in _imports(tree):
            weights[_imported(name, modules)] += 1.0
        links[path] = {x: weights[x] for x in sorted(weights) if x not in ("", path)}
    return links


def _owners(homes: list[str], path: str) -> list[tuple[str, float]]:
    """Return the files that a name which a file uses may be defined in, and a weight."""
    if path in homes or len(homes) > _DEFINERS:
        return []
    return [(other, 1 / len(homes)) for other in homes]


def _imports(tree: ast.Module | None) -> list[str]:
    found = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found += [
                base,
                *(f"{base}.{alias.name}".strip(".") for alias in node.names),
            ]
    return found


def _imported(name: str, modules: Mapping[str, str]) -> str:
    """Return the file that an import names, wherever its package begins."""
    if name in modules:
        return modules[name]
    ending = [path for known, path in modules.items() if known.endswith(f".{name}")]
    return ending[0] if name and len(ending) == 1 else ""


def _module(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
