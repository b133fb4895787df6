"""Repositories of others: fetched as one snapshot, read from the object store.

There is never a checkout: no file of theirs is written, no hook, filter or submodule
of theirs can run. A kept copy fetches only what changed. Git never asks a question,
and speaks the protocol of the address alone, so that a redirect leads to no file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgraph_git.errors import GitError, UsageError
from loopgraph_git.git.repo import Repo, create_bare
from loopgraph_git.records import Oid
from loopgraph_git.records.texts import HIDDEN, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SECONDS_LIMIT = 600.0
"""How long a snapshot may take to come."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_GITHUB = re.compile(
    rf"(?:github:|https?://(?:www\.)?github\.com/)(?P<name>{_NAME}/{_NAME}?)(?:\.git)?/?"
    r"(?:(?:@|tree/|commit/)(?P<rev>[^\s@]+))?"
)
_URL = re.compile(
    r"(?P<url>(?:https?|file|ssh)://(?:[^\s@/]+@)?[^\s@]+)(?:@(?P<rev>[^\s@]+))?"
)
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_LOGIN = re.compile(r"(?<=//)[^/\s]*@")
_REV = re.compile(r"(?![-/.])[\w./+-]{1,200}(?<![/.])")
_SHORT = re.compile(r"[0-9a-f]{7,39}\Z")
_BASE = "https://github.com"
_VISITED = "refs/visited"
_FILES = ("100644", "100755")


@dataclass(frozen=True)
class Address:
    """Where a repository of others is; an empty `rev` means its default branch."""

    name: str
    url: str
    rev: str = ""

    @property
    def key(self) -> str:
        """The name of the repository, whichever version, and without a password."""
        own = self.url.startswith(f"{_BASE}/")
        return f"github:{self.name}" if own else without_login(self.url)

    @property
    def title(self) -> str:
        """The name as people write it: `my repo`, not `my%20repo`."""
        raw = _ESCAPED.sub(lambda it: bytes.fromhex(it[1].decode()), self.name.encode())
        return flat(raw.decode("utf-8", "replace"))

    def __str__(self) -> str:
        return f"{self.key}@{self.rev}" if self.rev else self.key


@dataclass(frozen=True)
class Theirs:
    """A file of a snapshot: its path, its blob and its size in bytes."""

    path: str
    blob: Oid
    size: int


@dataclass(frozen=True)
class Snapshot:
    """A commit of a repository of others, and its plain files."""

    commit: Oid
    files: tuple[Theirs, ...]


def without_login(text: str) -> str:
    """Return a text whose addresses have no user and no password in them."""
    return _LOGIN.sub("", text)


def find_address(text: str) -> Address | None:
    """Return the repository that a text names, or None where it names none.

    `github:owner/name[@rev]`, or an address with https, http, ssh or file, with
    `@rev` behind it. Raises UsageError where the rev cannot be one.
    """
    text = text.strip()
    if HIDDEN.search(text):
        return None
    if found := _GITHUB.fullmatch(text):
        name = found["name"].removesuffix(".git")
        return Address(name, f"{_BASE}/{name}.git", _checked(found["rev"]))
    if found := _URL.fullmatch(text):
        parts = found["url"].rstrip("/").removesuffix(".git").split("/")
        named = [part for part in parts[3:] if part not in ("", ".git")]
        if named:
            return Address("/".join(named[-2:]), found["url"], _checked(found["rev"]))
    return None


def _checked(rev: str | None) -> str:
    if rev and (not _REV.fullmatch(rev) or ".." in rev):
        raise UsageError(f"{rev!r} is no branch, tag or commit: write owner/name@rev")
    return rev or ""


def visit(folder: Path, address: Address) -> Snapshot:
    """Bring the newest state of a repository into a folder of ours, and list it.

    Only what changed since the last visit is fetched. Raises GitError.
    """
    repo = create_bare(folder)
    protocol = address.url.partition(":")[0]
    quiet = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": "60",
    }
    try:
        repo.run(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
            "--no-write-fetch-head", "--force", "--end-of-options", address.url,
            f"{address.rev or 'HEAD'}:{_ref(address.rev)}",
            env=quiet, timeout=SECONDS_LIMIT,
        )  # fmt: skip
    except GitError as error:
        raise GitError(f"{address}: {_why(error, address)}") from error
    return snapshot(folder, repo.oid(_ref(address.rev)))


def _ref(rev: str) -> str:
    """Return the ref that keeps the snapshot of a rev; any rev makes one."""
    return f"{_VISITED}/{rev.encode().hex() or 'head'}"


def _why(error: GitError, address: Address) -> str:
    said = str(error).removeprefix("git fetch: ").removeprefix("fatal: ")
    first = said.split("\n")[0]
    if _SHORT.fullmatch(address.rev):
        return f"{first}: servers give no shortened commits, write all 40 digits"
    if "couldn't find remote ref" in said or "not our ref" in said:
        return f"it has no {address.rev or 'commit'}: name a branch, a tag or a commit"
    return f"{first}: check the address, and that you may read it"


def snapshot(folder: Path, commit: Oid) -> Snapshot:
    """List the plain files of a commit that was visited before.

    Links, submodules and names that hide something are not among them.
    """
    out = Repo(folder).run("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    rows = os.fsdecode(out).split("\0")
    return Snapshot(commit, tuple(_files(rows)))


def _files(rows: Iterable[str]) -> Iterator[Theirs]:
    for row in rows:
        told, _, path = row.partition("\t")
        words = told.split()
        if words and words[0] in _FILES and not HIDDEN.search(path):
            yield Theirs(path, Oid(words[2]), int(words[3]))


def contents(folder: Path, files: Iterable[Theirs]) -> dict[str, bytes]:
    """Return what files of a snapshot hold, by path; one process reads them all."""
    wanted: dict[str, list[str]] = {}
    for file in files:
        wanted.setdefault(file.blob, []).append(file.path)
    found = Repo(folder).objects(wanted)
    return {path: content for blob, _, content in found for path in wanted[blob]}
