"""The extraction: a source on the shelf becomes a pack of drafts, and what it left out."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from loopgraph_git.ingest.indexing import choose
from loopgraph_git.library.catalogue import catalogue
from loopgraph_git.library.chunk import chunks_of_document
from loopgraph_git.library.packs import parse_pack
from loopgraph_git.loop.drafts import passages, writing
from loopgraph_git.loop.drafts.kept import Kept
from loopgraph_git.loop.drafts.reach import words_of
from loopgraph_git.loop.drafts.rules import REQUIRED, Ground, faults
from loopgraph_git.loop.drafts.talk import Desk, drafted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from loopgraph_git.config import Config
    from loopgraph_git.library.catalogue import Listed
    from loopgraph_git.library.shelf import Shelf, Shelved
    from loopgraph_git.loop.drafts.answers import Draft
    from loopgraph_git.loop.drafts.rules import Fault
    from loopgraph_git.loop.providers import Provider
    from loopgraph_git.records import Chunk, Paper

_MOST = 40


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """What was drafted from a source: the file, its methods, and what was left out.

    `file` is empty where there is nothing to review; `recipes` are the methods with one.
    `shown` of `passages` were sent.
    """

    key: str
    file: str = ""
    new: bool = False
    methods: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    shown: int = 0
    passages: int = 0
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """Drafts methods with an LLM: from a shelf, for some code, beside some packs.

    `folders` are those of packs, ours first; drafts go into a folder below the last.
    """

    provider: Provider
    llm: str
    shelf: Shelf
    folders: Sequence[Path]
    files: Mapping[str, str]
    config: Config
    say: Callable[[str], None] = lambda _text: None

    def draft(self, key: str) -> Drafted:
        """Draft methods from the newest version of a source.

        Raises ProviderError or BudgetError; what was answered before is kept.
        """
        entry = choose(self.shelf.entries()).entries.get(key)
        if entry is None:
            return Drafted(key=key, left_out=("its text is that of another source",))
        chunks = chunks_of_document(self.shelf.document(entry), key)
        best = passages.chosen(chunks, "\n".join(self.files.values()))
        found = Drafted(key=key, shown=len(best), passages=len(chunks))
        if not best:
            return replace(found, left_out=("no passage speaks of training",))
        left: list[str] = []
        drafts = self._drafts(entry.paper, best, left)
        # an answer may have put anything into the reasons against it
        return self._written(entry, drafts, found, list(map(words_of, left)))

    @cached_property
    def _known(self) -> Mapping[str, Listed]:
        return catalogue(self.folders)

    def _drafts(
        self, paper: Paper, best: Sequence[Chunk], left: list[str]
    ) -> list[Draft]:
        """Return the drafts that keep the rules; why others do not goes to `left`."""
        ground = Ground(paper=paper, files=self.files, config=self.config)
        desk = Desk(
            provider=self.provider,
            kept=Kept(self.shelf.folder, self.llm),
            ground=ground,
            known=self._shipped(),
            say=self.say,
        )
        made: dict[str, Draft] = {}
        portions = passages.portions(best)
        for number, portion in enumerate(portions, start=1):
            self.say(f"[{number}/{len(portions)}] drafting from {paper.key}")
            answer = drafted(desk, portion)
            if answer.problem:
                left.append(f"an answer: {answer.problem}")
            for draft in answer.drafts:
                why = _same(draft, self._known, made)
                sound = None if why else _sound(draft, ground, left)
                if why:
                    left.append(why)
                elif sound and len(made) < _MOST:
                    made[sound.id] = sound
        return [
            _with_conflicts(draft, {*self._known, *made}) for draft in made.values()
        ]

    def _shipped(self) -> list[str]:
        """Return the ids that we ship, not the user's: to accept a draft asks nothing."""
        ours = str(self.folders[0])
        return [
            name
            for name, item in self._known.items()
            if item.overrides or item.file.startswith(ours)
        ]

    def _written(
        self, entry: Shelved, drafts: Sequence[Draft], found: Drafted, left: list[str]
    ) -> Drafted:
        """Write the drafts for a person; nothing where there are none."""
        found = replace(
            found,
            methods=tuple(draft.id for draft in drafts),
            recipes=tuple(draft.id for draft in drafts if "recipe" in draft.keys),
            left_out=(*left, *(f"{x.id}: {why}" for x in drafts for why in x.left_out)),
        )
        if not drafts:
            return found
        text = writing.file_text(entry.paper, drafts, self._head(entry, found), left)
        # what we wrote has to be what anybody else could have written
        parse_pack(text, writing.pack_name(entry.paper))
        folder = self.folders[-1] / writing.FOLDER
        path, is_new = writing.place(folder, writing.pack_name(entry.paper), text)
        return replace(found, file=str(path), new=is_new)

    def _head(self, entry: Shelved, found: Drafted) -> list[str]:
        version = f" {entry.paper.version}" if entry.paper.version else ""
        shown = f"{found.shown} of {found.passages} passages"
        return [
            f"Drafts by {self.llm}, from {shown} of {writing.named(entry.paper)}{version}.",
            "No person has checked them: nothing reads this file where it is. Hold each",
            "against the paper, take out what is wrong, move the file up into",
            f"{self.config.packs}/ and give `git lg trust` anew.",
        ]


def _sound(draft: Draft, ground: Ground, left: list[str]) -> Draft | None:
    """Return a draft without what breaks the rules; None where nothing is left of it."""
    while found := faults(draft, ground):
        fault = _first(found)
        if fault.key in REQUIRED or fault.key not in draft.keys:
            left.append(f"{draft.id or 'a draft without id'}: {fault.words}")
            return None
        draft = draft.without(fault.key, fault.words.removeprefix(f"{fault.key}: "))
    return draft


def _first(found: Sequence[Fault]) -> Fault:
    """Return the gravest fault: one without which there is no method."""
    grave = (fault for fault in found if fault.key in (*REQUIRED, "passage", ""))
    return next(grave, found[0])


def _same(draft: Draft, known: Mapping[str, Listed], made: Mapping[str, Draft]) -> str:
    """Return why a draft is nothing new, "" where it is."""
    if draft.id in made:
        return f"{draft.id}: drafted from another passage already"
    if draft.id in known:
        return f"{draft.id}: is known, from the pack {known[draft.id].method.pack}"
    named = {_plain(str(draft.keys.get("title", ""))), _plain(draft.id)}
    for listed in known.values():
        method = listed.method
        same = named & {*map(_plain, (method.id, method.title, *method.aliases))}
        if same:
            title = str(draft.keys.get("title", ""))
            return f"{draft.id}: is {method.id}, which could have the alias “{title}”"
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def _with_conflicts(draft: Draft, ids: set[str]) -> Draft:
    """Return a draft that conflicts with methods that there are."""
    given = writing.listed(draft.keys.get("conflicts"))
    kept = [name for name in given if name in ids and name != draft.id]
    if kept == given:
        return draft
    keys = {name: value for name, value in draft.keys.items() if name != "conflicts"}
    return replace(draft, keys={**keys, **({"conflicts": kept} if kept else {})})
