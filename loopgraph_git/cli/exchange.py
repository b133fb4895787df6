"""`import`: what others kept of their experiments, made part of the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from loopgraph_git.cli import render
from loopgraph_git.cli.options import as_json, opened
from loopgraph_git.errors import UsageError
from loopgraph_git.git import linear, refs
from loopgraph_git.records import Direction
from loopgraph_git.records.texts import counted

if TYPE_CHECKING:
    from loopgraph_git.loop.logs.adopt import Adopted
    from loopgraph_git.loop.logs.history import Log
    from loopgraph_git.loop.logs.log_table import Problem
    from loopgraph_git.loopgraph import LoopGraph

_DIRECTIONS = [str(item) for item in Direction]
_TOLD = 20


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="FILE|REV|RANGE...")
@click.option("--session", help="The session of it all; by default the source's name.")
@click.option("--metric", default="", help="The metric that decides.")
@click.option("--direction", type=click.Choice(_DIRECTIONS), help="Which is better.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
@click.option("--verbose", "-v", is_flag=True, help="Name all that is passed over.")
@as_json
def import_(  # noqa: PLR0913  one parameter an option
    sources: tuple[str, ...],
    *,
    session: str | None,
    metric: str,
    direction: str | None,
    dry_run: bool,
    verbose: bool,
    json_: bool,
) -> None:
    """Adopt experiments that were kept elsewhere: logs, commits or DVC's.

    A FILE is a log: results.tsv of autoresearch, CSV, JSON, tables in Markdown, or `-`
    for stdin. A row whose commit is in this repository becomes records on that
    commit. For a row whose code is lost a commit without files stands in, which says
    so. Where a log has no verdicts its rows are runs that nobody judged.

    A RANGE `A..B`, or a REV for what it holds since it left the default branch, is a
    history that is its own log. A commit is an experiment where its subject begins
    with `experiment:`, or anything says what came of it:

    \b
    a later commit reverts it, in words or to the byte     discard
    others were reverted, and it was left standing         keep
    `[keep]` or `- discard` ends its subject               that verdict
    `Status: keep` is a line of its message                that verdict
    `results: discard ...` follows, without code           that verdict
    `val_bpb 0.98`, `val_bpb 1.0 -> 0.98` in its subject   the value
    a commit adds its row to a results.tsv or .jsonl       both

    What nothing tells is left out, and commits that are no experiments are named.

    `refs/exps` are DVC's experiments: their metrics become results. DVC has no
    verdicts, so they get none.

    Importing again adds only what is new. Exits with 1 when something that looks
    like an experiment could not be read; the rest is imported.

    Example: git lg import results.tsv --session mar8
    """  # noqa: D301  click reads the backspace: a table is not to be wrapped
    # tables and logs are read by this command alone
    from loopgraph_git.loop.logs.adopt import adopt  # noqa: PLC0415

    lab = opened()
    options = _Options(metric, Direction(direction) if direction else None, session)
    # all is read before any is written: a wrong option leaves no trace
    logs = [log for source in sources for log in _read(lab, source, options)]
    done = [
        (log, log.session, adopt(lab, log, session=log.session, dry_run=dry_run))
        for log in logs
    ]
    if json_:
        render.emit_json("import", [_plain(*item) for item in done])
    else:
        for log, name, adopted in done:
            _tell(log, name, adopted, dry_run=dry_run)
            _tell_problems(log, verbose=verbose)
    if any(log.problems for log in logs):
        click.get_current_context().exit(1)


class _Options(NamedTuple):
    """What the options say of the metric and the session."""

    metric: str
    direction: Direction | None
    session: str | None

    def of(self, lab: LoopGraph) -> dict[str, Any]:
        """Return what every reader wants to know."""
        return {
            "metric": self.metric,
            "direction": self.direction,
            "known": lab.config.metric,
        }


def _read(lab: LoopGraph, source: str, options: _Options) -> list[Log]:
    """Read what a source names: a file first, then DVC's refs, then commits."""
    path = Path(source)
    if source != "-" and not path.exists():
        if source.rstrip("/").startswith("refs/exps"):
            return _read_dvc(lab, source, options)
        line = linear.find_line(lab.repo, source)
        if line is None:
            raise UsageError(
                f"{source!r} is no file, and names no commits: give a log, a branch, "
                "a range such as main..HEAD, or refs/exps"
            )
        return [_read_line(lab, source, line, options)]
    if path.is_dir():
        raise UsageError(f"{source} is a folder: give a log in it, or a branch")
    name = "stdin" if source == "-" else path.name
    with click.open_file(source, "rb") as stream:
        return _read_file(lab, stream, name, options)


def _read_file(
    lab: LoopGraph, stream: IO[bytes], name: str, options: _Options
) -> list[Log]:
    from loopgraph_git.loop.logs import history  # noqa: PLC0415
    from loopgraph_git.loop.logs.log_lines import read_text  # noqa: PLC0415

    text, chosen = read_text(stream, name), options.of(lab)
    if chosen.pop("metric"):
        logs = [history.read_log(text, name, **options.of(lab))]
    else:
        logs = history.read_metrics(text, name, **chosen)
    usual = options.session or refs.slug(Path(name).stem)
    only = bool(options.session)
    return [part for log in logs for part in history.by_session(log, usual, only=only)]


def _read_line(
    lab: LoopGraph, source: str, line: linear.Line, options: _Options
) -> Log:
    from loopgraph_git.loop.logs.commit_log import read_commits  # noqa: PLC0415

    log = read_commits(lab.repo, line, editable=lab.config.editable, **options.of(lab))
    called = source.rpartition("..")[2] or "HEAD"
    if called == "HEAD":
        called = (lab.repo.branch() or called).removeprefix("refs/heads/")
    return replace(log, name=source, session=options.session or refs.slug(called))


def _read_dvc(lab: LoopGraph, source: str, options: _Options) -> list[Log]:
    from loopgraph_git.loop.logs.dvc_log import read_experiments  # noqa: PLC0415

    logs = read_experiments(lab.repo, source, **options.of(lab))
    return [replace(log, session=options.session or log.session) for log in logs]


def _tell(log: Log, session: str, adopted: Adopted, *, dry_run: bool) -> None:
    counts = ", ".join(
        f"{n} {verdict or 'without a verdict'}" for verdict, n in _counts(adopted)
    )
    untold = f", {adopted.untold} without an outcome" if adopted.untold else ""
    added = f"{adopted.added} {'would be added' if dry_run else 'added'}"
    what = counted(len(log.rows), "experiment" if log.origin else "row")
    lines = [
        f"{render.plain(log.name)}: {what} of session {session}: {counts or 'none'}",
        f"  metric:  {log.metric.name}, {log.metric.direction} is better",
        *([f"  commits: {render.plain(log.origin)}"] if log.origin else []),
        f"  code:    {adopted.resolved} here, {adopted.lost} lost",
        f"  records: {added}, {adopted.already} known before{untold}",
    ]
    click.echo("\n".join(lines))


def _tell_problems(log: Log, *, verbose: bool) -> None:
    for problem in log.problems:
        _tell_problem(log, problem, "not imported")
    shown = log.passed if verbose else log.passed[:_TOLD]
    for problem in shown:
        _tell_problem(log, problem, "passed over")
    left = len(log.passed) - len(shown)
    if left:
        more = f"{left} more are passed over: `-v` names them"
        click.echo(f"{render.plain(log.name)}: {more}", err=True)


def _tell_problem(log: Log, problem: Problem, what: str) -> None:
    place = f"{log.name}:{problem.line}" if problem.line else log.name
    click.echo(render.plain(f"{place}: {what}: {problem.reason}"), err=True)


def _counts(adopted: Adopted) -> list[tuple[str, int]]:
    return sorted(adopted.counts.items(), key=lambda item: (not item[0], item[0]))


def _plain(log: Log, session: str, adopted: Adopted) -> dict[str, Any]:
    return {
        "source": log.name,
        "origin": log.origin,
        "session": session,
        "metric": log.metric.name,
        "direction": str(log.metric.direction),
        "rows": len(log.rows),
        "counts": {verdict or "none": n for verdict, n in _counts(adopted)},
        "resolved": adopted.resolved,
        "lost": adopted.lost,
        "added": adopted.added,
        "already": adopted.already,
        "untold": adopted.untold,
        "problems": [problem._asdict() for problem in log.problems],
        "passed": [problem._asdict() for problem in log.passed],
    }
