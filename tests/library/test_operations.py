from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.operations import (
    as_expression,
    knobs_in,
    label,
    operation,
)
from loopgraph_git.library.steps import carried_out
from loopgraph_git.records import Operation


def done(source, knobs=None, /, **given):
    return carried_out([operation(given)], {"": source}, knobs or {})[""]


def refused(source, knobs=None, /, **given):
    with pytest.raises(RecipeError) as caught:
        done(source, knobs, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "given", "new"),
    [
        ("X = 1", {"to": 2}, "X = 2"),
        ("X: int = 1  # one", {"to": 2}, "X: int = 2  # one"),
        ("X=2**19 # tokens", {"times": 0.5}, "X=2**18 # tokens"),
        ("X = 524288", {"times": 0.5}, "X = 262144"),
        ("X = 1 << 19", {"times": 0.5}, "X = 262144"),
        ("X = 3e-4", {"times": 2}, "X = 6e-4"),
        ("X = 0.1", {"times": 3}, "X = 0.3"),
        ("X = -0.5", {"times": 2}, "X = -1.0"),
        ("X = 5", {"times": 0.5}, "X = 2.5"),
        ("Y = 4\nX = Y * 2", {"times": 2}, "Y = 4\nX = 16"),
        ("X = 0.0", {"to": 0.2}, "X = 0.2"),
        ("X = 1", {"to": 1e-05}, "X = 1e-5"),
        ("X = 'SSSL'", {"to": "SSL"}, "X = 'SSL'"),
        ("X = 'SSSL'", {"to": "it's"}, 'X = "it\'s"'),
        ("X = True", {"to": False}, "X = False"),
        ("X = 1", {"to": None}, "X = None"),
        ("X = (0.8, 0.95)", {"to": [0.9, 0.99]}, "X = (0.9, 0.99)"),
        ("X = [1, 2]", {"to": [3]}, "X = [3]"),
        ("X = 1", {"code": "Y * 2"}, "X = Y * 2"),
        ("X = 1", {"code": " 1, 2 "}, "X = (1, 2)"),
        ("X = 1", {"code": "(1, 2), 3"}, "X = ((1, 2), 3)"),
        ("X = 1", {"code": "(1, 2)"}, "X = (1, 2)"),
        ("X = 1", {"code": "1 +\n2"}, "X = (1 +\n2)"),
        ("X = 1", {"code": "lambda x: x"}, "X = lambda x: x"),
        ("X = (\n  1  # one\n)", {"to": 2}, "X = (\n  2  # one\n)"),
        ("X, Y = 1, 2", {"to": 3}, "X, Y = 3, 2"),
        ("if a:\n\tX = 1", {"to": 2}, "if a:\n\tX = 2"),
        ("é = 'ü'; X = 1; y = 2", {"to": 2}, "é = 'ü'; X = 2; y = 2"),
    ],
)
def test_set_changes_the_value_and_nothing_else(old, given, new):
    assert done(old, set="X", **given) == new


@pytest.mark.parametrize(
    ("source", "target", "new"),
    [
        ("class C:\n  x: int = 1\n", "C.x", "class C:\n  x: int = 9\n"),
        (
            "class C:\n  x = field(default=1)\n",
            "C.x",
            "class C:\n  x = field(default=9)\n",
        ),
        ("def f(a, x=1): pass\n", "f.x", "def f(a, x=9): pass\n"),
        ("def f(*, x: int = 1): pass\n", "f.x", "def f(*, x: int = 9): pass\n"),
        ("def f():\n  x = 1\n", "f.x", "def f():\n  x = 9\n"),
        ("class C:\n  def f(self):\n    self.x = 1\n", "C.f.self.x", None),
        ("torch.backends.x = 1\n", "torch.backends.x", "torch.backends.x = 9\n"),
    ],
)
def test_set_reaches_every_kind_of_name(source, target, new):
    expected = new or source.replace("= 1", "= 9")
    assert done(source, set=target, to=9) == expected


@pytest.mark.parametrize(
    ("call", "new"),
    [
        ("f(a, lr=1)", "f(a, lr=9)"),
        ("f(a, lr = 1 , b=2)", "f(a, lr = 9 , b=2)"),
        ("f()", "f(lr=9)"),
        ("f( )", "f(lr=9 )"),
        ("f(a)", "f(a, lr=9)"),
        ("f(a,)", "f(a, lr=9)"),
        ("f(a, b=(1, 2))", "f(a, b=(1, 2), lr=9)"),
        ("f((a))", "f((a), lr=9)"),
        ("f(g(x)(y))", "f(g(x)(y), lr=9)"),
        ("f(\n    a,\n    b,\n)", "f(\n    a,\n    b,\n    lr=9,\n)"),
        ("f(\n    a,  # why\n)", "f(\n    a,  # why\n    lr=9,\n)"),
        ("f(\n    a  # why\n)", "f(\n    a, lr=9  # why\n)"),
        ("f(\n    a,\n    # last\n)", "f(\n    a,\n    # last\n    lr=9,\n)"),
        ("f(a,\n  b)", "f(a,\n  b, lr=9)"),
        ("f(a, 'é)', b=')')", "f(a, 'é)', b=')', lr=9)"),
        ("f(a, *rest)", "f(a, *rest, lr=9)"),
        ("f(a, lr=1, **more)", "f(a, lr=9, **more)"),
    ],
)
def test_set_writes_a_keyword_in_the_style_of_the_call(call, new):
    result = done(f"x = {call}  # after\n", set="f(lr)", to=9)
    assert result == f"x = {new}  # after\n"
    assert done(call, set="f(lr)", to=9) == new


def test_a_keyword_keeps_the_newlines_of_the_file():
    source = "f(\r\n\ta,\r\n)\r\n"
    assert done(source, set="f(lr)", to=1) == "f(\r\n\ta,\r\n\tlr=1,\r\n)\r\n"


def test_a_bare_tuple_becomes_one_argument():
    assert done("f(a)", set="f(betas)", code="0.9, 0.95") == "f(a, betas=(0.9, 0.95))"


def test_a_keyword_may_be_multiplied():
    source = "LR = 0.1\nf(lr=LR, eps=1e-8)\n"
    assert done(source, set="f(eps)", times=10) == "LR = 0.1\nf(lr=LR, eps=1e-7)\n"
    assert done(source, set="f(lr)", times=3) == "LR = 0.1\nf(lr=0.3, eps=1e-8)\n"


@pytest.mark.parametrize(
    ("source", "given", "message"),
    [
        ("Y = 1", {"set": "X", "to": 1}, "no constant X in the source"),
        ("X = 1\nX = 2", {"set": "X", "to": 1}, "X is assigned 2 times (lines 1, 2)"),
        ("X = Y = 1", {"set": "X", "to": 1}, "X shares its value with other names"),
        ("X = 1", {"set": "X Y", "to": 1}, "X Y is not a name or a call(keyword)"),
        (
            "X = f()",
            {"set": "X", "times": 2},
            "its value f() cannot be multiplied: not a constant expression",
        ),
        (
            "X = 'a'",
            {"set": "X", "times": 2},
            "its value 'a' cannot be multiplied: \"a\" is not a number",
        ),
        (
            "X = True",
            {"set": "X", "times": 2},
            "its value True cannot be multiplied: True is not a number",
        ),
        (
            "X = 1",
            {"set": "X", "times": "2x"},
            'its value 1 cannot be multiplied: "2x" is not a number',
        ),
        ("X = 1", {"set": "X", "code": "1 +"}, "not an expression: 1 +"),
        ("X = 1", {"set": "X", "code": "1) + (2"}, "not an expression: 1) + (2"),
        ("X = 1", {"set": "X", "code": ""}, "not an expression: "),
        ("X = 1", {"set": "X", "code": "$k"}, "the knob $k has no value"),
        ("X = 1", {"set": "X", "to": "$k"}, "the knob $k has no value"),
        ("f(1)", {"set": "g(lr)", "to": 1}, "no call of g in the source"),
        ("f(1)\nf(2)", {"set": "f(lr)", "to": 1}, "f is called 2 times (lines 1, 2)"),
        ("f(1)", {"set": "f(lr)", "times": 2}, "the call of f has no lr to multiply"),
        (
            "f(**options)",
            {"set": "f(lr)", "to": 2},
            "the call of f may pass lr in its **mapping",
        ),
        (
            'x = f"{f(1)}"',
            {"set": "f(lr)", "to": 2},
            "no call of f in the source",
        ),
        ("X = 1", {"insert": " \n", "at": "end"}, "the text to insert is blank"),
        ("X = 1", {"insert": "a", "at": "top"}, "at takes imports, start, end"),
        ("def f(:", {"set": "X", "to": 1}, None),
    ],
)
def test_what_does_not_apply_says_why(source, given, message):
    reason = refused(source, **given)
    assert reason == message or (message is None and "does not parse" in reason)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"replace": "f", "with": "def f(): return 2"}, "def f(): return 2\nX = 1\n"),
        ({"search": "X = 1", "replace": "X = 2"}, "def f(): pass\nX = 2\n"),
        ({"insert": "Y = 2", "after": "X"}, "def f(): pass\nX = 1\nY = 2\n"),
        ({"insert": "Y = 2", "before": "X"}, "def f(): pass\nY = 2\nX = 1\n"),
        ({"insert": "Y = 2", "at": "end"}, "def f(): pass\nX = 1\nY = 2\n"),
        ({"import": "import a"}, "import a\n\n\ndef f(): pass\nX = 1\n"),
        ({"delete": "X"}, "def f(): pass\n"),
        ({"delete": "f"}, "X = 1\n"),
    ],
)
def test_every_verb_has_its_effect(given, expected):
    assert done("def f(): pass\nX = 1\n", **given) == expected


GROUPS = """\
add("--lr", default=1)
add("--wd", default = 0.5)
groups = [dict(params=head, lr=3), dict(params=body)]
"""


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"set": "add['--wd'](default)", "times": 2}, 'add("--wd", default = 1.0)'),
        ({"set": 'add["--lr"](default)', "to": 2}, 'add("--lr", default=2)'),
        ({"set": "add['--lr'](help)", "to": "a"}, 'add("--lr", default=1, help="a")'),
        (
            {"set": "dict[params = body](lr)", "code": "x[0]"},
            "groups = [dict(params=head, lr=3), dict(params=body, lr=x[0])]",
        ),
    ],
)
def test_an_argument_picks_one_of_several_calls(given, line):
    changed = done(GROUPS, **given)
    assert line in changed.splitlines()
    assert len(set(GROUPS.splitlines()) - set(changed.splitlines())) == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("add['--depth'](default)", "no call of add['--depth'] in the source"),
        ("add[lr=](default)", "no call of add[lr=] in the source"),
        ("add['--lr']", "add['--lr'] is not a name or a call(keyword)"),
        ("dict[1](lr)", "no call of dict[1] in the source"),
    ],
)
def test_an_argument_that_no_call_has_is_an_error(target, message):
    assert refused(GROUPS, set=target, to=1) == message


def test_an_argument_that_two_calls_have_is_an_error():
    reason = refused("f(a)\nf(a)\nf(b)\n", set="f[a](x)", to=1)
    assert reason == "f[a] is called 2 times (lines 1, 2)"


def test_the_first_alternative_that_applies_wins():
    alternatives = [
        [{"set": "NOPE", "to": 1}],
        [{"set": "X", "to": 2}, {"set": "NOPE", "to": 1}],
        [{"set": "X", "to": 3}],
        [{"set": "X", "to": 4}],
    ]
    assert done("X = 1\n", any=alternatives) == "X = 3\n"


def test_alternatives_nest():
    inner = {"any": [[{"set": "A", "to": 1}], [{"set": "X", "to": 5}]]}
    assert done("X = 1\n", any=[[{"set": "B", "to": 1}], [inner]]) == "X = 5\n"


def test_when_no_alternative_applies_each_says_why():
    reason = refused(
        "X = 1\n", any=[[{"set": "A", "to": 1}], [{"search": "b", "replace": "c"}]]
    )
    assert reason == (
        "none of 2 alternatives applies: (1) set A: no constant A in the source; "
        "(2) search b: the text was found 0 times: 'b'"
    )


@pytest.mark.parametrize(
    "unless", [{"constant": "X"}, [{"constant": "X", "equals": 1}]]
)
def test_a_step_is_skipped_under_its_condition(unless):
    assert done("X = 1\n", set="X", to=2, unless=unless) == "X = 1\n"
    assert done("X = 1\n", any=[[{"set": "X", "to": 2}]], unless=unless) == "X = 1\n"
    assert done("X = 1\n", search="X", replace="Y", unless=unless) == "X = 1\n"


def test_a_step_runs_where_its_condition_does_not_hold():
    assert done("X = 1\n", set="X", to=2, unless={"constant": "Y"}) == "X = 2\n"


def test_knobs_are_filled_in_as_what_they_are():
    knobs = {"n": 3, "rate": 1e-05, "name": "SSL"}
    assert done("X = 1", knobs, set="X", to="$n") == "X = 3"
    assert done("X = 1", knobs, set="X", to="$name") == 'X = "SSL"'
    assert done("X = 2", knobs, set="X", times="$n") == "X = 6"
    assert done("X = 1", knobs, set="X", code="f($n, $rate, $name)") == (
        'X = f(3, 1e-5, "SSL")'
    )
    assert done("X = 1\n", knobs, insert="Y = $n", at="end") == "X = 1\nY = 3\n"
    assert done("X = 1\n", knobs, search="X = 1", replace="X = $n") == "X = 3\n"
    assert done("def f(): 1\n", knobs, **{"replace": "f", "with": "def f(): $n"}) == (
        "def f(): 3\n"
    )


def test_a_dollar_that_is_no_knob_stays_in_a_text():
    assert (
        done("X = 1\n", insert="Y = '$HOME $x'", at="end") == "X = 1\nY = '$HOME $x'\n"
    )
    assert done("X = ''\n", set="X", to="costs $x") == "X = 'costs $x'\n"


def test_the_knobs_of_arguments_are_known():
    assert knobs_in({"set": "$a", "to": "$b", "code": "$c + $d"}) == {"b", "c", "d"}
    assert knobs_in({"to": 3}) == set()


def test_text_is_searched_though_it_is_no_python_yet():
    assert done("def f(:\n", search="f(:", replace="f():") == "def f():\n"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {},
            "an operation needs exactly one of set, replace, search, insert, import, ",
        ),
        ({"sett": "X"}, "an operation needs exactly one of set, "),
        ({"set": "X", "delete": "Y"}, "an operation needs exactly one of set, "),
        ({"set": "X"}, "set needs exactly one of to, times, code"),
        ({"set": "X", "to": 1, "times": 2}, "set needs exactly one of to, times, code"),
        ({"set": "X", "with": 1}, "set takes to, times, code, unless, not with"),
        ({"replace": "X"}, "replace needs with"),
        ({"search": "X"}, "search needs replace"),
        ({"search": "X", "replace": 5}, "replace must be text"),
        ({"insert": "X"}, "insert needs exactly one of after, before, at"),
        ({"insert": 1, "at": "end"}, "insert must be text"),
        ({"import": "a", "at": "end"}, "import takes unless, not at"),
        ({"delete": 3}, "delete must be text"),
        ({"any": [[{"set": "X"}]]}, "set needs exactly one of to, times, code"),
    ],
    ids=str,
)
def test_a_malformed_operation_is_refused(given, message):
    with pytest.raises(RecipeError) as caught:
        operation(given)
    assert str(caught.value).startswith(message)


def test_an_operation_made_by_hand_is_checked_when_it_is_performed():
    with pytest.raises(RecipeError, match=r"^unknown verb rename$"):
        carried_out(
            [Operation(verb="rename", arguments={"rename": "X"})], {"": "X = 1"}, {}
        )
    with pytest.raises(RecipeError, match=r"^set needs exactly one of"):
        carried_out([Operation(verb="set", arguments={"set": "X"})], {"": "X = 1"}, {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"set": "X", "to": 1}, "set X"),
        ({"search": "first\nsecond", "replace": ""}, "search first"),
        ({"insert": "x" * 60, "at": "end"}, "insert " + "x" * 40),
        ({"any": [[{"set": "X", "to": 1}]]}, "any"),
    ],
)
def test_an_operation_has_a_short_name(given, words):
    assert label(operation(given)) == words


def test_an_operation_without_a_text_is_named_by_its_verb():
    assert label(Operation(verb="set", arguments={})) == "set"


@pytest.mark.parametrize("text", ["x := 1", "x = 1", "1; 2", "yield", "*a", "", ")("])
def test_what_is_no_value_is_no_expression(text):
    with pytest.raises(RecipeError, match=r"^not an expression: "):
        as_expression(text)


HEADS = st.lists(
    st.sampled_from(
        ["# ∂", "", "\t", "é = 'ü'", 't = """\n X = 5\n"""', "Y = (1,\n\t2)"]
    ),
    max_size=6,
)


@given(
    HEADS,
    HEADS,
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 2**40),
    st.booleans(),
)
def test_times_there_and_back_restores_every_byte(above, below, newline, number, ended):
    text = "\n".join([*above, f"X  =  {number} # é", *below]) + "\n" * ended
    text = text.replace("\n", newline)
    doubled = done(text, set="X", times=2)
    assert doubled == text.replace(f"X  =  {number} #", f"X  =  {number * 2} #")
    assert done(doubled, set="X", times=0.5) == text


@given(HEADS, HEADS, st.sampled_from(["\n", "\r\n"]))
def test_a_keyword_there_changes_only_the_call(above, below, newline):
    text = newline.join([*above, "opt = AdamW(p)  # ∑", *below]).replace("\n", newline)
    text = text.replace("\r\r", "\r")
    new = done(text, set="AdamW(lr)", to=0.5)
    assert new == text.replace("AdamW(p)", "AdamW(p, lr=0.5)")
