"""arXiv: what its ids look like, what its feeds say, and where its papers are.

An id has an old form (`cs/0112017`, `math.GT/0309136`) and a new one (`1412.6980`,
`2002.05202`), and a version that is kept apart from it. Feeds are Atom; an error is a
feed too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from loopgraph_git.errors import AbsentError, FetchError
from loopgraph_git.library.fetch import MIB, Fetcher, address
from loopgraph_git.records import Paper
from loopgraph_git.records.texts import flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopgraph_git.library.fetch import Answer

BASE = "https://export.arxiv.org"
MOST_RESULTS = 2000
"""How many results arXiv gives in one answer."""

_FEED_LIMIT = 16 * MIB
_BAD_REQUEST = 400
_ID = r"(?P<id>[a-z-]+(?:\.[A-Za-z-]{2,})?/\d{7}|\d{4}\.\d{4,5})(?P<version>v[1-9]\d*)?"
_BARE = re.compile(rf"(?:arxiv:\s*)?{_ID}", re.IGNORECASE)
_URL = re.compile(
    r"https?://(?:(?:www|export|browse)\.)?arxiv\.org/"
    rf"(?:abs|pdf|html|e-print|src|format)/{_ID}(?:\.pdf)?/?(?:[?#].*)?",
    re.IGNORECASE,
)
_FIVE_DIGITS_SINCE = 1501
_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_ERRORS = "/api/errors"
_DECLARED = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FIELD = re.compile(r"\b(?:ti|au|abs|co|jr|cat|rn|id|all):")
_WORD = re.compile(r'"[^"]+"|[^\s"]+')
_YEAR = re.compile(r"\d{4}")


@dataclass(frozen=True)
class ArxivId:
    """A paper of arXiv; without a `version` such as `v2` the newest is meant."""

    id: str
    version: str = ""

    @property
    def key(self) -> str:
        """The name of the paper, whichever version."""
        return f"arxiv:{self.id}"

    def __str__(self) -> str:
        return self.id + self.version


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A paper as a feed describes it."""

    id: ArxivId
    paper: Paper
    abstract: str


def find_id(text: str) -> ArxivId | None:
    """Return the id that a text is: bare, `arXiv:…` or an address; None for another."""
    found = _BARE.fullmatch(text.strip()) or _URL.fullmatch(text.strip())
    if found is None or not _is_id(found["id"]):
        return None
    return ArxivId(_spelt(found["id"]), (found["version"] or "").lower())


def _is_id(text: str) -> bool:
    """Say whether a text of the right shape names a month, with digits enough."""
    yymm, dot, number = text.partition(".")
    if not dot or "/" in text:
        month = text.rpartition("/")[2][2:4]
        return "01" <= month <= "12"
    five = int(yymm) >= _FIVE_DIGITS_SINCE
    return "01" <= yymm[2:] <= "12" and len(number) == (5 if five else 4)


def _spelt(text: str) -> str:
    """Return an old id as arXiv spells it: `math.GT/…`, the archive in small letters."""
    archive, slash, number = text.partition("/")
    name, dot, part = archive.partition(".")
    return (
        f"{name.lower()}{dot}{part.upper() if len(part) == 2 else part}{slash}{number}"  # noqa: PLR2004
    )


def read_feed(data: bytes, url: str) -> list[Entry]:
    """Return the papers of a feed; raises FetchError for an error and for no feed.

    A feed declares no entities: one that does is not read at all, and expat stops
    what would grow without end.
    """
    if _DECLARED.search(data):
        raise FetchError(f"{url}: the feed declares entities: it is not read")
    try:
        root = ET.fromstring(data)  # noqa: S314  see above
    except (ET.ParseError, ValueError, LookupError) as error:
        raise FetchError(f"{url}: the answer is no feed: {error}") from error
    if root.tag != f"{_ATOM}feed":
        raise FetchError(f"{url}: the answer is no feed of arXiv's")
    return list(_entries(root, url))


def _entries(root: ET.Element, url: str) -> Iterator[Entry]:
    for item in root.iter(f"{_ATOM}entry"):
        name = _said(item, "id")
        if _ERRORS in name:
            raise FetchError(f"{url}: arXiv says: {_said(item, 'summary') or name}")
        found = find_id(name)
        # an unknown id may come back as an entry that has nothing but the id
        if found is None or not _said(item, "title"):
            continue
        yield Entry(id=found, paper=_paper(item, found), abstract=_abstract(item))


def _said(item: ET.Element, tag: str) -> str:
    return flat(item.findtext(f"{_ATOM}{tag}", ""))


def _abstract(item: ET.Element) -> str:
    paragraphs = item.findtext(f"{_ATOM}summary", "").split("\n\n")
    return "\n\n".join(filter(None, map(flat, paragraphs)))


def _paper(item: ET.Element, found: ArxivId) -> Paper:
    names = (flat(author.findtext(f"{_ATOM}name", "")) for author in item.iter(f"{_ATOM}author"))  # fmt: skip
    year = _YEAR.match(_said(item, "published"))
    return Paper(
        key=found.key,
        title=_said(item, "title"),
        authors=", ".join(filter(None, names)),
        year=int(year[0]) if year else None,
        url=f"https://arxiv.org/abs/{found.id}",
        version=found.version,
    )


def search_query(text: str) -> str:
    """Return a search in arXiv's words: all of them are wanted, quoted ones together.

    What has fields of arXiv's in it (`ti:muon AND cat:cs.LG`) is left as it is.
    """
    if _FIELD.search(text):
        return text
    return " AND ".join(f"all:{word}" for word in _WORD.findall(text))


@dataclass(frozen=True, kw_only=True)
class Arxiv:
    """arXiv behind an address: `base` is that of a mirror, or of a test."""

    fetcher: Fetcher
    base: str = BASE

    def describe(self, wanted: ArxivId) -> Entry:
        """Return what arXiv says of a paper; raises AbsentError for an unknown id."""
        found = self._query({"id_list": str(wanted), "max_results": 1})
        entry = next((item for item in found if item.id.id == wanted.id), None)
        if entry is None:
            raise AbsentError(
                f"arXiv:{wanted}: arXiv knows no such paper or version: look it up on "
                "https://arxiv.org"
            )
        # a feed without versions describes the one that was asked for
        version = wanted.version or entry.id.version or "v1"
        return replace(
            entry,
            id=ArxivId(wanted.id, version),
            paper=replace(entry.paper, version=version),
        )

    def search(self, query: str, limit: int) -> list[Entry]:
        """Return the papers that arXiv finds, the most relevant first."""
        return self._query(
            {
                "search_query": search_query(query),
                "start": 0,
                "max_results": min(limit, MOST_RESULTS),
                "sortBy": "relevance",
            }
        )[:limit]

    def source(self, wanted: ArxivId) -> Answer:
        """Return the source that authors sent in: a tarball, one file, or a PDF."""
        return self._get("e-print", wanted)

    def pdf(self, wanted: ArxivId) -> Answer:
        """Return the PDF."""
        return self._get("pdf", wanted)

    def _get(self, what: str, wanted: ArxivId) -> Answer:
        return self.fetcher.get(address(self.base, f"{what}/{wanted}"))

    def _query(self, query: dict[str, str | int]) -> list[Entry]:
        url = address(self.base, "api/query", query)
        # what arXiv cannot do it says in a feed, with status 400
        answer = self.fetcher.get(url, limit=_FEED_LIMIT, read={_BAD_REQUEST})
        return read_feed(answer.data, url)
