"""The journal is read back as written, by this version and by others."""

from __future__ import annotations

import json

import pytest

from loopgraph_git.errors import LoopGraphError
from loopgraph_git.loop.journal import Entry, Journal, Plan, Stage

ENTRY = Entry(
    stage=Stage.PROPOSED,
    number=1,
    ts=1_700_000_000,
    baseline="a" * 40,
    subject="Try ä",
    body="",
    proposer="recipe",
    files={"train.py": "x = '\ud800'\n"},
    methods=("a", "b"),
)


def test_a_new_journal_is_empty(tmp_path):
    journal = Journal(tmp_path / "deep" / "s.json")
    assert (journal.plan, journal.entry) == (None, None)


def test_plan_and_entry_are_read_back(tmp_path):
    journal = Journal(tmp_path / "deep" / "s.json")
    journal.write(plan=Plan(target=6, done=2), entry=None)
    journal.enter(ENTRY.at(Stage.COMMITTED, commit="b" * 40))
    again = Journal(tmp_path / "deep" / "s.json")
    assert again.plan == Plan(target=6, done=2)
    assert again.entry == ENTRY.at(Stage.COMMITTED, commit="b" * 40)
    assert isinstance(again.entry.stage, Stage)
    again.enter(None)
    assert Journal(tmp_path / "deep" / "s.json").entry is None


def test_a_half_written_file_does_not_count(tmp_path):
    path = tmp_path / "s.json"
    Journal(path).enter(ENTRY)
    path.with_suffix(".new").write_text("{")
    assert Journal(path).entry == ENTRY


def test_fields_of_another_version_are_left_out(tmp_path):
    path = tmp_path / "s.json"
    Journal(path).enter(ENTRY)
    plain = json.loads(path.read_text())
    plain["entry"]["mood"] = "hopeful"
    path.write_text(json.dumps(plain))
    assert Journal(path).entry == ENTRY


@pytest.mark.parametrize("text", ["{", '{"plan": {}}', '{"entry": {"stage": "odd"}}'])
def test_a_journal_that_cannot_be_read_says_what_to_do(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(LoopGraphError, match="move it away"):
        Journal(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("plan", "again", "same"),
    [
        (Plan(target=6, done=2), Plan(target=6), True),
        (Plan(target=6, done=2), Plan(target=7), False),
        (Plan(target=6, until=200.0), Plan(target=6, until=900.0), True),
        (Plan(target=6, until=50.0), Plan(target=6, until=900.0), False),
        (Plan(target=6), Plan(target=6, until=900.0), False),
    ],
)
def test_only_the_same_command_goes_on_with_a_plan(plan, again, same):
    assert plan.continues(again, now=100.0) is same
