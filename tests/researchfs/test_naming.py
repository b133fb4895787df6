"""Methods in descriptions: the longest name counts, and what is taken away does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.records import Operation
from loopgraph_git.researchfs.naming import Names, targets
from tests.researchfs.making import method

SETS = Operation(verb="set", arguments={"set": "GPTConfig(n_layer)", "to": 9})
EITHER = Operation(
    verb="any",
    arguments={
        "any": [[Operation(verb="set", arguments={"set": "EMA_DECAY", "to": 0.9})]]
    },
)
BRINGS = Operation(verb="add", arguments={})
DECAYS = Operation(verb="set", arguments={"set": "dict(weight_decay)", "to": 0.1})
FALLS = Operation(verb="set", arguments={"set": "WARMDOWN_RATIO", "to": 0.3})
METHODS = [
    method("learning-rate", aliases=("LR", "matrix LR")),
    method("embedding-lr", aliases=("wte LR",)),
    method("depth", recipe=(SETS, EITHER), aliases=("# layers",)),
    method("warmup", aliases=("LR warmup",)),
    method("muon", aliases=("Muon",), recipe=(BRINGS,)),
    method("muon-renorm", aliases=("Muon+",), recipe=(BRINGS,)),
    method("value-embedding", aliases=("VE",), recipe=(BRINGS,)),
    method("weight-decay", aliases=("AdamW",), recipe=(DECAYS,)),
    method("value-embedding-decay", aliases=("VE weight decay",), recipe=(DECAYS,)),
    method("warmdown", recipe=(FALLS,)),
    method("cosine-decay", recipe=(FALLS,)),
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
        # names of the same number, written in any way
        ("VE WD 0.001 to 0.002", ["value-embedding-decay"]),
        ("value embedding weight_decay=0.1", ["value-embedding-decay"]),
        ("embed lr 0.5", ["embedding-lr"]),
        ("8 layers", ["depth"]),
        ("16k layers and all LRs", ["depth", "learning-rate"]),
        ("Muon on 8 layers, not the 8 layers", ["muon"]),
        ("every layer", []),
        # what is turned, and what is turned in
        ("Muon WD 0.2 to 0.22", ["weight-decay"]),
        ("Muon, WD 0.2", ["muon", "weight-decay"]),
        ("Muon with WD 0.2", ["muon", "weight-decay"]),
        ("VE Muon", ["muon", "value-embedding"]),
        ("try Muon's weight decay", ["weight-decay"]),
        ("we've tried nothing", []),
        # a constant is its namesake's, and a sign is no word
        ("WARMDOWN_RATIO 0.4 -> 0.3", ["warmdown"]),
        ("weight_decay 0.1", ["weight-decay"]),
        ("Muon", ["muon"]),
        # beside what is tried
        ("add warmup (Muon needs it (badly))", ["warmup"]),
        ("best so far (Muon, 8 layers)", ["depth", "muon"]),
        ("add warmup (hypothesis: Muon", ["warmup"]),
        ("raise matrix lr while keeping Muon and 8 layers", ["learning-rate"]),
        ("", []),
        ("flurry of colours", []),
    ],
)
def test_what_a_description_tries(text, found):
    assert Names(METHODS).tried(text) == found


def test_a_recipe_tells_what_it_sets():
    assert list(targets([SETS, EITHER])) == ["n_layer", "EMA_DECAY"]


@given(st.text(max_size=200))
def test_any_text_has_at_most_four_known_methods(text):
    found = Names(METHODS).tried(text)
    assert len(found) <= 4
    assert set(found) <= {item.id for item in METHODS}
