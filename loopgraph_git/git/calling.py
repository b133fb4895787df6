"""What a call of git is made of: flags, a clean environment, something to read.

What only reads is a pipe, and no more: to import GitPython takes longer than five such
questions do, and the lists and tables that agents look at all day ask no others.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from io import BufferedReader
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, cast

from loopgraph_git.errors import GitError, NotARepositoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    _Env = Mapping[str, str]

Process = subprocess.Popen[bytes]
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
# identity and dates are the caller's to give; everything else that starts with
# GIT_ redirects git to another repository, index or configuration
_KEPT = re.compile(
    r"GIT_((AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)"
    r"|SSH|SSH_COMMAND|ASKPASS|EDITOR|SEQUENCE_EDITOR|PAGER|TEST_FSYNC"
    r"|TERMINAL_PROMPT|TRACE.*|EXEC_PATH|SSL_.*|PYTHON_.*)\Z"
)
# a value of the configuration is read by a flag, and set without
_READING = re.compile(
    r"(cat-file|check-ignore|check-ref-format|diff-tree|for-each-ref|grep|log|ls-files"
    r"|ls-tree|merge-base|rev-list|rev-parse|symbolic-ref|var|version"
    r"|config --get\S*|notes --ref=\S+ (list|show))( |\Z)"
)
_PIPE_BYTES = 1 << 20
"""What git may print ahead of its reader."""
_READ_BYTES = 1 << 18
"""What is taken of it at once: little by little, git and its reader wake each other."""
_MISSING = "git is not installed, or not on PATH"


@contextmanager
def _pipe(content: bytes | None) -> Iterator[BinaryIO | None]:
    """Hold bytes as a file that a process can read, or nothing for no bytes."""
    if not content:
        yield None
        return
    with _held() as file:
        file.write(content)
        file.seek(0)
        yield file


def _held() -> BinaryIO:
    """Make a file that has no name: in memory, where a full disk keeps no one from it."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stdin"), "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile())


def _command(*args: str, given: Mapping[str, str] | None = None) -> list[str]:
    """Return a call of git with our flags, where the variables that redirect it are hidden.

    Those that the caller has `given` hold.
    """
    return [*_scrub(given or {}), "git", *_FLAGS, *args]


def _scrub(given: Mapping[str, str]) -> list[str]:
    """Return a prefix that hides the GIT_* variables which redirect git."""
    foreign = [n for n in os.environ if n.startswith("GIT_") and n not in given]
    names = [name for name in foreign if not _KEPT.match(name)]
    return ["env", *(part for name in names for part in ("-u", name))] if names else []


def begin(
    folder: Path,
    *args: str,
    stdin: BinaryIO | None = None,
    env: _Env | None = None,
    stdout: BinaryIO | int = subprocess.PIPE,
) -> Process:
    """Call git in a folder, and do not wait; what it complains of is in a pipe."""
    _check(folder)
    env = env or {}
    try:
        return subprocess.Popen(
            _command(*args, given=env),
            cwd=folder,
            # in English, as GitPython has it: some of what git says is read by us
            env={**os.environ, "LANGUAGE": "C", "LC_ALL": "C", **env},
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as missing:
        raise GitError(_MISSING) from missing


def call(
    folder: Path,
    *args: str,
    stdin: bytes | None = None,
    env: _Env | None = None,
    timeout: float | None = None,
) -> tuple[int, bytes, bytes]:
    """Call git in a folder; returns its status, what it printed, and its complaints.

    Raises NotARepositoryError where there is no folder, GitError where there is no git.
    After `timeout` seconds it is ended.
    """
    with _pipe(stdin) as file:
        if timeout is None and _READING.match(" ".join(args[:3])):
            with begin(folder, *args, stdin=file, env=env) as process:
                try:
                    out, error = process.communicate()
                except BaseException:
                    process.kill()
                    raise
            return process.returncode, out, error
        return _change(folder, args, file, env or {}, timeout)


def output(
    folder: Path,
    *args: str,
    stdin: bytes | None = None,
    env: _Env | None = None,
    timeout: float | None = None,
) -> bytes:
    """Do what `call` does, and return what was printed; raises GitError in git's words."""
    status, out, error = call(folder, *args, stdin=stdin, env=env, timeout=timeout)
    if status:
        words = error.decode("utf-8", "replace").strip()
        raise GitError(f"git {args[0]}: {words or f'exit status {status}'}")
    return out


@contextmanager
def stream(
    folder: Path, *args: str, stdin: bytes = b""
) -> Iterator[tuple[BufferedReader, Callable[[], int]]]:
    """Call git and hand out what it prints as it prints it, and a wait for its end."""
    with _pipe(stdin) as file:
        process = begin(folder, *args, stdin=file)
    said = cast("BufferedReader", process.stdout)
    errors = cast("BufferedReader", process.stderr)
    # other systems do not let one choose, and here a user may have too much of it
    with suppress(AttributeError, OSError):
        fcntl.fcntl(said, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    # who complains much would wait for ever to be heard
    complaints = Thread(target=_drain, args=[errors], daemon=True)
    complaints.start()
    try:
        yield BufferedReader(said.raw, _READ_BYTES), process.wait
    finally:
        # it ends by itself when it is not listened to
        said.close()
        process.wait()
        complaints.join()
        errors.close()


def _drain(stream: BinaryIO) -> None:
    """Read a stream to its end, and forget it."""
    while stream.read(1 << 16):
        pass


def _change(
    folder: Path,
    args: Sequence[str],
    stdin: BinaryIO | None,
    env: _Env,
    timeout: float | None,
) -> tuple[int, bytes, bytes]:
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # 70 ms, so only where git changes something
    from git.cmd import Git  # noqa: PLC0415
    from git.exc import GitCommandNotFound  # noqa: PLC0415

    _check(folder)
    try:
        status, out, error = Git(folder).execute(
            _command(*args, given=env),
            istream=stdin,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            env=dict(env),
            kill_after_timeout=timeout,
        )
    except GitCommandNotFound as missing:
        raise GitError(_MISSING) from missing
    return status, _bytes(out), _bytes(error)


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise NotARepositoryError(f"{folder} is not a folder")


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else os.fsencode(str(value))
