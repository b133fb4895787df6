"""Maps of code as it is in git: of the files that may be edited, and of all files.

A file that does not parse where it is asked for is mapped as it was when it last did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.git import bulk
from loopgraph_git.researchfs.codemap import code_map, parses
from loopgraph_git.researchfs.repomap import MappedFile, repository_map

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from loopgraph_git.git.repo import Repo

FILES = 2000
LARGEST = 1_000_000
VERSIONS = 20
"""How far back a version that parses is looked for."""


def map_files(
    repo: Repo, rev: str, paths: Sequence[str], *, about: Collection[str] = ()
) -> str:
    """Return the map of some files at a rev, those named in `about` first."""
    parts = []
    for path in paths:
        text = repo.file(rev, path)
        if text is None:
            continue
        source, note = last_parsing(repo, rev, path, text)
        named = [f"# {path}{note}"] if note or len(paths) > 1 else []
        parts += [*named, code_map(source, about=about)]
    return "\n".join(filter(None, parts))


def last_parsing(repo: Repo, rev: str, path: str, text: str) -> tuple[str, str]:
    """Return a source that parses and which one it is; the text itself where none does.

    The note is empty for the text that was asked for.
    """
    if not path.endswith(".py") or parses(text):
        return text, ""
    older = repo.text("log", f"-n{VERSIONS}", "--format=%H", rev, "--", path).split()
    for name, kind, content in repo.objects(f"{oid}:{path}" for oid in older):
        source = content.decode("utf-8", "replace")
        if kind == "blob" and parses(source):
            return source, f" as it was at {name[:7]}: it does not parse now"
    return text, ""


def map_repository(repo: Repo, rev: str) -> list[MappedFile]:
    """Return the Python files of a repository, what the others stand on first."""
    return repository_map(dict(_sources(repo, rev)))


def _sources(repo: Repo, rev: str) -> Iterator[tuple[str, str]]:
    blobs = {
        path: str(oid)
        for path, (mode, oid) in sorted(repo.tracked(rev).items())
        if path.endswith(".py") and mode.startswith("100")
    }
    wanted = dict(list(blobs.items())[:FILES])
    sizes = bulk.blob_sizes(repo, wanted.values())
    small = {oid for oid, size in sizes.items() if size <= LARGEST}
    texts = {
        name: content.decode("utf-8", "replace")
        for name, _, content in repo.objects(sorted(small))
    }
    for path, oid in wanted.items():
        if oid in texts:
            yield path, last_parsing(repo, rev, path, texts[oid])[0]
