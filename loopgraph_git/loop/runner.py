"""The one door to processes: run a training command and read what it printed.

The training process is a stranger behind text. It gets a supervisor (supervisor.py)
that ends with it whatever it started, a cage (cage.py), an environment by allowlist,
and limits that the harness keeps. A crash, a timeout, an out-of-memory and a NaN are
results, not exceptions.
"""

from __future__ import annotations

import os
import re
import select
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.config import SECRET_NAME
from loopgraph_git.loop.cage import Cage
from loopgraph_git.loop.run_log import RunLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

RUN_ID = "LOOPGRAPH_RUN_ID"
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
# it is polite for three seconds, and certain after that
_GRACE_SECONDS = 15.0
_ALLOWED = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LC_.*|VIRTUAL_ENV|CONDA_.*"
    r"|LD_LIBRARY_PATH|DYLD_.*|CUDA_.*|NVIDIA_.*|NCCL_.*|ROCR_.*|HIP_.*|OMP_.*|MKL_.*"
    r"|OPENBLAS_.*|TORCH.*|PYTORCH_.*|TRITON_.*|HF_HOME|HF_HUB_OFFLINE|XDG_CACHE_HOME"
    r"|UV_.*|PYTHONHASHSEED|PYTHONUNBUFFERED|TINY_NANOCHAT_.*)\Z"
)


class InterruptedRunError(Exception):
    """The user asked to stop; the run was ended and measured nothing."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run may use; 0 means as much as there is.

    Seconds of wall clock, bytes of log, memory and files, processes at once.
    """

    wall_clock_seconds: float
    log_bytes: int = 64 * 1024 * 1024
    memory_bytes: int = 0
    disk_bytes: int = 0
    processes: int = 0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One execution of the training command, before anything is read from it.

    `stopped` is the limit that ended it, `used` what it had used of it by then.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    seconds: float
    tail: str
    log_sha256: str
    log_bytes: int
    stopped: str = ""
    used: int = 0


@dataclass(kw_only=True)
class Watch:
    """What the caller wants to see of a run while it lasts."""

    on_line: Callable[[str], None] = field(default=lambda _line: None)
    should_stop: Callable[[], bool] = field(default=lambda: False)


def training_env(
    extra: Mapping[str, str], *, allowed: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the environment of a run: an allowlist, never a key or a token."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (_ALLOWED.match(name) or name in allowed) and not SECRET_NAME.search(name)
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def run_command(  # noqa: PLR0913  what, where, within what
    argv: tuple[str, ...],
    *,
    folder: Path,
    log: Path,
    limits: Limits,
    env: Mapping[str, str],
    watch: Watch | None = None,
    cage: Cage | None = None,
) -> Ended:
    """Run a command to its end, its limit or the user's wish, and end its kin.

    Raises InterruptedRunError when `watch.should_stop` says so.
    """
    watch, cage = watch or Watch(), cage or Cage()
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    reading, writing = os.pipe()
    try:
        options = _options(cage, limits, writing)
        process = _start(_supervised(argv, cage, options), folder, env, writing)
        try:
            with log.open("wb") as sink:
                book = RunLog(sink, limits.log_bytes, watch.on_line)
                end = started + limits.wall_clock_seconds
                stopped = _pump(process, book, end, watch)
                book.finish()
        finally:
            _end(process)
            sweep(env.get(RUN_ID, ""))
        code, limit, used = _report(os.read(reading, 512) if _has(reading) else b"")
    finally:
        os.close(reading)
    if stopped == "interrupted":
        raise InterruptedRunError
    return Ended(
        argv=argv,
        exit_code=code,
        seconds=time.monotonic() - started,
        tail=book.tail(),
        log_sha256=book.digest.hexdigest(),
        log_bytes=book.size,
        stopped=stopped or limit,
        used=used,
    )


def printed(argv: Sequence[str], *, seconds: float) -> str:
    """Return what a command of the user prints; raises OSError or ValueError.

    The user's own environment and terminal are its: it may ask for a passphrase.
    """
    try:
        done = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            text=True,
            timeout=seconds,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise ValueError(str(error)) from error
    return done.stdout


def _options(cage: Cage, limits: Limits, status: int) -> tuple[str, ...]:
    return (
        f"--status={status}",
        f"--memory={limits.memory_bytes}",
        f"--disk={limits.disk_bytes}",
        f"--processes={limits.processes}",
        *cage.options,
    )


def _supervised(
    argv: tuple[str, ...], cage: Cage, options: tuple[str, ...]
) -> tuple[str, ...]:
    # isolated and without site-packages: it starts in a fraction of the time
    python = (sys.executable, "-I", "-S", str(_SUPERVISOR))
    return (*python, *options, "--", *cage.prefix, *argv)


def _start(
    argv: tuple[str, ...], folder: Path, env: Mapping[str, str], status: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(env),
            # open for as long as we live: its end tells the supervisor of ours
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(status,),
        )
    finally:
        os.close(status)


def _has(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def _report(line: bytes) -> tuple[int, str, int]:
    """Read what the supervisor says: the exit code, the limit, and what was used."""
    words = line.decode().split()
    if not words:
        # only what runs inside can have ended it
        return -signal.SIGKILL, "supervisor", 0
    code, _peak, *why = words
    limit = why[0] if why and why[0] not in ("asked", "abandoned") else ""
    return int(code), limit, int(why[1]) if limit and len(why) > 1 else 0


def _pump(
    process: subprocess.Popen[bytes], book: RunLog, deadline: float, watch: Watch
) -> str:
    """Read output until the process ends; return why it was stopped, or ""."""
    assert process.stdout is not None  # noqa: S101  for the type checker
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            selector.select(timeout=0.1)
            state = _drain(descriptor, book)
            if state == "full":
                return "log"
            if watch.should_stop():
                return "interrupted"
            if process.poll() is not None:
                # a child that keeps the pipe open must not keep us waiting
                return "log" if _drain(descriptor, book) == "full" else ""
            if time.monotonic() >= deadline:
                return "timeout"
            if state == "closed":
                time.sleep(0.02)


def _drain(descriptor: int, book: RunLog) -> str:
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            return "open"
        if not chunk:
            return "closed"
        if not book.add(chunk):
            return "full"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a supervisor end its tree and itself, or end it by force."""
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def sweep(run_id: str) -> int:
    """Kill every process that carries a run id, or one that starts with it.

    Finds what left its process group, and what a killed harness left running.
    Returns how many were killed. Where the system shows no environments (/proc),
    nothing is found.
    """
    if not run_id:
        return 0
    killed = 0
    # a fork bomb or a daemon may still be forking: look until nothing is left
    for _ in range(20):
        found = list(_carriers(run_id))
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            killed += 1
        if not found:
            break
        time.sleep(0.05)
    return killed


def _carriers(run_id: str) -> Iterator[int]:
    marker = f"{RUN_ID}={run_id}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        mine = any(item.startswith(marker) for item in environ.split(b"\0"))
        if mine and state != "Z" and int(folder.name) != os.getpid():
            yield int(folder.name)
