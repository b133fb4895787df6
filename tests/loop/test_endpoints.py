"""Which endpoint, whose key: from the user alone, and never the wrong one."""

from __future__ import annotations

import sys

import pytest

from loopgraph_git.errors import ProviderError, UsageError
from loopgraph_git.loop.endpoints import PRESETS, endpoint, key_of

KEYS = {
    "OPENAI_API_KEY": "sk-openai",
    "OPENROUTER_API_KEY": "sk-router",
    "VENICE_API_KEY": "sk-venice",
    "ANTHROPIC_API_KEY": "sk-ant",
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gets_its_own_key_or_none(name):
    place = endpoint(name, {})
    assert place.base_url.startswith("http")
    expected = KEYS[place.key] if place.key else "none"
    assert key_of(place, KEYS) == expected


def test_a_url_never_gets_the_key_of_a_vendor():
    place = endpoint("https://llm.example.com/v1", KEYS)
    assert key_of(place, KEYS) == "none"
    assert key_of(place, {**KEYS, "LOOPGRAPH_API_KEY": "own"}) == "own"
    assert not place.local


def test_the_environment_names_the_endpoint_where_the_user_does_not():
    assert endpoint(None, {}).name == "openai"
    assert endpoint(None, {"LOOPGRAPH_PROVIDER": "venice"}).name == "venice"
    custom = {"OPENAI_BASE_URL": "http://localhost:9/v1", **KEYS}
    place = endpoint(None, custom)
    assert (place.base_url, place.local) == ("http://localhost:9/v1", True)
    # as the openai package itself does
    assert key_of(place, custom) == "sk-openai"
    assert endpoint("ollama", custom).name == "ollama"
    assert endpoint(None, custom, usual="anthropic").name == "anthropic"
    # Anthropic's clients leave out the version
    own = endpoint(None, {"ANTHROPIC_BASE_URL": "http://h/"}, usual="anthropic")
    assert (own.base_url, own.key) == ("http://h/v1", "ANTHROPIC_API_KEY")


@pytest.mark.parametrize(
    "name", ["opnai", "ftp://x/v1", "http://", "http://[x/v1", "http://a b/v1"]
)
def test_a_name_that_nobody_knows_is_refused_with_those_that_are(name):
    with pytest.raises(UsageError, match=r"openai, openrouter.*or a URL"):
        endpoint(name, {})


def test_without_a_key_the_message_says_where_it_belongs():
    with pytest.raises(ProviderError, match=r"set OPENAI_API_KEY.*--provider"):
        key_of(endpoint("openai", {}), {})


def test_a_command_may_print_the_key():
    python = f'"{sys.executable}" -c '
    place = endpoint("openai", {})
    said = {"LOOPGRAPH_KEY_COMMAND": python + "'print(\"sk-printed\")'"}
    assert key_of(place, said) == "sk-printed"
    failing = {"LOOPGRAPH_KEY_COMMAND": python + "'raise SystemExit(3)'"}
    with pytest.raises(ProviderError, match=r"LOOPGRAPH_KEY_COMMAND.*failed"):
        key_of(place, failing)
    with pytest.raises(ProviderError, match="failed"):
        key_of(place, {"LOOPGRAPH_KEY_COMMAND": "/nowhere/at-all"})
    with pytest.raises(ProviderError, match="no command line"):
        key_of(place, {"LOOPGRAPH_KEY_COMMAND": "'unclosed"})
