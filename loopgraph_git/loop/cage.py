"""What a run may read, write and reach, and the words that make it so.

    bubblewrap   a file system of its own: the system read-only, home, /tmp and /run
                 empty but for what is needed, protected files read-only; no network,
                 no other process in sight
    landlock     the same paths kept by the kernel, no TCP; protected files are only
                 compared, UDP and sockets in the file system stay open
    rlimits      the limits alone: any file of the user, and the network, is in reach
    none         not even those, where the system knows none

Whatever the level, the supervisor watches memory, disk and processes and ends the
whole tree. Everything here is worked out; nothing is run (see sandbox.py).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LANDLOCK = Path(__file__).with_name("landlock.py")
_LANDLOCKED = (sys.executable, "-I", "-S", str(_LANDLOCK))
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  named, not written to by us
_SCRATCH_BYTES = 1 << 30
_ACCELERATORS = ("nvidia*", "dri", "kfd", "accel*")
# drivers and resolvers that some systems keep in /run
_OF_RUN = ("opengl-driver", "current-system", "nvidia-persistenced", "systemd/resolve")
_TOOLS = (".cache", ".pyenv", ".local/bin", ".local/lib", ".local/share/uv",
          ".local/share/virtualenvs", ".triton", ".nv")  # fmt: skip
_KEYS = (".cache/huggingface/token", ".cache/huggingface/stored_tokens")
# what tools look for in the folders above the one they run in
_UPWARDS = ("pyproject.toml", "uv.toml", "uv.lock", ".python-version", "setup.cfg")
_SAFE_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm",
                 *_ACCELERATORS)  # fmt: skip
_QUOTED_PATH = re.compile(r"['\"](/[^'\"\n]+)['\"]")
_PLACES_NOT_NAMED = ("HOME", "TMPDIR", "SHELL", "PWD")


class Level(IntEnum):
    """How well a run is confined; a higher one keeps all that a lower one keeps."""

    NONE = 0
    RLIMITS = 1
    LANDLOCK = 2
    BUBBLEWRAP = 3

    def __str__(self) -> str:
        """Return the word for it, as options and records have it."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run takes place.

    `folder` is its worktree, `scratch` a folder of its own for temporary files,
    `writable` what else it may change. `kept` are paths inside the worktree that it
    may not change, `readable` those outside that it needs, and `port` the one TCP port
    that it may connect to, 0 for none.
    """

    folder: Path
    scratch: Path
    writable: tuple[Path, ...] = ()
    kept: tuple[str, ...] = ()
    readable: tuple[Path, ...] = ()
    port: int = 0


@dataclass(frozen=True, kw_only=True)
class Cage:
    """A level made concrete: words before the command, and for the supervisor."""

    level: Level = Level.RLIMITS
    prefix: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def caged(level: Level, place: Place, *, memory_bytes: int = 0) -> Cage:
    """Return the cage of a level around a place; `memory_bytes` bounds its RAM disks."""
    watched = tuple(
        f"--watch={path}" for path in dict.fromkeys((place.folder, place.scratch))
    )
    if level is Level.BUBBLEWRAP:
        words = tuple(_bubblewrap(place, memory_bytes or _SCRATCH_BYTES))
        return Cage(level=level, prefix=words, options=("--shell-codes", *watched))
    if level is Level.LANDLOCK:
        return Cage(
            level=level,
            prefix=(*_LANDLOCKED, *_rules(place), "--"),
            options=watched,
        )
    return Cage(level=level, options=watched)


def reaching(port: int) -> tuple[str, ...]:
    """Return the words that let a command connect to one TCP port and to no other.

    For inside bubblewrap, which knows all of the network or nothing of it. They need
    Landlock, and the files of `interpreter` in sight.
    """
    return (*_LANDLOCKED, "--write=/", f"--connect={port}", "--")


def interpreter() -> tuple[Path, ...]:
    """Return what the words of `reaching` are read from."""
    return (Path(sys.prefix), Path(sys.base_prefix), _LANDLOCK)


def hidden() -> list[Path]:
    """Return the folders where secrets are at home, the outermost alone."""
    homes = [Path.home(), Path("/home"), Path("/root"), Path("/Users")]
    shared = [Path("/tmp"), Path("/var/tmp"), Path("/run/user")]  # noqa: S108
    found = sorted({path.resolve() for path in (*homes, *shared) if path.is_dir()})
    return [
        path for path in found
        if path != Path("/") and not any(other in path.parents for other in found)
    ]  # fmt: skip


def hidden_in(text: str) -> str:
    """Return a path in a text that is there, but where no run can see it, or ""."""
    away = hidden()
    for word in _QUOTED_PATH.findall(text):
        if _is_under(Path(word), away) and os.access(word, os.R_OK):
            return str(word)
    return ""


def needed(argv: tuple[str, ...], env: Mapping[str, str]) -> list[Path]:
    """Return what a command reads besides its folder: its Python, tools and caches.

    Whatever path the environment of the run names is one of them.
    """
    found = [*_hops(argv[0], env.get("PATH"))]
    for name, value in env.items():
        if name not in _PLACES_NOT_NAMED:
            words = (Path(word) for word in value.split(os.pathsep))
            found += [part for word in words for part in _installed(name, word)]
    found += [Path.home() / name for name in _TOOLS]
    # `exists` raises where a folder of somebody else is on the way
    return [path for path in dict.fromkeys(found) if os.access(path, os.R_OK)]


def _hops(program: str, path: str | None) -> Iterator[Path]:
    """Yield the installations that a program is a link into, one after the other."""
    here = Path(shutil.which(program, path=path) or program)
    for _ in range(8):
        if here.parent.name == "bin" and here.is_absolute():
            yield here.parent.parent
        if not os.access(here, os.R_OK) or not here.is_symlink():
            return
        here = here.parent / here.readlink()


def _installed(name: str, path: Path) -> Iterator[Path]:
    if not path.is_absolute() or not os.access(path, os.R_OK):
        return
    whole = path.name == "shims" or (path.parent / "lib").is_dir()
    yield path.parent if name == "PATH" and whole else path


def _bubblewrap(place: Place, memory_bytes: int) -> Iterator[str]:
    yield from ("bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc")
    yield from ("--unshare-uts", "--cap-drop", "ALL")
    if not place.port:
        yield "--unshare-net"
    yield from ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    yield from _memory_disk(_SHARED_MEMORY, memory_bytes)
    for pattern in _ACCELERATORS:
        for device in sorted(Path("/dev").glob(pattern)):
            yield from ("--dev-bind-try", str(device), str(device))
    away = hidden()
    for path in [*away, Path("/run")]:
        if path.is_dir() and not path.is_symlink():
            yield from _memory_disk(path, _SCRATCH_BYTES)
    yield from _bound("--bind", [(place.scratch, Path("/tmp"))])  # noqa: S108
    shown = _outermost(_shown(place, away))
    run = [Path("/run") / name for name in _OF_RUN]
    yield from _bound("--ro-bind-try", [(path, path) for path in (*shown, *run)])
    keys = [Path.home() / name for name in _KEYS]
    nothing = Path(os.devnull)
    yield from _bound("--ro-bind", [(nothing, key) for key in keys if key.is_file()])
    changed = (*place.writable, place.folder)
    yield from _bound("--bind", [(path, path) for path in changed])
    kept = [place.folder / name for name in place.kept]
    fixed = [path for path in kept if path.exists() and not path.is_symlink()]
    yield from _bound("--ro-bind", [(path, path) for path in fixed])
    yield from ("--setenv", "TMPDIR", "/tmp", "--chdir", str(place.folder), "--")  # noqa: S108


def _memory_disk(path: Path, size: int) -> tuple[str, ...]:
    return ("--size", str(size), "--tmpfs", str(path))


def _bound(how: str, pairs: Iterable[tuple[Path, Path]]) -> Iterator[str]:
    for source, target in pairs:
        yield from (how, str(source), str(target))


def _shown(place: Place, away: list[Path]) -> Iterator[Path]:
    """Yield what of a hidden folder is needed, links on the way followed."""
    for path in place.readable:
        for real in dict.fromkeys((path.parent.resolve() / path.name, path.resolve())):
            if _is_under(real, away):
                yield real


def _is_under(path: Path, folders: list[Path]) -> bool:
    # a folder that holds a home would bring it back into sight
    return any(folder in path.parents for folder in folders)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    found = sorted(set(paths))
    return [path for path in found if not any(x in path.parents for x in found)]


def _rules(place: Place) -> Iterator[str]:
    away = hidden()
    # as root a run could else read the disk itself
    for path in _open_parts(Path("/"), sorted([*away, Path("/dev")])):
        yield f"--read={path}"
    for folder in place.folder.parents:
        for name in _UPWARDS:
            yield f"--read={folder / name}"
    for path in _shown(place, away):
        yield f"--read={path}"
    found = (path for name in _SAFE_DEVICES for path in Path("/dev").glob(name))
    for path in (place.folder, place.scratch, *place.writable, *found):
        yield f"--write={path}"
    if place.port:
        yield f"--connect={place.port}"


def _open_parts(folder: Path, away: list[Path]) -> Iterator[Path]:
    """Yield the parts of a folder that hold nothing hidden, as few as possible."""
    if folder in away:
        return
    if not any(folder in path.parents for path in away):
        yield folder
        return
    for child in sorted(folder.iterdir()):
        if not child.is_symlink():
            yield from _open_parts(child, away)
