"""The code as it is: cut into definitions, found by their words."""

from __future__ import annotations

import pytest
from hypothesis import given

from loopgraph_git.researchfs.codesearch import cut, find_code
from loopgraph_git.researchfs.search import search
from tests.fuzz import hostile

CODE = """\
import torch
from torch import nn

MATRIX_LR = 0.04


class Block(nn.Module):
    width: int = 3

    @property
    def gate(self):
        return self.swiGluMlp


def norm(x):
    # root mean square
    return x


model = Block()
for step in range(3):
    print(step)
"""


def test_a_file_is_cut_at_definitions():
    pieces = {item.key: item.title for item in cut("train.py", CODE)}
    assert pieces == {
        "train.py:1": "import torch",
        "train.py:4": "MATRIX_LR = 0.04",
        "train.py:7": "class Block(nn.Module):",
        "train.py:10": "def gate(self):",
        "train.py:15": "def norm(x):",
        "train.py:20": "model = Block()",
        "train.py:21": "for step in range(3):",
    }
    assert "\n".join(item.text for item in cut("train.py", CODE)) == CODE


def test_what_is_not_python_is_cut_into_pieces():
    text = "def broken(:\n" + "line\n" * 60
    assert [item.key for item in cut("x", text)] == ["x:1", "x:41"]
    assert [item.text for item in cut("x", "")] == [""]


@pytest.mark.parametrize(
    ("query", "key", "marked", "why"),
    [
        ("matrix_lr", "train.py:4", ["MATRIX", "LR"], "code: matrix, lr"),
        ("swiglu mlp", "train.py:10", ["swiGluMlp"], "code: swiglumlp"),
        ("mean squares", "train.py:15", ["mean", "square"], "code: mean, square"),
    ],
)
def test_definitions_are_found(query, key, marked, why):
    found = find_code({"train.py": CODE}, query)[0]
    assert found.definition.key == key
    assert [found.snippet[a:b] for a, b in found.marks] == marked
    assert found.why == why


def test_code_is_one_kind_among_others(store):
    hits = search(store, "norm", code={"train.py": CODE})
    assert [(hit.kind, hit.key, hit.title) for hit in hits] == [
        ("code", "train.py:15", "def norm(x):")
    ]
    assert not search(store, "norm verdict:keep", code={"train.py": CODE})


@given(hostile.mutated(hostile.text.map(lambda text: CODE + text)))
def test_any_file_is_code(text):
    for item in find_code({"a": text}, "norm range x 3"):
        assert "\n" not in item.snippet + item.definition.title
