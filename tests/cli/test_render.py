"""How values look on a terminal, and where there is none."""

from __future__ import annotations

import contextlib
import io

import click

from loopgraph_git.cli import render

WORDS = "never tried, needs add_argument['--warmdown-ratio'](default) and more of it"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(screen: io.StringIO) -> list[str]:
    with contextlib.redirect_stdout(screen):
        render.table(
            ["commit", ">val_bpb", ">gain", "verdict", "why"],
            [["3b49f7e", "1.0442", "-0.0015", "discard", WORDS], ["a", 1, 2, "", "x"]],
        )
    return click.unstyle(screen.getvalue()).splitlines()


def test_a_narrow_terminal_cuts_nothing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = "\n".join(printed(_Terminal()))
    for word in ("3b49f7e", "1.0442", "-0.0015", "discard", "never tried"):
        assert word in shown
    assert "…" not in shown
    folded = "".join(line[36:].strip() for line in shown.splitlines())
    assert "add_argument['--warmdown-ratio'](default)" in folded


def test_a_wide_terminal_wraps_the_last_column_alone(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    lines = printed(_Terminal())
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 36) for line in lines[2:-1])


def test_a_pipe_gets_a_row_a_line_without_spaces_at_its_end():
    lines = printed(io.StringIO())
    assert lines == [
        "commit   val_bpb     gain  verdict  why",
        f"3b49f7e   1.0442  -0.0015  discard  {WORDS}",
        "a              1        2           x",
    ]


def test_a_table_without_rows_is_its_header(capsys):
    render.table(["commit", ">seconds"], [])
    assert capsys.readouterr().out == "commit  seconds\n"
