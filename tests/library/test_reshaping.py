from __future__ import annotations

import pytest

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.operations import operation
from loopgraph_git.library.steps import carried_out

BLOCK = """\
class Block:
    def forward(self, x, *rest):
        x = x + self.attn(norm(x), *rest)  # attention
        if self.deep:
            x = x + 0.5 * self.mlp(
                norm(x),  # normalised
            )
        return self.out(x)
"""


def done(source, /, **given):
    return carried_out([operation(given)], {"": source}, {"scale": 0.1})[""]


def refused(source, /, **given):
    with pytest.raises(RecipeError) as caught:
        done(source, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "wrapper", "new"),
    [
        ("y = f(x)", "g($call)", "y = g(f(x))"),
        ("y = f(x)", "f(g($argument))", "y = f(g(x))"),
        ("y = f(x, y=1)", "$scale * $call", "y = 0.1 * f(x, y=1)"),
        ("y = x + f(x)", "2 * $call", "y = x + 2 * f(x)"),
        ("y = x + f(x)", "a + $call", "y = x + (a + f(x))"),
        ("y = x * f(x)", "a + $call", "y = x * (a + f(x))"),
        ("y = f(x).float()", "2 * $call", "y = (2 * f(x)).float()"),
        ("y = f(x).float()", "g($call)", "y = g(f(x)).float()"),
        ("y = g(f(x))", "a + $call", "y = g(a + f(x))"),
        ("y = x + a * g(f(x))", "b * $term", "y = x + b * (a * g(f(x)))"),
        ("y = x + a * f(x) + z", "b * $term", "y = x + b * (a * f(x)) + z"),
        ("y = x + (a if f(x) else b)", "c * $term", "y = x + (c * (a if f(x) else b))"),
        ("y = h(x + f(x))", "b * $term", "y = h(x + b * f(x))"),
        ("y = x - f(x)", "b * $term", "y = x - b * f(x)"),
        ("y = f(\n    x,  # it\n)", "g($call)", "y = g(f(\n    x,  # it\n))"),
        ("é = 'ü' + f(x)", "g($call)", "é = 'ü' + g(f(x))"),
    ],
)
def test_a_call_is_taken_into_an_expression(old, wrapper, new):
    assert done(old, **{"wrap": "f", "as": wrapper}) == new


def test_what_stands_around_a_call_stays():
    scaled = done(BLOCK, **{"wrap": "Block.forward.self.mlp", "as": "k * $term"})
    call = BLOCK[BLOCK.index("0.5 * self.mlp(") : BLOCK.index("\n        return")]
    assert scaled == BLOCK.replace(call, f"k * ({call})")
    normed = done(scaled, **{"wrap": "Block.forward.self.attn", "as": "norm($call)"})
    assert normed == scaled.replace(
        "self.attn(norm(x), *rest)", "norm(self.attn(norm(x), *rest))"
    )


@pytest.mark.parametrize(
    ("old", "wrapper", "message"),
    [
        ("y = g(x)", "h($call)", "no call of f in the source"),
        ("f(f(x))", "h($call)", "f is called 2 times (lines 1, 1)"),
        ("y = f()", "h($argument)", "the call of f has no first argument"),
        ("y = f(*x)", "h($argument)", "the call of f has no first argument"),
        ("y = g(f(x))", "2 * $term", "the call of f stands in no sum"),
        ("y = f(x)", "h($call", "not an expression: h(f(x)"),
    ],
)
def test_a_call_that_cannot_be_wrapped(old, wrapper, message):
    assert refused(old, **{"wrap": "f", "as": wrapper}) == message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(x): pass", "def f(x, y: int): pass"),
        (
            "def f(x: list[int]) -> int: pass",
            "def f(x: list[int], y: int) -> int: pass",
        ),
        ("def f(x, /, *rest, z=1): pass", "def f(x, y: int, /, *rest, z=1): pass"),
        ("def f(\n    x,\n): pass", "def f(\n    x, y: int,\n): pass"),
        ("class A:\n    def f(self): pass", "class A:\n    def f(self, y: int): pass"),
    ],
)
def test_a_function_gets_a_parameter(old, new):
    name = "A.f" if "class" in old else "f"
    assert done(old, parameter="y: int", of=name) == new


def test_a_default_goes_after_a_default():
    new = done("def f(x=(1, 2)): pass", parameter="y: int = 3", of="f")
    assert new == "def f(x=(1, 2), y: int = 3): pass"


@pytest.mark.parametrize(
    ("old", "parameter", "message"),
    [
        ("def g(x): pass", "y", "no definition of f in the source"),
        ("class f: pass", "y", "f is a class, not a function"),
        ("def f(): pass", "y", "f has no parameter to stand after"),
        ("def f(x, *, y): pass", "y", "f has a parameter y already"),
        ("def f(x): pass", "y z", "not a parameter: y z"),
        ("def f(x): pass", "y, z", "not one parameter: y, z"),
        ("def f(x): pass", "y, **z", "not one parameter: y, **z"),
        ("def f(x): pass", "y): pass\ndef g(z", "not one parameter: y): pass\ndef g(z"),
    ],
)
def test_a_parameter_that_cannot_be_added(old, parameter, message):
    assert refused(old, parameter=parameter, of="f") == message


def test_a_place_can_be_the_statement_of_a_call():
    text = done(BLOCK, insert="y = x", before="Block.forward.self.mlp()")
    assert text == BLOCK.replace(
        "            x = x + 0.5", "            y = x\n            x = x + 0.5"
    )
    text = done(BLOCK, insert="y = x", after="Block.forward.self.mlp()")
    assert text == BLOCK.replace(
        "            )\n", "            )\n            y = x\n"
    )
    text = done(BLOCK, insert="y = x", after="self.attn()")
    assert text == BLOCK.replace("# attention\n", "# attention\n        y = x\n")
    assert refused(BLOCK, insert="x = 1", after="self.out()") == (
        "self.out() stands in a statement that nothing can follow"
    )
    two = "f(a)\nf(b)\n"
    assert done(two, insert="y = 1", after="f[a]()") == "f(a)\ny = 1\nf(b)\n"
    assert refused(BLOCK, insert="y = x", after="norm()").startswith("norm is called 2")
