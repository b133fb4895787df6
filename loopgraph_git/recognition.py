"""Recognising methods in edits that nobody labelled.

A commit without a `Loopgraph-Method` is compared with its parent: a method
is recognised where its pack detects it afterwards and not before, or where the
constants that its recipe sets moved the recipe's way. Where no code is known (a row of
somebody's log), or what changed tells nothing, its words have to do: else the kept ones,
whose code is there, would count for less than the discarded ones, whose code is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.researchfs.naming import Names
from loopgraph_git.researchfs.recognised import (
    Recognised,
    put_recognised,
    unlabelled,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Method
    from loopgraph_git.researchfs.recognised import Unlabelled
    from loopgraph_git.researchfs.store import Store

NEWEST = 100
"""How many commits one call looks at: to read one of 600 lines takes some 80 ms."""
_BATCH = 100


def recognise(
    repo: Repo,
    store: Store,
    paths: Sequence[str],
    *,
    limit: int | None = NEWEST,
    commit: str = "",
) -> None:
    """Recognise methods in the newest commits that were not looked at yet.

    `paths` are the editable files; without a `limit`, all such commits are read. In a
    partial clone none is: git would fetch file after file.
    """
    found = unlabelled(store, limit, commit)
    if not found or repo.partial:
        return
    methods = store.methods()
    for start in range(0, len(found), _BATCH):
        batch = found[start : start + _BATCH]
        put_recognised(store, dict(_looked_at(repo, batch, paths, methods)))


def _looked_at(
    repo: Repo,
    commits: Sequence[Unlabelled],
    paths: Sequence[str],
    methods: Sequence[Method],
) -> Iterator[tuple[str, Recognised]]:
    texts = _texts(repo, commits, paths)
    known: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    words: Names | None = None
    for item in commits:
        after = _files(texts, item.commit, paths)
        before = _files(texts, item.parent, after)
        after_of_both = {path: after[path] for path in before}
        changed = before != after_of_both
        names: list[str] = []
        if changed:
            pair = (*before.values(),), (*after_of_both.values(),)
            names = known.get(pair) or _brought(methods, before, after_of_both)
            known[pair] = names
        if names or (not changed and (item.parent or after)):
            yield item.commit, Recognised(sorted(names), "code")
        else:
            words = words or Names(methods)
            said = _unless_lacking(methods, words.tried(item.subject), after)
            yield item.commit, Recognised(said, "words")


def _texts(
    repo: Repo, commits: Sequence[Unlabelled], paths: Sequence[str]
) -> dict[str, str]:
    """Return the texts of files before and after, by `rev:path`, in one process."""
    revs = {oid for item in commits for oid in (item.commit, item.parent) if oid}
    wanted = [f"{oid}:{path}" for oid in sorted(revs) for path in paths]
    return {
        name: content.decode("utf-8", "replace")
        for name, kind, content in repo.objects(wanted)
        if kind == "blob"
    }


def _files(
    texts: Mapping[str, str], commit: str, paths: Iterable[str]
) -> dict[str, str]:
    found = {path: texts.get(f"{commit}:{path}") for path in paths}
    return {path: text for path, text in found.items() if text is not None}


def _unless_lacking(
    methods: Sequence[Method], said: list[str], code: Mapping[str, str]
) -> list[str]:
    """Leave out methods that a commit speaks of, and whose code is not in it."""
    if not said or not code:
        return said
    from loopgraph_git.library import recipes  # noqa: PLC0415  as below

    named = [method for method in methods if method.id in said]
    return [method.id for method in named if not recipes.lacks(method, code)]


def _brought(
    methods: Sequence[Method], before: Mapping[str, str], after: Mapping[str, str]
) -> list[str]:
    # the library takes 80 ms to import, and most histories name their methods
    from loopgraph_git.library import recipes  # noqa: PLC0415

    return recipes.detected(methods, before, after)
