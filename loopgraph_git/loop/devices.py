"""Accelerators: which there are, who has one, and what is in their memory.

One run at a time has a device. The lock is a file of the user, under one folder for
all repositories, and the kernel drops it when the harness dies. Whoever does not use
this program is seen by the memory that they hold, and that is noted with the result.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loopgraph_git.errors import UsageError
from loopgraph_git.git.lock import taken
from loopgraph_git.loop import runner
from loopgraph_git.resources import state_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_POLL_SECONDS = 0.1
# the driver itself, and a desktop, hold a little
_OWN_MB = 1024.0
_RETURN_SECONDS = 5.0
_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,memory.used",
          "--format=csv,noheader,nounits")  # fmt: skip
_FIELDS = 3
_SECONDS = 20.0


@dataclass(frozen=True)
class Device:
    """One accelerator: `key` is the same in every process, `label` is for people.

    `env` makes it the only one that a run sees.
    """

    key: str
    label: str
    env: Mapping[str, str] = field(default_factory=dict, hash=False)


class Devices(Protocol):
    """The accelerators of a machine."""

    def used_mb(self) -> dict[Device, float]:
        """Return every device and the MiB of its memory that are in use."""
        ...


class NvidiaSmi:
    """What nvidia-smi says; nothing where there is none, or it cannot be understood."""

    def used_mb(self) -> dict[Device, float]:
        """Return every device and the MiB of its memory that are in use."""
        if shutil.which(_QUERY[0]) is None:
            return {}
        try:
            rows = runner.printed(_QUERY, seconds=_SECONDS).splitlines()
        except (OSError, ValueError):
            return {}
        return dict(found for row in rows if (found := _parsed(row)))


@dataclass(frozen=True)
class Named:
    """Devices that hold no memory of their own: parts of a CPU, or a rehearsal."""

    names: Sequence[str]

    def used_mb(self) -> dict[Device, float]:
        """Return the devices, nothing in use."""
        return {Device(f"{os.getuid()}-{name}", name): 0.0 for name in self.names}


def _parsed(row: str) -> tuple[Device, float] | None:
    words = [word.strip() for word in row.split(",")]
    if len(words) != _FIELDS or not words[0].isdigit() or not words[1]:
        return None
    index, uuid, used = words
    device = Device(uuid, f"gpu{index}", {"CUDA_VISIBLE_DEVICES": uuid})
    try:
        return device, float(used)
    except ValueError:  # [N/A], where a device is divided
        return device, 0.0


def chosen(devices: Devices, wanted: str) -> list[Device]:
    """Return the devices that `0,1` or `all` names; raises UsageError."""
    found = {device.label: device for device in devices.used_mb()}
    if not found:
        raise UsageError("--gpus: nvidia-smi shows no GPU on this machine")
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    labels = [word if word in found else f"gpu{word}" for word in words]
    if wanted.strip() == "all":
        labels = list(found)
    for label in labels:
        if label not in found:
            raise UsageError(f"--gpus: no {label} here, only {', '.join(found)}")
    if not labels:
        raise UsageError("--gpus: name them, as in `--gpus 0,1`, or `all`")
    return [found[label] for label in dict.fromkeys(labels)]


def visible(devices: Devices) -> list[Device]:
    """Return the devices that a run sees that is given none in particular."""
    every = list(devices.used_mb())
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return every
    words = [word.strip() for word in named.split(",")]
    return [
        device for device in every
        if any(word and (device.label == f"gpu{word}" or device.key.startswith(word))
               for word in words)
    ]  # fmt: skip


class Lease:
    """The devices of one run, and what was odd about their memory."""

    def __init__(self, devices: Devices, held: Sequence[Device]) -> None:
        self._devices = devices
        self._held = held
        self._before = self._used()
        self.flags = [
            f"{used:.0f} MiB of {device.label} were in use by others"
            for device, used in self._before.items()
            if used > _OWN_MB
        ]

    def _used(self) -> dict[Device, float]:
        if not self._held:
            return {}
        used = self._devices.used_mb()
        return {device: used.get(device, 0.0) for device in self._held}

    def end(self) -> None:
        """Note the memory that a run has left behind."""
        deadline = time.monotonic() + _RETURN_SECONDS
        while (kept := self._kept()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.flags += kept

    def _kept(self) -> list[str]:
        return [
            f"{used - self._before[device]:.0f} MiB of {device.label} did not come back"
            for device, used in self._used().items()
            if used > self._before[device] + _OWN_MB
        ]


@contextmanager
def lent(
    devices: Devices,
    held: Sequence[Device],
    *,
    say: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> Iterator[Lease]:
    """Hold devices for one run, waiting for whoever has them.

    Raises InterruptedRunError when `should_stop` says so.
    """
    with ExitStack() as stack:
        # in one order for all, so that two never wait for each other
        for device in sorted(held, key=lambda item: item.key):
            handle = stack.enter_context(_lock(device).open("a+b"))
            told = False
            while not taken(handle.fileno()):
                if should_stop():
                    raise runner.InterruptedRunError
                if not told:
                    say(f"waiting for {device.label}: another run has it")
                    told = True
                time.sleep(_POLL_SECONDS)
        lease = Lease(devices, held)
        yield lease
        lease.end()


def _lock(device: Device) -> Path:
    folder = state_dir() / "devices"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^\w-]", "_", device.key) + ".lock")
