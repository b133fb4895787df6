"""Record lines from anywhere: a record or the one error, and nothing between."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecordError
from loopgraph_git.records import RECORD_LIMIT_BYTES, Kind, Oid, Record, canonical
from loopgraph_git.researchfs import bodies, outcomes
from tests.fuzz import hostile

ENVELOPE = {
    "v": 1,
    "kind": "result",
    "commit": "a" * 40,
    "tree": "b" * 40,
    "writer": "ada",
    "seq": 1,
    "ts": 1_700_000_000_000,
}


def signed(plain: dict, text: str | None = None) -> str:
    """Return a line whose id is right, whatever else is wrong with it."""
    unsigned = text or json.dumps(plain, sort_keys=True, separators=(",", ":"))
    name = hashlib.sha256(unsigned.encode("utf-8", "replace")).hexdigest()[:16]
    before, mark, behind = unsigned.partition('"kind":')
    return f'{before}"id":"{name}",{mark}{behind}' if mark else unsigned


def encoded(record: Record) -> str:
    try:
        return record.encode()
    except RecordError:
        return signed(ENVELOPE)


@given(hostile.records())
def test_what_can_be_written_reads_back_the_same(record):
    with suppress(RecordError):
        line = record.encode()
        again = Record.decode(line)
        assert again == record
        assert again.id == record.id
        assert canonical(json.loads(line)) == line
        assert line.isascii()
        assert line.isprintable() or "\x7f" in line
        assert len(line) <= RECORD_LIMIT_BYTES


@given(
    hostile.mutated(hostile.records().map(encoded))
    | st.text(max_size=200)
    | st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace"))
)
def test_a_broken_line_is_a_record_or_the_one_error(line):
    with suppress(RecordError):
        assert Record.decode(line).encode() == line


@given(
    st.dictionaries(
        st.sampled_from([*ENVELOPE, "status", "x"]), hostile.value, max_size=3
    ),
    st.sets(st.sampled_from(list(ENVELOPE)), max_size=1),
)
def test_a_rightly_signed_line_with_wrong_members_is_checked_all_the_same(given, left):
    plain = {k: v for k, v in (ENVELOPE | given).items() if k not in left}
    with suppress(RecordError):
        record = Record.decode(signed(plain))
        assert record.encode() == signed(plain)
        assert isinstance(record.commit, Oid)
        assert isinstance(record.kind, Kind)
        assert type(record.seq) is int
        assert type(record.ts) is int


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 2**53}, {"seq": 2**63}, {"seq": -1}, {"seq": True}, {"seq": 1.0},
        {"seq": "1"}, {"seq": None}, {"ts": 253_402_300_800_000}, {"ts": 10**300},
        {"ts": -1}, {"v": 2}, {"v": True}, {"v": "1"}, {"v": None}, {"kind": []},
        {"kind": {}}, {"kind": "gossip"}, {"commit": ["a" * 40]}, {"commit": "A" * 40},
        {"commit": "a" * 40 + "\n"}, {"tree": "--output=x"}, {"writer": "../x"},
        {"writer": "-x"}, {"writer": "x" * 65}, {"writer": ""}, {"writer": "é"},
    ],
)  # fmt: skip
def test_an_envelope_that_is_wrong_is_refused_though_signed(change):
    assert Record.decode(signed(ENVELOPE))
    with pytest.raises(RecordError):
        Record.decode(signed({**ENVELOPE, **change}))


@pytest.mark.parametrize(
    "extra",
    [
        "[" * 101 + "]" * 101,
        '{"a":' * 150 + "1" + "}" * 150,
        "[" * 4500 + "]" * 4500,
        "NaN",
        "-Infinity",
        "é" * 10,
        '"' + "x" * 5000 + '"',
    ],
)
def test_what_could_harm_a_reader_is_refused_though_signed(extra):
    line = json.dumps(ENVELOPE, separators=(",", ":"))[:-1] + f',"x":{extra}}}'
    with pytest.raises(RecordError):
        Record.decode(signed({}, line))


def nested(levels):
    inner: object = 1
    for _ in range(levels):
        inner = [inner]
    return inner


def test_nesting_up_to_a_hundred_levels_is_read():
    inner = nested(98)
    assert Record.decode(signed({**ENVELOPE, "x": inner})).body["x"] == inner


@pytest.mark.parametrize("levels", [101, 200, 300])
def test_nesting_over_a_hundred_levels_is_refused(levels):
    with pytest.raises(RecordError, match="nested deeper"):
        Record.decode(signed({**ENVELOPE, "x": nested(levels)}))


def slowly(line: str) -> outcomes.Said:
    """Return the rows of a line, read the thorough way."""
    said = outcomes.Said()
    with suppress(RecordError):
        record = Record.decode(line)
        if record.kind is not Kind.RETRIEVAL:
            said.about.add(str(record.commit))
        said.add(record)
    return said


@given(
    hostile.records().map(encoded)
    | hostile.mutated(hostile.records().map(encoded))
    | st.dictionaries(
        st.sampled_from([*ENVELOPE, "status", "value", "curve", "imported"]),
        hostile.value,
        max_size=3,
    ).map(lambda given: signed(ENVELOPE | {"status": "ok"} | given))
)
def test_a_line_that_is_read_quickly_says_the_same(line):
    raw = line.encode("utf-8", "replace")
    quick, slow = outcomes.gather([raw]), slowly(raw.decode())
    if bodies.quickly([raw]) != [None]:
        # it is left in git, and can be had from there
        assert slow.records[0][-1] == line
        slow.records = [(*slow.records[0][:-1], "")]
    # texts tell 1 from 1.0
    assert repr(quick) == repr(slow)
