"""Messages state outcomes in few ways; everything else in them is prose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.loop.logs import commit_words
from loopgraph_git.records import Judgement


def said(message, **options):
    return commit_words.said_by(message, "val_bpb", **options)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("experiment: wider, val_bpb 0.9834", 0.9834),
        ("exp: wider, val_bpb=2.432 (plateau, best=2.427)", 2.432),
        ("experiment: wider (val_bpb: 0.9834 -> 0.9812)", 0.9812),
        ("experiment: wider\n\nVal-Bpb: 0.97\n", 0.97),
        ("experiment: wider\n\nresults: 0.9834 → 0.9812 (keep)\n", 0.9812),
        ("results: discard wider (val_bpb 1.123 worse than 1.116)", 1.123),
        ("wider: VAL_BPB ≈ 1.1.", 1.1),
    ],
)
def test_stated_values(message, value):
    assert said(message).values == (value,)


@pytest.mark.parametrize(
    "message",
    [
        "train: warmdown 0.5→0.3",
        "log (125 experiments, best val_bpb=0.9697)",
        "wider, to get below val_bpb 0.9",
        "experiment: wider\n\nHypothesis: val_bpb 1.10 would follow from this.\n",
        "batch 2^16, val_bpb 2^16",
        "my_val_bpb 1.2",
        "val_bpb 1.2.3",
        "results: 12 experiments",
    ],
)
def test_what_only_looks_like_a_value(message):
    assert said(message).values == ()


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("experiment: wider [keep]", Judgement.KEEP),
        ("experiment: wider (DISCARD)", Judgement.DISCARD),
        ("experiment: wider - crash", Judgement.CRASH),
        ("experiment: wider\n\nStatus: discard\n", Judgement.DISCARD),
        ("experiment: wider\n\nresults: keep, 0.98\n", Judgement.KEEP),
        ("results: discard wider", Judgement.DISCARD),
        ("experiment: keep residuals in fp32", None),
        ("Keep two dense layers", None),
        ("experiment: lr (baseline)", None),
        ("experiment: x\n\nStatus: done\n", None),
    ],
)
def test_verdicts(message, verdict):
    assert said(message).verdict == verdict


def test_the_first_word_counts_where_no_code_changes():
    assert said("Discard wider", telling=True).verdict is Judgement.DISCARD
    assert said("Discard wider").verdict is None


@pytest.mark.parametrize(
    ("message", "oids"),
    [
        (f'Revert "x"\n\nThis reverts commit {"a1" * 20}.\n', ["a1" * 20]),
        ("back to before (reverts a1b2c3d)", ["a1b2c3d"]),
        ("this reverts nothing", []),
    ],
)
def test_what_is_reverted(message, oids):
    assert commit_words.reverted(message) == oids


@given(st.text(max_size=300))
def test_any_message_is_read(message):
    commit_words.said_by(message, "val_bpb", telling=True)
    commit_words.metrics_named(message)
    commit_words.reverted(message)
