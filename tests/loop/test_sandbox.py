"""Runs that want out: each level of sandbox is tried by what it should hold back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopgraph_git.errors import SandboxError
from loopgraph_git.loop import cage, endings, runner, sandbox
from loopgraph_git.loop.cage import Level, Place, caged
from loopgraph_git.records import Status
from tests.conftest import SOURCE, git

# many sessions with processes of their own
pytestmark = pytest.mark.long

PYTHON = (sys.executable, "-S", "-E")
LEVELS = (Level.RLIMITS, Level.LANDLOCK, Level.BUBBLEWRAP)


@pytest.fixture(params=LEVELS, ids=str)
def level(request):
    """Return each level that this machine has."""
    problem = sandbox.probe(request.param).problem
    if problem:
        pytest.skip(f"no {request.param} here: {problem}")
    return request.param


@pytest.fixture
def confined(level):
    """Return a level that hides files and keeps from the network."""
    if level < Level.LANDLOCK:
        pytest.skip("limits alone hide nothing")
    return level


def attempt(tmp_path: Path, level: Level, code: str, *words: str, **limits: float):
    """Run Python code at a level, in a folder with a protected file."""
    folder, scratch = tmp_path / "tree", tmp_path / "scratch"
    for path in (folder, scratch):
        path.mkdir(exist_ok=True)
    (folder / "prepare.py").write_text("FIXED = 1\n")
    (folder / "train.py").write_text(code)
    command = (*PYTHON, "train.py", *words)
    env = runner.training_env({"TMPDIR": str(scratch)})
    place = Place(
        folder=folder,
        scratch=scratch,
        kept=("prepare.py",),
        readable=tuple(cage.needed(command, env)),
    )
    ended = runner.run_command(
        command,
        folder=folder,
        log=tmp_path / "log",
        limits=runner.Limits(**{"wall_clock_seconds": 30.0, **limits}),
        env=env,
        cage=caged(level, place),
    )
    return ended, endings.status_of(ended, None)


def test_a_run_has_its_worktree_its_temporary_folder_and_its_python(tmp_path, level):
    code = """
import json, os, tempfile
open("checkpoint", "w").write("weights")
with tempfile.NamedTemporaryFile(mode="w") as handle:
    handle.write("x")
os.remove("checkpoint")
os.makedirs("out/deep")
open("/dev/null", "w").write("x")
print(open("prepare.py").read(), os.getcwd())
"""
    ended, _ = attempt(tmp_path, level, code)
    assert ended.exit_code == 0, ended.tail
    assert "FIXED" in ended.tail
    assert (tmp_path / "tree" / "out" / "deep").is_dir()


@pytest.mark.parametrize("path", ["home", "elsewhere"])
def test_what_is_outside_is_neither_read_nor_written(tmp_path, confined, path):
    home = Path.home() if path == "home" else tmp_path
    home.mkdir(parents=True, exist_ok=True)
    secret = home / "secret"
    secret.write_text("planted")
    code = f"""
def tried(call):
    try:
        print(call())
    except OSError as error:
        print(type(error).__name__)
tried(lambda: open({str(secret)!r}).read())
tried(lambda: open({str(secret)!r}, "w").write("gone"))
"""
    ended, _ = attempt(tmp_path, confined, code)
    assert ended.exit_code == 0, ended.tail
    assert "planted" not in ended.tail
    assert secret.read_text() == "planted"


def test_no_connection_leaves_a_run(tmp_path, confined):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
import socket
socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=5)
print("connected")
"""
        ended, _ = attempt(tmp_path, confined, code)
    assert ended.exit_code == 1
    assert "connected" not in ended.tail
    assert "PermissionError" in ended.tail or "refused" in ended.tail


def test_no_other_process_is_read_or_ended(tmp_path, confined, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-planted-planted")
    code = """
import os, sys
try:
    print(open(f"/proc/{sys.argv[1]}/environ").read())
except OSError as error:
    print(type(error).__name__)
try:
    os.kill(int(sys.argv[1]), 9)
except OSError as error:
    print(type(error).__name__)
"""
    with subprocess.Popen(["sleep", "60"]) as other:
        ended, _ = attempt(tmp_path, confined, code, str(other.pid))
        assert other.poll() is None
        other.kill()
    assert "planted" not in ended.tail
    assert ended.exit_code == 0, ended.tail


def test_what_compiles_and_loads_in_parallel_has_what_it_needs(tmp_path, level):
    code = """
import multiprocessing, os
def work(number):
    return number * number
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(sum(pool.map(work, range(10))))
    print(len(os.urandom(8)))
"""
    ended, _ = attempt(tmp_path, level, code)
    assert ended.exit_code == 0, ended.tail
    assert "285" in ended.tail


@pytest.mark.parametrize(
    "act",
    [
        "open('prepare.py', 'w').write('')",
        "os.remove('prepare.py')",
        "os.rename('other', 'prepare.py')",
    ],
)
def test_bubblewrap_keeps_protected_files_as_they_are(tmp_path, act):
    if sandbox.probe(Level.BUBBLEWRAP).problem:
        pytest.skip("no bubblewrap here")
    code = f"import os\nopen('other', 'w').close()\n{act}\n"
    ended, _ = attempt(tmp_path, Level.BUBBLEWRAP, code)
    assert ended.exit_code == 1
    assert "OSError" in ended.tail or "PermissionError" in ended.tail
    assert (tmp_path / "tree" / "prepare.py").read_text() == "FIXED = 1\n"


class TestLimits:
    def test_memory(self, tmp_path, level):
        code = "import time\nx = bytearray(300 << 20)\ntime.sleep(30)"
        _, (status, reason) = attempt(tmp_path, level, code, memory_bytes=100 << 20)
        assert status is Status.OOM
        assert "MiB of memory, more than it may" in reason

    def test_processes(self, tmp_path, level):
        # a bomb that goes out by itself, should the limit not hold
        code = """
import os, time
for _ in range(80):
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
        _, (status, reason) = attempt(tmp_path, level, code, processes=20)
        assert status is Status.CRASH
        assert "processes, more than it may" in reason

    @pytest.mark.parametrize("where", [".", "tempfile.gettempdir()"])
    def test_disk(self, tmp_path, level, where):
        code = f"""
import os, tempfile, time
folder = {where if where != "." else "'.'"}
for number in range(64):
    with open(os.path.join(folder, str(number)), "wb") as handle:
        handle.write(b"x" * (1 << 20))
    time.sleep(0.02)
time.sleep(20)
"""
        _, (status, reason) = attempt(tmp_path, level, code, disk_bytes=8 << 20)
        assert status is Status.CRASH
        assert "MiB of files, more than it may" in reason

    def test_one_file_is_never_longer_than_all_may_be(self, tmp_path, level):
        code = "open('big', 'wb').truncate(1 << 30)"
        ended, _ = attempt(tmp_path, level, code, disk_bytes=8 << 20)
        assert ended.exit_code == 1
        assert "File too large" in ended.tail


def test_a_run_that_ends_its_supervisor_is_refused(tmp_path):
    code = "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(20)"
    started = time.monotonic()
    _, (status, reason) = attempt(tmp_path, Level.RLIMITS, code)
    assert status is Status.REJECTED
    assert reason == "the run ended the process that watched it"
    assert time.monotonic() - started < 15


def test_a_level_that_is_not_enough_is_refused():
    with pytest.raises(SandboxError, match=r"is rlimits, and .* asks for landlock"):
        sandbox.chosen(Level.RLIMITS, Level.LANDLOCK)


def test_a_level_that_is_there_but_does_not_work_is_not_believed(tmp_path, monkeypatch):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create namespace'\nexit 1\n"
    )
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = sandbox.probe.__wrapped__(Level.BUBBLEWRAP)
    assert found.problem == "bwrap: No permissions to create namespace"


def test_what_is_needed_is_found_behind_links(tmp_path, confined, monkeypatch):
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "data").mkdir(parents=True)
    (real / "data" / "file").write_text("found")
    link.symlink_to(real)
    (tmp_path / "short").symlink_to(link / "data")
    for named in (link / "data", tmp_path / "short"):
        monkeypatch.setenv("TINY_NANOCHAT_CORPUS", str(named))
        code = "import os\nprint(open(os.environ['TINY_NANOCHAT_CORPUS'] + '/file').read())"
        ended, _ = attempt(tmp_path, confined, code)
        assert "found" in ended.tail, (named, ended.tail)


@pytest.mark.skipif(not os.getuid(), reason="root may look everywhere")
def test_a_path_that_the_user_may_not_see_is_not_needed(tmp_path):
    closed = tmp_path / "closed"
    (closed / "bin").mkdir(parents=True)
    closed.chmod(0)
    env = {"PATH": f"{closed / 'bin'}:/usr/bin"}
    assert closed / "bin" not in cage.needed(("sh",), env)
    closed.chmod(0o700)


def test_doctor_and_a_session_say_the_level(toy):
    level = sandbox.best()
    assert f"{level} (" in toy.lg("doctor").stdout
    said = toy.lg("experiment", "-n", "1").stderr
    assert f"sandbox: {sandbox.keeps(level)}" in said
    [item] = toy.tried()
    [result] = list(_results(toy, item))
    assert result["sandbox"] == str(level)


def _results(toy, item):
    from loopgraph_git.loopgraph import LoopGraph  # noqa: PLC0415

    with LoopGraph.open(toy.root) as lab:
        for record in lab.records_of(item.commit):
            if record.kind == "result":
                yield record.body


def test_a_file_that_the_sandbox_hides_is_named_with_what_to_do(
    toy, tmp_path, confined
):
    data = tmp_path / "data.txt"
    data.write_text("x")
    (toy.root / "train.py").write_text(f"open({str(data)!r})\n")
    git(toy.root, "commit", "-qam", "Read data")
    said = toy.lg("run", "--sandbox", str(confined), code=1).stdout
    assert "hidden from runs: see `read`" in said
    toy.write(read=[str(data)])
    said = toy.lg("run", "--sandbox", str(confined), code=1).stdout
    assert "hidden from runs" not in said


def test_a_repository_may_ask_for_more_than_there_is(toy):
    toy.write(sandbox="bubblewrap")
    said = toy.lg("run", env={"LOOPGRAPH_SANDBOX": "rlimits"}, code=1).stderr
    assert "asks for bubblewrap at least" in said
    assert not toy.tried()


# The kill matrix: nothing that a run started outlives it, however either of them ends.

SLEEPERS = """
import os, subprocess, sys, time

def sleeper(kind):
    return [sys.executable, "-S", "-E", "-c", "import time; time.sleep(120)", kind]

def daemon(command):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(command[0], command, {})
        os._exit(0)
    os.wait()

mark = os.path.basename(os.path.dirname(os.path.abspath(open("mark").read())))
subprocess.Popen(sleeper(mark + "-child"))
subprocess.Popen(sleeper(mark + "-setsid"), start_new_session=True)
daemon(sleeper(mark + "-daemon"))
print("ready", flush=True)
time.sleep(120)
"""
KINDS = ("child", "setsid", "daemon")


def alive(mark: str) -> list[str]:
    """Return which of the sleepers of a test are running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        found += [kind for kind in KINDS if f"{mark}-{kind}" in words]
    return sorted(found)


def within(seconds: float, holds) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


@pytest.mark.parametrize("end", ["timeout", "ctrl-c", "kill -9"])
def test_nothing_outlives_a_run(toy, level, end, tmp_path):
    mark = f"{tmp_path.name}-{os.getpid()}-{level}"
    (toy.root / "mark").write_text(f"/{mark}/x")
    (toy.root / "train.py").write_text(SLEEPERS)
    git(toy.root, "add", ".")
    git(toy.root, "commit", "-qm", "Sleep")
    toy.write(timeout_seconds=8 if end == "timeout" else 100)
    with subprocess.Popen(
        [sys.executable, "-m", "loopgraph_git", "run", "--sandbox", str(level)],
        cwd=toy.root,
        env={**os.environ, **SOURCE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as harness:
        assert within(40, lambda: alive(mark) == sorted(KINDS)), alive(mark)
        if end == "ctrl-c":
            harness.send_signal(signal.SIGINT)
        elif end == "kill -9":
            harness.kill()
        harness.wait(40)
    # a harness that ends by itself has seen to it; after kill -9 the supervisor does
    assert within(5 if end == "kill -9" else 0, lambda: not alive(mark)), alive(mark)
