"""Decisions under noise on real sessions: a second run, a plateau, a confirmation."""

from __future__ import annotations

import json

import pytest

from loopgraph_git.errors import LoopGraphError, UsageError
from loopgraph_git.loop import plateau, runner
from loopgraph_git.loop.confirm import confirm
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.proposers import Proposal, ScriptedProposer
from loopgraph_git.loop.session import Options
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Judgement
from tests.conftest import TRAIN, git
from tests.loop.test_loop import Silent

# many sessions with processes of their own
pytestmark = pytest.mark.long

# the seed is worth 0.001, so a pair of baselines has a deviation of 0.0007
UNCLEAR, WORSE, BETTER = "1.02e-3", "0.98e-3", "2e-3"


def rate(value: str) -> Proposal:
    return Proposal(
        title=f"Rate {value}", files={"train.py": TRAIN.replace("1e-3", value, 1)}
    )


def session(toy, *proposals, on_stage=lambda _entry: None):
    """Run a session of scripted proposals; return the experiments and what was said."""
    with LoopGraph.open(toy.root) as lab:
        progress = Silent()
        options = Options(session="s", n=len(proposals))
        loop = Loop(
            lab,
            ScriptedProposer(proposals),
            options,
            progress=progress,
            on_stage=on_stage,
        )
        return loop.run().experiments, progress.said


def confirmed(toy, pairs=2, stop_after=""):
    with LoopGraph.open(toy.root) as lab:
        progress = Silent()
        found = confirm(
            lab,
            Options(session="s"),
            pairs=pairs,
            progress=progress,
            should_stop=lambda: bool(stop_after) and stop_after in str(progress.said),
        )
        return found, lab.records_of(found.tip), lab.show(str(found.tip))


@pytest.mark.parametrize(
    ("value", "judgement"),
    [(UNCLEAR, Judgement.KEEP), (WORSE, Judgement.DISCARD)],
)
def test_an_unclear_result_is_measured_again_before_it_is_judged(toy, value, judgement):
    (item,), said = session(toy, rate(value))
    assert (item.verdict, item.runs) == (judgement, 2)
    assert "over 2 runs" in item.reason
    assert any("to be measured again" in line for line in said)
    with LoopGraph.open(toy.root) as lab:
        records = lab.records_of(item.commit)
        assert [r.body["seed"] for r in records if r.kind == "result"] == [0, 1]
        verdicts = [r.body["value"] for r in records if r.kind == "verdict"]
    assert verdicts == ["retest", judgement]


def test_a_clear_result_takes_one_run(toy):
    (item,), _ = session(toy, rate(BETTER))
    assert (item.verdict, item.runs) == (Judgement.KEEP, 1)


class KilledError(Exception):
    """The harness died here."""


@pytest.mark.parametrize("moment", range(7))
def test_a_second_run_survives_a_kill_at_every_stage(toy, moment):
    left = iter(range(moment))

    def die(_entry):
        if next(left, None) is None:
            raise KilledError

    with pytest.raises(KilledError):
        session(toy, rate(UNCLEAR), on_stage=die)
    session(toy, rate(UNCLEAR))
    (item,) = (item for item in toy.tried() if item.reason != "baseline")
    assert (item.verdict, item.runs) == (Judgement.KEEP, 2)
    with LoopGraph.open(toy.root) as lab:
        assert len(lab.records_of(item.commit)) == 4


def test_a_plateau_is_reported_and_its_tip_measured_again(toy):
    worse = [rate(f"0.{number}e-3") for number in range(1, 10)]
    found, said = session(toy, rate(BETTER), *worse)
    tip = found[0]
    (report,) = (line for line in said if "nothing has advanced" in line)
    assert f"for {plateau.TRIES} experiments" in report
    assert "Rate 0.8e-3" in report  # the nearest so far
    with LoopGraph.open(toy.root) as lab:
        assert lab.show(str(tip.commit)).runs == 2


def test_a_confirmation_takes_fresh_seeds_on_both_sides_in_turns(toy):
    (item,), _ = session(toy, rate(BETTER))
    start = git(toy.root, "rev-parse", "main")
    found, records, shown = confirmed(toy, pairs=3)
    assert [result.seed for _, result in found.runs] == [2, 2, 3, 3, 4, 4]
    arms = ["start" if arm == start else "tip" for arm, _ in found.runs]
    assert arms == ["start", "tip", "tip", "start", "start", "tip"]
    assert found.verdict.grade == "win"
    said = found.verdict.confirmed
    assert said["gain"] == pytest.approx(0.01, abs=1e-6)
    assert 0 < said["low"] < said["gain"] < said["high"]
    assert said["p"] < 0.001
    # what the experiment itself gained stays its own
    assert shown.delta == pytest.approx(item.delta)
    assert shown.baseline == item.baseline == start
    assert records[-1].body["confirmed"]["pairs"] == 3
    assert git(toy.root, "rev-parse", "lg/s") == item.commit


def test_a_gain_within_the_noise_is_not_confirmed(toy):
    session(toy, rate(UNCLEAR))
    found, _, shown = confirmed(toy)
    assert found.verdict.grade == "advance"
    assert "not confirmed over 2 pairs" in shown.reason
    assert shown.verdict is Judgement.KEEP


def test_a_confirmation_that_was_stopped_goes_on_where_it_was(toy):
    session(toy, rate(BETTER))
    with pytest.raises(runner.InterruptedRunError):
        confirmed(toy, stop_after="the winner, seed 2")
    before = len(toy.tried())
    found, _, _ = confirmed(toy)
    assert [result.seed for _, result in found.runs] == [2, 2, 3, 3]
    assert len(toy.tried()) == before
    with LoopGraph.open(toy.root) as lab:
        seeds = [item.seed for item in lab.results_of(found.start)]
    assert seeds == [0, 1, 2, 3]


def test_nothing_is_confirmed_where_nothing_has_advanced(toy):
    session(toy, rate("0.5e-3"))
    with pytest.raises(UsageError, match="has not advanced"):
        confirmed(toy)


def test_an_experiment_under_way_comes_before_a_confirmation(toy):
    def die(entry):
        if entry.stage == "measured":
            raise KilledError

    with pytest.raises(KilledError):
        session(toy, rate(BETTER), on_stage=die)
    with pytest.raises(LoopGraphError, match="is under way"):
        confirmed(toy)


def test_the_command_says_how_sure_the_gain_is(toy):
    session(toy, rate(BETTER))
    done = toy.lg("experiment", "--confirm", "--session", "s", "-q")
    assert "confirmed over 3 pairs of fresh seeds" in done.stdout
    assert "95 % interval" in done.stdout
    (plain,) = toy.json("experiment", "--confirm", "--session", "s", "-q")
    assert plain["grade"] == "win"
    assert [run["seed"] for run in plain["runs"]] == [5, 5, 6, 6, 7, 7]
    assert json.dumps(plain)
    done = toy.lg("experiment", "--confirm", "--session", "none", "-q", code=2)
    assert "there is no session none" in done.stderr
