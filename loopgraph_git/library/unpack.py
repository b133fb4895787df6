"""An archive of others as files in memory: nothing is written, nothing is followed.

What a server sends may be a tarball, one gzipped file, or a bomb. Names that leave
the folder, links, devices and what is too large are left out by name, and the rest is
read; the rules are those of `tarfile`'s data filter.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from loopgraph_git.errors import DocumentError
from loopgraph_git.records.texts import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBER_LIMIT = 5_000
FILE_LIMIT = 64 << 20
TOTAL_LIMIT = 256 << 20
"""How much an archive may hold, unpacked, in bytes."""

_NAMED = 20
_GZIP = b"\x1f\x8b"
_WITH_HEADER = 31


@dataclass(frozen=True)
class Unpacked:
    """The files of an archive by their path, and what was refused, with the reason."""

    files: dict[str, bytes]
    left_out: tuple[str, ...] = ()


def is_gzip(data: bytes) -> bool:
    """Say whether bytes are gzipped."""
    return data.startswith(_GZIP)


def is_tar(data: bytes) -> bool:
    """Say whether bytes are a tar archive; an old one has no mark but a checksum."""
    if len(data) < tarfile.BLOCKSIZE or not data[0]:
        return False
    try:
        tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def gunzip(data: bytes, limit: int) -> bytes:
    """Return what gzip packed; every member of it.

    Raises OverflowError for more than `limit` bytes, ValueError for what is no gzip
    or ends early.
    """
    made, left = bytearray(), data
    if not is_gzip(left):
        raise ValueError("it is no gzip")
    while is_gzip(left):
        unpacker = zlib.decompressobj(_WITH_HEADER)
        try:
            made += unpacker.decompress(left, limit + 1 - len(made))
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if len(made) > limit:
            raise OverflowError
        if not unpacker.eof:
            raise ValueError("it ends early")
        left = unpacker.unused_data
    return bytes(made)


def unzipped(data: bytes, name: str, *, limit: int = TOTAL_LIMIT) -> bytes:
    """Return what a gzipped file holds; raises DocumentError where it is too much."""
    try:
        return gunzip(data, limit)
    except OverflowError as error:
        raise DocumentError(
            f"{name} unpacks to more than {limit >> 20} MB: "
            "unpack it yourself, and give the file that you mean"
        ) from error
    except ValueError as error:
        raise DocumentError(f"{name} is damaged ({error}): fetch it again") from error


def unpacked(data: bytes, name: str) -> Unpacked:
    """Return the files of a tarball, gzipped or not.

    Raises DocumentError where it is damaged, too large, or has no file to read.
    """
    plain = unzipped(data, name) if is_gzip(data) else data
    refused: list[str] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            files = dict(_members(archive, refused))
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise DocumentError(
            f"{name} is a damaged archive ({error}): fetch it again"
        ) from error
    if not files:
        why = f" ({refused[0]})" if refused else ""
        raise DocumentError(f"{name} holds no file that can be read{why}")
    return Unpacked(files, _told(refused))


def _members(
    archive: tarfile.TarFile, refused: list[str]
) -> Iterator[tuple[str, bytes]]:
    total = 0
    for number, member in enumerate(archive):
        if number >= MEMBER_LIMIT:
            refused.append(f"all after the first {MEMBER_LIMIT} files")
            return
        if member.isdir():
            continue
        path = visible(member.name)
        reason = refusal(member)
        if not reason and total + member.size > TOTAL_LIMIT:
            reason = f"the archive holds more than {TOTAL_LIMIT >> 20} MB"
        if reason:
            refused.append(f"{path}: {reason}")
            continue
        found = archive.extractfile(member)
        content = found.read() if found else b""
        total += len(content)
        yield str(PurePosixPath(member.name)), content


def refusal(member: tarfile.TarInfo) -> str:
    """Return why a member of an archive is not read, or ""."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    reason = ""
    if member.issym() or member.islnk():
        reason = "a link"
    elif not member.isreg():
        reason = "not a plain file"
    elif path.is_absolute() or member.name[1:2] == ":":
        reason = "an absolute path"
    elif ".." in path.parts:
        reason = "a path out of its folder"
    elif member.size > FILE_LIMIT:
        reason = f"larger than {FILE_LIMIT >> 20} MB"
    elif member.issparse():
        reason = "a file with holes"
    return reason


def _told(refused: list[str]) -> tuple[str, ...]:
    """Return what was refused, the first by name and the rest by number."""
    more = len(refused) - _NAMED
    rest = [f"and {more} more"] if more > 0 else []
    return (*refused[:_NAMED], *rest)
