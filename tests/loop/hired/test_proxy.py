"""The metering proxy, over real HTTP: the key, the count, the limits, and what is cut."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead

import pytest

from loopgraph_git.loop.endpoints import Endpoint
from loopgraph_git.loop.hired.proxy import metering_proxy
from loopgraph_git.loop.hired.scripted_agents import (
    CACHED,
    REASONED,
    Change,
    scripted_agent_server,
)
from loopgraph_git.loop.scripted import Trouble, scripted_server
from loopgraph_git.loop.usage import Meter

CHANGE = Change(path="train.py", old="a", new="b", says="Ready.")
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")


@contextmanager
def proxied(url, meter=None, real="real"):
    """Open a proxy to a server; yield it, and the meter."""
    meter = meter or Meter()
    at = Endpoint(name="scripted", base_url=url, local=True)
    with metering_proxy(at, real, meter) as proxy:
        yield proxy, meter


def send(proxy, path, body=None, *, key=None, method="POST", **headers):
    """Send one request; return its status, its headers and the whole body."""
    host = proxy.url.removeprefix("http://").removesuffix("/v1")
    connection = HTTPConnection(host, timeout=10)
    words = {"authorization": f"Bearer {proxy.key if key is None else key}", **headers}
    raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    connection.request(method, path, raw, words)
    answer = connection.getresponse()
    try:
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
def test_three_protocols_are_counted_alike(path, stream):
    with scripted_agent_server(CHANGE) as (url, asked), proxied(url) as (proxy, meter):
        body = {"model": "tiny", "stream": stream, "instructions": "word " * 90}
        status, headers, answer = send(proxy, f"{path}?beta=true", body)
        assert status == 200
        assert b"Ready." in answer
        assert ("event-stream" in headers["content-type"]) == stream
    told = asked[0]["usage"]
    found = meter.total
    # `messages` tells what came from the cache, and went there, beside the input
    beside = 2 * CACHED if path == "/v1/messages" else 0
    given = told.get("input_tokens", told.get("prompt_tokens")) + beside
    taken = told.get("output_tokens", told.get("completion_tokens"))
    assert (found.input, found.cached, found.output) == (given, CACHED, taken)
    assert found.reasoning == (0 if beside else REASONED)
    assert (found.requests, found.estimated) == (1, False)


def test_a_client_that_did_not_ask_for_usage_does_not_get_it():
    with scripted_agent_server(CHANGE) as (url, asked), proxied(url) as (proxy, meter):
        body = {"model": "tiny", "stream": True}
        _, _, answer = send(proxy, PATHS[0], body)
        assert b'"choices": []' not in answer
        assert answer.rstrip().endswith(b"[DONE]")
        body["stream_options"] = {"include_usage": True}
        _, _, answer = send(proxy, PATHS[0], body)
        assert b'"choices": []' in answer
    assert [one["stream_options"] for one in asked] == [{"include_usage": True}] * 2
    assert meter.total.requests == 2
    assert not meter.total.estimated


def test_only_the_throw_away_key_opens_and_only_the_real_one_goes_on():
    with scripted_agent_server(CHANGE) as (url, asked), proxied(url) as (proxy, _):
        assert send(proxy, PATHS[0], key="")[0] == 401
        assert send(proxy, PATHS[0], key="real")[0] == 401
        assert send(proxy, PATHS[2], key="", **{"x-api-key": proxy.key})[0] == 200
        assert send(proxy, PATHS[0], cookie="secret=1")[0] == 200
    assert [one["headers"].get("x-api-key") for one in asked] == ["real", None]
    assert all(one["headers"]["authorization"] == "Bearer real" for one in asked)
    assert "cookie" not in {name.lower() for name in asked[1]["headers"]}
    assert proxy.key not in str(asked)


def test_only_what_an_agent_needs_is_passed_on():
    with scripted_agent_server(CHANGE) as (url, asked), proxied(url) as (proxy, meter):
        for path in ("/v1/files", "/v1/models/../files", "/", "//evil/v1/messages"):
            assert send(proxy, path)[0] == 404, path
        assert send(proxy, PATHS[0], method="GET")[0] == 404
        assert send(proxy, "/v1/models", method="GET")[0] == 200
        long = {"content-length": str(1 << 40)}
        assert send(proxy, PATHS[0], b"", **long)[0] == 413
        chunked = {"transfer-encoding": "chunked"}
        assert send(proxy, PATHS[0], b"0\r\n\r\n", **chunked)[0] == 411
    assert asked == []
    assert meter.total.requests == 0


def test_no_more_at_once_than_memory_is_for():
    late = Trouble(hang_seconds=30)
    with scripted_server([late]) as (url, asked), proxied(url) as (proxy, _):
        host = proxy.url.removeprefix("http://").removesuffix("/v1")
        held = [HTTPConnection(host, timeout=10) for _ in range(16)]
        for connection in held:
            key = {"authorization": f"Bearer {proxy.key}"}
            connection.request("POST", PATHS[0], b"{}", key)
        while len(asked) < len(held):
            time.sleep(0.01)
        assert send(proxy, PATHS[0])[0] == 429
        for connection in held:
            connection.close()


def test_over_budget_nothing_is_asked_any_more():
    meter = Meter(max_tokens=1)
    with (
        scripted_agent_server(CHANGE) as (url, asked),
        proxied(url, meter) as (proxy, _),
    ):
        assert send(proxy, PATHS[2])[0] == 200
        status, _, answer = send(proxy, PATHS[2])
        assert status == 402
        assert "raise --max-tokens" in json.loads(answer)["error"]["message"]
        assert proxy.passed.over_budget
    assert len(asked) == 1


def test_what_an_endpoint_refuses_is_passed_on_and_remembered():
    busy = Trouble(status=429, body='{"error": "busy"}', headers={"retry-after": "7"})
    with scripted_server([busy]) as (url, _), proxied(url) as (proxy, meter):
        status, headers, answer = send(proxy, PATHS[0], {"messages": []})
        assert (status, headers["retry-after"]) == (429, "7")
        assert answer == b'{"error": "busy"}'
        assert proxy.passed.failures == ['HTTP 429: {"error": "busy"}']
    assert meter.total.requests == 1
    with proxied("http://127.0.0.1:9/v1") as (proxy, _):
        assert send(proxy, PATHS[0])[0] == 502
        assert "refused" in proxy.passed.failures[0]


def test_without_a_key_nothing_is_passed_on():
    with scripted_server([(200, "{}")]) as (url, asked), proxied(url, real="") as got:
        status, _, answer = send(got[0], PATHS[0])
    assert (status, asked) == (401, [])
    assert "has no key for an LLM" in json.loads(answer)["error"]["message"]


def test_an_answer_without_usage_is_estimated():
    with scripted_server([(200, '{"choices": []}')]) as (url, _), proxied(url) as got:
        proxy, meter = got
        send(proxy, PATHS[0], {"messages": [{"content": "word " * 90}]})
    assert meter.total.estimated
    assert meter.total.input > 100


def test_a_client_that_has_hung_up_is_counted_too():
    with (
        scripted_server([Trouble(hang_seconds=30)]) as (url, _),
        proxied(url) as (proxy, meter),
    ):
        host = proxy.url.removeprefix("http://").removesuffix("/v1")
        connection = HTTPConnection(host, timeout=0.2)
        body = json.dumps({"messages": [{"content": "word " * 90}]})
        key = {"authorization": f"Bearer {proxy.key}"}
        connection.request("POST", PATHS[0], body, key)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
    assert meter.total.requests == 1


def test_a_stream_that_is_cut_ends_as_one():
    body = 'data: {"choices": [{"delta": {"content": "half of it"}}]}\n\n'
    cut = Trouble(body=body * 3, headers={"content-type": "text/event-stream"}, cut=90)
    with scripted_server([cut]) as (url, _), proxied(url) as (proxy, meter):
        with pytest.raises(IncompleteRead):
            send(proxy, PATHS[0], {"stream": True})
        assert proxy.passed.failures
    assert meter.total.estimated
    assert meter.total.output > 0
