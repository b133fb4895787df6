"""A sketch of 64 numbers tells the same text, nearly the same, and another."""

from __future__ import annotations

import random

from loopgraph_git.library.likeness import Known, Sketch, sketch

WORDS = [f"word{n}" for n in range(2000)]


def text(seed: int, n: int = 400) -> list[str]:
    return random.Random(seed).choices(WORDS, k=n)  # noqa: S311


def jaccard(one: list[str], other: list[str]) -> float:
    runs = [{tuple(w[n : n + 5]) for n in range(len(w) - 4)} for w in (one, other)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def test_layout_case_and_ligatures_make_no_other_text():
    assert sketch("The eﬀect,\n of  it") == sketch("the effect of it")
    assert sketch("the effect of it").digest != sketch("the effects of it").digest


def test_the_estimate_is_near_the_truth():
    for changed in (5, 20, 60):
        one = text(1)
        other = [*one]
        other[: 4 * changed : 4] = ["changed"] * changed
        found = sketch(" ".join(one)).likeness(sketch(" ".join(other)))
        assert abs(found - jaccard(one, other)) < 0.2
    assert sketch(" ".join(text(1))).likeness(sketch(" ".join(text(2)))) == 0


def test_the_likest_of_many_is_found():
    known = Known()
    for seed in range(300):
        known.add(f"paper {seed}", sketch(" ".join(text(seed, 120))))
    again = known.like(sketch(" ".join(text(7, 120)).upper()))
    assert again is not None
    assert (again.key, again.share) == ("paper 7", 1.0)
    near = known.like(sketch(" ".join([*text(9, 120), "one", "more"])))
    assert near is not None
    assert near.key == "paper 9"
    assert 0.8 <= near.share < 1
    assert known.like(sketch(" ".join(text(1000, 120)))) is None
    assert known.like(sketch("")) is None


def test_a_form_that_all_share_hides_no_copy():
    form = text(0, 30)
    known = Known()
    for seed in range(1, 300):
        known.add(str(seed), sketch(" ".join([*form, *text(seed, 300)])))
    near = known.like(sketch(" ".join([*form, *text(5, 300), "x"])))
    assert near is not None
    assert near.key == "5"


def test_a_sketch_is_kept_as_text():
    made = sketch("a few words that are kept beside the text they tell")
    assert Sketch.from_text(made.to_text()) == made
