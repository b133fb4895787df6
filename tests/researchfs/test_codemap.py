"""The map of a source: short, true, and never an error."""

from __future__ import annotations

import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.researchfs import ranking
from loopgraph_git.researchfs.codemap import code_map

SOURCE = '''\
"""A model."""
import torch
from dataclasses import dataclass

DEPTH = 8
LR: float = 3e-4
betas = (0.9, 0.95)
device = torch.device("cuda")
WIDTH = DEPTH * 64
A = B = 1

@dataclass
class Config:
    n_layer: int = 12
    name: str = "a very long name that goes on and on and on for ever"
    derived: int = DEPTH

class GPT(torch.nn.Module):
    def __init__(self):
        self.x = 1
    async def forward(self, x):
        return x

def main():
    LOCAL = 3
'''


def test_the_whole_map():
    assert (
        code_map(SOURCE)
        == """\
L5 DEPTH = 8 (x2)
L6 LR = 0.0003
L7 betas = (0.9, 0.95)
L9 WIDTH = DEPTH * 64
L10 A = 1
L10 B = 1
L13-16 class Config
L14 Config.n_layer = 12
L15 Config.name = 'a very long name that goes on and on a…
L18-22 class GPT: __init__ L19, forward L21
L24-25 def main"""
    )


def test_lines_are_where_the_map_says():
    lines = SOURCE.splitlines()
    for line in code_map(SOURCE).splitlines():
        number, said = line.split(" ", 1)
        name = said.split()[1 if said.startswith(("class", "def")) else 0]
        assert (
            name.strip(":").split(".")[-1] in lines[int(number[1:].split("-")[0]) - 1]
        )


def test_a_source_that_does_not_parse_gives_its_constants():
    assert (
        code_map("DEPTH = 8  # deep\nlr = 3e-4\nif x = 3\nother = f(1)\n")
        == """\
(does not parse: line 3: invalid syntax. Maybe you meant '==' or ':=' instead of '='?\
; constants only)
L1 DEPTH = 8
L2 lr = 3e-4"""
    )


@pytest.mark.parametrize(
    "source", ["", "\0", "(" * 500, "x = " + "-" * 20_000 + "1", "\ud800", r"r = '\d'"]
)
def test_odd_sources_are_no_error(source):
    code_map(source)


@given(st.text())
def test_any_text_is_no_error(source):
    code_map(source)


def test_a_long_file_is_mapped_in_a_tenth_of_its_size():
    long = inspect.getsource(ranking) + inspect.getsource(ast)
    found = code_map(long)
    assert len(long.splitlines()) > 600
    assert 0 < len(found) <= len(long) // 10


def test_what_is_left_out_is_counted():
    source = "\n".join(f"CONSTANT_{n} = {n}" for n in range(600))
    found = code_map(source)
    assert len(found) <= len(source) // 10
    assert found.splitlines()[-1].startswith("… and ")
    assert found.splitlines()[-1].endswith(" more")


def test_a_long_file_loses_the_fields_of_classes_first():
    body = "\n".join(f"    field_{n} = {n}" for n in range(300))
    source = f"DEPTH = 8\nclass Config:\n{body}\ndef main(): pass\n"
    assert code_map(source) == "L1 DEPTH = 8\nL2-302 class Config\nL303-303 def main"


CALLS = """\
WIDTH = 8

def norm(x):
    return x / WIDTH

class Block:
    def forward(self, x):
        self.scale = WIDTH
        return norm(norm(x))

def build():
    return Block()
"""


def test_calls_and_uses_are_shown():
    assert (
        code_map(CALLS)
        == """\
L1 WIDTH = 8 (x2)
L3-4 def norm (x2)
L6-9 class Block: forward L7 → norm
L11-12 def build → Block"""
    )


def test_what_it_is_about_comes_first():
    assert code_map(CALLS, about={"scale"}).startswith("L6-9 class Block")
    assert code_map(CALLS, about={"build", "WIDTH"}).splitlines()[1][:6] == "L11-12"
