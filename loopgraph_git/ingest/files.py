"""Files and folders of a person's own: which of them are documents, and their bytes.

A folder with LaTeX in it is one paper, any other holds what can be read one by one.
Links are not followed and hidden folders not entered: a folder means what is in it.
"""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_LIMIT = 64 << 20
_MOST_FILES = 10_000
_READ = {
    ".pdf", ".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd", ".txt", ".text", ".tex",
    ".ltx", ".gz", ".tgz", ".tar", ".zip",
}  # fmt: skip
_LATEX = {".tex", ".ltx", ".bbl", ".sty", ".cls", ".def", ".txt"}
_MAIN = re.compile(rb"^[^%\n]*\\document(?:class|style)\b", re.MULTILINE)


def documents(path: Path) -> list[Path]:
    """Return the files and LaTeX folders that a path holds, itself if it is one.

    Raises UsageError where there is none.
    """
    if not path.is_dir() or is_latex(path):
        return [path]
    found = []
    for item in _walk(path):
        found.append(item)
        if len(found) > _MOST_FILES:
            raise UsageError(
                f"{path}: more than {_MOST_FILES} files: give a folder below"
            )
    if not found:
        raise UsageError(
            f"{path}: no file in it can be read: PDF, LaTeX, Markdown and text can"
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for item in sorted(folder.iterdir()):
        if item.name.startswith(".") or item.is_symlink():
            continue
        if item.is_dir():
            yield from [item] if is_latex(item) else _walk(item)
        elif item.suffix.lower() in _READ:
            yield item


def is_latex(folder: Path) -> bool:
    """Say whether a folder holds the source of a paper: a file that begins one."""
    texts = (
        item for item in folder.iterdir() if item.suffix.lower() in (".tex", ".ltx")
    )
    return any(
        item.is_file() and not item.is_symlink() and _MAIN.search(read_file(item))
        for item in texts
    )


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, or a LaTeX folder as a tarball, the same each time.

    Raises DocumentError where it cannot be read, or is too large.
    """
    return _tarball(path) if path.is_dir() else read_file(path)


def read_file(path: Path) -> bytes:
    """Return what a file holds; raises DocumentError where it cannot be read."""
    try:
        with open(path, "rb", opener=_unhurried) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DocumentError(f"{path}: is no file")
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > FILE_LIMIT:
        raise DocumentError(f"{path}: larger than {FILE_LIMIT >> 20} MiB: give a part")
    return data


def _unhurried(path: str, flags: int) -> int:
    # a pipe would wait for somebody to write
    return os.open(path, flags | os.O_NONBLOCK)


def _tarball(folder: Path) -> bytes:
    made, total = io.BytesIO(), 0
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if hidden or path.is_symlink() or path.suffix.lower() not in _LATEX:
                continue
            if not path.is_file():
                continue
            data = read_file(path)
            total += len(data)
            if total > FILE_LIMIT:
                raise DocumentError(
                    f"{folder}: more than {FILE_LIMIT >> 20} MiB of text"
                )
            member = tarfile.TarInfo(inside.as_posix())
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()
