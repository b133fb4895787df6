"""Settings: the example is the truth, and every complaint names the key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from loopgraph_git.config import Config, load_config, parse_config
from loopgraph_git.errors import ConfigError
from loopgraph_git.records import Direction, Metric

EXAMPLE = Path(__file__).parents[1] / ".loopgraph.yml.example"


def test_the_example_shows_every_key_with_its_default():
    text = EXAMPLE.read_text()
    assert parse_config(text) == Config()
    assert set(yaml.safe_load(text)) == {item.name for item in fields(Config)}


def test_an_empty_file_is_all_defaults():
    assert parse_config("") == Config()


def test_values_are_read():
    config = parse_config(
        "run: [uv, run, train.py]\nmetric: {name: acc, direction: higher}\n"
        "budget_seconds: 20\nprotected: [a/b.py]\nresults_tsv: true\n"
    )
    assert config.run == ("uv", "run", "train.py")
    assert config.metric == Metric("acc", Direction.HIGHER)
    assert config.wall_clock_seconds == 100
    assert config.results_tsv is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "buget_seconds: 3",
            "buget_seconds: unknown key; did you mean 'budget_seconds'",
        ),
        ("budget_seconds: -1", "budget_seconds: expected a positive number of seconds"),
        ("budget_seconds: soon", "budget_seconds: expected a positive number"),
        ("baseline_runs: 0", "baseline_runs: expected a whole number of at least 1"),
        ("run: ''", "run: expected a command such as"),
        ("run: 'a \"b'", "run: not a command line"),
        ("editable: []", "editable: expected at least one file"),
        ("editable: train.py", "editable: expected a list of texts"),
        ("editable: [/etc/passwd]", "is not a path inside the repository"),
        ("editable: [../x.py]", "is not a path inside the repository"),
        ("protected: [.git/hooks]", "is not a path inside the repository"),
        ("protected: [train.py]", "protected: 'train.py' is editable too"),
        (
            "metric: {direction: up, name: x}",
            "metric: direction is `lower` or `higher`",
        ),
        ("metric: {nome: x}", "metric: expected `name` and `direction"),
        ("env: [MY_API_KEY]", "env: MY_API_KEY looks like a secret"),
        ("branches: ['a;b']", "branches: 'a;b': only letters, digits"),
        ("branches: lg/*", "branches: expected a list of texts"),
        ("results_tsv: 3", "results_tsv: expected true or false"),
        ("- a\n- b", "expected `key: value` lines"),
        ("goal: x\na: [", "not valid YAML at line 2: "),
        ("!!python/object/apply:os.system [id]", "not valid YAML"),
        ("goal: " + "x" * 70_000, "that is no settings file"),
    ],
)
def test_every_complaint_names_file_key_and_cause(text, words):
    with pytest.raises(ConfigError) as caught:
        parse_config(text, origin="/r/.loopgraph.yml")
    assert str(caught.value).startswith("/r/.loopgraph.yml: ")
    assert words in str(caught.value)


def test_a_missing_file_names_the_next_step(tmp_path):
    with pytest.raises(ConfigError, match="run `git lg init`"):
        load_config(tmp_path)


def test_any_change_changes_the_fingerprint():
    assert Config().fingerprint() == Config().fingerprint()
    assert Config().fingerprint() != Config(run=("sh",)).fingerprint()


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="must be positive"):
        Config().with_budget(0)
