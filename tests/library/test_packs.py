from __future__ import annotations

import hashlib
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from loopgraph_git.errors import PackError
from loopgraph_git.library.packs import (
    load_pack,
    load_packs,
    parse_pack,
    unknown_conflicts,
    validate,
)
from loopgraph_git.library.recipes import apply_recipe, detect, detected, missing
from loopgraph_git.records import Knob, Operation, Prior, Source

DOCS = Path(__file__).parents[2] / "docs" / "packs.md"

WHOLE = """\
pack: optimiser
title: Optimisers and their numbers
methods:
  - id: higher-lr
    title: Higher learning rate
    family: schedule
    summary: |
      Twice the rate.
    helps: When the loss falls slowly.
    hurts: When it is unstable.
    aliases: [lr up, 2x]
    sources:
      - {arxiv: 2010.11930v2, title: A paper, section: 3.1}
      - {commit: someone/somewhere@0123456, section: README}
      - {commit: 1234567}
      - {url: "https://example.com/a?b", title: A page}
      - {log: line 12}
    detect: {constant: LR, above: 1e-2}
    requires:
      - {constant: LR}
    conflicts: [lower-lr]
    knobs:
      - {name: factor, default: 2, values: [1.5, 2, 4]}
      - {name: pattern, default: SSL}
    priors:
      - {gain: 1e-3, n: 3, platform: H100, scale: 50M, source: a log, spread: 0.01}
      - {gain: -0.5, n: 1, source: 2010.11930}
    recipe:
      - {set: LR, times: $factor}
      - set: PATTERN
        to: $pattern
        unless: {constant: PATTERN, contains: L}
      - any:
          - - {set: BETAS, to: [0.9, 1e-1]}
          - - search: a
              replace: ""
  - {id: idea-only, title: 2024, summary: yes}
"""


def test_a_pack_becomes_values_under_the_same_names():
    pack = parse_pack(WHOLE, "optimiser.yml")
    assert (pack.name, pack.title) == ("optimiser", "Optimisers and their numbers")
    assert pack.file == "optimiser.yml"
    assert pack.sha256 == hashlib.sha256(WHOLE.encode()).hexdigest()
    method, idea = pack.methods
    assert (method.id, method.family, method.pack) == (
        "higher-lr",
        "schedule",
        "optimiser",
    )
    assert method.summary == "Twice the rate."
    assert method.helps == "When the loss falls slowly."
    assert method.hurts == "When it is unstable."
    assert method.aliases == ("lr up", "2x")
    assert method.conflicts == ("lower-lr",)
    assert method.detect == ({"constant": "LR", "above": 0.01},)
    assert method.requires == ({"constant": "LR"},)
    assert (idea.family, idea.title, idea.summary) == ("optimiser", "2024", "yes")
    assert idea.recipe == ()


def test_sources_are_read_as_they_are_written():
    method = parse_pack(WHOLE, "x").methods[0]
    assert method.sources == (
        Source(arxiv="2010.11930v2", title="A paper", section="3.1"),
        Source(commit="someone/somewhere@0123456", section="README"),
        Source(commit="1234567"),
        Source(url="https://example.com/a?b", title="A page"),
        Source(log="line 12"),
    )


def test_priors_and_knobs_are_numbers():
    method = parse_pack(WHOLE, "x").methods[0]
    assert method.priors == (
        Prior(
            gain=0.001, n=3, platform="H100", scale="50M", source="a log", spread=0.01
        ),
        Prior(gain=-0.5, n=1, source="2010.11930"),
    )
    assert method.knobs == (
        Knob(name="factor", default=2, values=(1.5, 2, 4)),
        Knob(name="pattern", default="SSL"),
    )


def test_a_recipe_is_made_of_operations():
    first, second, third = parse_pack(WHOLE, "x").methods[0].recipe
    assert first == Operation(verb="set", arguments={"set": "LR", "times": "$factor"})
    assert second.arguments["unless"] == {"constant": "PATTERN", "contains": "L"}
    assert third.verb == "any"
    assert third.arguments["any"] == (
        (Operation(verb="set", arguments={"set": "BETAS", "to": [0.9, 0.1]}),),
        (Operation(verb="search", arguments={"search": "a", "replace": ""}),),
    )


def test_a_pack_is_frozen():
    with pytest.raises(FrozenInstanceError):
        parse_pack(WHOLE, "x").name = "y"


def test_a_pack_with_every_key_has_no_problems():
    assert validate(WHOLE, "x") == []


# -- the specification ---------------------------------------------------------


def documented():
    return re.search(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL).group(1)


SCRIPT = """\
import torch.nn as nn
import torch.nn.functional as F
LEARNING_RATE = 1e-3


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x):
        x = self.c_fc(x)
        x = F.relu(x).square()
        return self.c_proj(x)
"""


def test_the_documented_example_is_a_pack():
    pack = parse_pack(documented(), "activation.yml")
    assert [method.id for method in pack.methods] == ["swiglu", "gelu"]
    assert unknown_conflicts([pack]) == []


@pytest.mark.parametrize("number", [0, 1])
def test_the_documented_example_works(number):
    methods = parse_pack(documented(), "activation.yml").methods
    method = methods[number]
    assert missing(method, SCRIPT) == []
    assert not detect(method, SCRIPT)
    after = apply_recipe(method, SCRIPT)
    assert detect(method, after)
    assert detected(methods, SCRIPT, after) == [method.id]


def test_the_documented_example_has_working_knobs():
    swiglu = parse_pack(documented(), "activation.yml").methods[0]
    after = apply_recipe(swiglu, SCRIPT, knobs={"hidden": 2.0})
    assert "hidden = int(2.0 * config.n_embd)" in after
    assert "LEARNING_RATE = 7.5e-4" in after


def test_the_document_names_every_verb_and_key():
    text = DOCS.read_text()
    for word in [
        "set",
        "search",
        "replace",
        "insert",
        "import",
        "delete",
        "any",
        "unless",
        "to",
        "times",
        "code",
        "with",
        "after",
        "before",
        "at",
        "defines",
        "calls",
        "constant",
        "pattern",
        "imports",
        "equal",
        "differ",
        "not",
        "equals",
        "not_equals",
        "above",
        "below",
        "contains",
        "arxiv",
        "url",
        "commit",
        "log",
        "gain",
        "spread",
        "values",
    ]:
        assert re.search(rf"`{word}\b", text), word
    assert len(text.splitlines()) <= 120


HEAD = "pack: p\ntitle: P\nmethods:\n  - id: m\n    title: M\n    summary: S\n"


# -- files and folders ---------------------------------------------------------


def pack_text(name, *methods):
    items = "".join(
        f"  - {{id: {method}, title: {method} of {name}, summary: S}}\n"
        for method in methods
    )
    return f"pack: {name}\ntitle: {name}\nmethods:\n{items}"


@pytest.fixture
def folders(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    (ours / "b.yml").write_text(pack_text("b", "one", "two"))
    (ours / "a.yaml").write_text(pack_text("a", "three"))
    (ours / "notes.txt").write_text("not a pack")
    return ours, theirs


def test_packs_are_sorted_by_file_name(folders):
    packs = load_packs([folders[0]])
    assert [pack.name for pack in packs] == ["a", "b"]
    assert packs[0].file == str(folders[0] / "a.yaml")
    assert (
        packs[0].sha256
        == hashlib.sha256((folders[0] / "a.yaml").read_bytes()).hexdigest()
    )


def test_a_later_folder_overrides_methods_by_id(folders):
    ours, theirs = folders
    (theirs / "a.yml").write_text(pack_text("mine", "two", "three", "four"))
    packs = load_packs([ours, theirs])
    assert {method.id: method.title for pack in packs for method in pack.methods} == {
        "one": "one of b",
        "two": "two of mine",
        "three": "three of mine",
        "four": "four of mine",
    }
    assert [pack.name for pack in packs] == ["mine", "b"]


def test_a_folder_that_does_not_exist_holds_no_packs(tmp_path):
    assert load_packs([tmp_path / "nowhere"]) == []
    assert load_packs([]) == []


def test_one_folder_may_not_define_a_method_twice(folders):
    (folders[0] / "c.yml").write_text(pack_text("c", "one"))
    with pytest.raises(PackError) as caught:
        load_packs([folders[0]])
    assert str(caught.value) == (
        f"{folders[0] / 'c.yml'}:4: method one: id: expected an id of its own, but it is "
        f"already defined in {folders[0] / 'b.yml'}"
    )


def test_the_problems_of_all_files_are_told_at_once(folders):
    ours, theirs = folders
    (ours / "bad.yml").write_text("pack: 1\n")
    (theirs / "worse.yml").write_text("{]")
    with pytest.raises(PackError) as caught:
        load_packs([ours, theirs])
    text = str(caught.value)
    assert f"{ours / 'bad.yml'}:1: pack: expected an id" in text
    assert f"{theirs / 'worse.yml'}:1: not YAML: " in text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"pack: \xff\n", "not UTF-8 at byte 6"),
        (b"x" * 1_000_001, "larger than 1000000 bytes"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, data, reason):
    path = tmp_path / "p.yml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(PackError) as caught:
        load_pack(path)
    assert str(caught.value) == f"{path}: {reason}"


def test_a_file_may_have_a_byte_order_mark_and_crlf(tmp_path):
    path = tmp_path / "p.yml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert load_pack(path).methods == parse_pack(WHOLE, "x").methods


def test_conflicts_with_methods_that_do_not_exist_are_found(tmp_path):
    path = tmp_path / "p.yml"
    path.write_text(HEAD + "    conflicts: [m, nope]\n")
    assert unknown_conflicts([load_pack(path)]) == [
        f"{path}:7: method m: conflicts: expected the id of a method, but no pack has nope"
    ]


# -- papers and passages -------------------------------------------------------
