"""What is fetched is whole, small enough, and asked for politely."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import time
from email.utils import formatdate
from itertools import pairwise

import pytest

from loopgraph_git.errors import AbsentError, FetchError
from loopgraph_git.library.fetch import Fetcher, address
from loopgraph_git.library.turns import group
from loopgraph_git.library.unpack import gunzip
from tests.library.serving import Reply, gzipped, serving


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture
def fetcher(tmp_path):
    return Fetcher(
        interval=0, attempts=3, timeout=5, backoff=0.01, turns=tmp_path / "t"
    )


def test_a_file_comes_whole_and_we_say_who_asks(server, fetcher):
    server.answer("/a%20b", b"text" * 50_000)
    answer = fetcher.get(address(server.url, "a b"))
    assert (answer.status, answer.data) == (200, b"text" * 50_000)
    (_, path, headers) = server.asked[0]
    assert path == "/a%20b"
    assert headers["User-Agent"].startswith("loopgraph-git/")


def test_addresses_are_quoted():
    made = address("http://h/", "math.GT/0309136v1", {"q": "a&b c"})
    assert made == "http://h/math.GT/0309136v1?q=a%26b+c"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, fetcher, status):
    server.answer("/x", Reply(status=status), b"here")
    assert fetcher.get(f"{server.url}/x").data == b"here"
    assert len(server.asked) == 2


def test_a_server_that_stays_busy_is_left_alone(server, fetcher):
    server.answer("/x", Reply(status=503))
    with pytest.raises(FetchError, match=r"answered 503 \(3 attempts\): try again"):
        fetcher.get(f"{server.url}/x")
    assert len(server.asked) == 3


@pytest.mark.long
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(server, fetcher, form):
    # a date has whole seconds: up to one of them is gone at once
    wait = "1" if form == "seconds" else formatdate(time.time() + 1.99, usegmt=True)
    server.answer("/x", Reply(status=429, headers={"Retry-After": wait}), b"here")
    assert fetcher.get(f"{server.url}/x").data == b"here"
    (first, *_), (second, *_) = server.asked
    assert second - first >= 0.9


def test_who_asks_to_wait_an_hour_is_not_asked_again(server, fetcher):
    server.answer("/x", Reply(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(FetchError, match=r"asks to wait 3600 s: try again then"):
        fetcher.get(f"{server.url}/x")
    assert len(server.asked) == 1


@pytest.mark.parametrize("wait", ["", "soon", "-3", "1e9", "٣", "99999 BC"])
def test_a_retry_after_that_makes_no_sense_is_none(server, fetcher, wait):
    raw = {"Retry-After": wait} if wait.isascii() else {}
    server.answer("/x", Reply(status=429, headers=raw), b"here")
    assert fetcher.get(f"{server.url}/x").data == b"here"


def test_a_dropped_line_is_tried_again(server, fetcher):
    server.answer("/x", Reply(drop=True), b"here")
    assert fetcher.get(f"{server.url}/x").data == b"here"


def test_a_truncated_body_is_never_taken_for_the_whole(server, fetcher):
    cut = Reply(b"half of ", promised=20)
    server.answer("/x", cut, b"half of it, and the rest")
    assert fetcher.get(f"{server.url}/x").data == b"half of it, and the rest"
    server.answer("/y", cut)
    with pytest.raises(FetchError, match="ended after 8 of 20 bytes"):
        fetcher.get(f"{server.url}/y")


def test_a_truncated_body_of_unknown_length_is_noticed_too(server, fetcher):
    chunked = {"Transfer-Encoding": "chunked"}
    whole = Reply(b"5\r\nhello\r\n0\r\n\r\n", headers=chunked)
    server.answer("/x", Reply(b"5\r\nhello\r\n", headers=chunked), whole)
    assert fetcher.get(f"{server.url}/x").data == b"hello"
    assert len(server.asked) == 2


def test_a_silent_server_is_given_up(server, fetcher):
    server.answer("/x", Reply(b"late", slow=0.4))
    hasty = Fetcher(interval=0, attempts=1, timeout=0.1, turns=fetcher.turns)
    with pytest.raises(FetchError, match="timed out"):
        hasty.get(f"{server.url}/x")


def test_a_server_that_drips_for_ever_is_given_up(server, fetcher):
    server.answer("/x", Reply(b"drip" * 100, drip=0.02))
    hasty = Fetcher(interval=0, timeout=5, deadline=0.1, turns=fetcher.turns)
    with pytest.raises(FetchError, match="not whole after 0 s"):
        hasty.get(f"{server.url}/x")


def test_nobody_there(fetcher):
    with pytest.raises(FetchError, match=r"connection failed .*refused.*3 attempts"):
        fetcher.get("http://127.0.0.1:9/x")


def test_what_is_not_there_is_not_asked_for_twice(server, fetcher):
    with pytest.raises(AbsentError, match="404 Not Found"):
        fetcher.get(f"{server.url}/none")
    assert len(server.asked) == 1
    assert fetcher.get(f"{server.url}/none", read={404}).data == b"no such paper"


def test_redirects_are_followed_and_bounded(server, fetcher):
    server.answer("/a", Reply(status=302, headers={"Location": "/b"}))
    server.answer("/b", b"here")
    assert fetcher.get(f"{server.url}/a").url == f"{server.url}/b"
    server.answer("/c", Reply(status=301, headers={"Location": "/c"}))
    with pytest.raises(FetchError, match="more than 5 redirects"):
        fetcher.get(f"{server.url}/c")


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://h/x",
        "data:text/plain,x",
        "http://u@h/x",
        "//u:p@h/x",
    ],
)
def test_no_redirect_leads_out_of_the_web(server, fetcher, target):
    server.answer("/a", Reply(status=302, headers={"Location": target}))
    with pytest.raises(FetchError, match=r"not an address of http|with a password"):
        fetcher.get(f"{server.url}/a")


def test_a_body_is_never_larger_than_its_limit(server, fetcher):
    server.answer("/x", b"0" * 5000)
    assert len(fetcher.get(f"{server.url}/x", limit=5000).data) == 5000
    with pytest.raises(AbsentError, match="larger than"):
        fetcher.get(f"{server.url}/x", limit=4999)


def test_a_packed_body_is_unpacked_within_the_limit(server, fetcher):
    server.answer("/x", gzipped(b"text"))
    assert fetcher.get(f"{server.url}/x").data == b"text"
    server.answer("/bomb", gzipped(bytes(10_000_000)))
    with pytest.raises(AbsentError, match="larger than 1 MiB"):
        fetcher.get(f"{server.url}/bomb", limit=1 << 20)
    server.answer("/lie", Reply(b"text", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(FetchError, match="cannot be unpacked"):
        fetcher.get(f"{server.url}/lie")


def test_gunzip_reads_every_member_and_refuses_the_rest():
    two = gzip.compress(b"one, ") + gzip.compress(b"two")
    assert gunzip(two, 8) == b"one, two"
    with pytest.raises(OverflowError):
        gunzip(two, 7)
    for broken in (b"", b"text", two[:-3], two[:12] + b"\0\0\0\0" + two[16:]):
        with pytest.raises(ValueError, match=r"."):
            gunzip(broken, 100)


def test_hosts_of_one_domain_share_their_turns():
    assert group("export.arxiv.org") == group("arXiv.org") == "arxiv.org"
    assert group("127.0.0.1:8000") == "127.0.0.1:8000"
    assert group("[::1]:80") == "[::1]:80"
    assert group("localhost:80") == group("localhost") == "localhost"


ASK = """
import sys, pathlib
from loopgraph_git.library.fetch import Fetcher
fetcher = Fetcher(interval=float(sys.argv[1]), turns=pathlib.Path(sys.argv[2]))
for _ in range(2):
    fetcher.get(sys.argv[3])
"""


@pytest.mark.long
def test_two_processes_take_turns(server, tmp_path):
    server.answer("/x", b"here")
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, "0.4", str(tmp_path), f"{server.url}/x"]
        )
        for _ in range(2)
    ]
    assert [process.wait(30) for process in asking] == [0, 0]
    times = [when for when, *_ in server.asked]
    assert len(times) == 4
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # a busy machine may be late to look at the clock
    assert min(gaps) >= 0.3, gaps
    assert sum(gaps) >= 1.1, gaps


@pytest.mark.long
def test_what_a_server_asked_for_holds_for_other_processes(server, fetcher):
    server.answer("/x", Reply(status=429, headers={"Retry-After": "1"}), b"here")
    one_try = Fetcher(interval=0, attempts=1, turns=fetcher.turns)
    with pytest.raises(FetchError):
        one_try.get(f"{server.url}/x")
    told = []
    other = Fetcher(interval=0, attempts=1, turns=fetcher.turns, say=told.append)
    other.get(f"{server.url}/x")
    assert server.asked[1][0] - server.asked[0][0] >= 0.9
    assert re.match(r"127\.0\.0\.1:\d+ asked to wait: 1 s", told[0])


def test_a_damaged_or_future_turn_stops_nobody(server, fetcher):
    server.answer("/x", b"here")
    fetcher.get(f"{server.url}/x")
    (path,) = fetcher.turns.iterdir()
    path.write_text("noise\0")
    assert fetcher.get(f"{server.url}/x").data == b"here"


def test_turns_that_cannot_be_kept_are_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    fetcher = Fetcher(turns=tmp_path / "file" / "turns")
    with pytest.raises(FetchError, match="XDG_STATE_HOME"):
        fetcher.get(f"{server.url}/x")
    assert server.asked == []
