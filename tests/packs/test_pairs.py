"""Two recipes in a row: they compose, or the second says what is in its way.

Both recipes of a pair apply to the plain script, each under the first setting that
changes it. Of the two orders of a pair one is tried in `make test`, drawn once; the
other one by night.
"""

from __future__ import annotations

import functools
import gc
import random
from zlib import crc32

import pytest

from loopgraph_git.library.fitting import State, attempt, contexts, explained
from loopgraph_git.library.recipes import detect
from tests.packs.conftest import METHODS, TINY, apply_recipe

PLAIN = {"train.py": TINY}
ALL = [method for method in METHODS.values() if method.recipe]
TRAINED, SHARES = 100, 10
LEAST = 500


@functools.cache
def applicable():
    """Return the methods whose recipes apply to the plain script, with their knobs."""
    stands = contexts(ALL, PLAIN)
    tried = {x.id: attempt(x, PLAIN, stands[x.id]) for x in ALL}
    return {name: x.knobs for name, x in tried.items() if x.state is State.APPLIES}


@functools.cache
def after(first):
    """Return the script after a recipe, and how all methods stand to it then."""
    text = apply_recipe(METHODS[first], TINY, knobs=applicable()[first])
    files = {"train.py": text}
    return files, contexts(ALL, files)


def tried_after(first, second):
    files, stands = after(first)
    return attempt(METHODS[second], files, stands[second])


def exclude(first, second):
    named = METHODS[first].conflicts, METHODS[second].conflicts
    return second in named[0] or first in named[1]


def fault(first, second):
    """Return what is wrong with a pair, or nothing."""
    found = tried_after(first, second)
    if not found.files:
        why = explained(METHODS[second], found.why, earlier=PLAIN, brought=[first])
        return "" if first in why else f"refused without its name: {why}"
    if exclude(first, second):
        return "they exclude each other, and yet it applies"
    (text,) = found.files.values()
    compile(text, f"{first}, {second}", "exec", dont_inherit=True)
    lost = [
        name
        for name in (first, second)
        if METHODS[name].detect and not detect(METHODS[name], text)
    ]
    return f"{', '.join(lost)} is not there afterwards" if lost else ""


@pytest.fixture(autouse=True, scope="module")
def uncollected():
    """Keep the collector away from the trees: it finds nothing, for a fifth of the time."""
    gc.disable()
    yield
    gc.enable()


def is_drawn(first, second):
    """Say whether this order of a pair is the one for the day."""
    pair = "\n".join(sorted((first, second)))
    return (first < second) == bool(crc32(pair.encode()) & 1)


def faults_after(first, chosen):
    if first not in applicable():
        pytest.skip("it does not apply to the plain script")
    faults = {
        x: fault(first, x) for x in applicable() if x != first and chosen(first, x)
    }
    return {x: words for x, words in faults.items() if words}


@pytest.mark.long
def test_there_are_enough_pairs():
    names = applicable()
    assert len(names) * (len(names) - 1) / 2 >= LEAST


@pytest.mark.long
@pytest.mark.parametrize("first", [method.id for method in ALL])
def test_a_recipe_after_another_composes_or_names_it(first):
    assert faults_after(first, is_drawn) == {}


@pytest.mark.slow
@pytest.mark.parametrize("first", [method.id for method in ALL])
def test_the_other_order_composes_or_names_it(first):
    assert faults_after(first, lambda one, two: not is_drawn(one, two)) == {}


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.usefixtures("uncompiled", "collected")
@pytest.mark.parametrize("share", range(SHARES))
def test_a_random_pair_trains(train, share):
    torch = pytest.importorskip("torch")
    names = sorted(applicable())
    pairs = [(a, b) for a in names for b in names if a != b and not exclude(a, b)]
    random.Random(0).shuffle(pairs)  # noqa: S311  the same pairs every time
    trained = 0
    for first, second in pairs[share::SHARES]:
        if trained == TRAINED // SHARES:
            break
        found = tried_after(first, second)
        if not found.files:
            continue
        model = train(first, second, **found.knobs).model
        assert all(torch.isfinite(p).all() for p in model.parameters())
        trained += 1
    assert trained == TRAINED // SHARES
