"""The checks of benchmarks/recipe_table.py find what they are there to find."""

from __future__ import annotations

import importlib.util

import pytest

from loopgraph_git.library.packs import load_packs
from tests.packs.conftest import METHODS, ROOT, TINY, edited

PATH = ROOT / "benchmarks" / "recipe_table.py"


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("recipe_table", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BATCH = "TOTAL_BATCH_SIZE = 2048  # bytes in an optimizer step"


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        ("gelu", "", "", ""),
        ("muon", "", "", ""),
        ("batch-size", "", "", ""),
        (
            "gelu",
            "WARMUP_RATIO = 0.0",
            "WARMUP_RATIO = 0.1",
            "no step names it: WARMUP",
        ),
        ("muon", "import math\n", "", "no step names it: import math"),
        ("gelu", "return x", "return return x", "does not compile: line "),
        ("batch-size", BATCH, "TOTAL_BATCH_SIZE = 1", "lost its comment: bytes in an"),
    ],
)
def test_a_line_that_no_step_names_is_missed(table, name, old, new, fault):
    after = TINY.replace(old, new, 1) if old else edited(name)
    assert after != TINY
    found = list(table.problems(METHODS[name], TINY, after))
    assert bool(found) == bool(fault)
    assert not fault or any(fault in words for words in found)


@pytest.mark.long
def test_every_recipe_on_the_workload_keeps_what_it_does_not_name(table):
    packs = load_packs([ROOT / "packs"])
    methods = [method for pack in packs for method in pack.methods]
    results = table.tried(methods, {"train.py": TINY})
    assert sum(bool(found.files) for found in results.values()) >= 20
    assert list(table.checked(methods, results.values(), {"train.py": TINY})) == []
