"""A repository of others: visited, and read as one document.

A copy without a checkout is kept beside the entries, so that the next visit fetches
only what changed. It may be deleted: the text is in the entry.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from loopgraph_git.git.visit import contents, visit
from loopgraph_git.library.repository import chosen, read_repository
from loopgraph_git.records import Paper

if TYPE_CHECKING:
    from pathlib import Path

    from loopgraph_git.git.visit import Address, Snapshot
    from loopgraph_git.library.section import Document

VISITED = ".visited"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_LIMIT = 80


def named(address: Address) -> str:
    """Return how a repository at a rev is named, without a password."""
    return str(address)


def place(library: Path, address: Address) -> Path:
    """Return where the copy of a repository is kept."""
    digest = hashlib.sha256(address.key.encode()).hexdigest()[:8]
    name = _UNSAFE.sub("-", address.key).strip("-.")[:_NAME_LIMIT]
    return library / VISITED / f"{name}.{digest}.git"


def look(library: Path, address: Address) -> Snapshot:
    """Return what a repository is now; raises GitError where it cannot be read."""
    return visit(place(library, address), address)


def paper_of(address: Address, version: str = "") -> Paper:
    """Return a repository as a source of knowledge; a version is a commit."""
    url = f"https://github.com/{address.name}" if address.key.startswith("github:") else ""  # fmt: skip
    return Paper(key=address.key, title=address.title, url=url, version=version)


def read(library: Path, address: Address, found: Snapshot) -> Document:
    """Return the text of a snapshot; raises DocumentError where there is none."""
    files = {file.path: file for file in found.files}
    names, left_out = chosen({path: file.size for path, file in files.items()})
    held = contents(place(library, address), [files[name] for name in names])
    return read_repository(held, address.title, left_out=left_out)
