"""The one door to git.

Everything goes through GitPython's command runner: its object API fails on
reftable and SHA-256 repositories, and ignores filters and signing. Every call
runs without the repository's hooks, without a file-system monitor, and without
the GIT_* variables that a surrounding hook or another tool may have set.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from loopgraph_git.errors import GitError, NotARepositoryError
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from git.cmd import Git

_FLAGS = (
    "-c", "core.hooksPath=/dev/null",
    # from git 2.55 on, hooks in the configuration are switched off by their event
    "-c", "hook.reference-transaction.enabled=false",
    "-c", "hook.post-checkout.enabled=false",
    "-c", "hook.post-index-change.enabled=false",
    "-c", "core.fsmonitor=false",
    "-c", "core.quotePath=false",
    "-c", "protocol.ext.allow=never",
    "-c", "log.showSignature=false",
    "-c", "gc.auto=0",
    # a record or a pin that was reported as written survives a power loss
    "-c", "core.fsync=loose-object,reference",
)  # fmt: skip
_PIPE_BYTES = 1 << 20
"""What git may print ahead of its reader, where the system lets a pipe hold so much."""
_READ_BYTES = 1 << 18
"""What is taken of it at once: little by little, git and its reader wake each other."""
# identity and dates are the caller's to give; everything else that starts with
# GIT_ redirects git to another repository, index or configuration
_KEPT = re.compile(
    r"GIT_((AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)"
    r"|SSH|SSH_COMMAND|ASKPASS|EDITOR|SEQUENCE_EDITOR|PAGER|TEST_FSYNC"
    r"|TERMINAL_PROMPT|TRACE.*|EXEC_PATH|SSL_.*|PYTHON_.*)\Z"
)
_FALLBACK_NAME = "loopgraph"
_FALLBACK_EMAIL = "loopgraph@localhost"


class Repo:
    """A repository, seen from one of its worktrees.

    `root` is the top of the worktree (the git directory of a bare repository),
    `common_dir` the directory that all worktrees share.
    """

    def __init__(self, folder: Path) -> None:
        self._runner = _runner(folder)
        found = self._locate(folder)
        self.bare = found[0] == "true"
        self.git_dir = Path(found[1])
        self.common_dir = Path(found[2])
        self.object_format = found[3]
        self.root = self.git_dir if self.bare else Path(found[4])
        self._runner = _runner(self.root)

    def _locate(self, folder: Path) -> list[str]:
        ask = ["rev-parse", "--path-format=absolute", "--is-bare-repository"]
        ask += ["--git-dir", "--git-common-dir", "--show-object-format"]
        status, out, error = self._call([*ask, "--show-toplevel"], None, None)
        if status and b"work tree" in error:
            status, out, error = self._call(ask, None, None)
        if status:
            if b"dubious ownership" in error:
                raise GitError(error.decode("utf-8", "replace").strip())
            raise NotARepositoryError(
                f"{folder.absolute()} is not in a git repository: go to one, or run "
                "`git init`"
            )
        return os.fsdecode(out).splitlines()

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
        status, out, error = self._call(args, stdin, env, timeout)
        if status:
            words = error.decode("utf-8", "replace").strip()
            raise GitError(f"git {args[0]}: {words or f'exit status {status}'}")
        return out

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
        return self._call(args, None, None)[0] == 0

    def maybe(self, *args: str) -> str | None:
        """Run git and return its output as text, or None where it failed."""
        status, out, _ = self._call(args, None, None)
        return None if status else os.fsdecode(out).rstrip("\n")

    def _call(
        self,
        args: Sequence[str],
        stdin: bytes | None,
        env: Mapping[str, str] | None,
        timeout: float | None = None,
    ) -> tuple[int, bytes, bytes]:
        from git.exc import GitCommandNotFound  # noqa: PLC0415  costs 80 ms

        command = [*_scrub(env or {}), "git", *_FLAGS, *args]
        with _pipe(stdin) as pipe:
            try:
                status, out, error = self._runner.execute(
                    command,
                    istream=pipe,
                    with_extended_output=True,
                    with_exceptions=False,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    env=dict(env or {}),
                    kill_after_timeout=timeout,
                )
            except GitCommandNotFound as missing:
                raise GitError("git is not installed, or not on PATH") from missing
        return status, _bytes(out), _bytes(error)

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
        status, out, _ = self._call(("cat-file", "blob", f"{rev}:{path}"), None, None)
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
        return {name: Oid(oid) for oid, name in rows}

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
        with self._stream("cat-file", "--batch", "--buffer", stdin=stdin) as out:
            for name in wanted:
                header = out.readline().split()
                if not header:
                    raise GitError(f"git cat-file ended before {name}: run `git fsck`")
                if header[-1] in (b"missing", b"ambiguous"):
                    continue
                size = int(header[2])
                # a line's end follows
                yield name, header[1].decode(), out.read(size + 1)[:-1]

    @contextmanager
    def _stream(self, *args: str, stdin: bytes) -> Iterator[BinaryIO]:
        """Run git and hand out what it prints as it prints it."""
        command = [*_scrub({}), "git", *_FLAGS, *args]
        with _pipe(stdin) as pipe:
            process = self._runner.execute(
                command, istream=pipe, as_process=True, pipesize=_PIPE_BYTES
            )
        try:
            yield BufferedReader(process.stdout.raw, _READ_BYTES)
        finally:
            # it ends by itself when it is not listened to
            process.stdout.close()
            process.stderr.close()
            if process.proc is not None:
                process.proc.wait()

    def write_blob(self, content: bytes) -> Oid:
        """Store bytes as a blob, unfiltered, and return its name."""
        return Oid(
            self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()
        )


def _runner(folder: Path) -> Git:
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git.cmd import Git  # noqa: PLC0415  costs 80 ms, so only where git is used

    if not folder.is_dir():
        raise NotARepositoryError(f"{folder} is not a folder")
    return Git(folder)


@contextmanager
def _pipe(content: bytes | None) -> Iterator[BinaryIO | None]:
    """Hold bytes as a file that a process can read, or nothing for no bytes."""
    if not content:
        yield None
        return
    with tempfile.TemporaryFile() as pipe:
        pipe.write(content)
        pipe.seek(0)
        yield pipe


def _scrub(given: Mapping[str, str]) -> list[str]:
    """Return a prefix that hides the GIT_* variables which redirect git."""
    foreign = [n for n in os.environ if n.startswith("GIT_") and n not in given]
    names = [name for name in foreign if not _KEPT.match(name)]
    return ["env", *(part for name in names for part in ("-u", name))] if names else []


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else os.fsencode(str(value))


def create(folder: Path, *, message: str) -> Repo:
    """Make a repository of a folder, with everything in it as the first commit."""
    start = [*_scrub({}), "git", *_FLAGS, "init", "--quiet", "--initial-branch=main"]
    _runner(folder).execute(start)
    repo = Repo(folder)
    repo.run("add", "--all")
    repo.run("commit", "--quiet", "--no-gpg-sign", "-m", message, env=repo.identity)
    return repo


def create_bare(folder: Path) -> Repo:
    """Make a folder a bare repository without anything, or return the one it is."""
    folder.mkdir(parents=True, exist_ok=True)
    # made again it stays as it is, and what an interruption left is completed
    start = [*_scrub({}), "git", *_FLAGS, "init", "--quiet", "--bare", "--template="]
    _runner(folder).execute(start)
    return Repo(folder)


def config_value(folder: Path, key: str) -> str | None:
    """Return a value of the git configuration that holds in a folder, or None."""
    command = [*_scrub({}), "git", *_FLAGS, "config", "--get", key]
    status, out, _ = _runner(folder).execute(
        command,
        with_extended_output=True,
        with_exceptions=False,
        stdout_as_string=False,
    )
    return None if status else os.fsdecode(_bytes(out)).rstrip("\n")
