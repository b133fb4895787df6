from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.source import Code, Span, keyword_of, nearest, parse_code

SCRIPT = '''\
"""Train a small model."""
from __future__ import annotations
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import AdamW as Adam
from dataclasses import dataclass, field


@dataclass
class Config:
    """How large."""

    n_layer: int = 12
    pattern: str = "SSSL"
    width: int = field(default=64)
    later: int


# squared ReLU
@torch.compile
def act(x, power=2, *, scale=1.0):
    return scale * F.relu(x) ** power  # not gated


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.width, 4 * config.width)

    def forward(self, x):
        softcap = 15
        for _ in range(2):
            x = act(x)
        return self.c_fc(x).clamp(-softcap, softcap)


DEPTH = 8
LR: float = 3e-4
BETA1, BETA2 = 0.9, 0.95
A = B = 1
if DEPTH > 4:
    WARMUP = 0.1
else:
    WARMUP = 0.0
opt = Adam([], lr=LR)
sgd = torch.optim.SGD([], lr=LR, momentum=0.9)
sgd = torch.optim.SGD([], lr=LR)
'''


@pytest.fixture
def code():
    return Code(SCRIPT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEPTH", "8"),
        ("LR", "3e-4"),
        ("BETA1", "0.9"),
        ("BETA2", "0.95"),
        ("A", "1"),
        ("Config.n_layer", "12"),
        ("Config.pattern", '"SSSL"'),
        ("Config.width", "64"),
        ("MLP.forward.softcap", "15"),
        ("MLP.__init__.self.c_fc", "nn.Linear(config.width, 4 * config.width)"),
        ("act.power", "2"),
        ("act.scale", "1.0"),
    ],
)
def test_a_value_is_found_by_its_qualified_name(code, name, text):
    assert code.slice(code.span(code.binding(name).value)) == text


def test_a_binding_knows_how_it_stands(code):
    assert code.binding("DEPTH").direct
    assert not code.binding("DEPTH").shared
    assert code.binding("A").shared
    assert code.binding("act.power").statement is None
    assert code.binding("MLP.forward.softcap").scope == ("MLP", "forward")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DEPHT", "no constant DEPHT in the source; the nearest is DEPTH"),
        ("Q", "no constant Q in the source"),
        ("Config.later", "no constant Config.later in the source"),
        ("WARMUP", "WARMUP is assigned 2 times (lines 43, 45)"),
        ("act.x", "no constant act.x in the source; the nearest is act.scale"),
        ("softcap", "no constant softcap in the source"),
    ],
)
def test_a_value_that_is_missing_or_ambiguous_is_an_error(code, name, message):
    with pytest.raises(RecipeError) as caught:
        code.binding(name)
    assert str(caught.value).startswith(message.split(";")[0])


def test_the_nearest_name_is_pointed_out(code):
    with pytest.raises(RecipeError, match=r"; the nearest is DEPTH$"):
        code.binding("DEPTHS")
    assert nearest("GPT.fowrard", ["GPT.forward"]) == "; the nearest is GPT.forward"
    assert nearest("zzz", ["GPT.forward"]) == ""


@pytest.mark.parametrize("name", ["MLP", "MLP.forward", "act", "Config"])
def test_a_definition_is_found_by_its_qualified_name(code, name):
    assert code.definition(name).name == name.rpartition(".")[2]


def test_a_missing_definition_names_the_nearest(code):
    with pytest.raises(RecipeError) as caught:
        code.definition("MLP.fowrard")
    assert str(caught.value) == (
        "no definition of MLP.fowrard in the source; the nearest is MLP.forward"
    )


def test_a_name_defined_twice_is_ambiguous():
    code = Code("if x:\n    def f(): pass\nelse:\n    def f(): pass\n")
    with pytest.raises(RecipeError) as caught:
        code.definition("f")
    assert str(caught.value) == "f is defined 2 times (lines 2, 4)"


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("act", 1),
        ("F.relu", 1),
        ("functional.relu", 1),
        ("torch.nn.functional.relu", 1),
        ("relu", 1),
        ("Adam", 1),
        ("AdamW", 1),
        ("torch.optim.AdamW", 1),
        ("SGD", 2),
        ("torch.optim.SGD", 2),
        ("clamp", 1),
        ("MLP.forward.act", 1),
        ("MLP.act", 0),
        ("Linear", 1),
        ("nn.Linear", 1),
        ("elu", 0),
        ("compile", 0),
    ],
)
def test_calls_are_found_by_the_end_of_their_name(code, name, count):
    assert len(code.calls(name)) == count


def test_a_call_is_the_only_one_or_the_only_one_that_passes_the_keyword(code):
    assert keyword_of(code.call("AdamW", "lr"), "lr") is not None
    assert keyword_of(code.call("AdamW", "eps"), "eps") is None
    assert code.call("SGD", "momentum").node.lineno == 47


@pytest.mark.parametrize(
    ("name", "keyword", "message"),
    [
        ("Lion", "lr", "no call of Lion in the source"),
        ("SGD", "lr", "SGD is called 2 times (lines 47, 48)"),
        ("SGD", "eps", "SGD is called 2 times (lines 47, 48)"),
    ],
)
def test_a_call_that_is_missing_or_ambiguous_is_an_error(code, name, keyword, message):
    with pytest.raises(RecipeError) as caught:
        code.call(name, keyword)
    assert str(caught.value) == message


def test_many_places_are_cut_short():
    code = Code("".join(f"f({number})\n" for number in range(9)))
    with pytest.raises(RecipeError) as caught:
        code.call("f", "x")
    assert str(caught.value) == "f is called 9 times (lines 1, 2, 3, 4, 5, ...)"


def test_imports_say_what_names_stand_for(code):
    assert code.aliases["F"] == "torch.nn.functional"
    assert code.aliases["Adam"] == "torch.optim.AdamW"
    assert "torch" not in code.aliases
    assert Code("from . import x as y\n").aliases == {"y": "x"}


def test_the_bare_text_has_no_comments_and_no_docstrings(code):
    assert "squared ReLU" not in code.bare
    assert "not gated" not in code.bare
    assert "Train a small model" not in code.bare
    assert "How large" not in code.bare
    assert "return scale * F.relu(x) ** power" in code.bare
    assert '"SSSL"' in code.bare


def test_a_hash_inside_a_string_is_no_comment():
    assert Code('a = "# kept"  # gone\n').bare == 'a = "# kept"  \n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", "the source does not parse: line 1: "),
        ("a = 1\n  b = 2\n", "the source does not parse: line 2: unexpected indent"),
        ("a = '\x00'\n", "the source does not parse: "),
        ("a = '\ud800'\n", "the source does not parse: "),
        ("(" * 3000 + ")" * 3000, "the source does not parse: "),
        ("-" * 5000 + "1", "the source does not parse: "),
        ("a = " + "+".join(["1"] * 900), "the source does not parse: it nests deeper"),
    ],
)
def test_what_is_not_python_is_an_error_in_words(text, message):
    with pytest.raises(RecipeError) as caught:
        parse_code(text)
    assert str(caught.value).startswith(message)


def test_a_source_is_parsed_once():
    assert parse_code(SCRIPT) is parse_code(SCRIPT)


def test_strange_escapes_are_no_warning():
    assert parse_code("a = '\\d'\n").binding("a").name == "a"


def test_a_global_and_an_augmented_name_are_noted():
    index = Code("x = 1\nx += 1\ndef f():\n    global y\n    y = 2\n").index
    assert index.stored["x"] == 2
    assert index.globals == {"y"}


@pytest.mark.parametrize(
    "text",
    ["a, *b = 1, 2, 3\n", "a, b = f()\n", "a, b = 1, 2, 3\n", "a: int\n", "a += 1\n"],
)
def test_unpacking_that_has_no_one_value_binds_nothing(text):
    assert Code(text).index.bindings == {}


def test_only_parameters_of_functions_are_bindings():
    index = Code("f = lambda x=1: x\ndef g(a, /, b=2, *, c, d=3): ...\n").index
    assert sorted(index.bindings) == ["f", "g.b", "g.d"]


def test_offsets_are_characters_though_columns_are_bytes():
    code = Code("é = 'ü'; DEPTH = 8 # ∑\n")
    assert code.slice(code.span(code.binding("DEPTH").value)) == "8"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_newline_counts_as_one(newline):
    code = Code(newline.join(["a = 1", "", "b = 2", "c = 3"]))
    assert code.newline == newline
    assert code.slice(code.span(code.binding("c").value)) == "3"
    assert code.line_of(code.span(code.binding("b").value).start) == 3


def test_a_byte_order_mark_moves_nothing():
    code = Code("\ufeffa = 1\nb = 2\n")
    assert code.slice(code.span(code.binding("a").value)) == "1"
    assert code.replaced(Span(5, 6), "3") == "\ufeffa = 3\nb = 2\n"


def test_other_separators_are_no_newlines():
    code = Code("a = 'x\x0b\x1c\u2028y'\n\x0cb = 2\n")
    assert code.slice(code.span(code.binding("b").value)) == "2"


def test_tokens_of_a_span_stay_inside_it(code):
    span = code.span(code.call("Adam", "lr").node)
    tokens = code.tokens(span)
    assert "".join(text for text, _ in tokens) == "Adam([],lr=LR)"
    assert [code.slice(where) for _, where in tokens][-1] == ")"


NOISE = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(
            lambda text: f"# {text}"
        ),
        st.sampled_from(["", "   ", "\t", "x = 'ü' # ∂", "y = (1,\n  2)", "pass"]),
    ),
    max_size=6,
)
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])


@given(NOISE, NOISE, NEWLINES, st.sampled_from(["", "\ufeff"]), st.booleans())
def test_a_span_is_exact_whatever_stands_around_it(above, below, newline, mark, ended):
    head = "".join(line.replace("\n", newline) + newline for line in above)
    tail = newline.join(line.replace("\n", newline) for line in below)
    text = f"{mark}{head}é = 1; DEPTH = 8;  # ∑{newline}{tail}{newline * ended}"
    code = Code(text)
    span = code.span(code.binding("DEPTH").value)
    assert code.slice(span) == "8"
    start = len(mark + head) + len("é = 1; DEPTH = ")
    assert code.replaced(span, "9") == f"{text[:start]}9{text[start + 1 :]}"
