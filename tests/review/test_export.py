"""Tables for other tools: every field, no formula, nothing out of line."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath

import pytest

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs.history import read_log
from loopgraph_git.records import Experiment, Judgement, Oid, Status
from loopgraph_git.review import export
from loopgraph_git.review.export import Format

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def oid(number: int) -> Oid:
    return Oid(f"{number:040x}")


KEPT = Experiment(
    commit=Oid("abcdef0" + "1" * 33),
    tree=oid(2),
    parent=None,
    ts=1_700_000_000,
    subject="Wider, “twice”",
    methods=("swiglu", "wider"),
    status=Status.OK,
    verdict=Judgement.KEEP,
    metric="val_bpb",
    value=0.1 + 0.2,
    runs=2,
    delta=-0.5,
    peak_memory_mb=45_056.0,
)


def rows(items) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(export.csv_lines(items)))))


def tsv(items, metric="val_bpb") -> list[list[str]]:
    return [line[:-1].split("\t") for line in export.tsv_lines(items, metric)]


def test_every_field_has_a_column_and_every_column_is_documented():
    assert {x.field for x in export.COLUMNS} == {x.name for x in fields(Experiment)}
    table = DOCS.read_text().split("## Columns")[1].split("##")[0]
    named = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert named == [column.name for column in export.COLUMNS]


def test_csv():
    [row] = rows([KEPT])
    assert row["date"] == "2023-11-14T22:13:20Z"
    assert row["methods"] == "swiglu;wider"
    assert float(row["value"]) == KEPT.value
    # a number is no formula
    assert row["delta"] == "-0.5"
    assert (row["verdict"], row["run_status"], row["noise"]) == ("keep", "ok", "")
    assert row["description"] == KEPT.subject


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1"]
)
def test_no_text_is_a_formula_to_a_spreadsheet(text):
    [row] = rows([replace(KEPT, subject=text, reason=text)])
    assert row["description"] == row["reason"] == f"'{text.strip()}"


@pytest.mark.parametrize("text", ["-5% lr", "'-5% lr", "''=1", "'quoted'", "5"])
def test_csv_gives_every_text_back(text):
    written = "".join(export.csv_lines([replace(KEPT, subject=text)]))
    [row] = read_log(written, "log").rows
    assert row.description == text


@pytest.mark.parametrize("value", [0.98765432, 0.0123456, 1.5e-8, -0.000473421, 1e7])
def test_a_small_value_is_known_again_in_a_tsv(value):
    written = tsv([replace(KEPT, value=value)])[1][1]
    assert float(written) == pytest.approx(value, rel=1e-6)
    assert tsv([replace(KEPT, value=0.5)])[1][1] == "0.500000"


def test_csv_and_tsv_have_one_line_an_experiment():
    text = 'a,"b"\tc\r\nd\x1b[2J\u2028e'
    hostile = replace(KEPT, subject=text, excerpt=text)
    assert len("".join(export.csv_lines([hostile])).splitlines()) == 2
    [row] = rows([hostile])
    assert row["excerpt"] == 'a,"b" c | d[2J e'
    assert len(tsv([hostile])[1]) == 5


def test_json_lines_are_exact_and_ascii():
    text = "=1\n\x1b[2J“\x9b"
    [line] = export.jsonl_lines([replace(KEPT, subject=text)])
    assert line.isascii()
    assert line.isprintable() is False
    assert line[:-1].isprintable()
    row = json.loads(line)
    assert row["description"] == text
    assert row["value"] == KEPT.value
    assert row["methods"] == ["swiglu", "wider"]
    assert row["parent"] is None


def test_what_no_calendar_and_no_json_has():
    odd = replace(KEPT, ts=2**60, value=float("inf"))
    [line] = export.jsonl_lines([odd])
    row = json.loads(line)
    assert row["date"] == "9999-12-31T23:59:59Z"
    assert row["value"] is None


def test_results_tsv():
    header, row = tsv([KEPT])
    assert header == ["commit", "val_bpb", "memory_gb", "status", "description"]
    assert row == ["abcdef0", "0.300000", "44.0", "keep", KEPT.subject]


def test_what_a_results_tsv_has_no_word_for():
    crashed = replace(
        KEPT, commit=oid(1 << 150), verdict=None, status=Status.OOM, value=None
    )
    undecided = replace(KEPT, commit=oid(2 << 150), verdict=None)
    unknown = replace(KEPT, commit=oid(3 << 150), verdict=None, status=None)
    other = replace(KEPT, commit=oid(4 << 150), metric="val_loss")
    found = tsv([crashed, undecided, unknown, other])[1:]
    assert [row[3] for row in found] == ["crash", "retest"]
    assert found[0][1:3] == ["0.000000", "0.0"]


def test_commits_that_begin_alike_can_be_told_apart():
    twin = replace(KEPT, commit=Oid("abcdef0" + "2" * 33))
    assert [row[0] for row in tsv([KEPT, twin])[1:]] == ["abcdef011111", "abcdef022222"]


def test_the_metric_of_a_tsv():
    loss = replace(KEPT, metric="val_loss")
    assert export.metric_of([], "val_bpb") == "val_bpb"
    assert export.metric_of([loss, loss, KEPT], "val_bpb") == "val_bpb"
    assert export.metric_of([loss, loss, KEPT], "score") == "val_loss"
    failed = replace(KEPT, metric="score", value=None)
    assert export.metric_of([failed, loss], "val_bpb") == "val_loss"
    assert export.metric_of([failed], "val_bpb") == "score"


def test_the_format_of_a_file():
    assert export.format_of(PurePath("a.NDJSON")) is Format.JSONL
    with pytest.raises(UsageError, match="--format"):
        export.format_of(PurePath("a.xlsx"))


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    path.write_bytes(export.parquet([KEPT, replace(KEPT, value=None, methods=())]))
    table = parquet.read_table(path)
    assert table.column_names == [column.name for column in export.COLUMNS]
    first, second = table.to_pylist()
    assert first["value"] == KEPT.value
    assert first["methods"] == ["swiglu", "wider"]
    assert first["date"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert second["value"] is None
    assert parquet.read_table(path).schema.field("runs").type == "int64"
