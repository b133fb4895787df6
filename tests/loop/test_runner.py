"""Real processes that end well, badly, late, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from loopgraph_git.loop import endings, runner, summary
from loopgraph_git.records import Status

if TYPE_CHECKING:
    from pathlib import Path


def train(
    tmp_path: Path, code: str, *, seconds: float = 20.0, log_bytes: int = 1 << 20
):
    run_id = f"test{tmp_path}/"
    ended = runner.run_command(
        (sys.executable, "-c", code),
        folder=tmp_path,
        log=tmp_path / "run.log",
        limits=runner.Limits(wall_clock_seconds=seconds, log_bytes=log_bytes),
        env=runner.training_env({runner.RUN_ID: run_id}),
    )
    found = summary.parse_summary(ended.tail)
    return ended, endings.status_of(ended, summary.metric_value(found, "val_bpb"))


def test_a_run_that_prints_its_metric_is_ok(tmp_path):
    ended, (status, reason) = train(tmp_path, "print('---'); print('val_bpb: 1.25')")
    assert (status, reason) == (Status.OK, "")
    assert ended.log_bytes == len((tmp_path / "run.log").read_bytes())


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("raise ValueError('no such layer')", Status.CRASH, "no such layer"),
        ("print('done')", Status.CRASH, "without printing the metric"),
        ("print('val_bpb: nan')", Status.NAN, "not a finite number"),
        ("print('step 3 | loss: nan'); exit(1)", Status.NAN, "loss: nan"),
        ("print('FAIL'); exit(1)", Status.NAN, "FAIL"),
        ("raise MemoryError", Status.OOM, "MemoryError"),
        ("import os; os.kill(os.getpid(), 9)", Status.OOM, "SIGKILL"),
        ("import os; os.kill(os.getpid(), 11)", Status.CRASH, "SIGSEGV"),
    ],
)
def test_every_way_to_fail_has_a_name_and_a_reason(tmp_path, code, status, words):
    _, (found, reason) = train(tmp_path, code)
    assert found is status
    assert words in reason


def test_a_command_that_does_not_exist_is_a_crash_in_words(tmp_path):
    ended = runner.run_command(
        ("no-such-program",),
        folder=tmp_path,
        log=tmp_path / "run.log",
        limits=runner.Limits(wall_clock_seconds=5),
        env=runner.training_env({}),
    )
    status, reason = endings.status_of(ended, None)
    assert status is Status.CRASH
    assert reason == "no-such-program: No such file or directory"


def test_a_run_past_its_wall_clock_is_ended(tmp_path):
    ended, (status, reason) = train(tmp_path, "import time; time.sleep(60)", seconds=1)
    assert status is Status.TIMEOUT
    assert "wall clock" in reason
    assert ended.seconds < 10


@pytest.mark.long
def test_a_run_that_ignores_sigterm_is_killed(tmp_path):
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    ended, (status, _) = train(tmp_path, code, seconds=1)
    assert status is Status.TIMEOUT
    assert ended.exit_code == -signal.SIGKILL


def test_a_run_that_fills_its_log_is_ended_and_the_file_stays_small(tmp_path):
    _, (status, reason) = train(tmp_path, "while True: print('x' * 1000)")
    assert status is Status.CRASH
    assert reason == "wrote more than 1 MiB of log"
    assert (tmp_path / "run.log").stat().st_size < 3 << 20


def _running(marker: str) -> bool:
    done = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True)
    return marker in done.stdout


@pytest.mark.parametrize("how", ["child", "setsid", "daemon"])
def test_whatever_a_run_started_ends_with_it(tmp_path, how):
    marker = f"sleeper-{how}-{os.getpid()}"
    code = f"""
import os, subprocess, sys
command = [sys.executable, '-c', 'import time; time.sleep(60)', '{marker}']
if '{how}' == 'daemon':
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(command[0], command)
        os._exit(0)
    os.wait()
else:
    subprocess.Popen(command, start_new_session='{how}' == 'setsid')
print('val_bpb: 1.0')
"""
    started = time.monotonic()
    _, (status, _) = train(tmp_path, code)
    assert status is Status.OK
    assert time.monotonic() - started < 10
    assert not _running(marker)


def test_a_run_sees_no_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-planted-planted")
    monkeypatch.setenv("CUDA_SECRET_TOKEN", "planted-too")
    code = "import os; print(sorted(os.environ)); print('val_bpb: 1')"
    ended, _ = train(tmp_path, code)
    assert "OPENAI_API_KEY" not in ended.tail
    assert "CUDA_SECRET_TOKEN" not in ended.tail
    assert "PATH" in ended.tail


def test_the_user_may_stop_a_run(tmp_path):
    with pytest.raises(runner.InterruptedRunError):
        runner.run_command(
            (sys.executable, "-c", "import time; time.sleep(60)"),
            folder=tmp_path,
            log=tmp_path / "run.log",
            limits=runner.Limits(wall_clock_seconds=60),
            env=runner.training_env({}),
            watch=runner.Watch(should_stop=lambda: True),
        )


def test_lines_are_reported_while_the_run_lasts(tmp_path):
    seen: list[str] = []
    runner.run_command(
        (sys.executable, "-c", "print('step 1\\rstep 2\\r', end=''); print('done')"),
        folder=tmp_path,
        log=tmp_path / "run.log",
        limits=runner.Limits(wall_clock_seconds=20),
        env=runner.training_env({}),
        watch=runner.Watch(on_line=seen.append),
    )
    assert seen[-1] == "done"


class TestSummary:
    def test_the_last_block_counts(self):
        text = "val_bpb: 9\n---\nval_bpb:   1.5\ndevice: cpu\nnum_steps: 3\n"
        assert summary.parse_summary(text) == {
            "val_bpb": 1.5,
            "device": "cpu",
            "num_steps": 3.0,
        }

    def test_without_a_block_the_last_value_counts(self):
        text = "val_bpb: 9\rval_bpb: 2\n"
        assert summary.parse_summary(text)["val_bpb"] == 2.0

    def test_escapes_and_progress_bars_are_taken_out(self):
        assert summary.clean("\x1b[31mred\x1b[0m\n10%\r20%\r30%\n\x07") == "red\n30%\n"

    def test_secrets_are_taken_out(self):
        text = "key=hunter2hunter2 and ghp_0123456789abcdefghijABCDEF"
        redacted = summary.redact(text, {"MY_TOKEN": "hunter2hunter2", "HOME": "key"})
        assert redacted == "key=[MY_TOKEN] and [redacted]"

    def test_an_excerpt_begins_with_the_last_traceback(self):
        text = "\n".join(["x"] * 50 + ["Traceback (most recent call last):", "E: no"])
        assert summary.excerpt(text) == "Traceback (most recent call last):\nE: no"

    def test_an_endless_line_does_not_fill_the_excerpt(self):
        assert len(summary.excerpt("y" * 10_000)) <= 300

    def test_a_curve_has_at_most_32_points_and_keeps_the_ends(self):
        text = "\r".join(f"step {n:05d} | loss: {n / 10}" for n in range(500))
        points = summary.curve(text)
        assert len(points) == 32
        assert points[0] == (0.0, 0.0)
        assert points[-1] == (499.0, 49.9)

    def test_memory_is_found_under_its_usual_names(self):
        assert summary.peak_memory_mb({"peak_vram_mb": 44_000.0}) == 44_000.0
        assert summary.peak_memory_mb({"peak_memory_mb": float("nan")}) is None
