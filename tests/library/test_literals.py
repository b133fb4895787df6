from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.library.literals import (
    NotConstantError,
    evaluate,
    is_number,
    scaled,
    written,
)


def value(text, **names):
    return evaluate(ast.parse(text, mode="eval").body, names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("2**19", 524288),
        ("1 << 19", 524288),
        ("1024 >> 2", 256),
        ("-1e-3", -0.001),
        ("+3", 3),
        ("not True", False),
        ("0.5", 0.5),
        ("64 * 1024", 65536),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("1 / 4", 0.25),
        ("2 ** -1", 0.5),
        ("2 ** 0.5", math.sqrt(2)),
        ("'SSSL'", "SSSL"),
        ("'SS' + 'SL'", "SSSL"),
        ("'S' * 3 + 'L'", "SSSL"),
        ("3 * 'S'", "SSS"),
        ("(0.9, 0.95)", (0.9, 0.95)),
        ("[1, 2]", (1, 2)),
        ("(1,) * 3", (1, 1, 1)),
        ("(1,) + (2,)", (1, 2)),
        ("()", ()),
        ("None", None),
        ("True", True),
        ("int(1e9)", 1_000_000_000),
        ("float(2)", 2.0),
        ("(1 + 2) * 3 - 4", 5),
    ],
)
def test_constant_arithmetic_is_computed(text, expected):
    result = value(text)
    assert result == expected
    assert type(result) is type(expected)


def test_names_have_the_values_they_are_given():
    assert value("DEPTH * 64", DEPTH=8) == 512
    with pytest.raises(NotConstantError, match="not a constant expression"):
        value("DEPTH * 64")


@pytest.mark.parametrize(
    "text",
    [
        "f()",
        "int()",
        "int('3')",
        "int(3, base=4)",
        "len('abc')",
        "a.b",
        "[x for x in y]",
        "b'bytes'",
        "...",
        "1j",
        "{'a': 1}",
        "x if y else z",
        "1 < 2",
        "1 @ 2",
        "~1",
        "{1, 2}",
    ],
)
def test_anything_else_is_not_constant(text):
    with pytest.raises(NotConstantError):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "10**1000000000",
        "2**(2**40)",
        "1 << 10**12",
        "'x' * 10**9",
        "10**9 * 'x'",
        "(0,) * 10**9",
        "2.0**100000",
        "1e300 * 1e300",
        "(2**1000) * (2**1000)",
        "'%1000000000d' % 1",
        "(-8) ** 0.5",
        "1 / 0",
        "1 % 0",
        "1 << -1",
        "'a' + 1",
        "'a' - 'b'",
        "(1,) + 'a'",
        "'a' * 'b'",
        "'a' * 2.0",
        "-'a'",
        "-None",
    ],
)
def test_what_is_huge_or_makes_no_sense_is_refused_at_once(text):
    with pytest.raises(NotConstantError):
        value(text)


def test_a_number_is_no_bool():
    assert is_number(1)
    assert is_number(0.5)
    assert not is_number(True)
    assert not is_number("1")
    assert not is_number(None)


@pytest.mark.parametrize(
    ("old", "factor", "product"),
    [
        (0.1, 3, 0.3),
        (0.04, 1.5, 0.06),
        (0.3, 1.1, 0.33),
        (0.6, 1 / 3, 0.2),
        (524288, 0.5, 262144),
        (524288, 2, 1048576),
        (3, 0.5, 1.5),
        (10, 0.1, 1),
        (1e-5, 10, 1e-4),
        (0, 5, 0),
        (-4, 0.5, -2),
        (10**30, 0.5, 5 * 10**29),
        (8.156554524902461, 1, 8.156554524902461),
        (8.156554524902461, 1.0, 8.156554524902461),
    ],
)
def test_scaling_has_no_rounding_noise(old, factor, product):
    result = scaled(old, factor)
    assert result == product
    assert type(result) is type(product)


@pytest.mark.parametrize(("old", "factor"), [(1e300, 1e300), (0.5, math.inf)])
def test_scaling_out_of_range_is_refused(old, factor):
    with pytest.raises(NotConstantError, match="is not a finite number"):
        scaled(old, factor)


@given(st.integers(-(10**12), 10**12), st.sampled_from([2, 4, 10, 0.5, 0.25, 0.1]))
def test_scaling_there_and_back_again_keeps_an_int(number, factor):
    back = {2: 0.5, 4: 0.25, 10: 0.1, 0.5: 2, 0.25: 4, 0.1: 10}[factor]
    if factor < 1:
        number *= 20
    assert scaled(scaled(number, factor), back) == number


@given(st.floats(1e-9, 1e9), st.integers(1, 100))
def test_scaling_is_close_to_the_product(number, factor):
    assert scaled(number, factor) == pytest.approx(number * factor, rel=1e-12)


@pytest.mark.parametrize(
    ("constant", "like", "text"),
    [
        (262144, "2**19", "2**18"),
        (262144, "2 ** 19", "2**18"),
        (262144, "524288", "262144"),
        (1, "2**3", "2**0"),
        (300000, "2**19", "300000"),
        (0, "2**3", "0"),
        (-4, "2**3", "-4"),
        (0.0006, "3e-4", "6e-4"),
        (0.00065, "3e-4", "6.5e-4"),
        (0.0006, "0.0003", "0.0006"),
        (1e-05, "0.0001", "1e-5"),
        (1e16, "", "1e16"),
        (1e22, "1e21", "1e22"),
        (0.5, "1e-1", "5e-1"),
        (0.5, "", "0.5"),
        (2.0, "1.0", "2.0"),
        (True, "False", "True"),
        (None, "1", "None"),
        ("SSL", '"SSSL"', '"SSL"'),
        ("SSL", "'SSSL'", "'SSL'"),
        ("SSL", "", '"SSL"'),
        ('say "hi"', "", "'say \"hi\"'"),
        ("it's", "", '"it\'s"'),
        ("back\\slash", "", '"back\\\\slash"'),
        ("line\n", "", '"line\\n"'),
        ((0.9, 0.95), "(0.8, 0.95)", "(0.9, 0.95)"),
        ((0.9, 0.95), "[0.8, 0.95]", "[0.9, 0.95]"),
        ([1, 2], "", "(1, 2)"),
        ((1,), "", "(1,)"),
        ((), "", "()"),
        ((1, ("a", None)), "", '(1, ("a", None))'),
    ],
)
def test_values_are_written_in_the_style_of_the_old(constant, like, text):
    assert written(constant, like=like) == text


SCALARS = st.one_of(
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"])),
)
LIKES = st.sampled_from(["", "2**19", "3e-4", "0.1", "'a'", '"a"', "[1]", "(1,)"])


@given(st.one_of(SCALARS, st.lists(SCALARS).map(tuple)), LIKES)
def test_what_is_written_reads_back(constant, like):
    result = value(written(constant, like=like))
    assert result == constant
    assert type(result) is type(constant)
