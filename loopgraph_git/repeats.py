"""Was it tried before: an edit, a commit or an idea, held against every experiment.

    tree     the same tree in git
    code     the same code apart from comments, formatting and arithmetic
    change   the same constants and definitions changed to the same, on other code
    near     the same constants changed to other values, or nearly the same words

The first three are repeats. What every version comes to is remembered, so that a
question costs no more than reading what is new.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from os import W_OK, access
from typing import TYPE_CHECKING, Any, NamedTuple

from loopgraph_git.errors import RecipeError
from loopgraph_git.git import drafts
from loopgraph_git.git.drafts import Draft
from loopgraph_git.library import effects, pieces
from loopgraph_git.library.pieces import Piece, piece_key
from loopgraph_git.researchfs import tried
from loopgraph_git.researchfs.versions import Version, Versions
from loopgraph_git.resources import Closing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.library.effects import Changed, Effect
    from loopgraph_git.records import Experiment
    from loopgraph_git.researchfs.store import Store

FILE_NAME = "versions.db"
_BATCH = 200
_TELL = 500
_SHOWN = 12
_KEPT = 100_000
"""Pieces that are held in memory."""


class Level(StrEnum):
    """How near an experiment is to what is asked about, the nearest first."""

    TREE = "tree"
    CODE = "code"
    CHANGE = "change"
    NEAR = "near"


@dataclass(frozen=True, kw_only=True)
class Match:
    """An experiment that was the same, or nearly, and what it changed.

    `same_parent` says that it started from the code that the edit starts from.
    """

    level: Level
    experiment: Experiment
    same_parent: bool
    changes: tuple[str, ...] = ()

    @property
    def is_repeat(self) -> bool:
        """Say whether it is the same, and not only near."""
        return self.level is not Level.NEAR

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the level, and the experiment with its outcome."""
        return {
            "level": str(self.level),
            "same_parent": self.same_parent,
            "changes": list(self.changes),
            "experiment": self.experiment.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What is known of an edit or an idea: the experiments like it, nearest first.

    `changes` says in words what the edit changes; there is nothing in it for an edit
    of comments and formatting alone. `is_empty` means that nothing was edited.
    """

    matches: tuple[Match, ...]
    changes: tuple[str, ...] = ()
    is_empty: bool = False

    @property
    def is_repeat(self) -> bool:
        """Say whether the same was tried before."""
        return any(match.is_repeat for match in self.matches)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "repeat": self.is_repeat,
            "empty": self.is_empty,
            "changes": list(self.changes),
            "matches": [match.to_dict() for match in self.matches],
        }


class _Asked(NamedTuple):
    draft: Draft
    before: Effect
    after: Effect
    change: Changed


class Repeats(Closing):
    """Everything that was tried in a repository, ready to be compared with.

    Use it in a `with` statement, or close it.
    """

    def __init__(self, repo: Repo, store: Store, editable: Sequence[str]) -> None:
        self.repo = repo
        self.store = store
        self.editable = tuple(editable)
        scope = json.dumps([pieces.MEANING, sys.version_info[:2], sorted(editable)])
        place = repo.home / FILE_NAME if access(repo.home, W_OK) else ":memory:"
        self.versions = Versions.open(place, scope=scope)
        self._pieces: dict[str, Piece] = {}
        self._fresh: dict[str, str] = {}

    def close(self) -> None:
        """Close the file of versions; closing twice is fine."""
        self.versions.close()

    def draft(self, rev: str | None, *, patch: bytes | None, staged: bool) -> Draft:
        """Return the edit of a rev, a patch, the index or the working tree."""
        if rev is not None:
            return drafts.of_commit(self.repo, rev, self.editable)
        if patch is not None:
            return drafts.of_patch(self.repo, patch, self.editable, others=self._revs)
        make = drafts.of_index if staged else drafts.of_worktree
        return make(self.repo, self.editable)

    def check(self, draft: Draft) -> Checked:
        """Return what is known of a draft."""
        if draft.before == draft.after:
            return Checked(matches=(), is_empty=True)
        asked = self._asked(draft)
        found = sorted(self._matches(asked), key=_order)
        return Checked(
            matches=tuple(found[:_SHOWN]), changes=tuple(asked.change.words())
        )

    def check_text(self, text: str) -> Checked:
        """Return the experiments that are told in nearly these words."""
        near = [
            Match(level=Level.NEAR, experiment=item, same_parent=False)
            for item in tried.worded(self.store, text)
        ]
        return Checked(matches=tuple(near))

    def tried(
        self, before: Mapping[str, str], after: Mapping[str, str], *, protocol: str
    ) -> Experiment | None:
        """Return an experiment that measured the same code in the same way, or None.

        The same change on other code is no such thing: what lost there may win here.
        """
        asked = self._asked(Draft(None, "", dict(before), {**before, **after}))
        same = (
            match.experiment
            for match in self._matches(asked)
            if match.level in (Level.TREE, Level.CODE)
            or (match.level is Level.CHANGE and match.same_parent)
        )
        return next((item for item in same if item.protocol == protocol), None)

    def _revs(self) -> Iterable[str]:
        """Return the parents of everything that was tried, the newest first."""
        parents = (parent for parent, _ in reversed(tried.versions(self.store)))
        return dict.fromkeys(parent for parent in parents if parent)

    def _asked(self, draft: Draft) -> _Asked:
        before, after = self._effect(draft.before), self._effect(draft.after)
        self._remember([])
        return _Asked(draft, before, after, effects.changed(before, after))

    def _matches(self, asked: _Asked) -> Iterator[Match]:
        levels: dict[tuple[str, str], tuple[Level, Version]] = {}
        for level, version in self._alike(asked):
            levels.setdefault((version.parent, version.tree), (level, version))
        for item in tried.of_trees(self.store, {tree for _, tree in levels}):
            known = levels.get((item.parent or "", item.tree))
            if known is not None:
                level, version = known
                if level is Level.CODE and version.tree == asked.draft.tree:
                    level = Level.TREE
                yield Match(
                    level=level,
                    experiment=item,
                    same_parent=version.before == asked.before.code,
                    changes=version.words,
                )

    def _alike(self, asked: _Asked) -> Iterator[tuple[Level, Version]]:
        """Yield the versions that are like it, the nearest first."""
        alike, change = self.versions.alike, asked.change
        yield from ((Level.CODE, x) for x in alike(code=asked.after.code))
        if change.parts:
            yield from ((Level.CHANGE, x) for x in alike(whole=asked.after.whole))
            yield from ((Level.CHANGE, x) for x in alike(change=change.digest))
            yield from ((Level.NEAR, x) for x in alike(names=change.names))

    def catch_up(self, say: Callable[[str], None] = lambda _text: None) -> None:
        """Read the versions that were tried since; `say` is told when it takes long."""
        stamp = tried.stamp(self.store)
        if stamp == self.versions.stamp():
            return
        known = self.versions.known()
        new = [pair for pair in tried.versions(self.store) if pair not in known]
        for start in range(0, len(new), _BATCH):
            if len(new) >= _TELL and start % (5 * _BATCH) == 0:
                say(f"reading what was tried, once: {start} of {len(new)} versions")
            self._remember(list(self._read(new[start : start + _BATCH])))
        self.versions.set_stamp(stamp)

    def _read(self, pairs: Sequence[tuple[str, str]]) -> Iterator[Version]:
        revs = list(dict.fromkeys(rev for pair in pairs for rev in pair if rev))
        files = drafts.files_of(self.repo, revs, self.editable)
        told: dict[str, Effect] = {}
        for parent, tree in pairs:
            for rev in (parent, tree):
                if rev not in told:
                    told[rev] = self._effect(files.get(rev, {}))
            yield _version(parent, tree, told[parent], told[tree], files)

    def _effect(self, files: Mapping[str, str]) -> Effect:
        """Return what the editable files come to; a file that is not there is none."""
        paths = [path for path in self.editable if path in files]
        said = {path: self._said(path, files[path]) for path in paths}
        return effects.effect(said, named=len(self.editable) > 1)

    def _said(self, path: str, text: str) -> list[Piece] | str:
        if not path.endswith(".py"):
            return text
        try:
            return self._all_pieces(pieces.cut(text))
        except RecipeError:
            pass
        try:
            return self._all_pieces(pieces.pieces_of_tree(text))
        except RecipeError:
            return text

    def _all_pieces(self, texts: Sequence[str]) -> list[Piece]:
        keys = [piece_key(text) for text in texts]
        unknown = [key for key in keys if key not in self._pieces]
        if len(self._pieces) > _KEPT:
            self._pieces.clear()
            unknown = keys
        for key, said in self.versions.pieces(unknown).items() if unknown else ():
            self._pieces[key] = Piece.from_dict(json.loads(said))
        for key, text in zip(keys, texts, strict=True):
            if key not in self._pieces:
                piece = self._pieces[key] = pieces.read_piece(text)
                self._fresh[key] = json.dumps(piece.to_dict(), separators=(",", ":"))
        return [self._pieces[key] for key in keys]

    def _remember(self, versions: list[Version]) -> None:
        if versions or self._fresh:
            self.versions.put(versions, self._fresh)
            self._fresh.clear()


def _version(
    parent: str, tree: str, old: Effect, new: Effect, files: Mapping[str, object]
) -> Version:
    if tree not in files:
        # an adopted experiment whose code is lost: it is like nothing
        return Version(parent, tree, "", "", "", "", "", ())
    change = effects.changed(old, new)
    words = tuple(change.words()[:_SHOWN])
    if parent not in files:
        return Version(parent, tree, new.code, new.whole, "", "", "", ())
    return Version(
        parent, tree, new.code, new.whole, old.code, change.digest, change.names, words
    )


def _order(match: Match) -> tuple[int, bool, int]:
    return (
        list(Level).index(match.level),
        not match.same_parent,
        -match.experiment.ts,
    )
