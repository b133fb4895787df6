from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.recipes import (
    apply_operations,
    apply_recipe,
    detect,
    detected,
    knob_values,
    lacks,
    missing,
    operation,
)
from loopgraph_git.records import Knob, Method

SCRIPT = """\
import torch
import torch.nn.functional as F

# width
WIDTH = 64
BATCH = 2**19  # tokens
LR = 3e-4
PATTERN = "SSSL"
WARMUP = 0.0


class MLP:
    def forward(self, x):
        return F.relu(x).square()


optimizer = torch.optim.AdamW([], lr=LR)
"""


def method(*steps, name="idea", **fields):
    return Method(
        id=name,
        title=name,
        family="test",
        summary="",
        recipe=tuple(operation(step) for step in steps),
        **fields,
    )


def refused(idea, source=SCRIPT, **options):
    with pytest.raises(RecipeError) as caught:
        apply_recipe(idea, source, **options)
    return str(caught.value)


def test_the_steps_of_a_recipe_build_on_each_other():
    idea = method(
        {"import": "import math"},
        {"insert": "GATE = 2", "after": "WIDTH"},
        {"set": "GATE", "times": 4},
        {"search": "F.relu(x).square()", "replace": "F.silu(x) * GATE"},
    )
    assert apply_recipe(idea, SCRIPT) == SCRIPT.replace(
        "as F\n", "as F\nimport math\n"
    ).replace("WIDTH = 64\n", "WIDTH = 64\nGATE = 8\n").replace(
        "F.relu(x).square()", "F.silu(x) * GATE"
    )


def test_a_recipe_applies_as_a_whole_or_not_at_all():
    idea = method({"set": "WIDTH", "to": 128}, {"set": "NOPE", "to": 1}, name="wide")
    assert refused(idea) == "wide: step 2 (set NOPE): no constant NOPE in the source"


def test_a_method_without_a_recipe_says_so():
    assert refused(method(name="moe")) == (
        "moe has no recipe: its edit is written by hand"
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"set": "WIDTH", "to": 64}, "idea: the source would mean the same as before"),
        (
            {"set": "BATCH", "to": 524288},
            "idea: the source would mean the same as before",
        ),
        (
            {"insert": "# only words", "after": "WIDTH"},
            "idea: the source would mean the same as before",
        ),
        ({"import": "import torch"}, "idea: the source would mean the same as before"),
        (
            {"search": "return F", "replace": "retrun F"},
            "idea: the result does not compile: line 14: ",
        ),
        (
            {"insert": "return 1", "after": "WIDTH"},
            "idea: the result does not compile: line 6: 'return' outside function",
        ),
        (
            {"delete": "MLP.forward"},
            "idea: the result does not compile: line 13: expected an indented block",
        ),
        (
            {"insert": "x = '\x00'", "at": "end"},
            "idea: the result does not compile: ",
        ),
    ],
)
def test_a_result_is_new_and_compiles(step, message):
    assert refused(method(step)).startswith(message)


def test_a_source_that_is_no_python_is_refused():
    assert refused(method({"set": "X", "to": 1}), "def f(:\n").startswith(
        "idea: step 1 (set X): the source does not parse: line 1: "
    )


def test_several_searches_may_pass_through_text_that_is_no_python():
    steps = [
        {"search": "def forward(self, x):", "replace": "def forward(self,"},
        {"search": "def forward(self,", "replace": "def forward(self, x, y=1):"},
    ]
    assert "x, y=1" in apply_operations([operation(step) for step in steps], SCRIPT)


def test_operations_need_no_method():
    new = apply_operations([operation({"set": "LR", "to": 0.1})], SCRIPT)
    assert new == SCRIPT.replace("LR = 3e-4", "LR = 1e-1")
    with pytest.raises(RecipeError, match=r"^block 2: step 1 \(set NOPE\): no const"):
        apply_operations([operation({"set": "NOPE", "to": 1})], SCRIPT, name="block 2")
    with pytest.raises(RecipeError, match=r"^edit: the source would mean the same"):
        apply_operations([], SCRIPT)


def test_a_byte_order_mark_and_crlf_survive():
    source = "\ufeff" + SCRIPT.replace("\n", "\r\n")
    new = apply_recipe(method({"set": "WIDTH", "times": 2}), source)
    assert new == source.replace("WIDTH = 64", "WIDTH = 128")


def test_a_strange_escape_in_the_source_is_no_warning():
    new = apply_recipe(method({"set": "X", "to": 2}), "X = 1\ny = '\\d'\n")
    assert new == "X = 2\ny = '\\d'\n"


FACTOR = Knob(name="factor", default=0.5, values=(0.5, 2))
TURNED = method({"set": "BATCH", "times": "$factor"}, knobs=(FACTOR,), name="batch")


def test_knobs_have_defaults_and_can_be_turned():
    assert "BATCH = 2**18  # tokens" in apply_recipe(TURNED, SCRIPT)
    assert "BATCH = 2**20  # tokens" in apply_recipe(
        TURNED, SCRIPT, knobs={"factor": 2}
    )
    assert knob_values(TURNED) == {"factor": 0.5}
    assert knob_values(TURNED, {"factor": 4}) == {"factor": 4}


def test_a_knob_that_does_not_exist_is_refused():
    assert refused(TURNED, knobs={"facter": 2}) == (
        "batch has no knob facter; its knobs: factor"
    )
    assert refused(method({"set": "LR", "to": 1}), knobs={"a": 1}) == (
        "idea has no knob a; its knobs: none"
    )


def test_a_knob_without_a_value_is_refused():
    idea = method({"set": "LR", "to": "$rate"}, knobs=(Knob(name="rate"),))
    assert refused(idea) == "idea: step 1 (set LR): the knob $rate has no value"
    assert "LR = 1e-1" in apply_recipe(idea, SCRIPT, knobs={"rate": 0.1})


def test_a_method_is_detected_by_all_of_its_conditions():
    conditions = ({"calls": "functional.relu"}, {"constant": "WIDTH", "above": 32})
    assert detect(method(detect=conditions), SCRIPT)
    assert not detect(method(detect=(*conditions, {"defines": "GLU"})), SCRIPT)


def test_nothing_is_detected_without_conditions_or_python():
    assert not detect(method(), SCRIPT)
    assert not detect(method(detect=({"defines": "f"},)), "def f(:\n")


def test_code_lacks_a_method_only_where_it_shows():
    assert lacks(method(detect=({"defines": "GLU"},)), SCRIPT)
    assert not lacks(method(detect=({"calls": "functional.relu"},)), SCRIPT)
    assert not lacks(method(), SCRIPT)
    assert not lacks(method(detect=({"defines": "f"},)), "int f() {}\n")


def test_what_is_missing_is_said_in_words():
    idea = method(
        requires=(
            {"defines": "MLP"},
            {"defines": "Router"},
            {"constant": "WARMUP", "above": 0},
            {"not": {"calls": "relu"}},
        )
    )
    assert missing(idea, SCRIPT) == [
        "needs a definition of Router",
        "needs the constant WARMUP above 0",
        "needs the absence of a call of relu",
    ]
    assert missing(method(), SCRIPT) == []
    assert missing(idea, "def f(:\n")[0].startswith("the source does not parse: ")


def changed(old, new):
    assert old in SCRIPT
    return SCRIPT.replace(old, new)


SWIGLU = method(
    {"replace": "MLP", "with": "class MLP: pass"},
    {"set": "LR", "times": 0.5},
    name="swiglu",
    detect=({"calls": "silu"},),
)
HIGHER = method({"set": "LR", "times": 2}, name="higher-lr")
LOWER = method({"set": "LR", "times": 0.5}, name="lower-lr")
WARM = method({"set": "WARMUP", "to": 0.1}, name="warmup")
SHORT = method({"set": "PATTERN", "to": "SSL"}, name="short-window")
FULL = method({"set": "PATTERN", "to": "L"}, name="full-window")
WINDOW = method(
    {"set": "PATTERN", "to": "$pattern"},
    name="window",
    knobs=(Knob(name="pattern", default="SL", values=("SL", "L")),),
)
EITHER = method(
    {
        "any": [
            [{"set": "BATCH_SIZE", "times": 0.5}],
            [{"set": "BATCH", "times": 0.5}],
        ]
    },
    name="batch",
)
CODED = method({"set": "WIDTH", "code": "LR * 2"}, name="coded")
CALLED = method(
    {"set": "AdamW(lr)", "times": 2}, {"import": "import math"}, name="called"
)
BOTH = method({"set": "LR", "times": 2}, {"set": "WARMUP", "to": 0.1}, name="both")
EDITED = method(
    {"set": "WIDTH", "times": 2}, {"delete": "PATTERN"}, name="edited-and-set"
)
TUNED = method(
    {"set": "WARMUP", "to": 0.1},
    name="tuned",
    detect=({"constant": "WARMUP", "above": 0},),
)
ALL = [
    SWIGLU,
    HIGHER,
    LOWER,
    WARM,
    SHORT,
    FULL,
    WINDOW,
    EITHER,
    CODED,
    CALLED,
    BOTH,
    EDITED,
    TUNED,
    TURNED,
]


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("F.relu(x).square()", "F.silu(x)", ["swiglu"]),
        ("LR = 3e-4", "LR = 9e-4", ["higher-lr", "called"]),
        ("LR = 3e-4", "LR = 1e-4", ["lower-lr"]),
        ("LR = 3e-4", "LR = 0.0003", []),
        ("WARMUP = 0.0", "WARMUP = 0.05", ["warmup", "tuned"]),
        ("WARMUP = 0.0", "WARMUP = -0.05", []),
        ("WARMUP = 0.0", "WARMUP = 0.3", ["tuned"]),
        ('PATTERN = "SSSL"', 'PATTERN = "SSL"', ["short-window", "window"]),
        ('PATTERN = "SSSL"', 'PATTERN = "L"', ["full-window", "window"]),
        ('PATTERN = "SSSL"', 'PATTERN = "SSSSL"', ["window"]),
        ('PATTERN = "SSSL"', "PATTERN = 'SSSL'", []),
        ("BATCH = 2**19", "BATCH = 100_000", ["batch", "batch"]),
        ("BATCH = 2**19", "BATCH = 2**20", ["batch"]),
        ("WIDTH = 64", "WIDTH = 32", ["coded"]),
        ("WIDTH = 64", "WIDTH = f()", ["coded"]),
        ("WIDTH = 64", "width = 64", []),
        ("# width", "# how wide", []),
        ("lr=LR", "lr=1e-3", ["called"]),
    ],
)
def test_the_methods_of_an_unlabelled_change_are_recognised(old, new, names):
    assert detected(ALL, SCRIPT, changed(old, new)) == names


def test_every_target_of_a_recipe_has_to_move():
    source = changed("LR = 3e-4", "LR = 6e-4")
    assert "both" not in detected([BOTH], SCRIPT, source)
    source = source.replace("WARMUP = 0.0", "WARMUP = 0.2")
    assert detected([BOTH], SCRIPT, source) == []
    source = source.replace("WARMUP = 0.2", "WARMUP = 0.15")
    assert detected([BOTH], SCRIPT, source) == ["both"]


def test_a_method_that_was_there_is_recognised_when_it_is_tuned():
    before = changed("WARMUP = 0.0", "WARMUP = 0.02")
    after = changed("WARMUP = 0.0", "WARMUP = 0.08")
    assert detected([TUNED], before, after) == ["tuned"]
    assert detected([TUNED], after, before) == []
    assert detected([TUNED], before, SCRIPT) == []


def test_a_change_of_something_that_is_no_python_brings_nothing():
    assert detected(ALL, SCRIPT, "def f(:\n") == []
    assert detected([HIGHER], "def f(:\n", SCRIPT) == []


ADDED = method({"set": "AdamW(eps)", "to": 1e-6}, name="added")
TURNED_ON = method(
    {"set": "AdamW(eps)", "to": "$eps"},
    name="turned-on",
    knobs=(Knob(name="eps", default=1e-6),),
)
WRITTEN = method({"set": "AdamW(lr)", "code": "LR * 2"}, name="written")
WRITTEN_IN = method({"set": "AdamW(eps)", "code": "LR / 9"}, name="written-in")
AFTER_WARMUP = method(
    {"set": "WARMUP", "to": 0.1, "unless": {"constant": "WARMUP", "above": 0}},
    {"set": "LR", "times": 2},
    name="after-warmup",
)
RISING = [ADDED, TURNED_ON, WRITTEN, WRITTEN_IN, AFTER_WARMUP]


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("lr=LR)", "lr=LR, eps=1e-6)", ["added", "turned-on", "written-in"]),
        ("lr=LR)", "lr=LR, eps=1e-9)", ["turned-on", "written-in"]),
        ("lr=LR)", "lr=LR, eps=f())", ["written-in"]),
        ("lr=LR)", "lr=LR * 4)", ["written"]),
        ("lr=LR)", "lr=(LR))", []),
        ("lr=LR)", "weight_decay=0.1)", []),
        ("LR = 3e-4", "LR = 6e-4", []),
    ],
)
def test_keywords_and_expressions_are_recognised(old, new, names):
    assert detected(RISING, SCRIPT, changed(old, new)) == names


def test_a_step_that_would_be_skipped_need_not_move():
    before = changed("WARMUP = 0.0", "WARMUP = 0.2")
    after = before.replace("LR = 3e-4", "LR = 6e-4")
    assert detected([AFTER_WARMUP], before, after) == ["after-warmup"]


def test_expressions_that_only_look_different_are_the_same():
    idea = method({"set": "WIDTH", "code": "LR * 2"}, name="coded")
    assert detected([idea], SCRIPT, changed("WIDTH = 64", "WIDTH = 2**6")) == []


def test_taking_a_method_away_brings_nothing():
    with_it = changed("F.relu(x).square()", "F.silu(x)")
    assert detected([SWIGLU], with_it, SCRIPT) == []


@pytest.mark.parametrize(
    "idea", [HIGHER, LOWER, WARM, SHORT, FULL, WINDOW, EITHER, TUNED]
)
def test_what_a_recipe_does_is_recognised_as_its_method(idea):
    assert detected([idea], SCRIPT, apply_recipe(idea, SCRIPT)) == [idea.id]


@given(
    st.lists(st.sampled_from(["# é", "", "y = 1", "z = '∂'"]), max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([2, 3, 0.5, 10]),
)
def test_a_recipe_leaves_everything_else_alone(noise, newline, factor):
    source = newline.join([*noise, *SCRIPT.splitlines(), *noise])
    idea = method({"set": "WIDTH", "times": factor})
    new = apply_recipe(idea, source)
    assert new == source.replace("WIDTH = 64", f"WIDTH = {int(64 * factor)}")
