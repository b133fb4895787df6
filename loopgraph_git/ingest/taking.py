"""Taking in: a target becomes entries of the shelf, and is fetched at most once.

Each paper, file or repository is put on the shelf as soon as it is read, so that an
ingest that was interrupted goes on where it was. One that fails stops no other.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import LoopGraphError
from loopgraph_git.git.visit import without_login
from loopgraph_git.ingest import files, targets, visiting
from loopgraph_git.ingest.packing import take_pack
from loopgraph_git.ingest.papers import ABSTRACT, full_text
from loopgraph_git.ingest.taken import Came, Ingested
from loopgraph_git.library.chunk import chunks_of_document
from loopgraph_git.library.document import read_document
from loopgraph_git.library.likeness import sketch
from loopgraph_git.library.shelf import Shelved, file_of
from loopgraph_git.records import Paper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from loopgraph_git.git.visit import Address
    from loopgraph_git.ingest.papers import Text
    from loopgraph_git.library.arxiv import Arxiv, ArxivId, Entry
    from loopgraph_git.library.section import Document
    from loopgraph_git.library.shelf import Shelf

_DIGITS = 12
_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes targets in: onto a shelf, from arXiv, files and packs.

    Files below `root` are known by their path from there, others by their whole path.
    `packs` are the folders of packs, ours first: a pack is copied into the last.
    `limit` is how many papers of a search are taken. With `refresh` what is known is
    looked up again, with `dry_run` nothing is written and no text is fetched.
    """

    shelf: Shelf
    arxiv: Arxiv
    root: Path
    packs: Sequence[Path]
    limit: int = 10
    refresh: bool = False
    dry_run: bool = False
    say: Callable[[str], None] = lambda _text: None

    def take(self, text: str) -> Iterator[Ingested]:
        """Take a target in; yields what came of each thing that it names."""
        try:
            yield from self._take(targets.parse_target(text))
        except (LoopGraphError, OSError) as error:
            yield _failed(text, error)

    def _take(self, target: targets.Target) -> Iterator[Ingested]:
        match target:
            case targets.Paper(text, wanted):
                yield self._paper(text, wanted)
            case targets.Search(text, query):
                yield from self._search(text, query)
            case targets.Files(_, path):
                yield from self._files(path)
            case targets.Pack(text, path):
                yield take_pack(text, path, self.packs, dry_run=self.dry_run)
            case targets.Repository(text, address):
                yield self._repository(text, address)

    def _search(self, text: str, query: str) -> Iterator[Ingested]:
        self.say(f"searching arXiv for {query}")
        found = self.arxiv.search(query, self.limit)
        if not found:
            raise LoopGraphError(f"{text}: arXiv finds nothing: use other words")
        for number, entry in enumerate(found, start=1):
            self.say(f"[{number}/{len(found)}] {entry.paper.title}")
            name = f"arxiv:{entry.id}"
            try:
                yield self._entry(name, entry)
            except LoopGraphError as error:
                yield _failed(name, error)

    def _paper(self, text: str, wanted: ArxivId) -> Ingested:
        here = self.shelf.versions(wanted.key)
        if wanted.version:
            here = [item for item in here if item.paper.version == wanted.version]
        if here and not self.refresh:
            return Ingested.of(text, Came.KNOWN, here[-1])
        self.say(f"asking arXiv for {wanted}")
        return self._entry(text, self.arxiv.describe(wanted))

    def _entry(self, text: str, entry: Entry) -> Ingested:
        """Take in one version of a paper that arXiv has described."""
        versions = self.shelf.versions(entry.paper.key)
        same = [item for item in versions if item.paper.version == entry.paper.version]
        # where there was only the abstract, there may be more by now
        if same and not (self.refresh and same[-1].how == ABSTRACT):
            return Ingested.of(text, Came.KNOWN, same[-1])
        if self.dry_run:
            return Ingested.would(text, entry.paper)
        self.say(f"fetching {entry.id}: {entry.paper.title}")
        found = full_text(self.arxiv, entry)
        came = Came.NEWER if versions and not same else Came.NEW
        return Ingested.of(text, came, self._shelve(text, entry.paper, found))

    def _shelve(self, text: str, paper: Paper, found: Text) -> Shelved:
        given = [found.answer] if found.answer else []
        contents = [answer.data for answer in given]
        entry = Shelved(
            paper=paper,
            target=text,
            how=found.how,
            why=found.why,
            files=tuple(
                file_of(found.file, answer.url, answer.data) for answer in given
            ),
        )
        return self._put(entry, found.document, contents)

    def _put(
        self, entry: Shelved, document: Document, contents: Sequence[bytes]
    ) -> Shelved:
        """Put an entry on the shelf, with what its text says of it."""
        words = [document.title, document.abstract]
        words += [part for section in document.sections for part in (section.title, section.text)]  # fmt: skip
        before = [item.fetched for item in self.shelf.versions(entry.paper.key)]
        full = replace(
            entry,
            # what comes later is newer, whatever the clock says
            fetched=max(time.time_ns() // 1_000_000, *(at + 1 for at in before), 0),
            sketch=sketch("\n".join(words)).to_text(),
            passages=len(chunks_of_document(document, entry.paper.key)),
            left_out=_listed(document.left_out),
        )
        return self.shelf.add(full, document, contents)

    def _files(self, path: Path) -> Iterator[Ingested]:
        found = files.documents(path)
        for number, item in enumerate(found, start=1):
            if len(found) > 1:
                self.say(f"[{number}/{len(found)}] {item}")
            try:
                yield self._file(str(item), item)
            except (LoopGraphError, OSError) as error:
                yield _failed(str(item), error)

    def _file(self, text: str, path: Path) -> Ingested:
        data = files.read_bytes(path)
        key = f"file:{self._named(path)}"
        version = hashlib.sha256(data).hexdigest()[:_DIGITS]
        versions = self.shelf.versions(key)
        # what was there before the newest may be there again
        if versions and versions[-1].paper.version == version and not self.refresh:
            return Ingested.of(text, Came.KNOWN, versions[-1])
        document = read_document(data, path.name)
        paper = Paper(
            key=key,
            title=document.title,
            authors=document.authors,
            year=document.year,
            version=version,
        )
        if self.dry_run:
            return Ingested.would(text, paper, document.kind)
        entry = Shelved(
            paper=paper,
            target=text,
            how=document.kind,
            files=(file_of("source", "", data),),
        )
        came = Came.NEWER if versions else Came.NEW
        return Ingested.of(text, came, self._put(entry, document, [data]))

    def _repository(self, text: str, address: Address) -> Ingested:
        versions = self.shelf.versions(address.key)
        same = [item for item in versions if item.target == text]
        # to look at a repository on this machine costs nothing
        local = address.url.startswith("file:")
        if same and not (self.refresh or local):
            return Ingested.of(text, Came.KNOWN, same[-1])
        if self.dry_run:
            return Ingested.would(text, visiting.paper_of(address))
        self.say(f"visiting {text}")
        found = visiting.look(self.shelf.folder, address)
        known = [item for item in versions if item.paper.version == found.commit]
        # a branch may have gone back; who names a rev means no other to be searched
        if known and (address.rev or known[-1] is versions[-1]):
            return Ingested.of(text, Came.KNOWN, known[-1])
        self.say(f"reading {len(found.files)} files of {text}")
        document = visiting.read(self.shelf.folder, address, found)
        paper = visiting.paper_of(address, found.commit)
        entry = Shelved(paper=paper, target=text, how=document.kind)
        came = Came.NEWER if versions else Came.NEW
        return Ingested.of(text, came, self._put(entry, document, []))

    def _named(self, path: Path) -> str:
        """Return the path of a file from the root, or its whole path."""
        whole = path.resolve()
        try:
            return whole.relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return whole.as_posix()


def _failed(text: str, error: Exception) -> Ingested:
    words = str(error)
    if isinstance(error, OSError):
        words = f"{error.filename or text}: {error.strerror}"
    # what failed may be an address with a password in it
    target, error_ = without_login(text), without_login(words)
    return Ingested(target=target, came=Came.FAILED, error=error_)


def _listed(left_out: Sequence[str]) -> tuple[str, ...]:
    more = len(left_out) - _NAMED
    if more <= 0:
        return tuple(left_out)
    return (*left_out[:_NAMED], f"and {more} more")
