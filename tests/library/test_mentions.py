"""A method is mentioned by whole words, spelt as names are spelt."""

from __future__ import annotations

import pytest

from loopgraph_git.library.mentions import Mentions
from loopgraph_git.records import Method


def method(name, title, *aliases):
    return Method(id=name, title=title, family="f", summary="s", aliases=aliases)


METHODS = [
    method("swiglu", "SwiGLU feed-forward", "SwiGLU", "gated linear unit"),
    method("glu", "GLU"),
    method("muon", "Muon for matrices", "orthogonalised momentum"),
    method("depth", "Number of layers", "layers", "n_layer", "DEPTH"),
    method("fp8", "Products in 8 bits"),
    method("relu", "ReLU"),
    method("leaky-relu", "Leaky ReLU"),
    method("qk-norm", "QK norm", "QKNorm"),
    method("lr-warmup", "Learning-rate warmup"),
    method("mlp-ratio", "Width of the feed-forward layer", "MLP #"),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SwiGLU beats ReLU", {"swiglu": 1, "relu": 1}),
        ("GLU, GLUs and (GLU)", {"glu": 3}),
        ("ReGLU, GLUE and IGLU", {}),
        ("Gated linear\n  units", {"swiglu": 1}),
        ("gated-linear unit; gated linear. Unit", {"swiglu": 1}),
        ("Leaky ReLU and leaky-ReLU", {"leaky-relu": 2}),
        ("a leaky relu", {"leaky-relu": 1}),
        ("F.relu(self.use_swiglu)", {"relu": 1, "swiglu": 1}),
        ("the depth of layers: an n-layer net", {}),
        ("config.n_layer = DEPTH; N_LAYER", {"depth": 2}),
        ("number of layers in fp8", {"depth": 1, "fp8": 1}),
        ("muon decay of a MUON", {"muon": 1}),
        ("Muon: Orthogonalised Momentum", {"muon": 2}),
        ("QK-Norm, QK_norm, QKNorm, qknorm", {"qk-norm": 3}),
        ("learning rate warmup, learning-rate   warmup", {"lr-warmup": 2}),
        ("learning rate, warmup", {}),
        ("the MLP, four MLPs and MLP 4", {}),
        ("", {}),
    ],
)
def test_what_is_mentioned(text, found):
    assert Mentions(METHODS).find(text) == found


def test_a_name_of_two_methods_speaks_of_both():
    two = [method("a", "Gate"), method("b", "Gate")]
    assert Mentions(two).find("Gate") == {"a": 1, "b": 1}


def test_without_methods_nothing_is_mentioned():
    assert Mentions([method("x", "…")]).find("x … y") == {}
    assert Mentions([]).find("anything") == {}
