"""Devices: one run at a time on each, and sessions side by side with one memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from loopgraph_git.errors import LoopGraphError, UsageError
from loopgraph_git.loop import devices, runner, side_by_side
from loopgraph_git.loop.devices import Device, Named, NvidiaSmi
from loopgraph_git.loop.proposers import RecipeProposer
from loopgraph_git.loop.session import Options
from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import SOURCE, TRAIN, git
from tests.loop.test_loop import Silent


def smi(folder: Path, *rows: str) -> dict[str, str]:
    """Put an nvidia-smi that prints some rows on the PATH."""
    folder.mkdir(exist_ok=True)
    script = folder / "nvidia-smi"
    text = "\n".join(rows)
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    script.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Return what a machine with two GPUs has in its environment."""
    env = smi(tmp_path / "bin", "0, GPU-aa, 3", "1, GPU-bb, 5000")
    monkeypatch.setenv("PATH", env["PATH"])
    return env


def test_what_nvidia_smi_says_is_read_with_care(tmp_path, monkeypatch):
    rows = ("0, GPU-aa, 3", "1, GPU-bb, [N/A]", "No devices were found", "x, y, z", "")
    monkeypatch.setenv("PATH", smi(tmp_path / "bin", *rows)["PATH"])
    found = {item.label: used for item, used in NvidiaSmi().used_mb().items()}
    assert found == {"gpu0": 3.0, "gpu1": 0.0}


def test_a_machine_without_a_gpu_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert NvidiaSmi().used_mb() == {}
    with pytest.raises(UsageError, match="shows no GPU"):
        devices.chosen(NvidiaSmi(), "0")


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [("0", ["gpu0"]), ("1,0", ["gpu1", "gpu0"]), ("all", ["gpu0", "gpu1"])],
)
@pytest.mark.usefixtures("two")
def test_devices_are_named_by_number(wanted, labels):
    assert [item.label for item in devices.chosen(NvidiaSmi(), wanted)] == labels


@pytest.mark.usefixtures("two")
def test_a_device_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="no gpu7 here, only gpu0, gpu1"):
        devices.chosen(NvidiaSmi(), "0,7")


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("named", "labels"),
    [(None, ["gpu0", "gpu1"]), ("1", ["gpu1"]), ("GPU-aa", ["gpu0"]), ("", [])],
)
def test_a_run_holds_the_devices_that_it_can_see(monkeypatch, named, labels):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [item.label for item in devices.visible(NvidiaSmi())] == labels


def lent(held: list[Device], said: list[str], stop: threading.Event, machine=None):
    machine = machine or Named(("cpu0", "cpu1"))
    return devices.lent(machine, held, say=said.append, should_stop=stop.is_set)


def test_one_run_at_a_time_has_a_device():
    first, second = Named(("cpu0", "cpu1")).used_mb()
    said: list[str] = []
    stop = threading.Event()
    inside, most = [], []

    def work(device):
        with lent([device], said, stop):
            inside.append(device)
            most.append(inside.count(first))
            time.sleep(0.1)
            inside.remove(device)

    threads = [threading.Thread(target=work, args=(x,)) for x in (first, first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert said == ["waiting for cpu0: another run has it"]


def test_whoever_waits_for_a_device_can_be_stopped():
    [device] = Named(("cpu0",)).used_mb()
    stop = threading.Event()
    with lent([device], [], stop):
        stop.set()
        with pytest.raises(runner.InterruptedRunError), lent([device], [], stop):
            pass


def test_memory_of_others_is_noted_before_and_after(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", smi(folder, "0, GPU-aa, 5000")["PATH"])
    monkeypatch.setattr(devices, "_RETURN_SECONDS", 0.1)
    held = list(NvidiaSmi().used_mb())
    with lent(held, [], threading.Event(), NvidiaSmi()) as lease:
        smi(folder, "0, GPU-aa, 9000")
    assert lease.flags == [
        "5000 MiB of gpu0 were in use by others",
        "4000 MiB of gpu0 did not come back",
    ]


@pytest.mark.long
def test_sessions_side_by_side_share_one_memory(toy):
    machine = Named(("cpu0", "cpu1"))
    options = Options(session="s", n=2, devices=machine)
    lanes = side_by_side.lanes(options, list(machine.used_mb()))
    side_by_side.run(
        lanes,
        lab=lambda: LoopGraph.open(toy.root),
        proposer=RecipeProposer,
        progress=lambda _lane: Silent(),
        should_stop=lambda: False,
    )
    found = toy.tried()
    assert sorted(item.session for item in found) == ["s-cpu0"] * 2 + ["s-cpu1"] * 2
    assert all(item.verdict for item in found)
    # each knew what the other had tried
    started = [item for item in found if item.parent == git_head(toy)]
    assert len({item.tree for item in started}) == len(started)


def git_head(toy) -> str:
    return git(toy.root, "rev-parse", "HEAD")


@pytest.mark.long
def test_a_session_that_fails_leaves_the_others_alone(toy):
    machine = Named(("cpu0", "cpu1"))
    options = Options(session="s", n=1, devices=machine)
    lanes = side_by_side.lanes(options, list(machine.used_mb()))
    git(toy.root, "checkout", "-q", "-b", "lg/s-cpu0")
    with pytest.raises(LoopGraphError, match="already"):
        side_by_side.run(
            lanes,
            lab=lambda: LoopGraph.open(toy.root),
            proposer=RecipeProposer,
            progress=lambda _lane: Silent(),
            should_stop=lambda: False,
        )
    assert [item.session for item in toy.tried()] == ["s-cpu1"]


@pytest.mark.long
def test_gpus_are_given_to_sessions_of_their_own(toy, two):
    train = TRAIN.replace(
        '    print("device: cpu")\n',
        '    print("device: cpu")\n'
        "    print('gpu:', os.environ['CUDA_VISIBLE_DEVICES'])\n",
    )
    (toy.root / "train.py").write_text(train)
    git(toy.root, "commit", "-qam", "Say which")
    done = toy.lg("experiment", "-n", "1", "--session", "s", "--gpus", "0,1", env=two)
    found = {item.session: item for item in toy.tried()}
    assert set(found) == {"s-gpu0", "s-gpu1"}
    with LoopGraph.open(toy.root) as lab:
        for session, key in (("s-gpu0", "GPU-aa"), ("s-gpu1", "GPU-bb")):
            [*_, result] = lab.records_of(found[session].commit)[:1]
            assert result.body["metrics"]["gpu"] == key
            flags = result.body.get("flags", [])
            noted = ["5000 MiB of gpu1 were in use by others"]
            assert list(flags) == (noted if key == "GPU-bb" else [])
    lines = done.stderr.splitlines()
    assert sum(line.startswith("gpu0 | [1/1]") for line in lines) == 1
    assert sum(line.startswith("gpu1 | [1/1]") for line in lines) == 1


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_sessions_side_by_side_end_together(toy, two, tmp_path, end):
    mark = f"mark-{os.getpid()}-{tmp_path.name}-{end}"
    (toy.root / "train.py").write_text(
        f"import sys, time\nfrom prepare import evaluate\ntime.sleep(100)  # {mark}\n"
    )
    git(toy.root, "commit", "-qam", "Sleep")
    toy.write(timeout_seconds=200)
    command = [sys.executable, "-m", "loopgraph_git", "experiment", "--gpus", "all"]
    with subprocess.Popen(
        command,
        cwd=toy.root,
        env={**os.environ, **SOURCE, **two},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as harness:
        places = {f"main-gpu{n}" for n in (0, 1)}
        assert waited(lambda: training(toy.root) == places), training(toy.root)
        harness.send_signal(end)
        _, said = harness.communicate(timeout=40)
    assert harness.returncode == (130 if end == signal.SIGINT else -9), said
    assert waited(lambda: not training(toy.root)), training(toy.root)


def waited(holds) -> bool:
    deadline = time.monotonic() + 40
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def training(root: Path) -> set[str]:
    """Return the worktrees of a repository in which something is being trained."""
    home = (root / ".git" / "loopgraph" / "worktrees").resolve()
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = (path / "cwd").readlink()
            trains = b"train.py" in (path / "cmdline").read_bytes()
        except OSError:
            continue
        if trains and here.parent == home:
            found.add(here.name)
    return found
