"""What a version comes to, and what a change of it changes."""

from __future__ import annotations

import pytest

from loopgraph_git.library.effects import Effect, changed, effect
from loopgraph_git.library.pieces import cut, read_piece

SOURCE = """\
BATCH = 2**4
RATE = 1e-3
TOTAL = BATCH * 8
class Config:
    depth: int = 4
    width = depth * 64
def f(x):
    return x * RATE
optimizer = make(RATE)
print(TOTAL)
"""


def of(source: str) -> Effect:
    return effect({"train.py": [read_piece(text) for text in cut(source)]})


def change(new: str, old: str = SOURCE):
    return changed(of(old), of(new))


def edited(*pairs: tuple[str, str]) -> str:
    text = SOURCE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2**4", "16"),
        ("1e-3", "0.001"),
        ("1e-3", "1e-3  # the rate"),
        ("return x * RATE", "'''It scales.'''\n    return (x *\n        RATE)"),
    ],
)
def test_what_makes_no_difference(old, new):
    assert of(edited((old, new))) == of(SOURCE)


def test_a_constant_computed_in_another_way_is_the_same_but_not_the_same_code():
    same = edited(("BATCH * 8", "128"), ("depth * 64", "256"))
    assert of(same).whole == of(SOURCE).whole
    assert of(same).code != of(SOURCE).code
    assert not change(same).parts
    assert change(same).digest == change(same).names == ""


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("2**4", "8")], ["BATCH 16 -> 8", "TOTAL 128 -> 64"]),
        ([("depth: int = 4", "depth: int = 5")],
         ["Config.depth 4 -> 5", "Config.width 256 -> 320"]),
        ([("x * RATE", "x - RATE")], ["f changed"]),
        ([("make(RATE)", "other(RATE)")], ["optimizer changed"]),
        ([("print(TOTAL)", "print(1)")], ["other code changed"]),
        ([("RATE = 1e-3\n", "RATE = 1e-3\nNEW = 'x'\n")], ["NEW = 'x'"]),
        ([("RATE = 1e-3\n", "")], ["RATE removed"]),
        ([("print(TOTAL)", "print(TOTAL)\ndef g(): pass")], ["g added"]),
        ([("RATE = 1e-3", "RATE = 1e-3\nRATE = find()")], ["RATE changed"]),
    ],
)  # fmt: skip
def test_a_change_in_words(pairs, words):
    assert change(edited(*pairs)).words() == words


def test_the_same_change_is_known_again_on_other_code():
    elsewhere = edited(("depth: int = 4", "depth: int = 9"))
    there = change(elsewhere.replace("1e-3", "2e-3"), elsewhere)
    here = change(edited(("1e-3", "0.002")))
    assert there.digest == here.digest
    assert change(edited(("1e-3", "3e-3"))).digest != here.digest
    assert change(edited(("1e-3", "3e-3"))).names == here.names != ""


def test_only_constants_make_two_changes_near():
    assert change(edited(("x * RATE", "x - RATE"))).names == ""


def test_other_kinds_of_files_are_their_text():
    parts = {"b.yml": "a: 1\n", "a.py": [read_piece("X = 1")]}
    one = effect(parts, named=True)
    assert set(one.parts) == {"b.yml: ", "a.py: X"}
    two = effect({**parts, "b.yml": "a: 2\n"}, named=True)
    assert changed(one, two).words() == ["b.yml changed"]
    assert one.code != two.code
