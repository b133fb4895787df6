"""The one door to git.

What changes a repository goes through GitPython's command runner: its object API fails
on reftable and SHA-256 repositories, and ignores filters and signing. What only reads is
a pipe from git (`calling`). Every call runs without the repository's hooks, without a
file-system monitor, and without the GIT_* variables that a surrounding hook or another
tool may have set.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from loopgraph_git.errors import GitError, NotARepositoryError
from loopgraph_git.git.calling import begin, call, output, stream
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loopgraph_git.git.calling import Process

_FALLBACK_NAME = "loopgraph"
_FALLBACK_EMAIL = "loopgraph@localhost"


class Repo:
    """A repository, seen from one of its worktrees.

    `root` is the top of the worktree (the git directory of a bare repository),
    `common_dir` the directory that all worktrees share.
    """

    def __init__(self, folder: Path) -> None:
        found = _locate(folder)
        self.bare = found[0] == "true"
        self.git_dir = Path(found[1])
        self.common_dir = Path(found[2])
        self.object_format = found[3]
        self.root = self.git_dir if self.bare else Path(found[4])
        self._folder = self.root

    @property
    def zero(self) -> str:
        """The object id that means "no such ref", as long as the others here."""
        return "0" * (64 if self.object_format == "sha256" else 40)

    @property
    def home(self) -> Path:
        """The folder for what is ours and never canonical: lock, index, worktrees."""
        return self.common_dir / "loopgraph"

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Run git and return its raw output; raises GitError with git's words.

        After `timeout` seconds it is ended.
        """
        return output(self._folder, *args, stdin=stdin, env=env, timeout=timeout)

    def text(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run git and return its output as text without the last newline."""
        return os.fsdecode(self.run(*args, stdin=stdin, env=env)).rstrip("\n")

    def ok(self, *args: str) -> bool:
        """Run git and say whether it succeeded."""
        return call(self._folder, *args)[0] == 0

    def maybe(self, *args: str) -> str | None:
        """Run git and return its output as text, or None where it failed."""
        status, out, _ = call(self._folder, *args)
        return None if status else os.fsdecode(out).rstrip("\n")

    @cached_property
    def partial(self) -> bool:
        """Whether what is missing here would be fetched, one object after the other."""
        return self.ok("config", "--get-regexp", r"^remote\..*\.promisor$")

    @cached_property
    def identity(self) -> dict[str, str]:
        """Environment for our own writes where the user has configured no name."""
        if self.ok("var", "GIT_COMMITTER_IDENT") and self.ok("var", "GIT_AUTHOR_IDENT"):
            return {}
        named = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", _FALLBACK_NAME), ("EMAIL", _FALLBACK_EMAIL))
        }
        return {key: os.environ.get(key) or value for key, value in named.items()}

    def find(self, rev: str) -> Oid | None:
        """Return the commit that a rev names, or None."""
        # a leading dash would be read as an option
        if not rev or rev.startswith(("-", "^")) or "\0" in rev or "\n" in rev:
            return None
        found = self.maybe("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
        return None if found is None else Oid(found)

    def oid(self, rev: str) -> Oid:
        """Return the commit that a rev names; raises GitError."""
        found = self.find(rev)
        if found is None and rev == "HEAD":
            raise GitError(
                f"there is no commit yet in {self.root}: `git add` and `git commit` "
                "the training script first"
            )
        if found is None:
            raise GitError(
                f"{rev!r} names no commit here: `git log --oneline` lists commits, "
                "`git lg log` lists experiments"
            )
        return found

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit."""
        return Oid(self.text("rev-parse", "--verify", f"{commit}^{{tree}}"))

    def branch(self) -> str | None:
        """Return the full ref that HEAD names, or None when it is detached."""
        return self.maybe("symbolic-ref", "-q", "HEAD")

    def config(self, key: str) -> str | None:
        """Return a value of the user's git configuration, or None."""
        return self.maybe("config", "--get", key)

    def file(self, rev: str, path: str) -> str | None:
        """Return a file's text at a commit, or None when it is not there."""
        status, out, _ = call(self._folder, "cat-file", "blob", f"{rev}:{path}")
        return None if status else out.decode("utf-8", "surrogateescape")

    def tracked(self, rev: str = "HEAD") -> dict[str, tuple[str, Oid]]:
        """Return the files of a commit: path → (mode, blob)."""
        listing = os.fsdecode(self.run("ls-tree", "-r", "-z", "--full-tree", rev))
        rows = (row.split("\t", 1) for row in listing.split("\0") if row)
        return {path: (info[:6], Oid(info.split()[2])) for info, path in rows}

    def refs(self, *prefixes: str) -> dict[str, Oid]:
        """Return every ref under the prefixes, name → object, sorted by name."""
        out = self.text(
            "for-each-ref", "--format=%(objectname) %(refname)", "--", *prefixes
        )
        rows = (row.split(" ", 1) for row in out.splitlines())
        return {name: Oid.trusted(oid) for oid, name in rows}

    def update_refs(self, *updates: tuple[str, str, str]) -> None:
        """Set refs in one transaction: (ref, new, old), each checked against old.

        An empty `old` means that any value will do, an empty `new` deletes. Raises
        GitError when another process moved one of them first.
        """
        lines = [
            f"update {ref}\0{new or self.zero}\0{old}\0" for ref, new, old in updates
        ]
        self.run("update-ref", "--stdin", "-z", stdin="".join(lines).encode())

    def objects(self, names: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
        """Read objects in bulk: (name, type, content); what is missing is left out.

        One process reads them all, however many there are, while they are used.
        Raises GitError when it ends before it has answered.
        """
        wanted = [name for name in names if "\n" not in name]
        if not wanted:
            return
        stdin = "".join(f"{name}\n" for name in wanted).encode()
        asked = ("cat-file", "--batch", "--buffer")
        with stream(self._folder, *asked, stdin=stdin) as (out, _):
            for name in wanted:
                header = out.readline().split()
                if not header:
                    raise GitError(f"git cat-file ended before {name}: run `git fsck`")
                if header[-1] in (b"missing", b"ambiguous"):
                    continue
                size = int(header[2])
                # a line's end follows
                yield name, header[1].decode(), out.read(size + 1)[:-1]

    def begin(self, *args: str, stdout: BinaryIO) -> Process:
        """Run a git command that prints into a file, and do not wait for it."""
        return begin(self._folder, *args, stdout=stdout)

    def write_blob(self, content: bytes) -> Oid:
        """Store bytes as a blob, unfiltered, and return its name."""
        return Oid(
            self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()
        )


def _locate(folder: Path) -> list[str]:
    ask = ["rev-parse", "--path-format=absolute", "--is-bare-repository"]
    ask += ["--git-dir", "--git-common-dir", "--show-object-format"]
    status, out, error = call(folder, *ask, "--show-toplevel")
    if status and b"work tree" in error:
        status, out, error = call(folder, *ask)
    if status:
        if b"dubious ownership" in error:
            raise GitError(error.decode("utf-8", "replace").strip())
        raise NotARepositoryError(
            f"{folder.absolute()} is not in a git repository: go to one, or run "
            "`git init`"
        )
    return os.fsdecode(out).splitlines()


def create(folder: Path, *, message: str) -> Repo:
    """Make a repository of a folder, with everything in it as the first commit."""
    output(folder, "init", "--quiet", "--initial-branch=main")
    repo = Repo(folder)
    repo.run("add", "--all")
    repo.run("commit", "--quiet", "--no-gpg-sign", "-m", message, env=repo.identity)
    return repo


def create_bare(folder: Path) -> Repo:
    """Make a folder a bare repository without anything, or return the one it is."""
    folder.mkdir(parents=True, exist_ok=True)
    # made again it stays as it is, and what an interruption left is completed
    output(folder, "init", "--quiet", "--bare", "--template=")
    return Repo(folder)


def config_value(folder: Path, key: str) -> str | None:
    """Return a value of the git configuration that holds in a folder, or None."""
    status, out, _ = call(folder, "config", "--get", key)
    return None if status else os.fsdecode(out).rstrip("\n")
