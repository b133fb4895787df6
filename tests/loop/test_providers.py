"""The chat provider against a server that speaks the real protocol."""

from __future__ import annotations

import json

import pytest

from loopgraph_git.errors import ProviderError
from loopgraph_git.loop.providers import ChatProvider, scripted_server

# importing openai takes seconds: one test process has to do it, not all
pytestmark = pytest.mark.xdist_group("openai")

ASK = [{"role": "user", "content": "What next?"}]
BUSY = (429, json.dumps({"error": {"message": "slow down"}}))
BROKEN = (500, json.dumps({"error": {"message": "oops"}}))


def ask(answers):
    with scripted_server(answers) as (url, asked):
        provider = ChatProvider("tiny", base_url=url, pause_seconds=0.01)
        return provider.complete(ASK), asked


def test_an_answer_comes_with_its_tokens():
    reply, asked = ask(["Try SwiGLU."])
    assert reply.text == "Try SwiGLU."
    assert reply.tokens == len("What next?") // 4 + len("Try SwiGLU.") // 4
    assert not reply.estimated
    assert asked == [{"model": "tiny", "messages": ASK}]


@pytest.mark.parametrize(
    "trouble",
    [
        BUSY,
        BROKEN,
        (200, "<html>login</html>"),
        (200, json.dumps({"choices": None, "error": {"message": "no credit"}})),
        (200, '{"choices": [{"message": {"content": null}}]}'),
        (200, '{"choices": [{"mess'),
        "   ",
    ],
)
def test_what_may_pass_is_tried_again(trouble):
    reply, asked = ask([trouble, "Try SwiGLU."])
    assert reply.text == "Try SwiGLU."
    assert len(asked) == 2


def test_trouble_that_stays_is_one_error_that_names_the_endpoint():
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1.*HTTP 500.*oops"):
        ask([BROKEN])


def test_a_refusal_is_not_repeated():
    denied = (401, json.dumps({"error": {"message": "bad key"}}))
    with scripted_server([denied]) as (url, asked):
        with pytest.raises(ProviderError, match=r"HTTP 401.*bad key"):
            ChatProvider("tiny", base_url=url).complete(ASK)
        assert len(asked) == 1


def test_an_answer_without_usage_is_counted_by_estimate():
    body = json.dumps({"choices": [{"message": {"content": "x" * 36}}]})
    reply, _ = ask([(200, body)])
    assert reply.estimated
    assert reply.output_tokens == 10


def test_without_key_and_endpoint_the_message_names_both(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ProviderError, match="OPENAI_API_KEY, or OPENAI_BASE_URL"):
        ChatProvider("tiny")
