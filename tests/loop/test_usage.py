"""Prices, and the sum of what was spent."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loopgraph_git.errors import ConfigError
from loopgraph_git.loop import usage
from loopgraph_git.loop.usage import Meter, Price, Usage, price_of, users_prices


def own(text):
    path = users_prices()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_every_price_that_ships_is_positive_and_cached_is_cheaper():
    table = yaml.safe_load((Path(usage.__file__).parent / "prices.yml").read_text())
    assert table["as_of"].isoformat() >= "2026-01-01"
    for row in table["prices"]:
        price = price_of(row["model"])
        assert 0 < price.cached < price.input < price.output


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4.8",
        "claude-opus-4-8",
        "anthropic/claude-opus-4.8",
        "claude-opus-4-8-20260401",
        "Claude-Opus-4.8:free",
        "claude-opus-4-8-latest",
    ],
)
def test_a_model_is_known_by_all_its_names(name):
    assert price_of(name) == Price(input=5.0, cached=0.5, output=25.0)


def test_a_model_of_a_similar_name_is_another():
    assert price_of("gpt-5-mini-tuned") is None
    assert price_of("my-gpt-5-mini") is None


def test_the_users_prices_win():
    own("prices: [{model: gpt-5-mini, input: 1, output: 2}]\n")
    assert price_of("gpt-5-mini") == Price(input=1.0, cached=1.0, output=2.0)
    assert price_of("gpt-5.4") is not None


@pytest.mark.parametrize(
    "text",
    [
        "prices: {a: b}",
        "[]",
        "prices: [{model: x}]",
        "prices: [{model: x, input: -1, output: 1}]",
        "prices: [{model: x, input: .nan, output: 1}]",
        "prices: [{model: x, input: dear, output: 1}]",
        "a: [",
    ],
)
def test_a_price_list_of_the_wrong_form_is_named(text):
    own(text)
    with pytest.raises(ConfigError, match=r"prices\.yml"):
        price_of("x")


def test_cached_input_is_charged_as_such():
    price = Price(input=2.0, cached=0.5, output=10.0)
    spent = Usage(input=1_000_000, cached=400_000, output=100_000)
    assert price.of(spent) == pytest.approx(1.2 + 0.2 + 1.0)


def test_sums_keep_what_is_uncertain():
    total = Usage(input=1, estimated=True) + Usage(output=2, priced=False)
    assert (total.tokens, total.estimated, total.priced) == (3, True, False)
    assert "about" in str(total)
    assert "no known price" in str(total)


def test_a_meter_hands_out_what_was_spent_once():
    meter = Meter()
    meter.add(Usage(input=5, requests=1))
    meter.add(Usage(output=2, requests=1))
    assert meter.take() == Usage(input=5, output=2, requests=2)
    assert meter.take() == Usage()
    assert meter.total.tokens == 7
