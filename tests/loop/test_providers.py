"""The chat provider against a server that speaks the real protocol."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from loopgraph_git.errors import BudgetError, ProviderError
from loopgraph_git.loop.endpoints import Endpoint
from loopgraph_git.loop.providers import ChatProvider, Patience
from loopgraph_git.loop.scripted import Trouble, scripted_server
from loopgraph_git.loop.usage import Meter

# importing openai takes seconds: one test process has to do it, not all
pytestmark = pytest.mark.xdist_group("openai")

ASK = [{"role": "user", "content": "What next?"}]
BUSY = (429, json.dumps({"error": {"message": "slow down"}}))
BROKEN = (500, json.dumps({"error": {"message": "oops"}}))
QUICK = Patience(request_seconds=0.4, deadline_seconds=5.0, pause_seconds=0.01)


def provider(url, *, local=True, patience=QUICK, model="tiny", **limits):
    at = Endpoint(name="scripted", base_url=url, local=local)
    return ChatProvider(model, at=at, meter=Meter(**limits), patience=patience)


def ask(answers, messages=ASK, **options):
    with scripted_server(answers) as (url, asked):
        made = provider(url, **options)
        return made.complete(messages), asked, made.meter.total


def test_an_answer_comes_with_its_tokens():
    reply, asked, total = ask(["Try SwiGLU."])
    assert reply.text == "Try SwiGLU."
    assert reply.tokens == len("What next?") // 4 + len("Try SwiGLU.") // 4
    assert not reply.usage.estimated
    assert total == reply.usage
    assert asked[0]["model"] == "tiny"
    assert asked[0]["messages"] == ASK


@pytest.mark.parametrize(
    "trouble",
    # no ids of their own: one of them has the time in it
    [
        BUSY,
        BROKEN,
        (200, "<html>login</html>"),
        (200, json.dumps({"choices": None, "error": {"message": "no credit"}})),
        (200, '{"choices": [{"message": {"content": null}}]}'),
        (
            200,
            '{"choices": [{"message": {"content": null, "reasoning_content": "Hm"}}]}',
        ),
        (200, '{"choices": [{"mess'),
        "   ",
        Trouble(hang_seconds=1.0),
        Trouble(body='{"choices": []}' + " " * 99, cut=20),
        Trouble(status=429, body="{}", headers={"retry-after": "0"}),
        Trouble(
            status=503,
            body="{}",
            headers={"retry-after": format_datetime(datetime.now(UTC))},
        ),
    ],
)
def test_what_may_pass_is_tried_again(trouble):
    reply, asked, total = ask([trouble, "Try SwiGLU."])
    assert reply.text == "Try SwiGLU."
    assert len(asked) == total.requests == 2


def test_trouble_that_stays_is_one_error_that_names_the_endpoint():
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1.*HTTP 500.*oops"):
        ask([BROKEN])


def test_a_refusal_is_not_repeated():
    denied = (401, json.dumps({"error": {"message": "bad key"}}))
    with scripted_server([denied]) as (url, asked):
        with pytest.raises(ProviderError, match=r"HTTP 401.*bad key"):
            provider(url).complete(ASK)
        assert len(asked) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_wants_an_hour_is_not_waited_for(form):
    then = format_datetime(datetime.now(UTC) + timedelta(hours=1))
    after = "3600" if form == "seconds" else then
    later = Trouble(status=429, body="{}", headers={"retry-after": after})
    with scripted_server([later]) as (url, asked):
        with pytest.raises(ProviderError, match="HTTP 429"):
            provider(url).complete(ASK)
        assert len(asked) == 1


def test_the_deadline_holds_over_all_attempts():
    slow = Patience(request_seconds=9.0, deadline_seconds=0.5, pause_seconds=0.01)
    with pytest.raises(ProviderError, match="no answer in time"):
        ask([Trouble(hang_seconds=5.0)], patience=slow)


def test_an_answer_without_usage_is_counted_by_estimate():
    body = json.dumps({"choices": [{"message": {"content": "x" * 36}}]})
    reply, _, _ = ask([(200, body)])
    assert reply.usage.estimated
    assert reply.usage.output == 10


def test_attempts_of_no_use_are_counted_too():
    # an answer of spaces has usage; a busy server says nothing of it
    reply, asked, total = ask([" " * 40, BUSY, Trouble(hang_seconds=1.0), "Yes."])
    told = [item["usage"] for item in asked if "usage" in item]
    estimate = round(len("What next?") / 3.6)
    assert total.input == sum(item["prompt_tokens"] for item in told) + estimate
    assert total.output == sum(item["completion_tokens"] for item in told) == 11
    assert total.requests == 4
    assert total.estimated
    assert reply.text == "Yes."


def test_cached_and_reasoning_tokens_and_a_cost_are_read():
    body = {
        "choices": [{"message": {"content": "Yes."}}],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 800},
            "completion_tokens_details": {"reasoning_tokens": 60},
            "cost": 0.0123,
        },
    }
    usage = ask([(200, json.dumps(body))])[0].usage
    assert (usage.input, usage.cached) == (1000, 800)
    assert (usage.output, usage.reasoning) == (100, 60)
    assert usage.cost_usd == 0.0123


def test_a_known_model_elsewhere_has_a_price():
    usage = ask(["x" * 4000], model="openai/gpt-5-mini-2025-08-07", local=False)[
        0
    ].usage
    assert usage.cost_usd == pytest.approx((2 * 0.25 + 1000 * 2.0) / 1e6)
    assert usage.priced
    assert not ask(["x"], model="nobody-knows", local=False)[0].usage.priced


def test_a_budget_of_tokens_ends_it_before_the_next_request():
    with scripted_server(["x" * 400]) as (url, asked):
        made = provider(url, max_tokens=150)
        made.complete(ASK)
        made.complete(ASK)
        with pytest.raises(
            BudgetError, match=r"204 tokens are spent.*150.*--max-tokens"
        ):
            made.complete(ASK)
        assert len(asked) == 2


def test_a_budget_of_dollars_needs_a_price():
    with scripted_server(["x" * 400_000]) as (url, asked):
        made = provider(url, max_cost_usd=0.1, model="gpt-5-mini", local=False)
        made.complete(ASK)
        with pytest.raises(BudgetError, match=r"\$0\.2000 are spent.*\$0\.1"):
            made.complete(ASK)
        unknown = provider(url, max_cost_usd=0.1, model="nobody-knows", local=False)
        unknown.complete(ASK)
        with pytest.raises(BudgetError, match=r"nobody knows.*prices\.yml"):
            unknown.complete(ASK)
        assert len(asked) == 2


def test_a_prompt_that_the_server_cut_is_an_error_at_once():
    long = [{"role": "user", "content": "x" * 36_000}]
    body = {
        "choices": [{"message": {"content": "Yes."}}],
        "usage": {"prompt_tokens": 2048, "completion_tokens": 2},
    }
    with scripted_server([(200, json.dumps(body))]) as (url, asked):
        with pytest.raises(ProviderError, match=r"2,048 of about 10,000 tokens"):
            provider(url).complete(long)
        assert len(asked) == 1


def test_what_an_endpoint_wants_besides_goes_into_the_request():
    with scripted_server(["Yes."]) as (url, asked):
        at = Endpoint(name="x", base_url=url, extra={"venice_parameters": {"a": False}})
        ChatProvider("tiny", at=at, patience=QUICK).complete(ASK)
    assert asked[0]["venice_parameters"] == {"a": False}
