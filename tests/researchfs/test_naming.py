"""Methods in descriptions: the longest name counts, and what is taken away does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.records import Operation
from loopgraph_git.researchfs.naming import named_methods, targets
from tests.researchfs.making import method

SETS = Operation(verb="set", arguments={"set": "GPTConfig(n_layer)", "to": 9})
EITHER = Operation(
    verb="any",
    arguments={
        "any": [[Operation(verb="set", arguments={"set": "EMA_DECAY", "to": 0.9})]]
    },
)
METHODS = [
    method("learning-rate", aliases=("LR", "matrix LR")),
    method("embedding-lr", aliases=("wte LR",)),
    method("depth", recipe=(SETS, EITHER)),
    method("warmup", aliases=("LR warmup",)),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("matrix LR 0.04 to 0.045", ["learning-rate"]),
        ("embedding LR 0.6 to 0.8", ["embedding-lr"]),
        ("EMBEDDING_LR=0.8, MATRIX_LR=0.05", ["embedding-lr", "learning-rate"]),
        ("n_layers 12 -> 14", ["depth"]),
        ("EMA_DECAY 0.98->0.99", ["depth"]),
        ("add 5% warmup", ["warmup"]),
        ("remove the warmup", []),
        ("no LR warmup", []),
        ("", []),
        ("flurry of colours", []),
    ],
)
def test_what_a_description_tries(text, found):
    assert named_methods(METHODS, text) == found


def test_a_recipe_tells_what_it_sets():
    assert list(targets([SETS, EITHER])) == ["n_layer", "EMA_DECAY"]


@given(st.text(max_size=200))
def test_any_text_has_at_most_four_known_methods(text):
    found = named_methods(METHODS, text)
    assert len(found) <= 4
    assert set(found) <= {item.id for item in METHODS}
