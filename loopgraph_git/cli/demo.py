"""`demo`: a small repository, real training, and what the memory makes of it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import POSITIVE
from loopgraph_git.cli.progress import Shown, Stop
from loopgraph_git.config import CONFIG_NAME, load_config
from loopgraph_git.errors import LoopGraphError
from loopgraph_git.git.repo import Repo, create
from loopgraph_git.loop import judge
from loopgraph_git.loop.loop import Loop
from loopgraph_git.loop.proposers import RecipeProposer
from loopgraph_git.loop.session import Options
from loopgraph_git.loop.trust import require_trust, trust
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records.texts import counted
from loopgraph_git.resources import resource_dir

_SESSION = "demo"
_BUDGET = 20.0
_CONFIG = """\
# Written by `git lg demo`; `git lg init` would find the same.
run: [{python}, train.py]
goal: lower validation bits per byte within {budget:g} seconds of training
metric: {{name: val_bpb, direction: lower}}
editable: [train.py]
protected: [prepare.py]
budget_seconds: {budget:g}
baseline_runs: 3
"""


@click.command()
@click.argument("folder", default="loopgraph-demo", type=click.Path(path_type=Path))
@click.option(
    "-n",
    default=6,
    show_default=True,
    type=click.IntRange(1),
    help="How many experiments.",
)
@click.option(
    "--budget", type=POSITIVE, help="Seconds of training a run; 20 in a new folder."
)
def demo(folder: Path, n: int, budget: float | None) -> None:
    """Make a small repository and run real experiments in it; again, and it goes on.

    Trains a small GPT on the text of Python's own standard library: no network, no
    key, no GPU needed. Needs torch (pip install 'loopgraph-git[train]').

    Example: git lg demo -n 6
    """
    _need_torch()
    repo = _repository(folder, budget or _BUDGET)
    config = load_config(repo.root)
    # a repository that was there may be anybody's
    require_trust(repo, config)
    options = Options(session=_SESSION, n=n)
    with LoopGraph.open(folder) as lab:
        if budget:
            lab.config = lab.config.with_budget(budget)
        with Shown(config.metric) as shown, Stop(shown.say) as stop:
            ended = Loop(
                lab, RecipeProposer(), options, progress=shown, should_stop=stop
            ).run()
            shown.say(f"{counted(len(ended.experiments), 'experiment')}: {ended.why}")
        _summary(lab, folder)
    if ended.exit_code:
        click.get_current_context().exit(ended.exit_code)


def _need_torch() -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec("torch") is None:
        raise LoopGraphError(
            "the demo trains with torch, which is not installed: "
            "pip install 'loopgraph-git[train]'"
        )


def _repository(folder: Path, budget: float) -> Repo:
    if (folder / CONFIG_NAME).exists() and (folder / ".git").exists():
        return Repo(folder)
    if folder.exists() and any(folder.iterdir()):
        raise LoopGraphError(
            f"{folder} holds something else: name another folder for the demo"
        )
    shutil.copytree(
        resource_dir("harness") / "tiny_nanochat",
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    # the very Python that runs us is the one that has torch
    config = _CONFIG.format(python=json.dumps(sys.executable), budget=budget)
    (folder / CONFIG_NAME).write_text(config, "utf-8")
    repo = create(folder, message="Start from tiny_nanochat")
    trust(repo, load_config(repo.root))
    return repo


def _summary(lab: LoopGraph, folder: Path) -> None:
    found = lab.experiments(session=_SESSION)
    click.secho("\nExperiments, the newest first", bold=True)
    render.experiments(found)
    _compare(lab)
    click.secho("\nMethods, as the memory ranks them for the best code", bold=True)
    render.ranking(lab.rank(rev=f"lg/{_SESSION}"), 10)
    first = found[0].commit.short if found else "HEAD"
    click.secho("\nNext", bold=True)
    for command, purpose in (
        (f"cd {folder}", ""),
        ("git lg log", "every experiment"),
        (f"git lg show {first}", "its code, runs and verdict"),
        ("git lg rank --explain", "what is known of the methods"),
        ("git lg suggest", "what to try next"),
        (f"git diff HEAD lg/{_SESSION}", "what has won so far"),
        (f"git lg experiment -n 6 --session {_SESSION}", "go on"),
    ):
        click.echo(f"  {command:<40} {purpose}".rstrip())


def _compare(lab: LoopGraph) -> None:
    """Print the best experiment against the baseline, within one protocol and platform."""
    start, top = lab.repo.oid("HEAD"), next(iter(lab.best(1)), None)
    if top is None or top.value is None:
        return
    runs = lab.results(protocol=top.protocol, platform=top.platform)
    noise = judge.measured_noise(runs)
    values = [run.value for oid, run in runs if oid == start and run.value is not None]
    if not values or noise is None:
        return
    mean = judge.mean(values)
    gain = lab.config.metric.gain(mean, top.value)
    click.secho("\nBest against baseline", bold=True)
    click.echo(
        f"{top.commit.short} {render.plain(top.subject)}: {top.metric} {top.value:.4f}, "
        f"baseline {mean:.4f}: better by {gain:.4f}\nnoise {noise.sigma:.4f} (standard "
        f"deviation over {noise.runs} repeated runs): the gain is "
        f"{_times(gain, noise.sigma)}"
    )


def _times(gain: float, sigma: float) -> str:
    return f"{gain / sigma:.1f} times that" if sigma else "beyond it"
