"""Logs as people keep them: every row is read, or reported with its line."""

from __future__ import annotations

from io import BytesIO

import pytest

from loopgraph_git.errors import UsageError
from loopgraph_git.loop.logs.cells import time_of
from loopgraph_git.loop.logs.history import read_log, read_metrics
from loopgraph_git.loop.logs.log_lines import read_text
from loopgraph_git.loop.logs.log_verdicts import judgement_of
from loopgraph_git.records import Direction, Judgement, Metric, Status

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def read(text, **options):
    return read_log(text, "log", **options)


def only(text, **options):
    log = read(text, **options)
    assert log.problems == ()
    assert len(log.rows) == 1
    return log.rows[0]


def problem(text, **options):
    log = read(text, **options)
    assert len(log.problems) == 1
    return log.problems[0]


def test_autoresearch():
    log = read(HEADER + "a1b2c3d\t0.997900\t44.0\tkeep\tbaseline\n")
    row = log.rows[0]
    assert log.metric == Metric("val_bpb", Direction.LOWER)
    assert (row.commit, row.value, row.verdict) == ("a1b2c3d", 0.9979, Judgement.KEEP)
    assert (row.line, row.number, row.memory_mb) == (2, 1, 44 * 1024)
    assert row.description == "baseline"


def test_commit_in_the_second_column_after_a_number():
    row = only(
        "experiment\tcommit\tval_bpb\tstatus\tdescription\n7\ta1b2c3d\t1.5\tkept\tx"
    )
    assert (row.commit, row.name, row.description) == ("a1b2c3d", "a1b2c3d", "x")


def test_run_id_instead_of_a_commit():
    row = only("run_id\tval_loss\tstatus\nv3_c1\t4.05\tkeep\n")
    assert (row.name, row.commit) == ("v3_c1", "")


def test_experiment_may_be_what_was_tried():
    row = only("commit\texperiment\taccuracy\tstatus\na1b2c3d\twider\t0.5\tkeep\n")
    assert (row.name, row.description) == ("a1b2c3d", "wider")


@pytest.mark.parametrize(
    "text",
    ["HEAD\t0.99\t44.0\tkeep\tbaseline\n", "HEAD\t0.99\tkeep\tbaseline\n"],
)
def test_no_header(text):
    row = only(text + "\n")
    assert (row.commit, row.value, row.description) == ("HEAD", 0.99, "baseline")


def test_no_header_and_no_verdict_where_it_belongs():
    with pytest.raises(UsageError, match="add a first line"):
        read("keep\tabc\t1\n")


def test_a_comment_gives_the_direction():
    text = "# metric_direction: lower\ncommit\tscore\tstatus\nabc\t3\tkeep\n"
    assert read(text).metric == Metric("score", Direction.LOWER)


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val_bpb", Direction.LOWER),
        ("val_fid", Direction.LOWER),
        ("win_rate", Direction.HIGHER),
        ("TFLOPS", Direction.HIGHER),
        ("elo", Direction.HIGHER),
    ],
)
def test_the_name_gives_the_direction(name, direction):
    log = read(f"commit\t{name}\tstatus\nabc\t3\tkeep\n")
    assert log.metric == Metric(name.lower(), direction)


def test_the_repository_gives_the_direction_of_its_metric():
    known = Metric("val_loss", Direction.HIGHER)
    assert read("commit,val_loss,status\nabc,3,keep\n", known=known).metric == known


def test_columns_may_name_the_metric_and_its_direction():
    text = (
        "run_id\tmetric_name\tmetric_value\tmetric_direction\tdecision\tidea\n"
        "b1\tseparation\t0.90\tmax\tkeep\tbaseline\n"
        "c1\tseparation\tNaN\tmax\tcrash\tslow scan\n"
    )
    log = read(text)
    assert log.metric == Metric("separation", Direction.HIGHER)
    assert [row.value for row in log.rows] == [0.9, None]
    assert log.rows[0].metrics == {}


def test_the_name_of_a_metric_may_stand_before_its_value():
    log = read("run\tmetric\tvalue\tstatus\n1\tval_loss\t2.5\tkeep\n")
    assert (log.metric.name, log.rows[0].value) == ("val_loss", 2.5)


def test_a_nameless_metric_that_improves_the_other_way_is_another():
    text = (
        "# metric_direction: higher_is_better\niteration\tcommit\tmetric\tdelta\t"
        "guard\tstatus\tdescription\n0\t2cb5664\t207.6\t0.0\t-\tbaseline\tas it is\n"
    )
    log = read(text)
    assert log.metric == Metric("metric", Direction.HIGHER)
    assert log.rows[0].value == 207.6
    text = text.partition("\n")[2].replace("207.6", "1.5")
    assert read(text, direction=Direction.HIGHER).metric == log.metric
    assert read(text, direction=Direction.LOWER).metric == Metric()


@pytest.mark.parametrize("column", ["metric", "score", "accuracy"])
def test_what_was_kept_must_not_speak_against_the_metric(column):
    def kept(values, **options):
        rows = [f"{n:07x}\t{value}\tkeep\tx\n" for n, value in enumerate(values)]
        header = f"commit\t{column}\tstatus\tdescription\n"
        return read(header + "".join(rows), **options)

    known = Metric("loss", Direction.HIGHER)
    with pytest.raises(UsageError, match="keeps 3 times what is worse by a higher"):
        kept([4, 3, 2, 1], known=known)
    assert len(kept([4, 3, 2], known=known).rows) == 3
    assert len(kept([4, 3, 2, 1, 5], known=known).rows) == 5
    log = kept([4, 3, 2, 1], known=known, direction=Direction.LOWER)
    assert log.metric == Metric(column, Direction.LOWER)


def test_a_loss_decides_whatever_was_kept():
    rows = [f"{n:07x}\t1.{n}\t1\tkeep\tx\n" for n in range(5)]
    assert len(read(HEADER + "".join(rows)).rows) == 5


def test_an_unknown_metric_is_named_and_its_direction_asked_for():
    text = "commit\tzing\tzang\tstatus\nabc\t3\t4\tkeep\n"
    with pytest.raises(UsageError, match="`--metric`"):
        read(text)
    with pytest.raises(UsageError, match="`--direction`"):
        read(text, metric="zing")
    log = read(text, metric="zing", direction=Direction.HIGHER)
    assert log.rows[0].value == 3


def test_the_only_number_decides_and_only_its_direction_is_asked_for():
    text = "commit\toob\tstatus\tdescription\nabc\t0.3\tkeep\tx\n"
    with pytest.raises(UsageError, match="is a lower or a higher oob better"):
        read(text)
    assert read(text, direction=Direction.LOWER).rows[0].value == 0.3
    speed = text.replace("oob", "tok_per_sec")
    assert read(speed).metric == Metric("tok_per_sec", Direction.HIGHER)
    with pytest.raises(UsageError, match="`--metric`"):
        read("cycle\tcommit\tresult\tnotes\n1\tabc\tkept\tx\n")


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("pass_rate", Direction.HIGHER),
        ("val_loglik", Direction.HIGHER),
        ("tok_per_sec", Direction.HIGHER),
        ("score_ns", Direction.LOWER),
        ("error_rate", Direction.LOWER),
        ("ms_per_tok", Direction.LOWER),
    ],
)
def test_more_names_give_the_direction_of_a_number_that_is_chosen(name, direction):
    text = f"commit\t{name}\ttemperature\tstatus\nabc\t3\t4\tkeep\n"
    assert read(text, metric=name).metric.direction is direction
    if name != "score_ns":
        with pytest.raises(UsageError, match="`--metric`"):
            read(text)


@pytest.mark.parametrize(
    ("column", "values", "direction"),
    [
        ("tok_per_sec", (3, 4, 5), Direction.HIGHER),
        ("ms_per_tok", (5, 4, 3), Direction.LOWER),
        ("tok_per_sec", (5, 4, 4), None),
        ("tok_per_sec", (5,), None),
        ("control_tok_per_sec", (3, 4, 5), None),
    ],
)
def test_a_speed_decides_where_it_comes_first_and_what_was_kept_improved_it(
    column, values, direction
):
    rows = [f"{n:07x}\t{value}\t9\tkeep\n" for n, value in enumerate(values)]
    text = f"commit\t{column}\tgpus\tstatus\n" + "".join(rows)
    if direction is None:
        with pytest.raises(UsageError, match="`--metric`"):
            read(text)
        return
    assert read(text).metric == Metric(column, direction)
    behind = text.replace(column, "zing").replace("gpus", column)
    with pytest.raises(UsageError, match="`--metric`"):
        read(behind)
    with pytest.raises(UsageError, match="`--metric`"):
        read(text.replace("status", "phase"))


def test_the_metric_of_the_repository_comes_first():
    text = "commit\tval_loss\tval_bpb\tstatus\nabc\t3\t0.9\tkeep\n"
    assert only(text).value == 0.9
    assert only(text, known=Metric("val_loss")).value == 3
    with pytest.raises(UsageError, match="two columns are called val_bpb"):
        read(text.replace("val_loss", "val_bpb"))


def test_a_difference_is_not_the_metric():
    text = "commit\tdelta_val_bpb\tval_bpb\tstatus\nabc\t-0.1\t0.9\tkeep\n"
    row = only(text)
    assert (row.value, row.metrics) == (0.9, {"delta_val_bpb": -0.1})


def test_csv_with_quotes_and_a_newline():
    text = 'commit,val_bpb,status,description\na1b2c3d,0.9,keep,"a, b\nand c"\n'
    assert only(text).description == "a, b and c"


def test_a_quote_that_is_never_closed_costs_one_line():
    text = 'commit,val_bpb,status,description\nabc,0.9,keep,"a\nabd,0.8,keep,b\n'
    log = read(text)
    assert log.problems == ((2, "a quote is opened and never closed"),)
    assert [row.commit for row in log.rows] == ["abd"]


def test_json_lines_with_a_config_line():
    text = (
        '{"type": "config", "metricName": "speed", "bestDirection": "higher"}\n'
        '{"run": 1, "commit": "a1b2c3d", "metric": 9.5, "status": "keep",'
        ' "description": "x", "metrics": {"steps": 10}}\n'
        '{"run": 2, "commit": null, "metric": 0, "status": "crash"}\n'
        "{broken\n"
    )
    log = read(text)
    assert log.metric == Metric("speed", Direction.HIGHER)
    assert log.rows[0].value == 9.5
    assert log.rows[0].metrics["steps"] == 10
    assert (log.rows[1].name, log.rows[1].value) == ("2", None)
    assert log.problems == ((4, "not a JSON object"),)


def test_each_config_line_holds_for_the_lines_below_it():
    text = (
        '{"type": "config", "metricName": "green", "bestDirection": "higher"}\n'
        '{"run": 1, "metric": 4, "metrics": {"total": 5}, "status": "keep"}\n'
        '{"run": 2, "metric": 5, "metrics": {"green": 9}, "status": "keep"}\n'
        '{"type": "config", "metricName": "wrong", "bestDirection": "lower"}\n'
        '{"run": 3, "metric": 0.5, "metrics": {"green": 9}, "status": "keep"}\n'
        '{"run": 4, "metric": 0, "metrics": {}, "status": "crash"}\n'
    )
    log = read(text)
    assert log.metric == Metric("green", Direction.HIGHER)
    assert [row.value for row in log.rows] == [4, 5]
    assert [line for line, _ in log.problems] == [5, 6]
    assert "measured by 'wrong', not green" in log.problems[0].reason
    log = read(text, metric="wrong")
    assert log.metric == Metric("wrong", Direction.LOWER)
    assert [row.value for row in log.rows] == [0.5, None]
    with pytest.raises(UsageError, match="--direction"):
        read(text, metric="total")
    green, wrong = read_metrics(text + '{"type": "config", "metricName": "x"}\n'
                                '{"run": 5, "metric": 1, "status": "keep"}\n',
                                "log", known=Metric())  # fmt: skip
    assert [row.name for row in green.rows + wrong.rows] == ["1", "2", "3", "4"]
    assert [line for line, _ in green.problems] == [8]
    assert wrong.problems == ()


def test_keys_that_inner_objects_share_are_called_by_both_names():
    log = read(
        '{"name": "a", "train": {"acc": 0.9, "n": 1}, "val": {"acc": 0.5}, "lr": {"x": 2},'
        ' "change": {"LR": "4e-4", "B": 2}, "verdict": "keep"}\n'
        '{"name": "b", "val": {"acc": 0.6}, "verdict": "keep"}\n'
    )
    assert log.metric.name == "val_acc"
    assert [row.value for row in log.rows] == [0.5, 0.6]
    assert log.rows[0].description == "LR: 4e-4, B: 2"
    assert log.rows[0].metrics["train_acc"] == 0.9
    assert (log.rows[0].metrics["n"], log.rows[0].metrics["x"]) == (1, 2)


def test_a_config_line_may_name_another_column():
    text = (
        '{"type": "config", "metricName": "speed", "bestDirection": "higher"}\n'
        '{"run": 1, "val_bpb": 0.9, "speed": 7, "status": "keep"}\n'
    )
    assert read(text).metric == Metric("speed", Direction.HIGHER)
    assert only(text).value == 7


FLAT = """[{"id": 1, "val_bpb": 0.9, "status": "keep"}, 7,
 {"id": 2, "val_bpb": 0.8, "status": "discard"}]"""
WRAPPED = """{"name": "night", "best": [1], "runs": [
  {"id": 1,
 "val_bpb": 0.9, "status": "keep"},
{"id": 2, "val_bpb": 0.8, "status": "discard"}
]}
"""


@pytest.mark.parametrize("name", ["seconds", "metric", "val_bpb"])
def test_a_metric_may_be_called_like_a_column(name):
    text = f"commit,verdict,run_status,seconds,value,metric\nabc,keep,ok,5,7.2,{name}\n"
    for wanted in ("", name):
        row = only(text, metric=wanted, direction=Direction.LOWER)
        assert (row.value, row.seconds) == (7.2, 5)


@pytest.mark.parametrize("text", [FLAT, WRAPPED])
def test_an_array_of_objects(text):
    log = read(text)
    assert [(row.name, row.value) for row in log.rows] == [("1", 0.9), ("2", 0.8)]
    assert log.rows[1].raw == '{"id": 2, "val_bpb": 0.8, "status": "discard"}'
    lines = text.split("\n")
    assert all(f'"id": {row.name}' in lines[row.line - 1] for row in log.rows)
    assert [reason for _, reason in log.problems] == ["not a JSON object"] * (
        "7" in text
    )


def test_lines_of_another_kind_are_passed_over():
    log = read(
        '{"type": "hook", "stage": "before", "exit_code": 0}\n'
        '{"type": "mlp", "val_bpb": 0.9, "status": "keep", "run": 1}\n'
        '{"val_bpb": 0.9, "run": 2}\n'
    )
    assert [row.name for row in log.rows] == ["1"]
    assert log.passed == ((1, "of type 'hook'"),)
    assert [line for line, _ in log.problems] == [3]


@pytest.mark.parametrize(
    "cell", ["0.000000", "0", "N/A", "FAIL", "", "nan", "-inf", "—", "DIVERGED"]
)
def test_a_crash_has_no_value(cell):
    row = only(HEADER + f"a1b2c3d\t{cell}\t0.0\tcrash\tx\n")
    assert (row.value, row.verdict, row.memory_mb) == (None, Judgement.CRASH, None)


def test_what_a_crash_showed_is_kept_as_a_number_only():
    row = only(HEADER + "a1b2c3d\t1.5\t1.0\tcrash\tx\n")
    assert (row.value, row.metrics) == (None, {"val_bpb": 1.5})


def test_a_zero_is_a_value_where_it_can_be_one():
    assert only(HEADER + "abc\t0.0\t1.0\tdiscard\tx\n").value is None
    assert only("commit\taccuracy\tstatus\nabc\t0\tdiscard\n").value == 0


@pytest.mark.parametrize("cell", ["-37.8", "20.5"])
def test_a_loss_out_of_bounds_is_reported(cell):
    found = problem(HEADER + f"abc\t{cell}\t1.0\tkeep\tx\n")
    assert found.line == 2
    assert f"val_bpb {cell} is out of bounds" in found.reason


@pytest.mark.parametrize("cells", ["95.2%,96 %,-", "0.9 bpb,0.8 bpb,n/a", "5ms,6e3ms,"])
def test_a_unit_that_all_numbers_have(cells):
    rows = [f"{n},{x},discard\n" for n, x in enumerate(cells.split(","))]
    log = read("id,accuracy,status\n" + "".join(rows))
    assert log.problems == ()
    assert [row.value is None for row in log.rows] == [False, False, True]


@pytest.mark.parametrize("cells", ["95.2%,0.96", "12.3k,12.4k", "5ms,6s"])
def test_units_that_differ_are_reported(cells):
    rows = [f"{n},{x},discard\n" for n, x in enumerate(cells.split(","))]
    log = read("id,accuracy,status\n" + "".join(rows))
    assert len(log.problems) + len(log.rows) == 2
    assert all("is not a number" in reason for _, reason in log.problems)
    assert all(row.value == 0.96 for row in log.rows)


def test_a_change_in_words_is_no_number():
    found = problem(HEADER + "abc\t1.960->1.920\t1.0\tkeep\tx\n")
    assert "'1.960->1.920' is not a number" in found.reason


@pytest.mark.parametrize(
    ("words", "judgement"),
    [
        ("keep kept KEEP NEW_BEST BEST baseline PASS **keep**", Judgement.KEEP),
        ("discard reverted rejected REVERT size_violation no-op KILL checks_failed",
         Judgement.DISCARD),
        ("PROMOTE champion", Judgement.KEEP),
        ("GATE_FAIL constraint_violated", Judgement.DISCARD),
        ("crash infra rate_limited hook-blocked metric-error OOM", Judgement.CRASH),
        ("DIVERGED build_failed server_failed benchmark_failed", Judgement.CRASH),
        ("tentative support repair verify contender done", Judgement.RETEST),
    ],
)  # fmt: skip
def test_the_words_of_a_status(words, judgement):
    assert {judgement_of(word) for word in words.split()} == {judgement}
    assert judgement_of(words.split()[0] + " ✅ (new best)") is judgement


@pytest.mark.parametrize("word", ["ok", "success", "run", "COMPLETED"])
def test_a_run_that_nobody_judged_has_no_verdict(word):
    row = only(f"commit\taccuracy\tstatus\nabc\t0.5\t{word}\n")
    assert (row.verdict, row.word, row.value) == (None, word, 0.5)


def test_a_log_without_verdicts_tells_of_runs():
    header = "timestamp,run_id,val_bpb,lr,notes\n"
    text = header + "2026-03-23T00:09:42,f1,2.25,0.01,wide\n,f2,,0.02,\n" + header
    log = read(text)
    assert [(x.name, x.value, x.verdict) for x in log.rows] == [("f1", 2.25, None)]
    assert log.rows[0].metrics == {"lr": 0.01}
    assert log.passed == ((3, "neither a value nor a verdict is told of it"),)
    with pytest.raises(UsageError, match="no column of verdicts"):
        read(text, judged=True)
    assert only('{"name": "f1", "val_loss": 2.5}\n').verdict is None


@pytest.mark.parametrize(
    "text", ["step,val_loss\n1,2.5\n", '{"step": 1, "val_loss": 2.5}\n']
)
def test_a_curve_is_no_log_of_experiments(text):
    with pytest.raises(UsageError, match="name one"):
        read(text)


def test_the_verdict_may_be_the_first_column():
    log = read("status\tval_bpb\tcommit\nkeep\t0.9\tabc\nstatus\tval_bpb\tcommit\n")
    assert [row.verdict for row in log.rows] == [Judgement.KEEP]
    assert log.problems == ()


def test_yes_and_no_in_a_column_of_their_own():
    text = (
        '{"iteration": 1, "kept": true, "status": "ok", "accuracy": 0.5}\n'
        '{"iteration": 2, "kept": false, "status": "oom", "accuracy": null}\n'
        '{"iteration": 3, "kept": null, "status": "later", "accuracy": null}\n'
    )
    log = read(text)
    assert [row.verdict for row in log.rows] == [Judgement.KEEP, Judgement.DISCARD]
    assert [row.ending for row in log.rows] == [Status.OK, Status.OOM]
    assert log.passed == ((3, "neither a run nor a verdict is told of it"),)
    later = text + '{"iteration": 4, "status": "discard", "accuracy": 0.4}\n'
    assert (read(later).rows[2].verdict, read(later).rows[2].word) == (
        Judgement.DISCARD,
        "discard",
    )
    assert only("id\taccuracy\tkept\na\t0.5\t1\n").verdict is Judgement.KEEP
    assert "'1' is no known" in problem("id\taccuracy\tstatus\na\t0.5\t1\n").reason
    assert only("HEAD\t0.99\tkept\tchange\n").verdict is Judgement.KEEP


@pytest.mark.parametrize(
    "cells",
    ["0.9\t1.0\t{}\tx", "0.9\t{}\tkeep\tx", "{}\t1\tkeep\tx", "0.9\t1\tkeep\t{}"],
)
@pytest.mark.parametrize("part", ["(", "[](", "1 ", '"', "1,111"])
def test_long_cells_take_no_long_time(cells, part):
    log = read(HEADER + "abc\t" + cells.format(part * 50_000) + "\n")
    assert len(log.rows) + len(log.problems) == 1


def test_an_unknown_status_is_reported_with_its_word():
    found = problem("\n" + HEADER + "abc\t0.9\t1.0\tmaybe\tx\n")
    assert found.line == 3
    assert "'maybe' is no known verdict" in found.reason


def test_tabs_in_the_last_description_belong_to_it():
    assert only(HEADER + "abc\t0.9\t1.0\tkeep\ta\tb\n").description == "a b"


def test_quotes_hold_tabs_and_newlines_but_no_rows():
    header = "commit\tval_bpb\tdescription\tstatus\n"
    log = read(
        header
        + 'abc\t0.9\t"a\tb"\tkeep\n'
        + 'abd\t0.8\t"one\ntwo ""2"""\tkeep\n'
        + 'abe\t0.7\t"open\tkeep\n'
        + 'abf\t0.6\tshut"\tkeep\n'
    )
    assert [(x.line, x.commit, x.description) for x in log.rows] == [
        (2, "abc", "a b"),
        (3, "abd", 'one two "2"'),
        (5, "abe", '"open'),
        (6, "abf", 'shut"'),
    ]
    assert log.problems == ()


def test_a_missing_description_is_empty():
    assert only(HEADER + "abc\t0.9\t1.0\tkeep\n").description == ""


def test_shifted_columns_are_reported():
    assert "'x' is no known" in problem(HEADER + "abc\t0.9\tkeep\tx\n").reason
    text = "commit\tval_bpb\tstatus\tdescription\ttime\nabc\t0.9\tkeep\ta\tb\t9\n"
    assert "6 cells where there are 5 columns" in problem(text).reason


def test_a_verdict_in_the_column_of_the_memory_shows_a_missing_cell():
    found = problem(HEADER + "abc\t1.02\tdiscard\tbaseline\n")
    assert "a verdict, 'discard', where the memory belongs" in found.reason


@pytest.mark.parametrize(
    ("cell", "mb"),
    [("44.0 GB", 44 * 1024), ("44GiB", 44 * 1024), ("512 MB", 512), ("2048 kb", 2),
     ("44", 44 * 1024), ("-", None), ("n/a", None)],
)  # fmt: skip
def test_memory_with_its_unit(cell, mb):
    row = only(HEADER + f"abc\t0.9\t{cell}\tkeep\tx\n")
    assert (row.memory_mb, row.metrics) == (mb, {})


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [("312.5", 312.5), ("300s", 300), ("5m 12s", 312), ("1h5m", 3900), ("2 min", 120)],
)
def test_durations(cell, seconds):
    row = only(f"commit,accuracy,seconds,status\nabc,0.5,{cell},keep\n")
    assert (row.seconds, row.metrics) == (seconds, {})


def test_what_cannot_be_read_of_a_cell_is_kept_as_it_stands():
    row = only(
        "commit,accuracy,memory_gb,seconds,date,status\n"
        "abc,0.5,~44,about an hour,08/03/2026,keep\n"
    )
    assert (row.memory_mb, row.seconds, row.time) == (None, 0, None)
    assert row.metrics == {
        "memory_gb": "~44",
        "seconds": "about an hour",
        "date": "08/03/2026",
    }


def test_a_newline_in_a_description_is_reported():
    log = read(HEADER + "abc\t0.9\t1.0\tkeep\ta\nand more\n")
    assert len(log.rows) == 1
    assert log.problems[0].line == 3


def test_a_repeated_header_is_no_row_and_a_number_sign_no_comment():
    log = read(HEADER + "#12\t0.9\t1.0\tkeep\ta\n" + HEADER + "# later\n")
    assert [row.commit for row in log.rows] == ["#12"]
    assert log.problems == ()


def test_unicode_carriage_returns_and_other_encodings():
    text = HEADER.replace("\n", "\r\n") + "abc\t0.9\t1.0\tkeep\tlr 1→2\u2028é\r\n"
    for content in (
        text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16"),
    ):
        assert only(read_text(BytesIO(content), "log")).description == "lr 1→2 é"


def test_colours_and_what_windows_wrote():
    text = HEADER + "\x1b[1mabc\x1b[0m\t0.9\t1.0\t\x1b[32mkeep\x1b[0m\tx\n"
    assert only(text).commit == "abc"
    raw = (HEADER + "abc\t0.9\t1.0\tkeep\tlr ±5 é\n").encode("cp1252")
    assert only(read_text(BytesIO(raw), "log")).description == "lr ±5 é"


def test_words_may_stand_above_the_header():
    log = read("My night, with one GPU\n// of it\n" + HEADER + "abc\t0.9\t1\tkeep\tx\n")
    assert [row.line for row in log.rows] == [4]
    assert log.problems == (
        (1, "it stands above the header"),
        (2, "it stands above the header"),
    )
    log = read("Night two\ncommit,val_bpb,status\nabc,0.9,keep\n")
    assert [row.line for row in log.rows] == [3]


def test_a_spreadsheet_in_a_country_of_decimal_commas():
    text = 'commit;val_bpb;status;description\nabc;0,9979;keep;"a; b, c"\n'
    row = only(text)
    assert (row.value, row.description) == (0.9979, "a; b, c")
    assert (
        "'0,9979' is not a number" in problem(HEADER + "a\t0,9979\t1\tkeep\tx\n").reason
    )


def test_columns_with_their_units():
    row = only("Commit Hash\tVal BPB\tPeak Memory (GB)\tVerdict\nabc\t0.9\t2\tKeep\n")
    assert (row.value, row.memory_mb) == (0.9, 2048)


def test_old_line_ends_alone():
    assert only("commit,val_bpb,status\rabc,0.9,keep\r").commit == "abc"


def test_zero_bytes_cost_their_line():
    log = read(HEADER + "abc\t0.9\t1.0\tkeep\ta\n\0\0\0\ndef\t0.8\t1.0\tkeep\tb\n")
    assert [row.commit for row in log.rows] == ["abc", "def"]
    assert log.problems == ((3, "zero bytes in it"),)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\x7fELF\0\0\n", "no text"), (b"x" * (33 << 20), "over 32 MiB")],
)
def test_what_is_no_text_or_no_log(content, reason):
    with pytest.raises(UsageError, match=reason):
        read_text(BytesIO(content), "log")


def test_a_line_that_is_being_written():
    text = "commit\tstatus\tval_bpb\nabc\tkeep\t1.0\ndef\tkeep\t0.98"
    assert "still being written" in problem(text).reason
    assert len(read(text + "\n").rows) == 2
    assert "'kee' is no known" in problem(HEADER + "abc\t0.9\t1.0\tkee").reason
    assert "4 columns" not in problem(HEADER + "abc\t0.9\t1").reason


def test_two_logs_in_one_file():
    log = read(
        HEADER
        + "abc\t0.9\t1.0\tkeep\ta\n"
        + "commit\tstatus\tval_bpb\ndef\tdiscard\t0.95\n"
        + "commit\tval_loss\tstatus\nfff\t3.2\tkeep\n"
        + HEADER
        + "eee\t0.8\t1.0\tkeep\tresult\n"
    )
    assert [(row.commit, row.value) for row in log.rows] == [
        ("abc", 0.9),
        ("def", 0.95),
        ("eee", 0.8),
    ]
    assert [line for line, _ in log.problems] == [5, 6]


def test_a_markdown_table():
    text = "# Results\n\n| commit | val_bpb | status | description |\n|---|:--|--|--|\n"
    log = read(text + "| `abc` | 0.9 | **keep** | a \\| b |\nprose\n")
    assert [(row.commit, row.line) for row in log.rows] == [("abc", 5)]
    assert log.problems == ((6, "not a row of the table"),)


def test_the_tables_of_a_document():
    log = read(
        "Our night on one GPU, in words.\n\n"
        "| machine | cores |\n|---|---|\n| a | 8 |\n\n"
        "| Exp | Commit | TFLOPS | What Was Tried | Result |\n|--|--|--:|--|--|\n"
        "| 1 | [abc1234](https://example.org/abc1234) | **1,260.5** | x | KEEP (+7) |\n"
        "| 2 |  | ~5 | y | REVERT |\n\nMore words | with a bar.\n\n"
        "| Exp | TFLOPS | Result |\n|---|---|---|\n| 3 | 7 | keep |"
    )
    assert [(x.line, x.commit, x.value) for x in log.rows] == [
        (9, "abc1234", 1260.5),
        (16, "", 7),
    ]
    assert log.rows[0].description == "x"
    assert log.problems == ((10, "tflops '~5' is not a number"),)
    assert log.passed == ((3, "a table without verdicts: machine, cores"),)
    with pytest.raises(UsageError, match="no table in it has a column of verdicts"):
        read("# Notes\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")


def test_tabs_that_echo_left_as_they_were_written():
    log = read(
        HEADER
        + "abc\t0.9\t1.0\tkeep\ta \\textbf\n"
        + HEADER.strip().replace("\t", "\\t")
        + "\ndef\\t0.8\\t-\\tkeep\\tb\nghi\\t0.7\n"
    )
    assert [(x.commit, x.description) for x in log.rows] == [
        ("abc", "a \\textbf"),
        ("def", "b"),
    ]
    assert [line for line, _ in log.problems] == [5]
    text = (HEADER + "abc\t0.9\t1.0\tkeep\ta\n").replace("\t", "\\t")
    assert only(text).value == 0.9


@pytest.mark.parametrize(
    "cell",
    ["2026-03-11T15:53:53Z", "2026-03-11_155353", "1773244433", "1773244433123",
     "2026-03-11T16:53:53.5+01:00", "1773244433.25", "1773244433123456789"],
)  # fmt: skip
def test_times(cell):
    row = only(f"commit,accuracy,status,timestamp\nabc,0.5,keep,{cell}\n")
    assert row.time == 1_773_244_433


def test_days_and_what_is_no_time():
    assert time_of("20260311") == time_of("2026-03-11") == 1_773_187_200
    assert [time_of(x) for x in ("", "noon", "-5", "0", "inf")] == [None] * 5


def test_a_verdict_and_how_the_run_ended():
    text = "commit,verdict,run_status,value,metric,session,date,methods\n"
    log = read(
        text
        + "abc,,oom,,val_bpb,s,2026-01-02T03:04:05Z,a;b\n"
        + "def,keep,ok,0.9,val_bpb,s,1767323045,\n"
        + "fff,,,,,,,\n"
        + "eee,keep,ok,3.0,val_loss,,,\n"
    )
    first, second = log.rows
    assert (first.verdict, first.ending, first.value) == (None, Status.OOM, None)
    assert (first.session, first.methods) == ("s", ("a", "b"))
    assert first.time == second.time == 1767323045
    assert (second.verdict, second.value) == (Judgement.KEEP, 0.9)
    assert log.passed == ((4, "neither a run nor a verdict is told of it"),)
    assert "measured by 'val_loss', not val_bpb" in log.problems[0].reason


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "one word\n"])
def test_what_is_no_log_says_so(text):
    with pytest.raises(UsageError, match="log: "):
        read(text)
