"""Experiment logs of any shape: each good row is read, or its line is complained of."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs.history import Log, read_log
from tests.fuzz import hostile

HEADER = ("commit", "val_bpb", "memory_gb", "status", "description")
WORDS = ("keep", "discard", "crash", "KEEP", "**keep**", "keep (best)")
LINES = (
    "", " ", "\x00", "\ufeff", "# metric: acc", "# note", "---", "{}", "{", "[]",
    '{"type":"config","metricName":"acc"}', '{"status": 3}', "keep", "\t\t\t\t",
    ",,,,", "a\tb", "x\t1.0\t2.0\tmaybe\ty", "x\tnan\t2.0\tkeep\ty", "x\t-1\t\tkeep\t",
    "x\t1e999\t2.0\tkeep\ty", "x,1e999,2.0,keep,y", "x\t1_0\t2\tkeep\ty", "é" * 99,
    "commit\tval_bpb\tmemory_gb\tstatus\tdescription", "commit,val_bpb,status",
    '{"commit": "x", "val_bpb": 1e999, "status": "keep"}', "x\t1\t1\tkeep\ta\tb\tc",
    "[", "[{}]", "|a|b|", "|---|---|", "a;b;keep", '"a\tb', 'x\t"1\t2\tkeep\ty"',
    "x\\t1.0\\t2.0\\tkeep\\ty", "x\t0.9%\t44 GB\tok\ty", "\x1b[1mx\x1b[0m\t1\t1\tkeep\ty",
    '{"type": "hook"}', '{"kept": true}', "x\t0.9\tkeep\tbaseline", "metric\tvalue\tstatus",
    '{"commit": ["x"], "val_bpb": {"a": 1}, "status": null}', '{"a":' * 2000,
)  # fmt: skip
noise = st.sampled_from(LINES) | hostile.text.map(
    lambda text: text.replace("\n", " ").replace('"', "'")
)


def tabs(row: tuple[str, ...]) -> str:
    return "\t".join(row)


def commas(row: tuple[str, ...]) -> str:
    return ",".join(f'"{cell}"' if "," in cell else cell for cell in row)


def objects(row: tuple[str, ...]) -> str:
    return json.dumps(dict(zip(HEADER, row, strict=True)))


@st.composite
def logs(draw) -> tuple[str, dict[str, int]]:
    """Return a log, and the line of each good row by its commit."""
    form = draw(st.sampled_from([tabs, commas, objects]))
    lines = [] if form is objects else [form(HEADER)]
    good = {}
    for number in range(draw(st.integers(0, 8))):
        lines += draw(st.lists(noise, max_size=2))
        name = f"{number:07x}"
        words = "lr 1, then 2" if form is commas else "lr\u2028é [red]"
        value = f"{draw(st.floats(0.5, 2)):.6f}"
        row = (name, value, "1.5", draw(st.sampled_from(WORDS)), words)
        lines.append(form(row))
        good[name] = len(lines)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from(["", end])), good


def read(text: str) -> Log | None:
    with suppress(UsageError):
        return read_log(text, "results.tsv")
    return None


@given(logs())
def test_no_good_row_is_lost_among_bad_ones(made):
    text, good = made
    log = read(text)
    if log is None:
        return
    read_rows = {row.commit: row.line for row in log.rows}
    refused = {problem.line for problem in log.problems}
    for name, line in good.items():
        assert read_rows.get(name) == line or line in refused
    assert all(problem.reason for problem in log.problems)


@given(
    hostile.mutated(logs().map(lambda made: made[0]))
    | st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace"))
    | hostile.text
)
def test_any_text_is_a_log_or_the_one_error(text):
    log = read(text)
    if log is not None:
        lines = [row.line for row in log.rows]
        assert lines == sorted(lines)
        # a carriage return ends a line where nothing else does
        last = max(text.count("\n"), text.count("\r")) + 1
        assert all(0 < line <= last for line in lines)


@pytest.mark.long
@pytest.mark.parametrize("size", [20_000])
def test_a_quote_that_never_closes_costs_one_line(size):
    rows = "".join(f"{n:07x},0.9,1.5,keep,lr {n}\n" for n in range(size))
    log = read(commas(HEADER) + '\nx,0.9,1.5,keep,"open\n' + rows)
    assert log is not None
    assert len(log.rows) == size
    assert [problem.line for problem in log.problems] == [2]
