from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.searching import search_and_replace
from loopgraph_git.library.source import Code


def replaced(text, search, replace):
    return search_and_replace(Code(text), search, replace)


SCRIPT = """\
class MLP:
    def forward(self, x):
        x = self.c_fc(x)
        x = F.relu(x).square()
        return x

softcap = 15
my_softcap = 15
"""


def test_a_fragment_is_replaced_where_it_stands():
    new = replaced(SCRIPT, "F.relu(x).square()", "F.silu(x)")
    assert new == SCRIPT.replace("F.relu(x).square()", "F.silu(x)")


def test_a_fragment_never_matches_inside_a_word():
    assert replaced(SCRIPT, "softcap = 15", "softcap = 20") == SCRIPT.replace(
        "\nsoftcap = 15", "\nsoftcap = 20"
    )


def test_a_fragment_may_span_lines_of_any_newline():
    text = "a = 1\r\nb = 2\r\nc = 3\r\n"
    assert replaced(text, "1\nb = 2", "1\nb = 4\nd = 5") == (
        "a = 1\r\nb = 4\r\nd = 5\r\nc = 3\r\n"
    )


def test_whole_lines_match_whole_lines_only():
    text = "x = 1\nx = 12\n"
    assert replaced(text, "x = 1\n", "x = 3\n") == "x = 3\nx = 12\n"
    assert replaced("x = 12\nx = 1", "x = 1\n", "x = 3\n") == "x = 12\nx = 3"


def test_spaces_at_line_ends_do_not_matter():
    text = "a = 1   \nb = 2\t\nc = 3\n"
    assert replaced(text, "a = 1\nb = 2\n", "a = 4\n") == "a = 4\nc = 3\n"


def test_the_replacement_moves_to_the_indentation_of_the_match():
    new = replaced(
        SCRIPT,
        "x = self.c_fc(x)\nx = F.relu(x).square()\n",
        "x = self.c_fc(x)\nif True:\n    x = F.silu(x)\n",
    )
    assert new == SCRIPT.replace(
        "        x = F.relu(x).square()\n",
        "        if True:\n            x = F.silu(x)\n",
    )


def test_a_search_indented_more_than_the_match_is_moved_back():
    text = "if a:\n  b = 1\n  c = 2\nd = 3\n"
    new = replaced(text, "        b = 1\n        c = 2\n", "        b = 4\n")
    assert new == "if a:\n  b = 4\nd = 3\n"


def test_the_inner_shape_has_to_be_the_same():
    with pytest.raises(RecipeError, match="found 0 times"):
        replaced("if a:\n    b\n  # odd\n", "if a:\n  b\n", "c\n")


def test_a_replacement_indented_less_than_its_search_cannot_be_moved():
    with pytest.raises(RecipeError) as caught:
        replaced("if a:\n  b = 1\n", "    b = 1\n", "c = 1\n")
    assert str(caught.value) == (
        "the replacement is indented less than the text it replaces"
    )


def test_tabs_of_the_file_are_kept():
    text = "def f():\n\tif a:\n\t\tb = 1\n"
    new = replaced(text, "if a:\n    b = 1\n", "if c:\n    b = 2\n    d = 3\n")
    assert new == "def f():\n\tif c:\n\t\tb = 2\n\t\td = 3\n"


def test_a_string_inside_the_replacement_is_not_moved():
    text = "def f():\n    a = 1\n"
    new = replaced(text, "a = 1\n", 'a = """\nflush\n"""\n')
    assert new == 'def f():\n    a = """\nflush\n"""\n'


def test_lines_are_removed_with_their_newline():
    assert replaced("a = 1\nb = 2\nc = 3\n", "b = 2\n", "") == "a = 1\nc = 3\n"
    assert replaced("a = 1\r\nb = 2\r\n", "b = 2\n", "") == "a = 1\r\n"
    assert replaced("f(a, b)\n", ", b", "") == "f(a)\n"


def test_a_missing_last_newline_stays_missing():
    assert (
        replaced("a = 1\nb = 2", "b = 2\n", "b = 3\nc = 4\n") == "a = 1\nb = 3\nc = 4"
    )


def test_blank_lines_inside_a_search_count():
    text = "    a = 1\n\n    b = 2\n"
    assert replaced(text, "a = 1\n\nb = 2\n", "c = 3\n\nd = 4\n") == (
        "    c = 3\n\n    d = 4\n"
    )


def test_text_that_is_not_python_can_be_searched():
    assert replaced("def f(:\n", "f(:", "f():") == "def f():\n"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("nope = 1\n", "the text was found 0 times: 'nope = 1'"),
        ("first\nsecond\n", "the text was found 0 times: 'first'"),
        (
            "y" * 70,
            f"the text was found 0 times: '{'y' * 60}...'",
        ),
        ("x", "the text was found 6 times (lines 2, 3, 3, 4, 4)"),
        ("15", "the text was found 2 times (lines 7, 8)"),
        ("  \n", "the text to search for is blank"),
        ("", "the text to search for is blank"),
    ],
)
def test_a_search_without_one_match_says_how_many(search, message):
    with pytest.raises(RecipeError) as caught:
        replaced(SCRIPT, search, "z")
    assert str(caught.value) == message


def test_several_matches_name_their_lines():
    with pytest.raises(RecipeError) as caught:
        replaced("a = 1\nb = 1\na = 1\n", "a = 1\n", "c\n")
    assert str(caught.value) == "the text was found 2 times (lines 1, 3)"


def test_a_similar_text_is_never_a_match():
    with pytest.raises(RecipeError, match="found 0 times"):
        replaced("x = F.relu( x )\n", "x = F.relu(x)\n", "x = 1\n")


def test_an_exact_match_wins_over_a_looser_one():
    text = "a = 1\nif b:\n    a = 1\n"
    assert replaced(text, "a = 1\n", "a = 2\n") == "a = 2\nif b:\n    a = 1\n"
    spaced = "a = 1  \nif b:\n    a = 1\n"
    assert replaced(spaced, "a = 1\n", "a = 2\n") == "a = 2\nif b:\n    a = 1\n"


WORDS = st.lists(
    st.text(st.sampled_from("abc =()#é\t "), max_size=8), min_size=1, max_size=8
)


@given(WORDS, WORDS, st.sampled_from(["\n", "\r\n"]))
def test_everything_around_the_match_stays(above, below, newline):
    head = "".join(line + newline for line in above)
    tail = "".join(newline + line for line in below)
    text = f"{head}    UNIQUE = 1{tail}"
    assert replaced(text, "UNIQUE = 1\n", "OTHER = 2\n") == (
        f"{head}    OTHER = 2{tail}"
    )
    assert replaced(text, "UNIQUE", "OTHER") == f"{head}    OTHER = 1{tail}"
