"""A twin does a share of the work, or leaves it to whoever asked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="a twin needs a second processor",
)

BEGIN = """
import os, signal, sys, threading, time
from pathlib import Path
from loopgraph_git.twin import Twin, is_possible, twin
"""


def python(code: str) -> str:
    """Run some code in a process of its own: this one has threads."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def test_it_works_meanwhile_and_hands_over_what_it_has():
    code = """
with twin(lambda path: path.write_bytes(os.getpid().to_bytes(8, "big"))) as made:
    path = made.result()
    print(path.read_bytes() != os.getpid().to_bytes(8, "big"))
print(path.parent.exists())
"""
    assert python(code) == "True\nFalse\n"


@pytest.mark.parametrize(
    "work",
    ["1 / 0", "sys.exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"],
)
def test_one_that_fails_says_nothing(work):
    code = f"""
print("once")
with twin(lambda path: {work}) as made:
    print(made.result())
"""
    assert python(code) == "once\nNone\n"


def test_where_children_are_ignored_it_says_nothing():
    code = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with twin(Path.touch) as made:
    print(made.result())
with twin(Path.touch) as made:
    time.sleep(0.2)
"""
    assert python(code) == "None\n"


def test_one_that_is_not_waited_for_is_ended():
    code = """
made = Twin(lambda path: path.touch() or time.sleep(60))
pid, folder = made._pid, made._made.parent
made.close()
made.close()
try:
    os.kill(pid, 0)
except ProcessLookupError:
    print("gone", folder.exists())
"""
    assert python(code) == "gone False\n"


def test_there_is_none_beside_a_thread_or_on_one_processor():
    code = """
print(is_possible())
thread = threading.Thread(target=time.sleep, args=(0.2,))
thread.start()
with twin(Path.touch) as made:
    print(made)
thread.join()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(is_possible())
"""
    assert python(code) == "True\nNone\nFalse\n"


def test_there_is_none_where_no_file_can_be_made():
    code = """
import tempfile
tempfile.tempdir = "/proc/self/no such folder"
with twin(Path.touch) as made:
    print(made)
"""
    assert python(code) == "None\n"
