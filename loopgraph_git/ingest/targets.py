"""Targets: what a person may name, told apart by its form alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from loopgraph_git.errors import UsageError
from loopgraph_git.git.visit import Address, find_address
from loopgraph_git.ingest.visiting import named
from loopgraph_git.library.arxiv import ArxivId, find_id

_SEARCH = "search:"
_ARXIV = "arxiv:"
_PAGES = (".pdf", ".html", ".htm", ".md", ".txt", ".gz", ".tgz", ".tex")
_PACKS = (".yml", ".yaml")


@dataclass(frozen=True)
class Paper:
    """A paper of arXiv."""

    text: str
    id: ArxivId


@dataclass(frozen=True)
class Search:
    """The first papers that arXiv finds."""

    text: str
    query: str


@dataclass(frozen=True)
class Files:
    """A file of knowledge, a folder of them, or a folder of LaTeX."""

    text: str
    path: Path


@dataclass(frozen=True)
class Pack:
    """A file of methods."""

    text: str
    path: Path


@dataclass(frozen=True)
class Repository:
    """A git repository of others."""

    text: str
    address: Address


Target = Paper | Search | Files | Pack | Repository


def parse_target(text: str) -> Target:
    """Return what a text names; raises UsageError with the forms that there are."""
    if text.startswith(_SEARCH):
        query = text.removeprefix(_SEARCH).strip()
        if not query:
            raise UsageError("search: needs words, as in 'search:muon optimizer'")
        return Search(text, query)
    if text.lower().startswith(_ARXIV):
        return Paper(text, _id(text))
    path = Path(text)
    if text and _is_there(path):
        return _path(text, path)
    found = find_id(text)
    if found is not None:
        return Paper(text, found)
    return _repository(text)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # too long for a name, or in a folder that may not be looked into
        return False


def _id(text: str) -> ArxivId:
    found = find_id(text)
    if found is None:
        raise UsageError(
            f"{text}: no id of arXiv: they look like 2002.05202, 2002.05202v1 or "
            "cs/0112017"
        )
    return found


def _path(text: str, path: Path) -> Target:
    if path.suffix.lower() in _PACKS and path.is_file():
        return Pack(text, path)
    if path.is_dir() and (path / ".git").exists():
        return _repository(path.resolve().as_uri())
    return Files(text, path)


def _repository(text: str) -> Repository:
    address = find_address(text)
    if text.startswith("http") and PurePath(text).suffix.lower() in _PAGES:
        raise UsageError(
            f"{text}: is fetched from arXiv alone: save it, and give the file"
        )
    if address is None:
        raise UsageError(
            f"{text or 'an empty target'}: nothing that can be taken in: give arxiv:ID, "
            "search:WORDS, a file or a folder that exists, github:OWNER/NAME, or a file:// repository"
        )
    # an address may have a password in it, a name has none
    return Repository(named(address), address)
