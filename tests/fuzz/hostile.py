"""What others may send: near-valid records, broken lines, texts that misbehave."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import strategies as st

from loopgraph_git.records import (
    Judgement,
    Kind,
    Oid,
    Record,
    Result,
    Retrieval,
    Status,
    Suggestion,
    Verdict,
)

TEXTS = (
    "\x1b[2J\x1b[31mgone\x1b[0m",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\x9b31mC1",
    "over\rwritten",
    "a\tb\nc\x0bd\x0ce\x85f\u2028g\u2029h",
    "abc\u202edcba",
    "zero\u200bwidth\ufeff",
    "[red]markup[/red] [/] [/x] \\[/y]",
    "half a pair \ud83d",
    "NUL \0 inside",
    "--output=x",
    "$(touch x) `touch x` ; touch x",
    "../../../etc/passwd",
    "\"quoted\" 'text' \\",
    "",
    " ",
    "é" * 40,
)
NUMBERS = (
    0, -1, 1.5, -0.0, 5e-324, 1e100, -1e100, 1e-100, 2**31, 2**53, 2**62,
    2**63 - 1, 2**63, -(2**63) - 1, 10**40, True, False,
)  # fmt: skip
text = st.sampled_from(TEXTS) | st.text(st.characters(), max_size=30)
number = st.sampled_from(NUMBERS) | st.integers(-(10**12), 10**12)
real = st.floats(-1e100, 1e100, allow_nan=False) | number
value = st.recursive(
    st.none() | text | real,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
    ),
    max_leaves=12,
)
oids = st.sampled_from([Oid(c * n) for c in "abc1" for n in (40, 64)])
suggestion = st.fixed_dictionaries(
    {},
    optional={
        item.name: text | value for item in fields(Suggestion) if item.name != "method"
    }
    | {"method": st.sampled_from(["swiglu", "gqa"]) | text},
)
# fields of the right type beside fields of any type
_KNOWN = {
    "status": st.sampled_from([str(item) for item in Status]),
    "metric": st.sampled_from(["val_bpb", "acc"]) | text,
    "metrics": st.dictionaries(text, real | text, max_size=4),
    "argv": st.lists(text, max_size=3),
    "curve": st.lists(st.tuples(real, real).map(list), max_size=4),
    "suggestions": st.lists(suggestion, max_size=3),
    "to": oids.map(str),
    "from": oids.map(str),
    "target": st.sampled_from(["0123456789abcdef"]) | text,
}
_NUMERIC = {
    "value", "seed", "seconds", "budget_seconds", "peak_memory_mb", "log_bytes",
    "tokens", "cost_usd", "delta", "noise", "n",
}  # fmt: skip
_NAMES = {
    Kind.RESULT: [item.name for item in fields(Result)],
    Kind.VERDICT: [item.name for item in fields(Verdict)],
    Kind.RETRIEVAL: [item.name for item in fields(Retrieval)],
    Kind.LINK: ["to", "from", "how", "same_tree"],
    Kind.RETRACT: ["target", "reason"],
}


def _field(kind: Kind, name: str) -> st.SearchStrategy:
    if kind is Kind.VERDICT and name == "value":
        right = st.sampled_from([str(item) for item in Judgement])
    else:
        right = _KNOWN.get(name, real if name in _NUMERIC else text)
    # mostly right, so that what is wrong is met far inside
    return st.integers(0, 9).flatmap(lambda n: value if n == 0 else right)


def bodies(kind: Kind) -> st.SearchStrategy[dict]:
    """Return bodies that are nearly those of a kind."""
    given = {name: _field(kind, name) for name in _NAMES[kind]}
    return st.fixed_dictionaries({}, optional=given | {"x-more": value})


@st.composite
def records(draw) -> Record:
    kind = draw(st.sampled_from(list(Kind)))
    return Record(
        kind=kind,
        commit=draw(oids),
        tree=draw(oids),
        writer=draw(st.sampled_from(["ada", "bob.2", "x" * 64])),
        seq=draw(st.integers(0, 2**53 - 1)),
        ts=draw(st.sampled_from([0, 1_700_000_000_000, 253_402_300_799_999])),
        body=draw(bodies(kind)),
    )


@st.composite
def mutated(draw, texts: st.SearchStrategy[str]) -> str:
    """Return a text with some pieces cut out, doubled, swapped or written over."""
    line = draw(texts)
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(line)))
        last = draw(st.integers(first, min(len(line), first + 12)))
        piece = draw(st.sampled_from(_PIECES) | text | st.just(line[first:last] * 2))
        line = line[:first] + piece + line[last:]
    return line


_PIECES = (
    "", "1e999", "NaN", "-Infinity", "true", "null", "2", '"v":2,', "[" * 2000,
    '{"a":' * 300, "9" * 3000, "\\ud800", "\\u0000", "}", "{", '"', ",", " ", "\t",
    '"id":"0123456789abcdef",', '"kind":"result",', "\x00", "\r", "\u2028", "é",
)  # fmt: skip
