from __future__ import annotations

import pytest

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.conditions import all_hold, describe, holds, kind_of
from loopgraph_git.library.source import Code

SCRIPT = '''\
"""A gated layer, with swish: only words."""
import torch
import torch.nn.functional as F
from torch import nn
from . import local

DEPTH = 8
LR = 3e-4
PATTERN = "SSSL"
BETAS = (0.8, 0.95)
FAST = True
HALF = DEPTH // 2
TABLE = load()


class MLP(nn.Module):
    def __init__(self, n):
        self.c_fc = nn.Linear(n, 4 * n)

    def forward(self, x):
        softcap = 15
        return F.relu(x).square()  # not F.silu


def build(depth, heads=4):
    return Config(n_head=depth, n_kv_head=depth, n_embd=2 * depth)
'''
CODE = Code(SCRIPT)

TRUE = [
    {"defines": "MLP"},
    {"defines": "MLP.forward"},
    {"defines": "forward"},
    {"defines": "DEPTH"},
    {"defines": "self.c_fc"},
    {"defines": "MLP.__init__.self.c_fc"},
    {"defines": "c_fc"},
    {"defines": "softcap"},
    {"calls": "F.relu"},
    {"calls": "functional.relu"},
    {"calls": "torch.nn.Linear"},
    {"calls": "square"},
    {"constant": "DEPTH"},
    {"constant": "TABLE"},
    {"constant": "Config(n_head)"},
    {"constant": "Config[n_embd=2*depth](n_head)"},
    {"constant": "DEPTH", "equals": 8},
    {"constant": "DEPTH", "equals": 8.0},
    {"constant": "DEPTH", "not_equals": 7},
    {"constant": "DEPTH", "above": 7, "below": 9},
    {"constant": "HALF", "equals": 4},
    {"constant": "LR", "below": 0.001},
    {"constant": "PATTERN", "contains": "S"},
    {"constant": "PATTERN", "equals": "SSSL"},
    {"constant": "BETAS", "contains": 0.95},
    {"constant": "BETAS", "equals": [0.8, 0.95]},
    {"constant": "FAST", "equals": True},
    {"constant": "FAST", "not_equals": 1},
    {"constant": "MLP.forward.softcap", "equals": 15},
    {"constant": "build.heads", "above": 3},
    {"pattern": r"relu\(x\)\.square"},
    {"pattern": r"^DEPTH = 8$"},
    {"imports": "torch"},
    {"imports": "torch.nn"},
    {"imports": "torch.nn.functional"},
    {"imports": "local"},
    {"equal": ["HALF", "HALF"]},
    {"equal": ["Config(n_head)", "Config(n_kv_head)"]},
    {"differ": ["DEPTH", "HALF"]},
    {"differ": ["Config(n_head)", "Config(n_embd)"]},
    {"differ": ["FAST", "LR"]},
    {"any": [{"defines": "Nope"}, {"defines": "MLP"}]},
    {"any": [[{"defines": "MLP"}, {"defines": "DEPTH"}]]},
    {"not": {"defines": "Nope"}},
    {"not": [{"defines": "MLP"}, {"defines": "Nope"}]},
    {"not": {"not": {"defines": "MLP"}}},
]
FALSE = [
    {"defines": "LP"},
    {"defines": "heads"},
    {"defines": "forward.MLP"},
    {"calls": "F.silu"},
    {"calls": "relu.F"},
    {"calls": "MLP"},
    {"constant": "NOPE"},
    {"constant": "NOPE", "not_equals": 1},
    {"constant": "Config(width)"},
    {"constant": "DEPTH", "equals": 9},
    {"constant": "DEPTH", "equals": "8"},
    {"constant": "DEPTH", "not_equals": 8},
    {"constant": "DEPTH", "above": 8},
    {"constant": "DEPTH", "below": 8},
    {"constant": "DEPTH", "above": "1"},
    {"constant": "PATTERN", "above": 1},
    {"constant": "PATTERN", "contains": "X"},
    {"constant": "PATTERN", "contains": 1},
    {"constant": "BETAS", "contains": 0.5},
    {"constant": "DEPTH", "contains": 8},
    {"constant": "FAST", "equals": 1},
    {"constant": "TABLE", "equals": 1},
    {"constant": "TABLE", "not_equals": 1},
    {"constant": "DEPTH", "above": 7, "below": 8},
    {"pattern": "silu"},
    {"pattern": "swish"},
    {"imports": "tor"},
    {"imports": "torch.optim"},
    {"imports": "functional"},
    {"equal": ["DEPTH", "HALF"]},
    {"equal": ["DEPTH", "NOPE"]},
    {"differ": ["DEPTH", "NOPE"]},
    {"differ": ["DEPTH", "DEPTH"]},
    {"any": [{"defines": "Nope"}, {"calls": "nope"}]},
    {"any": []},
    {"not": {"defines": "MLP"}},
]


@pytest.mark.parametrize("condition", TRUE, ids=str)
def test_holds(condition):
    assert holds(condition, [CODE])


@pytest.mark.parametrize("condition", FALSE, ids=str)
def test_does_not_hold(condition):
    assert not holds(condition, [CODE])


def test_a_list_holds_when_each_of_it_holds():
    assert all_hold([{"defines": "MLP"}, {"calls": "relu"}], [CODE])
    assert not all_hold([{"defines": "MLP"}, {"calls": "silu"}], [CODE])
    assert all_hold({"defines": "MLP"}, [CODE])
    assert all_hold([], [CODE])


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"defines": "MLP"}, "a definition of MLP"),
        ({"calls": "F.relu"}, "a call of F.relu"),
        ({"constant": "DEPTH"}, "the constant DEPTH"),
        ({"constant": "LR", "above": 0.1}, "the constant LR above 0.1"),
        (
            {"constant": "LR", "not_equals": 1, "below": 2},
            "the constant LR not equal to 1 and below 2",
        ),
        ({"constant": "P", "contains": "S"}, "the constant P containing 'S'"),
        ({"pattern": "a|b"}, "code that matches /a|b/"),
        ({"imports": "torch"}, "an import of torch"),
        ({"equal": ["A", "B"]}, "A and B to be equal"),
        ({"differ": ["A", "B"]}, "A and B to differ"),
        (
            {"any": [{"defines": "A"}, [{"defines": "B"}, {"calls": "c"}]]},
            "a definition of A or a definition of B and a call of c",
        ),
        ({"not": {"defines": "A"}}, "the absence of a definition of A"),
    ],
    ids=str,
)
def test_a_condition_is_said_in_words(condition, words):
    assert describe(condition) == words


@pytest.mark.parametrize("condition", [{}, {"defined": "A"}, {"any": [], "not": {}}])
def test_a_condition_without_one_kind_is_an_error(condition):
    with pytest.raises(RecipeError) as caught:
        kind_of(condition)
    assert str(caught.value) == (
        "a condition needs exactly one of defines, calls, constant, pattern, imports, "
        "equal, differ, any, not"
    )
