"""An edit that is not an experiment yet: what it would make of the editable files.

A draft comes from the working tree, the index, a patch or a commit. It is put
together in an index and an object store of its own, which are gone afterwards:
neither the user's files nor the repository are written to.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import EditError, GitError, UsageError
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.git.repo import Repo

PATCH_LIMIT = 8 * 1024 * 1024
FILE_LIMIT = 1024 * 1024
_REGULAR = ("100644", "100755")
# what a patch says its files were, so that it can be read where it was made
_WAS = re.compile(rb"^index ([0-9a-f]{7,64})\.\.[0-9a-f]{7,64}", re.MULTILINE)
_TRIED = 4
"""Commits that a patch is tried on before it is given up."""


class Draft(NamedTuple):
    """The editable files before and after an edit, and the tree that it would make.

    `base` is the commit it starts from; `commit` the commit it is, if it is one.
    """

    base: Oid | None
    tree: str
    before: dict[str, str]
    after: dict[str, str]
    commit: Oid | None = None


def of_worktree(repo: Repo, editable: Sequence[str]) -> Draft:
    """Return what the working tree makes of the editable files at HEAD."""
    if repo.bare:
        raise UsageError("a bare repository has no working tree: name a rev or a patch")
    for path in editable:
        _check_file(repo.root, path)
    paths = "".join(f"{path}\0" for path in editable).encode()
    base = repo.oid("HEAD")
    with _scratch(repo) as env:
        repo.run("read-tree", base, env=env)
        repo.run(
            "update-index", "--add", "--remove", "-z", "--stdin", stdin=paths, env=env
        )
        return _draft(repo, base, editable, env)


def _check_file(root: Path, path: str) -> None:
    """Refuse what is not a file of the repository: git would not follow it either."""
    place = root
    for part in Path(path).parts:
        place /= part
        if place.is_symlink():
            raise EditError(f"{path} is a link, or in one: only files are compared")
    if place.exists() and not place.is_file():
        raise EditError(f"{path} is not a file")
    if place.exists() and place.stat().st_size > FILE_LIMIT:
        raise EditError(f"{path} is over {FILE_LIMIT >> 20} MiB")


def of_index(repo: Repo, editable: Sequence[str]) -> Draft:
    """Return what is staged of the editable files."""
    base = repo.oid("HEAD")
    listing = repo.run("ls-files", "--stage", "-z", "--", *map(_literal, editable))
    removed = [f"0 {repo.zero}\t{path}\0" for path in editable]
    rows = [row for row in listing.decode(errors="surrogateescape").split("\0") if row]
    if any(row.split("\t")[0].split()[2] != "0" for row in rows):
        raise UsageError("the index holds a conflict: resolve it, and `git add` it")
    info = "".join([*removed, *(f"{row}\0" for row in rows)])
    with _scratch(repo) as env:
        repo.run("read-tree", base, env=env)
        repo.run("update-index", "-z", "--index-info",
                 stdin=info.encode(errors="surrogateescape"), env=env)  # fmt: skip
        return _draft(repo, base, editable, env)


def _literal(path: str) -> str:
    return f":(top,literal){path}"


def of_commit(repo: Repo, rev: str, editable: Sequence[str]) -> Draft:
    """Return what a commit made of the editable files of its first parent."""
    oid = repo.oid(rev)
    words = repo.text("log", "-1", "--no-show-signature", "--format=%T %P", oid, "--")
    tree, *parents = words.split()
    base = Oid(parents[0]) if parents else None
    before = read_files(repo, base, editable) if base else {}
    return Draft(base, tree, before, read_files(repo, tree, editable), oid)


def of_patch(
    repo: Repo,
    patch: bytes,
    editable: Sequence[str],
    *,
    others: Callable[[], Iterable[str]] = tuple,
) -> Draft:
    """Return what a patch makes of the files at HEAD, or of those it was made for.

    `others` are asked for commits that it may have been made for. Every hunk has to match its
    lines exactly. Raises EditError where it does not, or where it names a path
    outside the repository; UsageError where it is no patch.
    """
    if len(patch) > PATCH_LIMIT:
        raise UsageError(f"the patch is over {PATCH_LIMIT >> 20} MiB")
    if not patch.strip():
        raise UsageError("the patch is empty: `git diff` writes one")
    base = repo.oid("HEAD")
    with _scratch(repo) as env:
        repo.run("read-tree", base, env=env)
        try:
            _apply(repo, patch, env)
        except GitError as error:
            said = str(error).removeprefix("git apply: ").removeprefix("error: ")
            if "No valid patches" in said:
                raise UsageError(
                    "that is no patch: give what `git diff` or `git show` prints"
                ) from error
            found = None
            if "invalid path" not in said:
                found = _where_made(repo, patch, editable, others())
            if found is None:
                raise EditError(
                    f"the patch applies neither to HEAD nor to what it was made for: "
                    f"{said}"
                ) from error
            return found
        return _draft(repo, base, editable, env)


def _apply(repo: Repo, patch: bytes, env: Mapping[str, str]) -> None:
    repo.run(
        "apply",
        "--cached",
        "--whitespace=nowarn",
        "--no-ignore-whitespace",
        "-",
        stdin=patch,
        env=env,
    )


def _where_made(
    repo: Repo,
    patch: bytes,
    editable: Sequence[str],
    others: Iterable[str],
) -> Draft | None:
    """Apply a patch to a commit that has the files as the patch says they were."""
    was = tuple(name.decode() for name in set(_WAS.findall(patch)) if name.strip(b"0"))
    for base in _commits_with(repo, was, editable, others):
        with _scratch(repo) as env:
            repo.run("read-tree", base, env=env)
            try:
                _apply(repo, patch, env)
            except GitError:
                continue
            return _draft(repo, base, editable, env)
    return None


def _commits_with(
    repo: Repo, blobs: tuple[str, ...], editable: Sequence[str], commits: Iterable[str]
) -> list[Oid]:
    """Return the commits that have one of some blobs, by the start of its name."""
    pairs = [(commit, path) for commit in commits for path in editable]
    if not pairs or not blobs:
        return []
    stdin = "".join(f"{commit}:{path}\n" for commit, path in pairs)
    out = repo.text("cat-file", "--batch-check=%(objectname)", stdin=stdin.encode())
    found = zip(pairs, out.split("\n"), strict=True)
    having = dict.fromkeys(Oid(x[0]) for x, blob in found if blob.startswith(blobs))
    return list(having)[:_TRIED]


@contextmanager
def _scratch(repo: Repo) -> Iterator[dict[str, str]]:
    """Give git an index and an object store that end with the block."""
    with tempfile.TemporaryDirectory(prefix="loopgraph-") as folder:
        objects = Path(folder) / "objects"
        objects.mkdir()
        yield {
            "GIT_INDEX_FILE": str(Path(folder) / "index"),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(repo.common_dir / "objects"),
        }


def _quoted(path: Path) -> str:
    """Return a path for a list that is separated by colons."""
    text = str(path)
    if ":" not in text and not text.startswith('"'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _draft(
    repo: Repo, base: Oid, editable: Sequence[str], env: Mapping[str, str]
) -> Draft:
    tree = repo.text("write-tree", env=env)
    after = {}
    listing = repo.run("ls-tree", "-r", "-z", tree, "--", *editable, env=env)
    for row in listing.decode(errors="surrogateescape").split("\0")[:-1]:
        info, path = row.split("\t", 1)
        mode, _, blob = info.split()
        if path in editable:
            if mode not in _REGULAR:
                raise EditError(f"{path} would not be an ordinary file")
            content = repo.run("cat-file", "blob", blob, env=env)
            after[path] = content.decode("utf-8", "surrogateescape")
    return Draft(base, tree, read_files(repo, base, editable), after)


def read_files(repo: Repo, rev: str, editable: Sequence[str]) -> dict[str, str]:
    """Return the texts of the editable files at a commit or a tree."""
    return files_of(repo, [rev], editable).get(rev, {})


def files_of(
    repo: Repo, revs: Sequence[str], editable: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return the texts of the editable files of many trees; one process for all."""
    names = [f"{rev}:{path}" for rev in revs for path in editable]
    found: dict[str, dict[str, str]] = {}
    for name, kind, content in repo.objects(names):
        if kind == "blob" and len(content) <= FILE_LIMIT:
            rev, _, path = name.partition(":")
            text = content.decode("utf-8", "surrogateescape")
            found.setdefault(rev, {})[path] = text
    return found
