"""What packs say of methods, as the papers they cite and passages of them.

Apart from the reading of packs, which takes a tenth of a second to import and to do: an
index that has read the same packs before knows their methods.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zlib import crc32

from loopgraph_git.records import Chunk, Method, Paper, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION = re.compile(r"v\d+\Z")


def paper_of(source: Source | None, *, pack: str = "") -> Paper:
    """Return the paper behind a source, or the pack where it is no paper.

    The key is `arxiv:2002.05202`, or `pack:<name>`; a version such as `v2` is kept
    apart from the key.
    """
    if source is None or not source.arxiv:
        return Paper(key=f"pack:{pack}", title=f"The method pack {pack}")
    name = _VERSION.sub("", source.arxiv)
    return Paper(
        key=f"arxiv:{name}",
        title=source.title or f"arXiv:{name}",
        url=f"https://arxiv.org/abs/{name}",
        version=source.arxiv.removeprefix(name),
    )


def papers_of(methods: Iterable[Method]) -> list[Paper]:
    """Return each paper and pack that methods cite, once, with a title if any has."""
    papers: dict[str, Paper] = {}
    titled: set[str] = set()
    for method in methods:
        cited: list[Source | None] = [item for item in method.sources if item.arxiv]
        for source in cited or [None]:
            paper = paper_of(source, pack=method.pack)
            has_title = source is None or bool(source.title)
            if paper.key not in papers or (has_title and paper.key not in titled):
                papers[paper.key] = paper
            titled.update({paper.key} if has_title else ())
    return list(papers.values())


def chunks_of(methods: Iterable[Method]) -> list[Chunk]:
    """Return what packs say of each method, as passages of the papers they cite."""
    return [chunk_of(method) for method in methods]


def chunk_of(method: Method) -> Chunk:
    """Return what a pack says of a method as a passage of the paper it cites.

    Its `ord` comes from the method's id: the same wherever it is computed, and
    far from the small numbers of a paper's own passages.
    """
    cited = next((item for item in method.sources if item.arxiv), None)
    paragraphs = [
        method.summary,
        f"Helps: {method.helps}" if method.helps else "",
        f"Hurts: {method.hurts}" if method.hurts else "",
        f"Also known as: {', '.join(method.aliases)}" if method.aliases else "",
    ]
    return Chunk(
        paper=paper_of(cited, pack=method.pack).key,
        ord=crc32(method.id.encode()) & 0x7FFFFFFF,
        title=method.title,
        body="\n\n".join(part for part in paragraphs if part),
        kind="method",
        place=cited.section if cited else "",
    )
