from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.library.literals import NotConstantError
from loopgraph_git.library.meaning import (
    constants,
    expression,
    normalised,
    same_meaning,
    value_of,
)
from loopgraph_git.library.source import Code, parse_code


def test_constants_are_those_of_the_module_and_its_classes():
    source = (
        "DEPTH = 2**3\n"
        "WIDTH: int = DEPTH * 64\n"
        "A, B = 0.9, (1, [2])\n"
        "NAME = 'SS' + 'L'\n"
        "torch.backends.x.allow = True\n"
        "os.environ['X'] = '1'\n"
        "OTHER = f(3)\n"
        "@dataclass\n"
        "class Config:\n"
        "    n_layer: int = DEPTH\n"
        "    n_embd: int = n_layer * 2\n"
        "    width: int = field(default=WIDTH)\n"
        "    names: list = field(default_factory=list)\n"
        "    def f(self):\n"
        "        local = 3\n"
        "def main(lr=1):\n"
        "    inside = 2\n"
    )
    assert constants(source) == {
        "DEPTH": 8,
        "WIDTH": 512,
        "A": 0.9,
        "B": (1, (2,)),
        "NAME": "SSL",
        "torch.backends.x.allow": True,
        "Config.n_layer": 8,
        "Config.n_embd": 16,
        "Config.width": 512,
    }


@pytest.mark.parametrize(
    "source",
    [
        "X = 1\nX += 1\n",
        "X = 1\nif c:\n    X = 2\n",
        "X = 1\nfor X in y: pass\n",
        "X = 1\nwhile c:\n    X = 2\n",
        "X = 1\ndel X\n",
        "X = 1\nwith f() as X: pass\n",
        "X = 1\ndef f():\n    global X\n    X = 2\n",
        "X = 1\nX, *rest = f()\n",
        "X = 1\nX = f()\n",
        "X = f()\n",
        "X = Y\n",
        "X = 9**9**9\n",
        "if c:\n    X = 1\n",
        "not python",
    ],
)
def test_a_name_that_may_change_is_no_constant(source):
    assert "X" not in constants(source)


def test_the_last_of_two_plain_assignments_counts():
    assert constants("X = 1\nY = X\nX = 2\nZ = X\n") == {"X": 2, "Y": 1, "Z": 2}


def test_a_name_of_a_nested_class_is_not_a_constant():
    assert constants("class A:\n    class B:\n        x = 1\n    y = 2\n") == {"A.y": 2}


def test_a_class_sees_the_module_and_not_another_class():
    source = "n = 1\nclass A:\n    n = 2\n    m = n\nclass B:\n    m = n\n"
    assert constants(source)["A.m"] == 2
    assert constants(source)["B.m"] == 1


SAME = [
    ("LR = 2**19\n", "LR = 524288  # ~524K\n"),
    ("LR = -1e-3\n", "LR = -0.001\n"),
    ("x = 'a' 'b'\n", 'x = "ab"\n'),
    ("x = 'a' + 'b'\n", "x = 'ab'\n"),
    ("def f(a,b): return a\n", "def f(a, b):\n    # why\n    return a\n"),
    ('"""Doc."""\nx = 1\n', "x = 1\n"),
    ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1\n"),
    ("class A:\n    'Doc.'\n    x = 1\n", "class A:\n    x = 1\n"),
    ("x = (1 + 2) * y\n", "x = 3 * y\n"),
    ("x = f(2 * 3, k=4 - 1)\n", "x = f(6, k=3)\n"),
    ("x = 1\r\ny = 2\r\n", "x = 1\ny = 2"),
    ("x = (1)\n", "x = 1\n"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_what_does_the_same_is_normalised_to_the_same(left, right):
    assert normalised(left) == normalised(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x = 1\n", "x = 2\n"),
        ("x = 1\n", "x = 1.0\n"),
        ("x = 1\n", "x = True\n"),
        ("x = '1'\n", "x = 1\n"),
        ("x = (1, 2)\n", "x = [1, 2]\n"),
        ("x = a * b\n", "x = b * a\n"),
        ("def f(): return 1\n", "def g(): return 1\n"),
        ("a = 1\nb = 2\n", "b = 2\na = 1\n"),
        ("f('x')\n", "f('y')\n"),
    ],
)
def test_what_differs_stays_different(left, right):
    assert normalised(left) != normalised(right)


def test_a_text_that_is_no_python_is_its_own_meaning():
    assert normalised("  not python \n") == "not python"


def test_normalising_leaves_the_parsed_source_alone():
    code = parse_code('"""Doc."""\nLR = 2**3\n')
    normalised('"""Doc."""\nLR = 2**3\n')
    assert len(code.tree.body) == 2
    assert code.slice(code.span(code.binding("LR").value)) == "2**3"


@given(st.integers(0, 40), st.integers(1, 999))
def test_arithmetic_and_its_result_mean_the_same(power, factor):
    text = f"x = f({factor} * 2**{power}, {factor} - {power})\n"
    assert normalised(text) == normalised(
        f"x = f({factor * 2**power}, {factor - power})\n"
    )


SCRIPT = """\
LR = 3e-4
WIDTH = 64
class Config:
    n_head: int = WIDTH // 8
def build(depth, WIDTH=3):
    scale = WIDTH * 2
    rate = LR * 2
    return Config(n_head=depth, n_kv=depth)
opt = AdamW(params, lr=LR, eps=1e-8, betas=betas)
sgd(1)
sgd(2)
"""


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("LR", 3e-4),
        ("Config.n_head", 8),
        ("AdamW(lr)", 3e-4),
        ("AdamW(eps)", 1e-8),
        ("build.rate", 6e-4),
        ("build.WIDTH", 3),
    ],
)
def test_a_target_has_an_effective_value(target, value):
    assert value_of(Code(SCRIPT), target) == value


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("build.scale", "not a constant expression"),
        ("AdamW(betas)", "not a constant expression"),
        ("AdamW(decay)", "AdamW(decay) is not in the source"),
        ("Lion(lr)", "Lion(lr) is not in the source"),
        ("sgd(lr)", "sgd(lr) is not in the source"),
        ("NOPE", "NOPE is not in the source"),
        ("not a name", "not a name is not in the source"),
    ],
)
def test_a_target_without_a_value_says_so(target, message):
    with pytest.raises(NotConstantError) as caught:
        value_of(Code(SCRIPT), target)
    assert str(caught.value) == message


def test_an_expression_comes_with_its_scope():
    found = expression(Code(SCRIPT), "Config(n_kv)")
    assert found is not None
    assert found[1] == ("build",)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("A = 1\nB = 2**3\n", "# one\nA = 1\n\nB = 8; \n", True),
        ('"""Doc."""\nA = 1', "A = 1", True),
        ("A = 1; B = 2", "A = 1\nB = 2", True),
        ("@d\ndef f(): pass", "@e\ndef f(): pass", False),
        ("A = 1\nB = 2", "B = 2\nA = 1", False),
        ("A = 1", "A = 1\nB = 2", False),
        ("\ufeffA = 1", "A = 1", True),
        ("not python ", "not python", True),
        ("not python", "A = 1", False),
    ],
)
def test_sources_that_do_the_same_are_known(left, right, same):
    assert same_meaning(left, right) == same
    assert same_meaning(right, left) == same
