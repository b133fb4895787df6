"""An archive of others as files in memory: nothing is written, nothing is followed.

What a server sends may be a tarball, one gzipped file, or a bomb. Names that leave
the folder, links, devices and what is too large are left out by name, and the rest is
read; the rules are those of `tarfile`'s data filter. A zip is held to the same.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
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
_ZIP = b"PK\x03\x04"
_LOCKED = 1
# a version or a kind of encryption that it does not know is a RuntimeError
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
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


def is_zip(data: bytes) -> bool:
    """Say whether bytes are a zip archive."""
    return data.startswith(_ZIP)


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
    return _unpacked(files, refused, name)


def _unpacked(files: dict[str, bytes], refused: list[str], name: str) -> Unpacked:
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


def unpacked_zip(data: bytes, name: str) -> Unpacked:
    """Return the files of a zip archive; raises DocumentError as `unpacked` does."""
    refused: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = dict(_zipped(archive, refused))
    except _ZIP_ERRORS as error:
        raise DocumentError(
            f"{name} is a damaged archive ({error}): fetch it again"
        ) from error
    return _unpacked(files, refused, name)


def _zipped(
    archive: zipfile.ZipFile, refused: list[str]
) -> Iterator[tuple[str, bytes]]:
    total = 0
    for number, member in enumerate(archive.infolist()):
        if number >= MEMBER_LIMIT:
            refused.append(f"all after the first {MEMBER_LIMIT} files")
            return
        # its own `is_dir` takes no name that is empty
        if member.filename.endswith("/"):
            continue
        reason = _zip_refusal(member)
        content = b"" if reason else _read_zipped(archive, member)
        total += len(content)
        if len(content) > FILE_LIMIT:
            reason = f"larger than {FILE_LIMIT >> 20} MB"
        elif total > TOTAL_LIMIT:
            reason = f"the archive holds more than {TOTAL_LIMIT >> 20} MB"
        if reason:
            refused.append(f"{visible(member.filename)}: {reason}")
            continue
        yield str(PurePosixPath(member.filename)), content


def _read_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # what a member says of its size may be a lie
    with archive.open(member) as file:
        return file.read(FILE_LIMIT + 1)


def _zip_refusal(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if member.flag_bits & _LOCKED:
        return "it has a password"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed in a way that is not read"
    if member.file_size > FILE_LIMIT:
        return f"larger than {FILE_LIMIT >> 20} MB"
    return _leads_out(member.filename)


def refusal(member: tarfile.TarInfo) -> str:
    """Return why a member of an archive is not read, or ""."""
    reason = ""
    if member.issym() or member.islnk():
        reason = "a link"
    elif not member.isreg():
        reason = "not a plain file"
    elif leads := _leads_out(member.name):
        reason = leads
    elif member.size > FILE_LIMIT:
        reason = f"larger than {FILE_LIMIT >> 20} MB"
    elif member.issparse():
        reason = "a file with holes"
    return reason


def _leads_out(name: str) -> str:
    """Return why a name is not inside the folder of its archive, or ""."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or name[1:2] == ":":
        return "an absolute path"
    leads = not path.parts or ".." in path.parts
    return "a path out of its folder" if leads else ""


def _told(refused: list[str]) -> tuple[str, ...]:
    """Return what was refused, the first by name and the rest by number."""
    more = len(refused) - _NAMED
    rest = [f"and {more} more"] if more > 0 else []
    return (*refused[:_NAMED], *rest)
