from __future__ import annotations

import pytest

from loopgraph_git.library.layout import (
    common_margin,
    fitted,
    newline_of,
    shifted,
    string_lines,
    tabbed,
    uses_tabs,
)


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "\n"),
        ("a", "\n"),
        ("a\nb\n", "\n"),
        ("a\r\nb\r\n", "\r\n"),
        ("a\rb\r", "\r"),
        ("a\r\nb\nc\r\n", "\r\n"),
        ("a\r\nb\n", "\n"),
    ],
)
def test_the_newline_most_used_is_the_files(text, newline):
    assert newline_of(text) == newline


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", False),
        ("a = 1\n", False),
        ("def f():\n\treturn 1\n", True),
        ("def f():\n    return 1\n", False),
        ("def f():\r\n\treturn 1\r\n", True),
        ("def f():\n\t# a comment says nothing\n    return 1\n", False),
    ],
)
def test_tabs_are_seen_in_the_first_indented_code(text, answer):
    assert uses_tabs(text) is answer


@pytest.mark.parametrize(
    ("lines", "margin"),
    [
        ([], ""),
        (["", "   "], ""),
        (["  a", "    b"], "  "),
        (["  a", "", "  b"], "  "),
        (["\ta", "\t\tb"], "\t"),
        (["\ta", "    b"], ""),
        (["a", "  b"], ""),
    ],
)
def test_the_margin_is_what_all_lines_share(lines, margin):
    assert common_margin(lines) == margin


def test_lines_that_begin_inside_a_string_are_known():
    text = 'a = """\none\n"""\nb = 1\nc = f"""\n{a}\n two"""\n'
    assert string_lines(text) >= {1, 2, 6}
    assert not string_lines(text) & {0, 3, 4}


def test_a_fragment_that_cannot_be_read_has_the_strings_found_so_far():
    assert string_lines('a = """\nx\n"""\nb = (\n') == {1, 2}
    assert string_lines('a = """never closed\nx\n') == frozenset()
    assert string_lines("    a\n  b\n") == frozenset()


def test_shifting_exchanges_the_margin():
    assert shifted("  a:\n    b\n", "") == "a:\n  b\n"
    assert shifted("a:\n    b\n", "  ") == "  a:\n      b\n"
    assert shifted("    a\n\n    b", "  ", margin="    ") == "  a\n\n  b"


def test_shifting_never_touches_the_inside_of_a_string():
    text = 'def f():\n    return """\nflush left\n    indented\n"""\n'
    moved = shifted(text, "    ")
    assert moved == (
        '    def f():\n        return """\nflush left\n    indented\n"""\n'
    )


def test_shifting_empties_blank_lines():
    assert shifted("a\n   \nb", "  ") == "  a\n\n  b"


def test_four_spaces_become_a_tab_and_the_rest_stays():
    assert tabbed("a\n    b\n          c\n") == "a\n\tb\n\t\t  c\n"


def test_tabs_never_enter_a_string():
    assert tabbed('a = """\n    b\n"""\n    c') == 'a = """\n    b\n"""\n\tc'


def test_a_block_is_fitted_to_the_file():
    like = "class A:\r\n\tx = 1\r\n"
    block = "def f():\n    return 1"
    assert fitted(block, "\t", like=like) == "\tdef f():\r\n\t\treturn 1"
    assert fitted(block, "", like="x = 1\n") == block
