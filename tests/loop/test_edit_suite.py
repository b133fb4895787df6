"""Thousands of edits with the faults that language models make: right, or refused."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from benchmarks import edit_cases, edit_suite
from loopgraph_git.loop.edits import read_answer

SOURCE = "import torch\n\nLR = 1\nBATCH = 16\n\n\ndef main():\n    print(LR)\n    return LR\n"


def outcomes(cases):
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        word = edit_suite.judged(case, edit_suite.ours(case))
        counts[case.mutation][word] += 1
    return counts


@pytest.mark.long
def test_the_bars_hold():
    changes = edit_suite.own_changes(24)
    counts = outcomes(edit_cases.cases(changes))
    total = sum(counts.values(), Counter())
    assert total.total() >= 2000
    assert total["right"] >= 0.97 * total.total()
    assert total["wrong"] <= 0.003 * total.total()
    # no kind of fault may hide behind the others
    assert all(row["right"] >= 0.8 * row.total() for row in counts.values())
    assert len(counts) > 50


def test_every_kind_of_fault_is_made_and_judged():
    after = SOURCE.replace("LR = 1", "LR = 2").replace("print(LR)", "print(LR, 'ok')")
    change = edit_cases.Change(before=SOURCE, after=after)
    counts = outcomes(edit_cases.cases([change]))
    assert len(counts) > 40
    assert not [name for name, row in counts.items() if row["wrong"]]


def test_a_file_that_is_not_the_wanted_one_is_wrong():
    case = edit_cases.Case(mutation="x", before="a", answer="", wanted="b")
    assert edit_suite.judged(case, "b") == "right"
    assert edit_suite.judged(case, "c") == "wrong"
    assert edit_suite.judged(case, None) == "refused"
    bad = edit_cases.Case(mutation="x", before="a", answer="", wanted=None)
    assert edit_suite.judged(bad, None) == "right"
    assert edit_suite.judged(bad, "b") == "wrong"


def test_versions_are_all_different_and_apply_to_each_other():
    changes = edit_suite.own_changes(6)
    assert len({change.after for change in changes}) >= 5
    for change in changes:
        text = edit_cases.fenced(edit_cases.diff_lines(change))
        files = read_answer(text, {"train.py": change.before}).files
        assert files == {"train.py": change.after}
