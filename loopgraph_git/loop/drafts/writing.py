"""Drafts as a pack: the YAML, and the file for a person to review.

It lies in a folder below that of the packs, which is not looked into: only what a person
has moved out of it counts, and is covered by `git lg trust`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import yaml

from loopgraph_git.errors import PackError
from loopgraph_git.ingest.packing import placed
from loopgraph_git.library.fields import ID
from loopgraph_git.records.texts import HIDDEN, flat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loopgraph_git.loop.drafts.answers import Draft
    from loopgraph_git.records import Chunk, Paper

FOLDER = "drafts"
_KEYS = ("id", "title", "family", "summary", "helps", "hurts", "aliases", "sources",
         "detect", "requires", "conflicts", "knobs", "priors", "recipe")  # fmt: skip
_REPOSITORY = re.compile(r"github:([\w.-]+/[\w.-]+)")
_TITLE_LIMIT, _NOTE_LIMIT = 200, 300
_MARK = "# draft "
_MOST = 100


def listed(value: Any) -> list[Any]:
    """Return a plain value as a list: one thing alone is a list of one."""
    if isinstance(value, list):
        return value
    return [] if value in (None, "") else [value]


def method_of(draft: Draft, paper: Paper) -> dict[str, Any]:
    """Return a draft as a method of a pack; where it is from is for us to say."""
    method = dict(draft.keys)
    if draft.passage is not None:
        method["sources"] = [source_of(paper, draft.passage)]
        place = f"{_short(paper.title)}, {draft.passage.place}".rstrip(", ")
        if isinstance(method.get("priors"), list):
            method["priors"] = [
                {**item, "source": place} if isinstance(item, dict) else item
                for item in method["priors"]
            ]
    ours = {key: method.pop(key) for key in _KEYS if key in method}
    return {**ours, **method}


def source_of(paper: Paper, passage: Chunk) -> dict[str, str]:
    """Return the source that a passage is, its section the place that it has."""
    kind, _, name = paper.key.partition(":")
    repository = _REPOSITORY.fullmatch(paper.key)
    if kind == "arxiv":
        origin = {"arxiv": name}
    elif repository and paper.version:
        origin = {"commit": f"{repository[1]}@{paper.version}"}
    elif kind in ("http", "https"):
        origin = {"url": paper.key}
    else:
        origin = {"log": named(paper)}
    words = {"title": _short(paper.title), "section": flat(passage.place)}
    return {**origin, **{key: text for key, text in words.items() if text}}


def named(paper: Paper) -> str:
    """Return the key of a paper; of a file elsewhere its name alone.

    Where it lies on this machine is nobody's business: a pack is shared.
    """
    kind, _, name = paper.key.partition(":")
    return f"file:{PurePath(name).name}" if kind == "file" and name[:1] == "/" else paper.key  # fmt: skip


def _short(text: str) -> str:
    return flat(text)[:_TITLE_LIMIT]


def pack_name(paper: Paper) -> str:
    """Return the id of the pack of a paper's drafts, which names its file too."""
    name = re.sub(r"[^a-z0-9]+", "-", named(paper).lower()).strip("-")[:60].strip("-")
    return name if re.fullmatch(ID, name) else f"paper-{name}".rstrip("-")


def file_text(
    paper: Paper, drafts: Sequence[Draft], head: Sequence[str], left: Sequence[str]
) -> str:
    """Return the file: what it is, each method with its passage, and what was left out."""
    title = f"Drafted from {_short(paper.title)}"
    name = pack_name(paper)
    body = [dumped({"pack": name, "title": title}), "methods:\n"]
    for draft in drafts:
        body += [
            *_comments(draft, paper),
            _indented(dumped([method_of(draft, paper)])),
            "\n",
        ]
    body += [f"# {line}\n" for line in _lines(left)]
    text = "".join(body)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    top = "".join(f"# {line}\n" for line in _lines(head))
    return f"{top}{_MARK}{mark}\n{text}"


def _lines(texts: Sequence[str]) -> list[str]:
    return [flat(text)[:_NOTE_LIMIT] for text in texts]


def _comments(draft: Draft, paper: Paper) -> list[str]:
    passage = draft.passage
    where = f"from {named(paper)}#{passage.ord}, {passage.place}" if passage else ""
    notes = _lines([where, *(f"left out: {why}" for why in draft.left_out)])
    return [f"  # {note}\n" for note in notes]


def _indented(text: str) -> str:
    return "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))  # fmt: skip


def place(folder: Path, name: str, text: str) -> tuple[Path, bool]:
    """Write a file of drafts beside the others; returns where, and whether it is new.

    The same drafts are written once, even if a person has changed the file since.
    Raises PackError where there are too many, or the folder is a link.
    """
    if folder.is_symlink():
        raise PackError(f"{folder} is a link: drafts go into a folder of their own")
    mark = next(line for line in text.splitlines() if line.startswith(_MARK))
    for number in range(1, _MOST):
        path = folder / (f"{name}.yml" if number == 1 else f"{name}-{number}.yml")
        if path.exists():
            if mark in path.read_text("utf-8", "replace").splitlines():
                return path, False
            continue
        placed(path, text.encode("utf-8", "replace"))
        return path, True
    raise PackError(
        f"{folder}: {_MOST} drafts of {name} are there: delete the old ones"
    )


class _Dumper(yaml.SafeDumper):
    """Writes texts so that a pack's reader finds texts: code as it stands, by lines."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base's
        """Write everything out: a pack has no anchors."""
        return True


_NUMBER_LIKE = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?|true|false|null|~|")


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ("'" if _NUMBER_LIKE.fullmatch(text) else None)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


def dumped(value: Any) -> str:
    """Return a plain value as YAML, without what cannot be seen."""
    text: str = yaml.dump(
        _cleaned(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=88
    )
    return text


def _cleaned(value: Any) -> Any:
    """Return a plain value whose texts hold only what can be seen."""
    if isinstance(value, dict):
        return {flat(str(key)): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return HIDDEN.sub("", value) if isinstance(value, str) else value
