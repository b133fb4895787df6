"""The text of a hook, and files of hooks with it put in and taken out again.

A block of POSIX sh between two markers goes right behind the shebang of a hook that is
sh, into a new file where there is none, or into a wrapper around anything else.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.errors import GitError
from loopgraph_git.resources import resource_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHEBANG = b"#!/bin/sh\n"
_END = "# <<< loopgraph <<<\n"
_BLOCK = re.compile(
    rb"^# >>> loopgraph >>>\r?\n.*?^# <<< loopgraph <<<(?:\r?\n|\Z)",
    re.DOTALL | re.MULTILINE,
)
_KIND = re.compile(rb"`git lg hooks install` \((\w+)(?:, folders made: (\d+))?\)")
_SHELL = re.compile(
    rb"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-S[ \t]+)?(?:\S*/)?)?(?:ba|da|a)?sh(?:[ \t\r]|\Z)"
)
# a file that hands itself to another interpreter is not sh, whatever its shebang says
_POLYGLOT = re.compile(rb"exec\b[^\n]*\s\"?\$\{?0\}?\"?(?:[\s';]|\Z)")
# holds a link to each hook that was wrapped, since some ask what they are called
_NAMED = "loopgraph-orig"
# what a wrapper goes on with; not `$0.…`, as pre-commit may rename the wrapper
_WRAPPED = f"""\
lg_hook=$(dirname "$0")/{_NAMED}/{{event}}
[ -x "$lg_hook" ] || exit 0
exec "$lg_hook" "$@"
"""


def block(event: str, patterns: Sequence[str], kind: str) -> bytes:
    """Return the text that is put into a hook, markers included."""
    text = (resource_dir("hooks") / event).read_text("utf-8")
    cases = " | ".join(["HEAD", *(f"refs/heads/{pattern}" for pattern in patterns)])
    text = text.replace("HEAD | @branches@", cases).replace("@kind@", kind)
    if kind == "wrapper":
        text = text.replace(_END, _WRAPPED.format(event=event) + _END)
    return text.encode()


def kind_of(content: bytes) -> str:
    """Return how a text of ours got there: `block`, `file` or `wrapper`."""
    found = _KIND.search(content)
    return found[1].decode() if found else "block"


def folders_made(content: bytes) -> int:
    """Return how many folders were made to hold a file of ours."""
    found = _KIND.search(content)
    return int(found[2] or 0) if found else 0


def is_current(path: Path, event: str, patterns: Sequence[str] | None) -> bool:
    """Say whether a file has our block as it would be written now."""
    content = path.read_bytes()
    found = _BLOCK.search(content)
    if found is None or patterns is None:
        return found is not None
    wanted = block(event, patterns, _origin(kind_of(content), folders_made(content)))
    return found[0].rstrip(b"\n") == wanted.rstrip(b"\n")


def carriers(folder: Path, event: str) -> Iterator[Path]:
    """Yield the files with our block: the hook, or where another tool moved it to."""
    for path in sorted(folder.glob(f"{event}*")):
        exact = path.name == event or path.name.startswith(f"{event}.")
        plain = exact and path.is_file() and not path.is_symlink()
        if plain and _BLOCK.search(path.read_bytes()):
            yield path


def _origin(kind: str, made: int = 0) -> str:
    return f"{kind}, folders made: {made}" if made else kind


def put_in(folder: Path, event: str, patterns: Sequence[str], *, made: int = 0) -> str:
    """Put a hook into a folder beside what is there; returns what was done.

    `made` says how many folders were made for it, to be removed with it.
    """
    path = folder / event
    if not path.exists() and not path.is_symlink():
        write(path, SHEBANG + block(event, patterns, _origin("file", made)), 0o755)
        return f"{event}: made {path}"
    if path.is_dir():
        raise GitError(f"{path} is a folder, so git runs no hook there: move it away")
    if _takes_block(path):
        content = _with_block(path.read_bytes(), block(event, patterns, "block"))
        write(path, content, stat.S_IMODE(path.stat().st_mode))
        return f"{event}: put a block into {path}"
    kept = path.with_name(f"{event}.loopgraph-orig")
    if kept.exists() or kept.is_symlink():
        raise GitError(f"{kept} is in the way: move it, then install again")
    named = folder / _NAMED / event
    named.parent.mkdir(exist_ok=True)
    named.unlink(missing_ok=True)
    named.symlink_to(Path("..", kept.name))
    path.rename(kept)
    try:
        write(path, SHEBANG + block(event, patterns, "wrapper"), 0o755)
    except OSError:
        kept.rename(path)
        raise
    return f"{event}: wrapped your hook, which is now {kept.name}"


def _takes_block(path: Path) -> bool:
    """Say whether a block can go into the hook itself.

    Not into what is linked (another file would change), disabled (we would have to
    enable it) or something else than sh. Without a shebang git runs a text with sh.
    """
    if path.is_symlink() or not os.access(path, os.X_OK):
        return False
    content = path.read_bytes()
    first = content.split(b"\n", 1)[0]
    if b"\0" in content or _POLYGLOT.search(content):
        return False
    return not first.startswith(b"#!") or _SHELL.match(first) is not None


def _with_block(content: bytes, text: bytes) -> bytes:
    if not content.startswith(b"#!"):
        return text + content
    first, newline, rest = content.partition(b"\n")
    # without an end of line the block has none either, and is known by that
    return first + b"\n" + (text + rest if newline else text.rstrip(b"\n"))


def _without_block(content: bytes) -> bytes:
    found = _BLOCK.search(content)
    if found is None:
        return content
    before = content[: found.start()]
    if not found[0].endswith(b"\n"):
        before = before.removesuffix(b"\n")
    return _without_block(before + content[found.end() :])


def take_out(path: Path, event: str) -> str:
    """Take our block out of a file, or the file away; returns what was done."""
    content = path.read_bytes()
    rest, kind = _without_block(content), kind_of(content)
    untouched = rest.strip() == SHEBANG.strip()
    if kind == "wrapper":
        if not untouched:
            raise GitError(f"{path} was changed by hand: take your lines out first")
        (path.parent / _NAMED / event).unlink(missing_ok=True)
        _remove_empty(path.parent / _NAMED, 1)
        kept = path.with_name(f"{event}.loopgraph-orig")
        if kept.exists() or kept.is_symlink():
            kept.replace(path)
            return "your hook is back"
    if kind != "block" and untouched:
        path.unlink()
        _remove_empty(path.parent, folders_made(content))
        return "removed"
    write(path, rest, stat.S_IMODE(path.stat().st_mode))
    return "took the block out"


def _remove_empty(folder: Path, count: int) -> None:
    """Remove a folder, and as many in all that hold it, unless there is more in it."""
    for path in [folder, *folder.parents][:count]:
        if not path.is_dir() or any(path.iterdir()):
            return
        path.rmdir()


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file at once: a hook that is half written would be run."""
    handle, name = tempfile.mkstemp(prefix=".loopgraph-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        with suppress(OSError):
            # root in a container must not take a hook away from its owner
            there = path.stat()
            os.chown(name, there.st_uid, there.st_gid)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
