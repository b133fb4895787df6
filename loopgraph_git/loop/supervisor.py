"""Between the harness and a run: a small process that lets nothing outlive it.

    supervisor.py [--option=value]... -- COMMAND...

The harness starts this file with `python -I -S` and holds the other end of its
stdin. The supervisor starts the command under its limits, adopts whatever the
command leaves behind (PR_SET_CHILD_SUBREAPER), and ends the whole tree when the
command ends, when a limit is reached, when it is sent SIGTERM, or when stdin is
closed: a harness that was killed with -9 closes it too. Processes are found by their
ancestry, so neither a new session nor an empty environment hides one.

Only the standard library, and as little of it as possible: every run pays for the
start. What came of the run is one line on the descriptor that --status names.
Without /proc (not Linux) the process group is ended and nothing else is watched.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

GRACE_SECONDS = 3.0
_TICK_SECONDS = 0.2
# looking may take this part of one core, however many processes and files there are
_LOOKING = 0.05
_KILLING_SECONDS = 10.0
_LEAST_FREE_BYTES = 256 << 20
_THREADS_A_PROCESS = 16
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SUBREAPER, _DEATH_SIGNAL = 36, 1


class Options:
    """What the command line asked for; 0 means no limit."""

    def __init__(self, words: list[str]) -> None:
        self.status = 1
        self.memory = self.processes = self.disk = 0
        self.shell_codes = False
        self.watched: list[str] = []
        for word in words:
            self._take(*word.removeprefix("--").split("=", 1))

    def _take(self, name: str, value: str = "") -> None:
        if name == "shell-codes":
            self.shell_codes = True
        elif name == "watch":
            self.watched.append(value)
        else:
            setattr(self, name, int(value))


class Process(NamedTuple):
    """One line of /proc: a process, its parent, and what it holds in memory."""

    pid: int
    parent: int
    state: str
    resident: int


def prctl(option: int, value: int) -> None:
    """Set a property of this process, where the system knows it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def everything() -> Iterator[Process]:
    """Yield every process that /proc shows."""
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as handle:
                    fields = handle.read().rpartition(b")")[2].split()
            except OSError:
                continue
            resident = int(fields[21]) * _PAGE
            yield Process(int(name), int(fields[1]), fields[0].decode(), resident)


def tree(root: int) -> list[Process]:
    """Return the living descendants of a process, parents before their children."""
    children: dict[int, list[Process]] = {}
    for process in everything():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    queue = [root]
    for parent in queue:
        for process in children.get(parent, ()):
            queue.append(process.pid)
            if process.state not in "ZX":
                found.append(process)
    return found


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def proportional(process: Process) -> int:
    """Return the bytes that a process holds, what it shares counted in part."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as handle:
            for line in handle:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass
    return process.resident


def written(folders: list[str], enough: float) -> int:
    """Return the bytes on disk under folders, counting no further than `enough`."""
    total, queue = 0, list(folders)
    while queue and total <= enough:
        try:
            with os.scandir(queue.pop()) as entries:
                for entry in entries:
                    total += max(
                        entry.stat(follow_symlinks=False).st_blocks * 512, 1024
                    )
                    if entry.is_dir(follow_symlinks=False):
                        queue.append(entry.path)
        except OSError:
            continue
    return total


class Watch:
    """Compares what a run uses with what it may use."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._before = written(options.watched, float("inf")) if options.disk else 0
        self._pause = 0.0
        self._due = 0.0
        self.peak = 0

    def exceeded(self) -> str:
        """Return the limit that is passed, with the figure seen, or ""."""
        if time.monotonic() < self._due:
            return ""
        started = time.monotonic()
        found = self._look()
        took = time.monotonic() - started
        self._due = started + took + max(_TICK_SECONDS, took / _LOOKING)
        return found

    def _look(self) -> str:
        options, running = self._options, tree(os.getpid())
        if 0 < options.processes < len(running):
            return f"processes {len(running)}"
        resident = sum(process.resident for process in running)
        self.peak = max(self.peak, resident)
        if 0 < options.memory < resident:
            # what forked workers share was counted once for each of them
            resident = sum(proportional(process) for process in running)
            if resident > options.memory:
                return f"memory {resident}"
        return self._disk() if options.disk else ""

    def _disk(self) -> str:
        limit = self._options.disk
        used = written(self._options.watched, self._before + limit) - self._before
        if used > limit:
            return f"disk {used}"
        for folder in self._options.watched:
            free = os.statvfs(folder)
            if free.f_bavail * free.f_frsize < _LEAST_FREE_BYTES:
                return f"full {free.f_bavail * free.f_frsize}"
        return ""


def limit_resources(options: Options) -> None:
    """Set what the kernel itself keeps: no core dump, file size, threads in all."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if options.disk:
        _lower(resource.RLIMIT_FSIZE, options.disk)
    if options.processes and os.getuid():
        # counted over all processes of the user, threads too: only a backstop
        existing = sum(1 for process in everything() if process.state not in "ZX")
        _lower(
            resource.RLIMIT_NPROC,
            _THREADS_A_PROCESS * (existing + options.processes),
        )


def _lower(which: int, limit: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(which, (limit, limit))


def start(options: Options, command: list[str]) -> int:
    """Start the command in a session of its own; returns its process id."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() == parent:
        _become(options, command)
    os._exit(1)


def _become(options: Options, command: list[str]) -> NoReturn:
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE,
                       signal.SIGXFSZ):  # fmt: skip
            signal.signal(number, signal.SIG_DFL)
        limit_resources(options)
        os.execvp(command[0], command)  # noqa: S606  no shell is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror or error}\n".encode())
    os._exit(127)


class Supervisor:
    """The life of one command, from its start to the last of its descendants."""

    def __init__(self, options: Options, command: list[str]) -> None:
        self.options = options
        self.code: int | None = None
        self.stopped = ""
        self._asked = False
        self._waker = os.pipe()
        os.set_blocking(self._waker[1], False)
        signal.set_wakeup_fd(self._waker[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask)
        prctl(_SUBREAPER, 1)
        self.watch = Watch(options)
        self.child = start(options, command)
        # what the run writes is for the harness; nobody else may keep it waiting
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def run(self) -> None:
        """Wait for the end, whatever brings it, and leave no process."""
        while self.code is None and not self.stopped:
            self._reap()
            if self.code is None:
                self.stopped = self._why() or self.watch.exceeded()
        if self.stopped == "asked":
            self._politely()
        self._end_all()

    def _why(self) -> str:
        ready = select.select([0, self._waker[0]], [], [], _TICK_SECONDS)[0]
        if self._waker[0] in ready:
            os.read(self._waker[0], 512)
        if 0 in ready and not os.read(0, 512):
            return "abandoned"
        return "asked" if self._asked else ""

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.code = os.waitstatus_to_exitcode(status)

    def _politely(self) -> None:
        for process in tree(os.getpid()):
            # a sandbox that is told to end would end its guests at once
            if process.pid != self.child or not self.options.shell_codes:
                send(process.pid, signal.SIGTERM)
        if not os.path.isdir("/proc/self"):
            send(-self.child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self.code is None and time.monotonic() < deadline:
            time.sleep(0.02)
            self._reap()

    def _end_all(self) -> None:
        send(-self.child, signal.SIGKILL)
        deadline = time.monotonic() + _KILLING_SECONDS
        while time.monotonic() < deadline:
            self._reap()
            left = tree(os.getpid())
            for process in left:
                send(process.pid, signal.SIGKILL)
            if not left and self.code is not None:
                break
            time.sleep(0.005)
        self._reap()

    def report(self) -> str:
        """Return the line that the harness reads."""
        code = -signal.SIGKILL if self.code is None else self.code
        if self.options.shell_codes and code > 128:  # noqa: PLR2004
            code = 128 - code
        return f"{code} {self.watch.peak} {self.stopped}\n"


def main(words: list[str]) -> int:
    """Run the command that stands after `--`."""
    here = words.index("--")
    options = Options(words[:here])
    os.set_inheritable(options.status, False)  # noqa: FBT003  its only form
    supervisor = Supervisor(options, words[here + 1 :])
    supervisor.run()
    try:
        os.write(options.status, supervisor.report().encode())
    except OSError:
        return 1  # nobody is left to read it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
