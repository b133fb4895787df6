"""Values made short: commits, records, methods, and a store that closes itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import count

from loopgraph_git.records import (
    Chunk,
    Commit,
    Judgement,
    Kind,
    Method,
    Oid,
    Paper,
    Prior,
    Record,
    Result,
    Retrieval,
    Source,
    Status,
    Suggestion,
    Verdict,
    body_of,
)

_SEQ = count(1)


def oid(name: str) -> Oid:
    return Oid(hashlib.sha256(name.encode()).hexdigest()[:40])


def commit(name: str, **given) -> Commit:
    trailers = {
        f"Loopgraph-{key.capitalize()}": (value,) if isinstance(value, str) else value
        for key, value in given.items()
        if key in ("method", "session", "proposer", "retrieval")
    }
    parent = given.get("parent")
    return Commit(
        oid=oid(name),
        tree=oid(given.get("tree", f"tree of {name}")),
        parent=oid(parent) if parent else None,
        ts=given.get("ts", 1_700_000_000),
        subject=given.get("subject", f"try {name}"),
        body=given.get("body", ""),
        trailers=trailers,
        diff=given.get("diff", ""),
    )


def record(kind: Kind, name: str, body: dict, **given) -> Record:
    seq = given.get("seq") or next(_SEQ)
    return Record(
        kind=kind,
        commit=oid(name),
        tree=oid(given.get("tree", f"tree of {name}")),
        writer=given.get("writer", "ada"),
        seq=seq,
        ts=given.get("ts", 1_700_000_000_000 + seq),
        body=body,
    )


def result(name: str, value: float | None = 1.0, **given) -> Record:
    envelope = {key: given.pop(key) for key in ("seq", "ts", "tree") if key in given}
    given = {"status": Status.OK, "metric": "val_bpb", "seconds": 300.0, **given}
    return record(Kind.RESULT, name, body_of(Result(value=value, **given)), **envelope)


def imported(name: str, row: str, session: str, value: float = 1.0, **given) -> Record:
    body = {"status": "ok", "metric": "val_bpb", "value": value}
    whole = body | {"imported": row, "session": session}
    return record(Kind.RESULT, name, whole, writer="imported", **given)


def stand_in(name: str) -> Commit:
    """Return a commit without files, for a row whose code is lost."""
    tree = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    return replace(commit(name, session="mar8"), tree=tree)


def crash(name: str, **given) -> Record:
    return result(name, None, status=Status.CRASH, excerpt="CUDA error", **given)


def verdict(name: str, value: str = "keep", **given) -> Record:
    envelope = {key: given.pop(key) for key in ("seq", "ts", "tree") if key in given}
    body = body_of(Verdict(value=Judgement(value), **given))
    return record(Kind.VERDICT, name, body, **envelope)


def retrieval(name: str, *methods: str, **envelope) -> Record:
    ranked = tuple(
        Suggestion(method=method, score=1 / place, factors={"mu": 0.5}, why="because")
        for place, method in enumerate(methods, start=1)
    )
    value = Retrieval(goal="lower val_bpb", suggestions=ranked, tokens=500)
    return record(Kind.RETRIEVAL, name, body_of(value), **envelope)


def link(old: str, new: str, **envelope) -> Record:
    return record(Kind.LINK, old, {"to": oid(new), "how": "amend"}, **envelope)


def retract(name: str, target: Record, **envelope) -> Record:
    return record(Kind.RETRACT, name, {"target": target.id}, **envelope)


def method(name: str, family: str = "activation", **given) -> Method:
    return Method(
        id=name,
        family=family,
        **{"title": name.title(), "summary": f"about {name}", "pack": "own", **given},
    )


SWIGLU = method(
    "swiglu",
    title="SwiGLU feed-forward",
    summary="Gate the hidden layer of the MLP with a second projection.",
    aliases=("gated linear unit",),
    sources=(Source(arxiv="2002.05202v1", title="GLU Variants", section="2"),),
    priors=(Prior(gain=0.002, n=14, platform="h100"),),
)
GQA = method(
    "gqa",
    "attention",
    title="Grouped-query attention",
    summary="Fewer key and value heads than query heads, n_kv_head.",
    conflicts=("mqa",),
)
PAPERS = [
    Paper(key="arxiv:2002.05202", title="GLU Variants Improve Transformer", year=2020),
    Paper(key="pack:own", title="The method pack own"),
]
CHUNKS = [
    Chunk(paper="arxiv:2002.05202", ord=7, title="SwiGLU", body="Gated units help."),
    Chunk(paper="pack:own", ord=9, title="GQA", body="Set n_kv_head below n_head."),
]
