"""`experiment` and `run`: the commands that train."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.note import summarise
from loopgraph_git.cli.options import (
    POSITIVE,
    SEED,
    as_json,
    default_session,
    opened,
    paid_llm,
    sandbox_level,
)
from loopgraph_git.cli.progress import Shown, Stop
from loopgraph_git.cli.proposing import PROPOSERS, Asked, proposer_of
from loopgraph_git.cli.sessions import run_sessions
from loopgraph_git.git import commits, refs, worktree
from loopgraph_git.git.lock import locked
from loopgraph_git.library import fitting
from loopgraph_git.loop import gate, measure, runner
from loopgraph_git.loop import sandbox as sandboxes
from loopgraph_git.loop.cage import Level
from loopgraph_git.loop.confirm import confirm
from loopgraph_git.loop.honesty import doubted
from loopgraph_git.loop.session import Ended, Options
from loopgraph_git.loop.trust import require_trust
from loopgraph_git.loop.usage import Meter
from loopgraph_git.records import Grade, Oid, Result, Status, body_of

if TYPE_CHECKING:
    from loopgraph_git.loopgraph import LoopGraph


@click.command()
@click.option("-n", type=click.IntRange(1), help="How many experiments.")
@click.option("--hours", type=POSITIVE, help="For how long.")
@click.option(
    "--budget",
    type=POSITIVE,
    help="Seconds of training a run.",
)
@click.option("--proposer", type=click.Choice(PROPOSERS), help="Who proposes.")
@click.option("--agent", help="For --proposer command: claude, codex, opencode, aider.")
@click.option("--agent-command", help="Any other one: 'mytool --quiet {brief}'.")
@click.option("--model", help="The LLM for --proposer chat or command.")
@paid_llm
@click.option("--session", help="Its name; the default is the branch you are on.")
@click.option(
    "--seed", default=0, show_default=True, type=SEED, help="The seed of every run."
)
@sandbox_level
@click.option("--gpus", help="Sessions side by side: 0,1 or all; -n is for each.")
@click.option("--dry-run", is_flag=True, help="Say what would be tried, and why not.")
@click.option("--confirm", "confirm_", is_flag=True, help="Measure the winner again.")
@click.option(
    "--pairs",
    default=3,
    show_default=True,
    type=click.IntRange(2),
    help="Of runs, for --confirm.",
)
@click.option("--summary", is_flag=True, help="Only tell what came of the session.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@as_json
def experiment(  # noqa: PLR0913  one parameter an option
    *,
    n: int | None,
    hours: float | None,
    budget: float | None,
    proposer: str | None,
    agent: str | None,
    agent_command: str | None,
    model: str | None,
    provider: str | None,
    max_tokens: int | None,
    max_cost: float | None,
    session: str | None,
    seed: int,
    sandbox: Level | None,
    gpus: str | None,
    dry_run: bool,
    confirm_: bool,
    pairs: int,
    summary: bool,
    quiet: bool,
    json_: bool,
) -> None:
    """Propose an edit, train it, judge it, remember it; and again.

    Works on its own branch lg/SESSION in a worktree of its own: your checkout is not
    touched. Without -n and --hours it goes on until you stop it. Ctrl-C ends the run
    under way and keeps the books; the same command goes on from there.

    With --confirm nothing new is tried: the winner and the session's first baseline are
    trained again with fresh seeds, in pairs. Exits 1 where the gain is not confirmed.

    `git lg note` pauses or ends a running session, and leaves notes for the agent.

    Example: git lg experiment -n 12 --budget 60
    """
    lab = opened()
    lab.require_config()
    if budget is not None:
        lab.config = lab.config.with_budget(budget)
    name = session or default_session(lab)
    if summary:
        summarise(lab, name, json_=json_)
        return
    if dry_run:
        preview(lab, name, json_=json_)
        return
    require_trust(lab.repo, lab.trusted_config)
    if confirm_:
        options = Options(session=name, seed=seed, sandbox=sandbox)
        confirming(lab, options, pairs, quiet=quiet, json_=json_)
        return
    meter = Meter(max_tokens=max_tokens, max_cost_usd=max_cost)
    watch = runner.Watch()
    asked = Asked(
        name=proposer,
        agent=agent,
        agent_command=agent_command,
        model=model,
        provider=provider,
        sandbox=sandbox,
    )
    made = partial(proposer_of, lab, asked, meter, watch)
    options = Options(session=name, n=n, hours=hours, seed=seed, sandbox=sandbox)
    with Shown(lab.config.metric, quiet=quiet) as shown, Stop(shown.say) as stop:
        watch.on_line, watch.should_stop = shown.line, stop
        ended = run_sessions(
            lab, made, options, gpus=gpus, shown=shown, should_stop=stop
        )
        if meter.total.requests:
            shown.say(f"the LLM: {meter.total}")
    finished(lab, ended, json_=json_)


def finished(lab: LoopGraph, ended: Ended, *, json_: bool) -> None:
    """Print what came of the sessions of a call, and exit with its code."""
    if json_:
        render.emit_json("experiment", [item.to_dict() for item in ended.experiments])
    elif ended.experiments:
        render.experiments(ended.experiments)
        for name in sorted({item.session for item in ended.experiments}):
            click.echo()
            summarise(lab, name, since=ended.began, json_=False)
    if ended.exit_code:
        click.get_current_context().exit(ended.exit_code)


def confirming(
    lab: LoopGraph, options: Options, pairs: int, *, quiet: bool, json_: bool
) -> None:
    """Measure a session's winner again, print what came of it, and exit."""
    with Shown(lab.config.metric, quiet=quiet) as shown, Stop(shown.say) as stop:
        try:
            found = confirm(lab, options, pairs=pairs, progress=shown, should_stop=stop)
        except runner.InterruptedRunError as error:
            shown.say("stopped; the same command goes on from here")
            raise click.Abort from error
    verdict = found.verdict
    if json_:
        named = {"start": found.start, "tip": found.tip, **body_of(verdict)}
        runs = [{"commit": arm, **body_of(result)} for arm, result in found.runs]
        render.emit_json("confirm", [{**named, "runs": runs}])
    else:
        rows = [
            (
                "winner" if arm == found.tip else "baseline",
                arm.short,
                str(result.seed),
                render.number(result.value, 6),
                str(result.status),
            )
            for arm, result in found.runs
        ]
        render.table(
            ["", "commit", ">seed", f">{lab.config.metric.name}", "status"], rows
        )
        click.echo(f"\n{found.tip.short} {render.plain(verdict.reason)}")
    click.get_current_context().exit(0 if verdict.grade == Grade.WIN else 1)


def preview(lab: LoopGraph, session: str, *, json_: bool) -> None:
    """Print which recipes apply to the code as it is, and why the others do not."""
    tip = lab.repo.find(refs.session_branch(session)) or lab.repo.oid("HEAD")
    files = gate.editable_files(lab.repo, tip, lab.config)
    fits, misfits = _stands(lab, tip, files)
    if json_:
        whole = {
            "session": session,
            "commit": tip,
            "command": list(lab.config.run),
            "applies": fits,
            "does_not": misfits,
        }
        render.emit_json("preview", whole)
        return
    click.echo(f"would run `{' '.join(lab.config.run)}` on lg/{session}\n")
    verb = "recipe applies" if len(fits) == 1 else "recipes apply"
    click.echo(f"{len(fits)} {verb} to {', '.join(files)} at {tip.short}:\n")
    rows = [(x["method"], render.number(x["score"]), x["title"]) for x in fits]
    render.table(["method", ">score", "recipe"], rows)
    if misfits:
        click.echo(f"\n{len(misfits)} do not:\n")
        render.table(["method", "why not"], [(x["method"], x["why"]) for x in misfits])


def _stands(
    lab: LoopGraph, tip: Oid, files: dict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the methods that would be tried, the best first, and the others."""
    answer = lab.rank(goal=lab.config.goal, rev=str(tip))
    methods = {method.id: method for method in lab.methods()}
    stands = fitting.contexts(list(methods.values()), files)
    fits: list[dict[str, Any]] = []
    misfits: list[dict[str, Any]] = []
    for item in answer.ranking:
        method = methods[item.method]
        found = fitting.attempt(method, files, stands[method.id])
        # what lacks something is tried too, later on
        if found.files and item.score > 0:
            fits.append(
                {"method": method.id, "score": item.score, "title": method.title}
            )
        else:
            misfits.append({"method": method.id, "why": found.why})
    return fits, misfits


@click.command()
@click.argument("rev", default="HEAD")
@click.option(
    "--seed", default=0, show_default=True, type=SEED, help="The seed of the run."
)
@click.option("--budget", type=POSITIVE, help="Seconds of training.")
@sandbox_level
@click.option("--believe", is_flag=True, help="Count a value that is in quarantine.")
@as_json
def run(
    rev: str,
    *,
    seed: int,
    budget: float | None,
    sandbox: Level | None,
    believe: bool,
    json_: bool,
) -> None:
    """Train one commit in a worktree of its own and record what came of it.

    Changes that are not committed are not part of the run.

    Example: git lg run HEAD --seed 1
    """
    lab = opened()
    lab.require_config()
    require_trust(lab.repo, lab.trusted_config)
    if budget is not None:
        lab.config = lab.config.with_budget(budget)
    level = sandboxes.chosen(sandbox, Level[lab.config.sandbox.upper()])
    commit = lab.repo.oid(rev)
    # before anything is said of it: a reset must not take what was measured
    commits.pin(lab.repo, commit)
    if not lab.repo.bare and lab.repo.text("status", "--porcelain", "-uno"):
        click.echo("note: uncommitted changes are not part of this run", err=True)
    with Shown(lab.config.metric) as shown, Stop(shown.say) as stop:
        watch = runner.Watch(on_line=shown.line, should_stop=stop)
        result = _trained(lab, commit, seed, level, watch)
        result = result if believe else doubted(lab, result)
    lab.record(commit, result)
    item = lab.show(str(commit))
    if json_:
        render.emit_json("run", item.to_dict())
    else:
        render.experiments([item])
        if result.excerpt:
            click.echo("\n" + render.block(result.excerpt))
    click.get_current_context().exit(0 if result.status is Status.OK else 1)


def _trained(
    lab: LoopGraph, commit: Oid, seed: int, level: Level, watch: runner.Watch
) -> Result:
    name = f"run-{commit.short}-{time.time_ns()}"
    with locked(lab.repo.home / "journal" / "_run.lock", what="`git lg run`"):
        # no session can have this name: sessions are slugs
        tree = worktree.open_detached(lab.repo, "_run", commit)
        worktree.link(lab.repo, tree, lab.config.link)
        job = measure.Job(
            tree=tree,
            commit=commit,
            config=lab.config,
            seed=seed,
            run_id=measure.session_run_id(lab.repo, "_run") + name,
            log=lab.repo.home / "logs" / f"{name}.log",
            level=level,
        )
        try:
            return measure.train(job, watch)
        except runner.InterruptedRunError as error:
            raise click.Abort from error
