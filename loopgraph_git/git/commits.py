"""Experiment commits: made without touching the user's checkout, read in bulk.

A commit is built from a tree with plumbing, with its date given by the caller, so
that doing it again after a crash makes the same commit and not a second one.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import GitError
from loopgraph_git.git import refs, trailers
from loopgraph_git.records import Commit, Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.git.repo import Repo

_DIFF_LIMIT = 4000
_BATCH = 500
# a broken commit may lack its committer, or the time
_HEAD = re.compile(
    r"tree ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n"
    r"(?:parent ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n)?(?:(?!committer ).+\n)*"
    r"(?:committer .*> (-?\d+) [+-]\d{4}$)?",
    re.MULTILINE,
)


def write_tree(repo: Repo, base: Oid, files: Mapping[str, str]) -> Oid:
    """Return the tree of `base` with some files replaced, filters applied.

    Uses an index of its own, so neither the user's index nor any file is touched.
    """
    modes = repo.tracked(base)
    with tempfile.TemporaryDirectory(prefix="loopgraph-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        repo.run("read-tree", base, env=index)
        for path, content in files.items():
            mode = modes.get(path, ("100644",))[0]
            blob = _filtered(repo, path, content)
            repo.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}",
                     env=index)  # fmt: skip
        return Oid(repo.text("write-tree", env=index))


def _filtered(repo: Repo, path: str, content: str) -> str:
    """Store a file as `git add` would: line endings and clean filters applied."""
    raw = content.encode("utf-8", "surrogateescape")
    if repo.bare:
        return repo.write_blob(raw)
    return repo.text("hash-object", "-w", "--stdin", f"--path={path}", stdin=raw)


def commit_tree(
    repo: Repo, tree: Oid, parent: Oid, message: str, *, timestamp: int
) -> Oid:
    """Make a commit of a tree; the same arguments make the same commit."""
    date = f"@{timestamp} +0000"
    env = {**repo.identity, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    sign = ["-S"] if repo.config("commit.gpgsign") == "true" else []
    stdin = message.encode("utf-8", "replace")
    return Oid(
        repo.text("commit-tree", *sign, "-p", parent, "-F", "-", tree,
                  stdin=stdin, env=env)
    )  # fmt: skip


def pin(repo: Repo, *oids: Oid) -> None:
    """Keep commits alive whatever happens to branches, reflogs and worktrees."""
    repo.update_refs(*((refs.pin(oid), str(oid), "") for oid in oids))


def read_commits(repo: Repo, oids: Iterable[str]) -> Iterator[Commit]:
    """Read commits in bulk; what this clone does not have is left out.

    Their changes are not read: that takes ten times as long as all the rest.
    """
    for name, kind, content in repo.objects(_present(repo, sorted(set(oids)))):
        if kind != "commit":
            continue
        oid = name if isinstance(name, Oid) else Oid(name)
        if commit := _parse(oid, content):
            yield commit


def _present(repo: Repo, oids: list[str]) -> list[str]:
    """Leave out what a partial clone would ask its remote for."""
    if not oids or not repo.partial:
        return oids
    listing = repo.text(
        "rev-list", "--no-walk=unsorted", "--ignore-missing", "--missing=allow-any",
        "--stdin", stdin="".join(f"{oid}\n" for oid in oids).encode(),
    )  # fmt: skip
    return listing.splitlines()


def _parse(oid: Oid, content: bytes) -> Commit | None:
    header, _, message = content.decode("utf-8", "replace").partition("\n\n")
    head = _HEAD.match(header)
    if head is None:
        return None
    tree, parent, stamp = head.groups()
    subject, body, known = trailers.parse(message)
    return Commit(
        oid=oid,
        tree=Oid.trusted(tree),
        parent=Oid.trusted(parent) if parent else None,
        ts=max(0, int(stamp)) if stamp else 0,
        subject=subject[:500],
        body=body[:4000],
        trailers=known,
        diff=None,
    )


def read_whole(repo: Repo, oids: Iterable[str]) -> Iterator[Commit]:
    """Read commits with what they changed against their first parents, cut to size.

    A commit without a parent has the empty change, and so has one whose parent, or its
    files, this clone does not have. A partial clone is not asked: it would fetch file by
    file.
    """
    found = list(read_commits(repo, oids))
    for start in range(0, len(found), _BATCH):
        batch = found[start : start + _BATCH]
        changes = _changes(repo, [commit.oid for commit in batch if commit.parent])
        for commit in batch:
            yield replace(commit, diff=changes.get(commit.oid, ""))


def _changes(repo: Repo, oids: list[Oid]) -> dict[str, str]:
    if not oids or repo.partial:
        return {}
    try:
        raw = repo.run(
            "diff-tree", "--stdin", "-r", "-m", "--first-parent", "-p", "-U1",
            "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color",
            stdin="".join(f"{oid}\n" for oid in oids).encode(),
        )  # fmt: skip
    except GitError:
        # git gives up on all for one that a shallow or partial clone lacks
        if len(oids) == 1:
            return {}
        middle = len(oids) // 2
        return _changes(repo, oids[:middle]) | _changes(repo, oids[middle:])
    wanted = set(map(str, oids))
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in raw.decode("utf-8", "replace").split("\n"):
        name = line.split(" ", 1)[0]
        if name in wanted:
            current = parts.setdefault(name, [])
        else:
            current.append(line)
    return {oid: "\n".join(lines)[:_DIFF_LIMIT] for oid, lines in parts.items()}
