"""A session left alone: outages, full disks, pauses, notes, and an end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from loopgraph_git.errors import OutageError, ProviderError, UsageError
from loopgraph_git.loop.account import account, told
from loopgraph_git.loop.journal import Journal, Plan
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.proposers import Proposal, ScriptedProposer
from loopgraph_git.loop.session import Options
from loopgraph_git.loop.steering import NOTES_LIMIT, Steering
from loopgraph_git.loopgraph import LoopGraph
from tests.conftest import TRAIN, make_toy
from tests.loop.test_loop import Silent

# many sessions with processes of their own
pytestmark = pytest.mark.long


def rate(number: int) -> Proposal:
    value = f"{number + 1}e-3"
    return Proposal(
        title=f"Rate {value}", files={"train.py": TRAIN.replace("1e-3", value, 1)}
    )


class Moody(ScriptedProposer):
    """Proposes from a list, after it has failed as often as it was told to."""

    def __init__(self, proposals, errors):
        super().__init__(proposals)
        self.errors = list(errors)
        self.briefs = []

    def propose(self, request):
        if self.errors:
            raise self.errors.pop(0)
        self.briefs.append(request.brief)
        return super().propose(request)


class Heard(Silent):
    """Progress that somebody listens to."""

    def __init__(self, listener):
        super().__init__()
        self.listener = listener

    def say(self, text):
        super().say(text)
        self.listener(text)


def session(
    root,
    proposer,
    n=1,
    *,
    on_stage=lambda _entry: None,
    heard=lambda _text: None,
    **options,
):
    with LoopGraph.open(root) as lab:
        progress = Heard(heard)
        made = Options(session="s", n=n, pause_seconds=0.01, **options)
        loop = Loop(lab, proposer, made, progress=progress, on_stage=on_stage)
        return loop.run(), progress.said


def steering(toy):
    return Steering(toy.root / ".git" / "loopgraph" / "journal", "s")


def test_an_llm_that_is_away_is_waited_for(toy):
    away = [OutageError("http://llm: HTTP 503")] * 3
    ended, said = session(toy.root, Moody([rate(1)], away))
    assert len(ended.experiments) == 1
    pauses = [line for line in said if "trying again in" in line]
    assert [line.rpartition(" in ")[2] for line in pauses] == [
        "0.01 s", "0.02 s", "0.04 s"
    ]  # fmt: skip


def test_an_llm_that_stays_away_ends_the_session_with_its_time(toy):
    away = [OutageError("http://llm: HTTP 503")] * 10_000
    ended, _ = session(toy.root, Moody([rate(1)], away), n=None, hours=3 / 3600)
    assert (ended.experiments, ended.why) == ((), "the time is up")


def test_a_refusal_of_an_llm_is_not_waited_out(toy):
    with pytest.raises(ProviderError, match="bad key"):
        session(toy.root, Moody([rate(1)], [ProviderError("HTTP 401: bad key")]))


def test_a_note_is_in_every_brief_until_it_is_dropped(toy):
    steering(toy).note("prefer edits\n that delete \x1b[2Jcode")
    proposer = Moody([rate(1), rate(2)], [])

    def drop(entry):
        if entry.stage == "judged" and entry.number == 1:
            steering(toy).drop(1)

    session(toy.root, proposer, 2, on_stage=drop)
    first, second = proposer.briefs
    assert "- prefer edits that delete \\x1b[2Jcode" in first
    assert "Notes from the person" not in second


def test_a_stop_takes_effect_after_the_experiment_under_way(toy):
    def stop(entry):
        if entry.stage == "committed":
            steering(toy).ask(stop=True)

    proposer = Moody([rate(n) for n in range(1, 4)], [])
    ended, _ = session(toy.root, proposer, 3, on_stage=stop)
    assert (len(ended.experiments), ended.why) == (1, "asked to stop after this one")
    assert not steering(toy).read().stop
    ended, _ = session(toy.root, proposer, 2)
    assert len(ended.experiments) == 2


def test_a_pause_lasts_until_it_is_taken_back(toy):
    steering(toy).ask(paused=True)
    times = []

    def go_on(text):
        if text.startswith("paused"):
            times.append(time.monotonic())
            threading.Timer(0.5, steering(toy).ask, kwargs={"paused": False}).start()

    ended, _ = session(
        toy.root,
        Moody([rate(1)], []),
        on_stage=lambda _entry: times.append(time.monotonic()),
        heard=go_on,
    )
    assert len(ended.experiments) == 1
    assert times[1] - times[0] > 0.5


def test_notes_are_bounded_and_no_nonsense_in_their_file_stops_a_session(toy):
    notes = steering(toy)
    for number in range(NOTES_LIMIT):
        notes.note(f"note {number}")
    with pytest.raises(UsageError, match="--drop 1"):
        notes.note("one more")
    for bad in ("", "   ", "x" * 1001):
        with pytest.raises(UsageError, match="1 to 1000 characters"):
            notes.note(bad)
    path = toy.root / ".git" / "loopgraph" / "journal" / "s.wishes"
    for nonsense in ("", "[]", "{", '{"paused": 1}', '{"notes": 3}'):
        path.write_text(nonsense)
        assert notes.read().notes == ()


def test_notes_written_at_once_are_all_kept(toy):
    threads = [
        threading.Thread(target=steering(toy).note, args=(f"note {number}",))
        for number in range(NOTES_LIMIT)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(steering(toy).read().notes) == NOTES_LIMIT


def test_the_command_steers_and_tells(toy):
    assert "no notes" in toy.lg("note").stdout
    assert "1. be brief" in toy.lg("note", "be", "brief").stdout
    assert "paused" in toy.lg("note", "--pause").stdout
    assert "does not run" in toy.lg("note", "--stop", code=2).stderr
    journal = Journal(toy.root / ".git" / "loopgraph" / "journal" / "main.json")
    journal.write(plan=Plan(target=9, until=None, began=time.time()), entry=None)
    (plain,) = toy.json("note", "--stop")
    assert plain == {
        "session": "main", "paused": True, "stop": True, "notes": ["be brief"],
    }  # fmt: skip
    toy.lg("note", "--go-on")
    assert "no notes" in toy.lg("note", "--drop", "1").stdout
    assert "one thing at a time" in toy.lg("note", "x", "--stop", code=2).stderr
    assert "there is no note 1" in toy.lg("note", "--drop", "1", code=2).stderr


def test_the_account_says_what_came_of_a_night(toy):
    boom = Proposal(
        title="Boom",
        files={"train.py": TRAIN.replace("    budget =", "    1 / 0\n    budget =")},
    )
    ended, _ = session(toy.root, Moody([rate(2), boom, rate(0.5), rate(1)], []), 4)
    with LoopGraph.open(toy.root) as lab:
        whole = account(lab, "s")
        later = account(lab, "s", since=time.time() + 1)
        assert account(lab, "none") is None
    assert (whole.tried, len(whole.kept), whole.discarded) == (4, 1, 2)
    assert whole.gain == pytest.approx(0.0205)
    assert whole.failures == (("ZeroDivisionError: division by zero", 1),)
    assert later.tried == 0
    text = "\n".join(told(whole))
    assert "4 experiments on lg/s: 1 kept, 2 discarded, 1 did not run" in text
    assert "better by 0.0205 (noise 0.00071)" in text
    assert "--confirm --session s" in text
    assert json.dumps(whole.to_dict())
    assert ended.began > 0


@pytest.fixture
def small_disk(tmp_path):
    """Return a repository on a disk of 500 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield make_toy(place / "toy")
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("stage", ["proposed", "committed", "measured", "noted"])
def test_a_full_disk_is_waited_out_at_any_stage(small_disk, stage):
    filler, filled = small_disk.root.parent / "filler", []

    def fill(entry):
        if entry.stage == stage and not filled:
            filled.append(entry)
            free = shutil.disk_usage(filler.parent).free
            subprocess.run(["fallocate", "-l", str(free), filler], check=True)
            threading.Timer(1.0, filler.unlink).start()

    proposer = Moody([rate(1), rate(2)], [])
    ended, said = session(small_disk.root, proposer, 2, on_stage=fill)
    found = [item for item in small_disk.tried() if item.reason != "baseline"]
    assert sorted(item.subject for item in found) == ["Rate 2e-3", "Rate 3e-3"]
    assert ended.why == "all experiments of this call are done"
    assert any("waiting for space" in line for line in said)
