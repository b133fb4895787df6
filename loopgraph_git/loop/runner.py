"""The one door to processes: run a training command and read what it printed.

The training process is a stranger behind text. It gets its own process group, an
environment by allowlist, a wall clock and a log limit that the harness keeps, and
whatever it started ends with it. A crash, a timeout, an out-of-memory and a NaN
are results, not exceptions.
"""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.config import SECRET_NAME
from loopgraph_git.records import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RUN_ID = "LOOPGRAPH_RUN_ID"
_TAIL_BYTES = 256 * 1024
_GRACE_SECONDS = 3.0
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
    """What one run may use: seconds of wall clock and bytes of log."""

    wall_clock_seconds: float
    log_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One execution of the training command, before anything is read from it."""

    argv: tuple[str, ...]
    exit_code: int | None
    seconds: float
    tail: str
    log_sha256: str
    log_bytes: int
    stopped: str = ""


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


def run_command(
    argv: tuple[str, ...],
    *,
    folder: Path,
    log: Path,
    limits: Limits,
    env: Mapping[str, str],
    watch: Watch | None = None,
) -> Ended:
    """Run a command to its end, its limit or the user's wish, and kill its kin.

    Raises InterruptedRunError when `watch.should_stop` says so.
    """
    watch = watch or Watch()
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        process = _start(argv, folder, env)
    except OSError as error:
        return _never_started(argv, error, log)
    try:
        with log.open("wb") as sink:
            book = _Log(sink, limits.log_bytes, watch.on_line)
            stopped = _pump(process, book, started + limits.wall_clock_seconds, watch)
    finally:
        end_group(process)
        process.wait()
        if process.stdout:
            process.stdout.close()
        sweep(env.get(RUN_ID, ""))
    if stopped == "interrupted":
        raise InterruptedRunError
    return Ended(
        argv=argv,
        exit_code=process.returncode,
        seconds=time.monotonic() - started,
        tail=book.tail(),
        log_sha256=book.digest.hexdigest(),
        log_bytes=book.size,
        stopped=stopped,
    )


def _start(
    argv: tuple[str, ...], folder: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _never_started(argv: tuple[str, ...], error: OSError, log: Path) -> Ended:
    words = f"{argv[0]}: {error.strerror or error}"
    log.write_text(words + "\n")
    digest = hashlib.sha256(words.encode()).hexdigest()
    return Ended(
        argv=argv,
        exit_code=127,
        seconds=0.0,
        tail=words,
        log_sha256=digest,
        log_bytes=len(words),
    )


class _Log:
    """Writes a log to disk, remembers its tail, and reports whole lines."""

    def __init__(
        self, sink: object, limit: int, on_line: Callable[[str], None]
    ) -> None:
        self._sink = sink
        self._limit = limit
        self._on_line = on_line
        self._tail = bytearray()
        self._line = bytearray()
        self.digest = hashlib.sha256()
        self.size = 0

    def add(self, chunk: bytes) -> bool:
        """Take output in; returns False once the log is over its limit."""
        self.size += len(chunk)
        self.digest.update(chunk)
        self._sink.write(chunk)  # type: ignore[attr-defined]
        self._tail += chunk
        del self._tail[:-_TAIL_BYTES]
        self._report(chunk)
        return self.size <= self._limit

    def _report(self, chunk: bytes) -> None:
        self._line += chunk
        # progress bars end their lines with \r
        *lines, rest = re.split(rb"[\r\n]", bytes(self._line[-4096:]))
        self._line = bytearray(rest)
        for line in lines[-1:]:
            if line.strip():
                self._on_line(line.decode("utf-8", "replace"))

    def tail(self) -> str:
        """Return the last part of the log as text."""
        return self._tail.decode("utf-8", "replace")


def _pump(
    process: subprocess.Popen[bytes], book: _Log, deadline: float, watch: Watch
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


def _drain(descriptor: int, book: _Log) -> str:
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            return "open"
        if not chunk:
            return "closed"
        if not book.add(chunk):
            return "full"


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its whole group: politely, then for certain."""
    if not _signal_group(process.pid, signal.SIGTERM):
        return
    deadline = time.monotonic() + _GRACE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> bool:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


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


def status_of(ended: Ended, value: float | None) -> tuple[Status, str]:
    """Name how a run ended, and why in words; `value` is the metric it printed."""
    if ended.stopped == "timeout":
        return Status.TIMEOUT, f"ended after {ended.seconds:.0f} s of wall clock"
    if ended.stopped == "log":
        return Status.CRASH, f"wrote more than {ended.log_bytes >> 20} MiB of log"
    if value is not None and value != value:  # noqa: PLR0124  NaN is unlike itself
        return Status.NAN, "the metric is not a finite number"
    if ended.exit_code == 0:
        if value is None:
            return Status.CRASH, "ended without printing the metric"
        return Status.OK, ""
    return _failure(ended)


_OOM = re.compile(
    r"OutOfMemoryError|out of memory|\bMemoryError\b|cannot allocate memory",
    re.IGNORECASE,
)
_NAN = re.compile(r"^FAIL\b|\bloss\b.*\b(nan|inf)\b|\bnan\b.*\bloss\b", re.IGNORECASE)


def _failure(ended: Ended) -> tuple[Status, str]:
    lines = [line for line in ended.tail.splitlines() if line.strip()]
    last = lines[-1].strip()[:200] if lines else "no output"
    if any(_OOM.search(line) for line in lines[-40:]):
        return Status.OOM, last
    if ended.exit_code == -signal.SIGKILL:
        return Status.OOM, "killed by the system (SIGKILL), most likely for its memory"
    if any(_NAN.search(line) for line in lines[-5:]):
        return Status.NAN, last
    if ended.exit_code is not None and ended.exit_code < 0:
        return Status.CRASH, f"ended by {signal.Signals(-ended.exit_code).name}: {last}"
    return Status.CRASH, last
