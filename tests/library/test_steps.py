"""Recipes over several files: where each step lands, and why it does not."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import RecipeError
from loopgraph_git.library import recipes
from loopgraph_git.library.fitting import State, attempt, contexts, explained
from loopgraph_git.library.recipes import apply_to_files, detect, detected, missing
from loopgraph_git.records import Knob, Method

MODEL = """\
import torch


class MLP:
    def forward(self, x):
        return relu(x).square()
"""
OPTIM = """\
import torch


class Muon:
    beta = 0.9
"""
TRAIN = """\
from model import MLP

RATE = 0.1
BATCH = 8
optimizer = Muon(MLP(), lr=RATE)
"""
FILES = {
    "model.py": MODEL,
    "lib/optim.py": OPTIM,
    "train.py": TRAIN,
    "notes.md": "RATE = relu",
}


def method(*steps, name="idea", **fields):
    return Method(
        id=name,
        title=name,
        family="test",
        summary="",
        recipe=tuple(recipes.operation(step) for step in steps),
        **fields,
    )


def refused(idea, files=FILES):
    before = dict(files)
    with pytest.raises(RecipeError) as caught:
        apply_to_files(idea, files)
    assert files == before
    return str(caught.value)


def test_each_step_lands_in_the_file_where_its_place_is():
    idea = method(
        {"search": "relu(x).square()", "replace": "silu(x)"},
        {"set": "Muon.beta", "to": 0.95},
        {"set": "RATE", "times": 2},
    )
    assert apply_to_files(idea, FILES) == {
        "model.py": MODEL.replace("relu(x).square()", "silu(x)"),
        "lib/optim.py": OPTIM.replace("0.9", "0.95"),
        "train.py": TRAIN.replace("0.1", "0.2"),
    }


def test_an_import_goes_where_the_next_step_lands():
    idea = method(
        {"set": "RATE", "to": 1},
        {"import": "import math"},
        {"insert": "GATE = math.pi", "at": "end"},
        {"search": "relu(x).square()", "replace": "relu(x) * GATE"},
    )
    after = apply_to_files(idea, FILES)
    assert set(after) == {"train.py", "model.py"}
    assert "import torch\nimport math\n" in after["model.py"]
    assert after["model.py"].endswith("GATE = math.pi\n")


def test_what_comes_last_goes_where_the_last_step_landed():
    idea = method({"set": "Muon.beta", "to": 0.8}, {"insert": "A = 1", "at": "end"})
    assert apply_to_files(idea, FILES)["lib/optim.py"].endswith("\nA = 1\n")


def test_a_step_that_could_go_anywhere_goes_nowhere():
    assert refused(method({"insert": "A = 1", "at": "end"})) == (
        "idea: step 1 (insert A = 1): it could go into any of model.py, lib/optim.py, "
        "train.py"
    )


def test_alternatives_may_be_in_several_files():
    idea = method(
        {"import": "import math"},
        {
            "any": [
                [{"set": "RATE", "to": 1}, {"set": "NOWHERE", "to": 2}],
                [{"set": "RATE", "to": 3}, {"set": "Muon.beta", "to": 4}],
            ]
        },
    )
    after = apply_to_files(idea, FILES)
    assert set(after) == {"train.py", "lib/optim.py"}
    assert "import math\n\nRATE = 3\n" in after["train.py"]


def test_a_place_in_two_files_is_refused_with_both_named():
    files = {**FILES, "other.py": "RATE = 5\n"}
    assert refused(method({"set": "RATE", "to": 2}), files) == (
        "idea: step 1 (set RATE): it has a place in train.py and in other.py"
    )
    # also where one of the two has it twice
    files = {**FILES, "other.py": "RATE = 5\nRATE = 6\n"}
    words = refused(method({"set": "RATE", "to": 2}), files)
    assert words.endswith("it has a place in train.py and in other.py")


def test_a_step_without_a_place_says_why_for_every_file():
    words = refused(method({"set": "RATE", "to": 1}, {"set": "RATES", "to": 2}))
    assert words == (
        "idea: step 2 (set RATES): model.py, lib/optim.py: no constant RATES in the "
        "source; train.py: no constant RATES in the source; the nearest is RATE"
    )


def test_a_result_that_does_not_compile_is_named_by_its_file():
    idea = method(
        {"set": "RATE", "to": 1},
        {"search": "class Muon:", "replace": "class Muon"},
    )
    words = refused(idea)
    assert words.startswith("idea: lib/optim.py: the result does not compile: line 4")


def test_a_file_that_is_not_python_is_left_alone_and_a_broken_one_refused():
    assert detect(method(detect=({"pattern": "RATE"},)), FILES)
    assert not detect(method(detect=({"pattern": "RATE = relu"},)), FILES)
    broken = {**FILES, "train.py": "def"}
    lacking = missing(method(requires=({"defines": "MLP"},)), broken)
    assert [words.partition(":")[0] for words in lacking] == ["train.py"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ([{"defines": "MLP"}, {"calls": "Muon"}, {"imports": "torch"}], True),
        ({"constant": "RATE", "above": 0.01}, True),
        ({"constant": "Muon.beta", "equals": 0.9}, True),
        ({"differ": ["RATE", "Muon.beta"]}, True),
        ({"not": {"defines": "Adam"}}, True),
        ({"not": {"defines": "Muon"}}, False),
    ],
    ids=str,
)
def test_a_condition_sees_all_files(condition, holds):
    conditions = condition if isinstance(condition, list) else [condition]
    assert detect(method(detect=tuple(conditions)), FILES) == holds


def test_a_name_of_two_files_has_no_value():
    files = {"a.py": "RATE = 1\n", "b.py": "RATE = 1\n"}
    assert not detect(method(detect=({"constant": "RATE"},)), files)
    assert not detect(method(detect=({"constant": "RATE", "equals": 1},)), files)


def test_a_change_of_another_file_is_recognised():
    idea = method({"set": "Muon.beta", "to": 0.95})
    after = {**FILES, "lib/optim.py": OPTIM.replace("0.9", "0.94")}
    assert detected([idea], FILES, after) == ["idea"]
    assert detected([idea], FILES, {**FILES, "train.py": "RATE = 1\n"}) == []


GATED = method(
    {"search": "relu(x).square()", "replace": "silu(x)"},
    name="gated",
    detect=({"calls": "silu"},),
    conflicts=("smooth",),
)
SMOOTH = method(
    {"search": "relu(x).square()", "replace": "gelu(x)"},
    name="smooth",
    detect=({"calls": "gelu"},),
)
SQUARE = method({"search": ").square()", "replace": ").relu()"}, name="square")


@pytest.mark.parametrize(("first", "second"), [(GATED, SMOOTH), (SMOOTH, GATED)])
def test_a_conflict_is_named_whichever_of_the_two_says_so(first, second):
    files = {**FILES, **apply_to_files(first, FILES)}
    stands = contexts([GATED, SMOOTH], files)
    found = attempt(second, files, stands[second.id])
    assert (found.state, found.files) == (State.CONFLICT, {})
    assert found.why == (
        f"{first.id} is in the code already: {second.id} conflicts with it"
    )


def test_a_place_that_another_method_took_is_explained():
    files = {**FILES, **apply_to_files(GATED, FILES)}
    found = attempt(SQUARE, files, contexts([SQUARE], files)["square"])
    assert found.state is State.NO_PLACE
    why = explained(SQUARE, found.why, earlier=FILES, brought=["gated"])
    assert why.startswith("step 1 (search ).square()): ")
    assert why.endswith("; it applied before gated changed the code")
    # it never applied, or nothing was brought: nobody is to blame
    lost = method({"set": "LOST", "to": 1})
    assert explained(lost, "why", earlier=FILES, brought=["gated"]) == "why"
    assert explained(SQUARE, "why", earlier=FILES, brought=[]) == "why"


def test_what_is_there_already_may_still_be_turned():
    idea = method(
        {"set": "RATE", "to": "$rate"},
        detect=({"constant": "RATE"},),
        knobs=(Knob(name="rate", default=0.1, values=(0.2,)),),
    )
    found = attempt(idea, FILES, contexts([idea], FILES)["idea"])
    assert found.state is State.PRESENT
    assert found.files == {"train.py": TRAIN.replace("0.1", "0.2")}
    by_hand = method()
    found = attempt(by_hand, FILES, contexts([by_hand], FILES)["idea"])
    assert found.state is State.BY_HAND
    needy = method(requires=({"defines": "Adam"},))
    found = attempt(needy, FILES, contexts([needy], FILES)["idea"])
    assert (found.state, found.why) == (State.MISSING, "needs a definition of Adam")
