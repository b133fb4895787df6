"""Writing what people look at into files, without losing what was there before."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def write_file(path: Path, parts: Iterable[bytes], *, force: bool = False) -> None:
    """Write a file as a whole or not at all; an existing one only with `force`.

    Raises UsageError for a file that is there, and for what is no file.
    """
    target = path.resolve() if path.is_symlink() else path
    if target.exists():
        if not target.is_file():
            raise UsageError(f"{path} is not a file: name one that is to be written")
        if not force:
            raise UsageError(f"{path} exists: name another, or add `--force`")
    elif not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder: make it first")
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with fresh.open("xb") as handle:
            handle.writelines(parts)
        if target.exists():
            shutil.copymode(target, fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def exchange_files(changes: Mapping[Path, tuple[bytes, bytes]]) -> None:
    """Exchange the contents of existing files, all of them or none: old and new.

    Raises UsageError where one no longer holds what is to be exchanged. A file that
    cannot be written puts those before it back.
    """
    for path, (old, _) in changes.items():
        if path.read_bytes() != old:
            raise UsageError(f"{path} was changed in the meantime: nothing is written")
    done: list[Path] = []
    try:
        for path, (_, new) in changes.items():
            write_file(path, [new], force=True)
            done.append(path)
    except BaseException:
        for path in done:
            with suppress(OSError):
                write_file(path, [changes[path][0]], force=True)
        raise
