"""What came of a target: one value for each paper, file, repository or pack."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.library.likeness import Likeness
    from loopgraph_git.library.shelf import Shelved
    from loopgraph_git.records import Paper


class Came(StrEnum):
    """What came of a target."""

    NEW = "new"
    KNOWN = "known"
    """It was on the shelf, or in the packs, before."""
    NEWER = "newer"
    """A newer version of what was there."""
    WOULD = "would be taken"
    """Nothing was done, as was asked for."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """One paper, file, repository or pack that a target led to.

    `how` says what its text was read from, `why` why from nothing better. `methods`
    are those it mentions, with how often, or those of a pack. `same_as` is the paper
    that it repeats, in a `share` of its runs of words: then that one is searched.
    `error` says what is wrong where it `came` to nothing.
    """

    target: str
    came: Came
    key: str = ""
    title: str = ""
    version: str = ""
    how: str = ""
    why: str = ""
    passages: int = 0
    methods: Mapping[str, int] | None = None
    same_as: str = ""
    share: float = 0.0
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def of(cls, target: str, came: Came, entry: Shelved) -> Self:
        """Return what an entry of the shelf came to."""
        return cls(
            target=target,
            came=came,
            key=entry.paper.key,
            title=entry.paper.title,
            version=entry.paper.version,
            how=entry.how,
            why=entry.why,
            passages=entry.passages,
            left_out=entry.left_out,
        )

    @classmethod
    def would(cls, target: str, paper: Paper, how: str = "") -> Self:
        """Return what would be taken."""
        return cls(
            target=target,
            came=Came.WOULD,
            key=paper.key,
            title=paper.title,
            version=paper.version,
            how=how,
        )

    def indexed(self, methods: Mapping[str, int], like: Likeness | None) -> Self:
        """Return it with what the index found in it."""
        if like is None:
            return replace(self, methods=methods)
        return replace(self, methods=methods, same_as=like.key, share=like.share)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        plain = asdict(self)
        return {**plain, "came": str(self.came), "methods": dict(self.methods or {})}
