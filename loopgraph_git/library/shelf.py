"""The shelf: what was fetched, kept on this machine so that it is asked for once.

    library/arxiv-2002.05202.v1.4f1d09ac/
        entry.json       what it is, where it came from, how its text was got
        document.json    its text, read once
        source           the bytes that were fetched

An entry is made aside and renamed into its place, whole, and never changes after: its
name ends in a hash of `entry.json`. It is not pushed; the index is made from it without
a network. `docs/ingest.md` is the specification.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from loopgraph_git.errors import LibraryError
from loopgraph_git.library.section import Document, Section
from loopgraph_git.records import Paper, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FORMAT = 1
_ENTRY, _DOCUMENT, _LOCK = "entry.json", "document.json", ".lock"
_NEW, _OLD = ".new-", ".old-"
_ENTRY_LIMIT = 1 << 20
_NAME_LIMIT = 80
_HASH = 8
_NAMED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.[A-Za-z0-9._-]+\.[0-9a-f]{8}")
_DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NUMBERED = re.compile(r"v(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class File:
    """Bytes that were fetched: their name in the entry, their address, their hash."""

    name: str
    url: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """An entry of the shelf: one version of a paper, a file or a repository.

    `how` says what its text was read from (latex, pdf, markdown, text, code or
    abstract), `why` why it was nothing better. `fetched` is in milliseconds since
    the epoch, and later for what came later. `sketch` is what its text is recognised by.
    """

    paper: Paper
    target: str
    how: str
    why: str = ""
    fetched: int = 0
    files: tuple[File, ...] = ()
    sketch: str = ""
    passages: int = 0
    left_out: tuple[str, ...] = ()
    name: str = field(default="", compare=False)

    @property
    def age(self) -> tuple[int, int, str]:
        """Where the entry stands among the versions of its paper: later is newer."""
        found = _NUMBERED.fullmatch(self.paper.version)
        return int(found[1]) if found else 0, self.fetched, self.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the same names."""
        plain = asdict(self)
        del plain["sketch"]
        return plain


class Shelf:
    """The entries in one folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # an entry never changes, so that it is read once
        self._read: dict[str, Shelved] = {}

    def names(self) -> list[str]:
        """Return the names of all entries, sorted."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208  half the time
            return sorted(filter(_NAMED.fullmatch, names))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LibraryError(
                f"{self.folder}: {error.strerror}: the library cannot be read"
            ) from error

    def state(self) -> str:
        """Return a digest of what is there, "" for nothing; a list of names says it."""
        names = self.names()
        text = "\n".join(names).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()[:16] if names else ""

    def entries(self) -> list[Shelved]:
        """Return every entry that can be read, by name."""
        found = (self._entry(name) for name in self.names())
        return [entry for entry in found if entry is not None]

    def damaged(self) -> list[str]:
        """Return the names of entries that cannot be read."""
        return [name for name in self.names() if self._entry(name) is None]

    def versions(self, key: str) -> list[Shelved]:
        """Return the entries of one paper, the newest version last."""
        found = (entry for entry in self.entries() if entry.paper.key == key)
        return sorted(found, key=lambda entry: entry.age)

    def _entry(self, name: str) -> Shelved | None:
        if name not in self._read:
            with contextlib.suppress(*_DAMAGE):
                self._read[name] = _decoded(self.folder / name)
        return self._read.get(name)

    def document(self, entry: Shelved) -> Document:
        """Return the text of an entry; raises LibraryError where it is damaged."""
        path = self.folder / entry.name / _DOCUMENT
        try:
            plain = json.loads(path.read_bytes())
            sections = tuple(Section(**item) for item in plain.pop("sections"))
            left_out = tuple(plain.pop("left_out"))
            return Document(**plain, sections=sections, left_out=left_out)
        except _DAMAGE as error:
            raise LibraryError(
                f"{path}: cannot be read ({error}): delete {path.parent} and ingest "
                f"{entry.target} again"
            ) from error

    def add(
        self, entry: Shelved, document: Document, contents: Sequence[bytes] = ()
    ) -> Shelved:
        """Put an entry on the shelf, with the bytes of its files; returns it.

        It takes the place of another of the same version. Raises LibraryError where
        the folder cannot be written.
        """
        text = f"{canonical(_encoded(entry))}\n".encode()
        name = _name(entry.paper, hashlib.sha256(text).hexdigest()[:_HASH])
        files = {file.name: data for file, data in zip(entry.files, contents, strict=True)}  # fmt: skip
        document_ = f"{canonical(asdict(document))}\n".encode()
        try:
            with self._adding():
                self._put(name, {**files, _DOCUMENT: document_, _ENTRY: text})
                for other in self.versions(entry.paper.key):
                    if (
                        other.paper.version == entry.paper.version
                        and other.name != name
                    ):
                        self._take_away(other.name)
        except OSError as error:
            raise LibraryError(
                f"{error.filename or self.folder}: {error.strerror}: nothing is kept "
                f"of {entry.target}; make room or give a folder that can be written"
            ) from error
        found = self._entry(name)
        if found is None:
            raise LibraryError(f"{self.folder / name}: was written and cannot be read")
        return found

    def _put(self, name: str, files: Mapping[str, bytes]) -> None:
        if (self.folder / name).exists():
            return
        fresh = tempfile.mkdtemp(prefix=_NEW, dir=self.folder)
        try:
            for file, data in files.items():
                _write(os.path.join(fresh, file), data)  # noqa: PTH118
            os.chmod(fresh, 0o755)  # noqa: PTH101, S103  as any folder
            os.rename(fresh, self.folder / name)  # noqa: PTH104
        except FileExistsError:
            # another process was quicker with the same
            shutil.rmtree(fresh, ignore_errors=True)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _take_away(self, name: str) -> None:
        aside = tempfile.mkdtemp(prefix=_OLD, dir=self.folder)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder / name, os.path.join(aside, name))  # noqa: PTH104, PTH118
        shutil.rmtree(aside, ignore_errors=True)
        self._read.pop(name, None)

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """Write beside others; what a killed process left is removed when alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a+b") as lock:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for path in self.folder.iterdir():
                    if path.name.startswith((_NEW, _OLD)):
                        shutil.rmtree(path, ignore_errors=True)
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield


def file_of(name: str, url: str, data: bytes) -> File:
    """Return what is noted of some bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return File(name=name, url=url, size=len(data), sha256=digest)


def _name(paper: Paper, digest: str) -> str:
    """Return the name of an entry: the paper, its version, the hash of the entry."""
    key = _UNSAFE.sub("-", paper.key).strip("-.")[:_NAME_LIMIT]
    version = _UNSAFE.sub("-", paper.version)[:_NAME_LIMIT] or "0"
    return f"{key or 'paper'}.{version}.{digest}"


def _encoded(entry: Shelved) -> dict[str, Any]:
    plain = asdict(entry)
    del plain["name"]
    return {"v": FORMAT, **plain}


def _decoded(folder: Path) -> Shelved:
    """Read an entry; raises one of _DAMAGE where it is none."""
    with (folder / _ENTRY).open("rb") as file:
        plain: dict[str, Any] = json.loads(file.read(_ENTRY_LIMIT))
    if plain.pop("v") != FORMAT:
        raise ValueError(folder.name)
    made = Shelved(
        **{
            **plain,
            "paper": Paper(**plain["paper"]),
            "files": tuple(File(**item) for item in plain["files"]),
            "left_out": tuple(plain["left_out"]),
            "name": folder.name,
        }
    )
    texts = (made.paper.key, made.paper.version, made.how, made.sketch, made.target)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(folder.name)
    return made


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as file:  # noqa: PTH123
        file.write(data)
        file.flush()
        # what is renamed into place must be there after a power loss
        os.fsync(file.fileno())
