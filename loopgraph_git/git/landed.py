"""Which commits of ordinary branches are experiments that landed there.

Somebody squashed, cherry-picked or merged them, here or on a website. A message that
names the experiment tells it, an equal tree, or an equal patch: by itself, or together
with all that its session kept before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError
from loopgraph_git.git import branches, bulk
from loopgraph_git.records import Judgement, Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Experiment

EXPERIMENTS = 2000
"""The newest experiments, which are looked for; older ones have landed or never will."""
_COMMITS = 2000
_NAMED = 20
_TRAILER = re.compile(r"^Loopgraph-Exp:[ \t]*([0-9a-f]{7,64})[ \t\r]*$", re.MULTILINE)
_PICKED = re.compile(r"^\(cherry picked from commit ([0-9a-f]{7,64})\)", re.MULTILINE)


class Landing(NamedTuple):
    """A commit of an ordinary branch that may be an experiment."""

    oid: Oid
    tree: Oid
    parents: tuple[Oid, ...]
    ts: int
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class Link(NamedTuple):
    """An experiment, the commit that it became, and how."""

    experiment: Oid
    to: Oid
    how: str
    same_tree: bool


def landings(
    repo: Repo, tips: Iterable[Oid], seen: Iterable[Oid], *, since: int
) -> list[Landing]:
    """Return the newest commits of branches, not older than `since` (in seconds)."""
    lines = [*sorted(set(tips)), *(f"^{oid}" for oid in sorted(set(seen)))]
    raw = repo.run(
        "log", "-z", "--format=%H%n%T%n%P%n%ct%n%B", f"--max-count={_COMMITS}",
        f"--since=@{since}", "--ignore-missing", "--encoding=UTF-8", "--no-notes",
        "--no-patch", "--stdin",
        stdin="".join(f"{line}\n" for line in lines).encode(),
    )  # fmt: skip
    found = []
    for row in raw.decode("utf-8", "replace").split("\0"):
        if row:
            oid, tree, parents, ts, message = row.split("\n", 4)
            above = tuple(Oid(parent) for parent in parents.split())
            found.append(Landing(Oid(oid), Oid(tree), above, int(ts), message))
    return found


def links(
    repo: Repo,
    found: Sequence[Landing],
    experiments: Sequence[Experiment],
    others: Iterable[Oid],
) -> list[Link]:
    """Return which of the commits are experiments; `others` are ordinary branches."""
    if not found or not experiments:
        return []
    return list(_Matching(repo, found, experiments, list(others)))


class _Matching:
    """Everything that is compared, read in bulk."""

    def __init__(
        self,
        repo: Repo,
        found: Sequence[Landing],
        experiments: Sequence[Experiment],
        others: Sequence[Oid],
    ) -> None:
        self.repo = repo
        self.found = found
        self.others = others
        parents = {item.parent for item in experiments if item.parent}
        above = {parent for commit in found for parent in commit.parents}
        oids = {item.commit for item in experiments}
        self.trees = bulk.trees(repo, oids | parents | above)
        # an edit that changed nothing is the tree of something else
        self.experiments = sorted(
            (item for item in experiments if self._changed(item)), key=_rank
        )
        self.by_tree: dict[Oid, list[Experiment]] = {}
        for item in self.experiments:
            self.by_tree.setdefault(item.tree, []).append(item)

    def _changed(self, item: Experiment) -> bool:
        return (
            item.commit in self.trees
            and item.parent is not None
            and self.trees.get(item.parent, item.tree) != item.tree
        )

    def __iter__(self) -> Iterator[Link]:
        left = []
        for commit in self.found:
            told = list(self._named(commit)) or list(self._with_tree(commit))
            yield from told
            if not told and len(commit.parents) == 1:
                left.append(commit)
        yield from self._with_patch([x for x in left if self._adds(x)])

    def _adds(self, commit: Landing) -> bool:
        """Say whether a commit is more than what one of its parents was already."""
        trees = [self.trees.get(parent) for parent in commit.parents]
        return None not in trees and commit.tree not in trees

    def _named(self, commit: Landing) -> Iterator[Link]:
        shape = "merge" if len(commit.parents) > 1 else "squash"
        for pattern, how in ((_TRAILER, shape), (_PICKED, "cherry-pick")):
            for prefix in pattern.findall(commit.message)[:_NAMED]:
                named = [x for x in self.experiments if x.commit.startswith(prefix)]
                if len(named) == 1:
                    yield _link(named[0], commit, how)

    def _with_tree(self, commit: Landing) -> Iterator[Link]:
        item = _earlier(self.by_tree.get(commit.tree, ()), commit)
        if item is None or not self._adds(commit):
            return
        above = [self.trees.get(parent) for parent in (item.parent, *commit.parents)
                 if parent]  # fmt: skip
        same_patch = len(above) == 2 and above[0] == above[1]  # noqa: PLR2004
        how = "merge" if len(commit.parents) > 1 else "squash"
        if same_patch and commit.subject == item.subject:
            how = "cherry-pick"
        yield _link(item, commit, how)

    def _with_patch(self, left: Sequence[Landing]) -> Iterator[Link]:
        if not left or not self.experiments or self.repo.partial:
            return
        own = [(x.commit, x.parent) for x in self.experiments if x.parent]
        ranges = list(self._ranges())
        picked = patch_ids(self.repo, own)
        squashed = patch_ids(self.repo, ranges)
        landed = patch_ids(self.repo, [(x.oid, x.parents[0]) for x in left])
        for patches, how in ((picked, "cherry-pick"), (squashed, "squash")):
            by_patch: dict[str, list[Experiment]] = {}
            for item in self.experiments:
                if item.commit in patches:
                    by_patch.setdefault(patches[item.commit], []).append(item)
            for commit in left:
                same = _earlier(by_patch.get(landed.get(commit.oid, ""), ()), commit)
                if same is not None:
                    del landed[commit.oid]
                    yield _link(same, commit, how)

    def _ranges(self) -> Iterator[tuple[Oid, Oid]]:
        """Yield experiments with where their branch left ordinary work."""
        oids = {item.commit for item in self.experiments}
        nodes = branches.history(self.repo, oids, self.others)
        began: dict[Oid, Oid | None] = {}
        for item in self.experiments:
            chain, oid = [], item.commit
            while oid in nodes and oid not in began and nodes[oid].parents:
                chain.append(oid)
                oid = nodes[oid].parents[0]
            start = began.get(oid) if oid in nodes else oid
            began |= dict.fromkeys(chain, start)
            if start not in (None, item.commit, item.parent):
                yield item.commit, start


def _rank(item: Experiment) -> tuple[bool, bool, int, str]:
    """Order experiments so that the first is the one that somebody would land."""
    kept = item.verdict is Judgement.KEEP
    return (not kept, item.value is None, -item.ts, item.commit)


def _earlier(items: Iterable[Experiment], commit: Landing) -> Experiment | None:
    """Return the first that is not newer: what was there before did not land."""
    return next((item for item in items if item.ts <= commit.ts), None)


def _link(item: Experiment, commit: Landing, how: str) -> Link:
    return Link(item.commit, commit.oid, how, item.tree == commit.tree)


def patch_ids(repo: Repo, pairs: Iterable[tuple[Oid, Oid]]) -> dict[Oid, str]:
    """Return the stable ids of patches, by commit; each pair is (commit, before).

    What cannot be read has none, as in a shallow clone.
    """
    stdin = "".join(f"{commit} {before}\n" for commit, before in pairs)
    if not stdin:
        return {}
    try:
        patches = repo.run(
            # a file over a megabyte is no source code
            "-c", "core.bigFileThreshold=1m", "diff-tree", "--stdin", "-r", "-p",
            "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color",
            stdin=stdin.encode(),
        )  # fmt: skip
    except GitError:
        return {}
    listing = repo.text("patch-id", "--stable", stdin=patches)
    rows = (line.split() for line in listing.splitlines())
    return {Oid(commit): patch for patch, commit in rows}


def pairs(
    repo: Repo, move: branches.Move, nodes: Mapping[Oid, branches.Node]
) -> list[tuple[Oid, Oid]]:
    """Return which commit became which in a move, by equal trees and equal patches."""
    if move.how == "amend":
        return [(move.old[0], move.new[0])]
    trees = {nodes[oid].tree: oid for oid in reversed(move.new)}
    told = {oid: trees[nodes[oid].tree] for oid in move.old if nodes[oid].tree in trees}
    left = [oid for oid in move.old if oid not in told]
    if left and not repo.partial:
        wanted = [oid for oid in (*left, *move.new) if nodes[oid].parents]
        ids = patch_ids(repo, [(oid, nodes[oid].parents[0]) for oid in wanted])
        patches = {ids[oid]: oid for oid in reversed(move.new) if oid in ids}
        told |= {x: patches[ids[x]] for x in left if ids.get(x, "") in patches}
    return sorted(told.items())
