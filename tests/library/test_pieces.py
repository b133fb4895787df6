"""A source in pieces says what it says as a whole, however it is laid out."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap

import pytest

from loopgraph_git.errors import RecipeError
from loopgraph_git.library import effects, pieces
from loopgraph_git.library.meaning import constants
from loopgraph_git.library.pieces import Piece, cut, pieces_of_tree, read_piece

SOURCE = '''\
"""Prose at the margin,
and = more of it
"""
import math  # (

X = (
    2**19
)
Y = """
def not_one(): [
"""
if X:
    Z = 1
else:
    Z = 2


@decorated(
    1
)
@again
def f(a, b=3):
    return {a:
b}


class C:
    depth = 4
    width: int = depth * 2

    def g(self): return "\\
quoted"
a = 1; b = 2
'''


def read(texts):
    return [read_piece(text) for text in texts]


def test_pieces_are_whole_statements_in_order():
    texts = cut(SOURCE)
    assert "".join(texts) == SOURCE
    assert [text.split()[0] for text in texts] == [
        '"""Prose', "import", "X", "Y", "if", "@decorated(", "class", "a",
    ]  # fmt: skip
    for text in texts:
        ast.parse(text)


@pytest.mark.parametrize("module", [ast, json, inspect, textwrap])
def test_both_ways_to_cut_say_the_same(module):
    source = inspect.getsource(module)
    by_lines, by_tree = (
        effects.effect({"x": read(how(source))}) for how in (cut, pieces_of_tree)
    )
    assert by_lines == by_tree
    known = {name: repr(value) for name, value in constants(source).items()}
    assert {k: v for k, v in by_lines.parts.items() if not v.startswith("#")} == known


def test_a_piece_survives_json():
    for piece in read(cut(SOURCE)):
        assert Piece.from_dict(json.loads(json.dumps(piece.to_dict()))) == piece


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_newlines_and_a_byte_order_mark_make_no_difference(newline):
    assert cut("\ufeff" + SOURCE.replace("\n", newline)) == cut(SOURCE)


def test_what_is_not_python_is_refused_by_both():
    for how in (lambda text: read(cut(text)), pieces_of_tree):
        with pytest.raises(RecipeError):
            how("def f(:\n    pass\n")
    assert cut("") == cut("\n\n") == []


def test_the_name_of_a_piece_is_that_of_its_text():
    assert pieces.piece_key("a = 1") == pieces.piece_key("a = 1")
    assert pieces.piece_key("a = 1") != pieces.piece_key("a = 2")
