"""`record`: what came of a run that somebody else made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import POSITIVE, SEED, as_json, opened
from loopgraph_git.errors import UsageError
from loopgraph_git.loop import recording
from loopgraph_git.records import Judgement, Kind, Status

if TYPE_CHECKING:
    from loopgraph_git.loopgraph import LoopGraph
    from loopgraph_git.records import Experiment, Oid

_OURS = (Status.REJECTED, Status.QUARANTINED)
_STATUSES = [str(item) for item in Status if item not in _OURS]
_VERDICTS = [str(item) for item in Judgement]


@click.command()
@click.argument("rev", default="HEAD")
@click.option("--log", type=click.File("rb"), help="The log of the run; - is stdin.")
@click.option("--value", type=float, help="The metric, where no log says it.")
@click.option("--metric", default="", help="Its name, if not the one in the settings.")
@click.option("--status", type=click.Choice(_STATUSES), help="How the run ended.")
@click.option("--seconds", type=POSITIVE, help="Its wall clock.")
@click.option("--memory-mb", type=POSITIVE, help="Its peak memory, in MiB.")
@click.option("--seed", type=SEED, help="Its seed.")
@click.option("--platform", default="", help="Where it ran, if not on this machine.")
@click.option("--verdict", type=click.Choice(_VERDICTS), help="What you decided.")
@click.option("--reason", default="", help="Why, in one line.")
@click.option("--again", is_flag=True, help="Add a run though the same one is known.")
@as_json
def record(  # noqa: PLR0913  one parameter an option
    rev: str,
    *,
    log: BinaryIO | None,
    value: float | None,
    metric: str,
    status: str | None,
    seconds: float | None,
    memory_mb: float | None,
    seed: int | None,
    platform: str,
    verdict: str | None,
    reason: str,
    again: bool,
    json_: bool,
) -> None:
    """Record the outcome of a run that you or your agent made.

    The commit is pinned: a reset does not lose it any more. The log is read as that
    of `git lg run` is; options win over it. Nothing is run. The same log twice adds
    nothing.

    Example: git lg record --log run.log --verdict keep
    """
    told = recording.Told(
        metric=metric,
        value=value,
        status=Status(status) if status else None,
        seconds=seconds,
        memory_mb=memory_mb,
        seed=seed,
        platform=platform,
        verdict=Judgement(verdict) if verdict else None,
        reason=render.plain(reason),
    )
    if not (log or told.measured or told.verdict):
        raise UsageError(
            "nothing to record: add `--log run.log`, `--value`, `--status` or `--verdict`"
        )
    lab = opened()
    commit = lab.repo.oid(rev)
    heard = recording.read_log(log, recording.metric_name(lab, told)) if log else None
    _warn(lab, commit, log)
    written = recording.record(lab, commit, told, heard, again=again)
    item = lab.show(str(commit))
    apart = item.protocol.startswith(recording.APART) and Kind.RESULT in written
    if apart and lab.configured:
        words = (
            "the log's training_seconds are not the budget_seconds of .loopgraph.yml"
        )
        click.echo(f"note: {words}: not compared with other runs", err=True)
    if json_:
        added = [str(kind) for kind in written]
        render.emit_json("record", {**item.to_dict(), "added": added})
    else:
        _tell(item, written, told)
        _tell_failure(lab, commit, written)


def _warn(lab: LoopGraph, commit: Oid, log: BinaryIO | None) -> None:
    """Say what makes it doubtful that the log is of this commit."""
    if lab.repo.bare:
        return
    here = commit == lab.repo.find("HEAD")
    if here and lab.repo.text("status", "--porcelain", "-uno"):
        words = (
            f"uncommitted changes are not part of {commit.short}: was the run of it?"
        )
        click.echo(f"note: {words}", err=True)
    if log is None or not log.seekable():
        return
    made = int(lab.repo.text("log", "-1", "--format=%ct", commit))
    if os.fstat(log.fileno()).st_mtime < made:
        click.echo(
            f"note: the log is older than {commit.short}: is it of it?", err=True
        )


def _tell(item: Experiment, written: tuple[Kind, ...], told: recording.Told) -> None:
    render.experiments([item])
    if not written:
        click.echo(
            f"{item.commit.short} has this already: nothing added (--again adds a run)"
        )
    elif Kind.RESULT not in written and told.measured:
        click.echo("the run was known already; the verdict is new")
    if Kind.RESULT in written and item.excerpt and item.value is None:
        click.echo("\n" + render.block(item.excerpt))


def _tell_failure(lab: LoopGraph, commit: Oid, written: tuple[Kind, ...]) -> None:
    """Say that a run was recorded as one that failed: the log may be another one."""
    result = lab.results_of(commit)[-1] if Kind.RESULT in written else None
    if result and result.status is not Status.OK:
        said = f": {render.plain(result.reason)}" if result.reason else ""
        click.echo(f"recorded as {result.status}{said}")
