"""One run of the training command on one commit, turned into a result."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.git import worktree
from loopgraph_git.loop import (
    channel,
    endings,
    fingerprint,
    honesty,
    lint,
    runner,
    summary,
)
from loopgraph_git.loop.cage import Level, Place, caged, hidden_in, needed
from loopgraph_git.loop.scratch import scratch_folder
from loopgraph_git.records import Result, Status, fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Oid

_SEED = "LOOPGRAPH_SEED"
_BUDGET = "LOOPGRAPH_BUDGET_SECONDS"
# compiled kernels may be used by the next run, and are written nowhere else
_CACHES = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton",
           "CUDA_CACHE_PATH": "cuda"}  # fmt: skip
_CHECKPOINT = "LOOPGRAPH_CHECKPOINT"
_MEMORY_SHARE = 0.9
_FLAGS = 8


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be run: a commit, checked out in a worktree of ours."""

    tree: Repo
    commit: Oid
    config: Config
    seed: int
    run_id: str
    log: Path
    level: Level = Level.RLIMITS
    flags: tuple[lint.Flag, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def session_run_id(repo: Repo, session: str) -> str:
    """Return the prefix of all run ids of a session, unlike any other clone's."""
    place = hashlib.sha256(str(repo.common_dir.resolve()).encode()).hexdigest()[:12]
    return f"{place}/{session}/"


def train(job: Job, watch: runner.Watch) -> Result:
    """Run the training command under its limits and read what it measured.

    Where the settings have a command for it, its checkpoint is then measured by
    another process. Raises InterruptedRunError when the user asked to stop.
    """
    guarded = (*job.config.protected, *job.config.editable)
    before = fingerprint.digests(job.tree.root, guarded)
    pointer = (job.tree.root / ".git").read_bytes()
    with scratch_folder() as folder:
        ended, told = _run(job, job.config.run, folder, watch)
        after = fingerprint.digests(job.tree.root, guarded)
        changed = [path for path in guarded if after[path] != before[path]]
        if _restored(job.tree.root / ".git", pointer):
            changed.append(".git")
        result = _result(job, ended, told, changed)
        if job.config.evaluate and result.status is Status.OK:
            result = _verified(job, result, folder, watch)
    return fitted(result)


def _run(
    job: Job, argv: tuple[str, ...], scratch: Path, watch: runner.Watch
) -> tuple[runner.Ended, dict[str, float | str] | None]:
    """Run one command of the settings; returns what it reported, None if it cannot."""
    config, cache = job.config, job.tree.home / "cache"
    cache.mkdir(exist_ok=True)
    worktree.forget_bytecode(job.tree)
    # inside bubblewrap the folder has another name
    seen = Path("/tmp") if job.level is Level.BUBBLEWRAP else scratch  # noqa: S108
    supported = channel.is_supported(job.tree, job.commit, config)
    told = channel.opened(
        scratch, "evaluation" if argv == config.evaluate else "metric"
    )
    own = {
        **{name: str(cache / folder) for name, folder in _CACHES.items()},
        **(_without_network(config, cache) if job.level >= Level.LANDLOCK else {}),
        **(told.env(seen) if supported else {}),
        **({_CHECKPOINT: str(seen / "checkpoint")} if config.evaluate else {}),
        **job.env,
        runner.RUN_ID: job.run_id,
        _SEED: str(job.seed),
        _BUDGET: f"{config.budget_seconds:g}",
        "TMPDIR": str(scratch),
    }
    env = runner.training_env(own, allowed=config.env)
    linked = [(job.tree.root / path).resolve() for path in config.link]
    named = [Path(path).expanduser() for path in config.read]
    place = Place(
        folder=job.tree.root.resolve(),
        scratch=scratch,
        writable=(cache.resolve(),),
        kept=(*config.protected, ".git"),
        readable=(*needed(argv, env), *linked, *named),
    )
    limits = limits_of(config, job.level)
    ended = runner.run_command(
        argv,
        folder=job.tree.root,
        log=job.log if argv == config.run else job.log.with_suffix(".evaluation.log"),
        limits=limits,
        env=env,
        watch=watch,
        cage=caged(job.level, place, memory_bytes=limits.memory_bytes),
    )
    return ended, told.read() if supported else None


def _verified(job: Job, result: Result, scratch: Path, watch: runner.Watch) -> Result:
    """Return the result with what a process of its own measured of the checkpoint."""
    # with the files as they were committed, whatever the run left in the worktree
    worktree.restore(job.tree, job.commit, keep=job.config.link)
    ended, told = _run(job, job.config.evaluate, scratch, watch)
    found = said(ended, job.config, told)
    if found.status is not Status.OK or found.value is None:
        why = f"the evaluation did not end well: {found.reason}"
        return refused(replace(result, flags=found.flags), ended, why)
    flags = result.flags
    if result.value is not None and not _agree(found.value, result.value):
        flags = (
            *flags,
            f"the run said {result.value:g}, its checkpoint {found.value:g}",
        )
    return replace(
        result,
        value=found.value,
        metrics={**result.metrics, result.metric: found.value},
        flags=flags,
        evaluation="verified",
    )


def _agree(verified: float, reported: float) -> bool:
    return math.isclose(verified, reported, rel_tol=0.01, abs_tol=1e-6)


def _without_network(config: Config, cache: Path) -> dict[str, str]:
    """Return what keeps uv from asking the network, and from writing to its own cache."""
    linked = any(Path(path).name == ".venv" for path in config.link)
    no_sync = {"UV_NO_SYNC": "1"} if linked else {}
    return {"UV_CACHE_DIR": str(cache / "uv"), "UV_OFFLINE": "1", **no_sync}


def limits_of(config: Config, level: Level) -> runner.Limits:
    """Return the limits of one run as the settings have them."""
    if level is Level.NONE:
        return runner.Limits(
            wall_clock_seconds=config.wall_clock_seconds,
            log_bytes=config.log_limit_mb << 20,
        )
    memory = (config.memory_limit_mb or 0) << 20
    if not memory:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = int(machine * _MEMORY_SHARE)
    return runner.Limits(
        wall_clock_seconds=config.wall_clock_seconds,
        log_bytes=config.log_limit_mb << 20,
        memory_bytes=memory,
        disk_bytes=config.disk_limit_mb << 20,
        processes=config.process_limit,
    )


def _restored(path: Path, content: bytes) -> bool:
    """Put the file back that leads git to the repository; says whether it was changed.

    With another one there, our next git command would be somebody else's.
    """
    if not path.is_symlink() and path.is_file() and path.read_bytes() == content:
        return False
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return True


def _result(
    job: Job,
    ended: runner.Ended,
    told: dict[str, float | str] | None,
    changed: list[str],
) -> Result:
    result = said(ended, job.config, told)
    result = replace(
        result, flags=(*(flag.text for flag in job.flags), *result.flags)[:_FLAGS]
    )
    if changed and result.status in (Status.OK, Status.REJECTED):
        result = refused(result, ended, f"the run changed {', '.join(changed)}")
    heavy = [flag.text for flag in job.flags if flag.weight > lint.Weight.NOTED]
    if heavy and result.status is Status.OK:
        result = honesty.quarantined(result, f"the edit {heavy[0]}")
    if result.status is Status.CRASH and job.level >= Level.LANDLOCK:
        path = hidden_in(result.reason)
        hint = f"{path} is hidden from runs: see `read` in .loopgraph.yml"
        if path:
            result = replace(result, reason=hint, excerpt=f"{result.excerpt}\n{hint}")
    return replace(
        result,
        argv=ended.argv,
        seed=job.seed,
        seconds=round(ended.seconds, 3),
        budget_seconds=job.config.budget_seconds,
        protocol=fingerprint.protocol(job.tree, job.commit, job.config),
        sandbox=str(job.level),
    )


def said(
    ended: runner.Ended,
    config: Config,
    told: dict[str, float | str] | None = None,
) -> Result:
    """Return what a log says: how the run ended, what it measured, and where.

    With `told`, what came through the metric channel, the log's own figure is void.
    """
    printed = summary.parse_summary(ended.tail)
    name = config.metric.name
    found, lie = printed, ""
    if told is not None:
        others = {key: item for key, item in printed.items() if key != name}
        found, lie = {**others, **told}, channel.differs(printed, told, name)
    value = summary.metric_value(found, name)
    status, reason = endings.status_of(ended, value)
    ok = status is Status.OK
    result = Result(
        status=status,
        metric=name,
        value=value if ok else None,
        metrics={
            key: summary.redact(item) if isinstance(item, str) else item
            for key, item in found.items()
        },
        peak_memory_mb=summary.peak_memory_mb(found),
        platform=fingerprint.platform(found),
        flags=(lie,) if lie else (),
        reason=summary.redact(reason)[:300],
        excerpt="" if ok else summary.excerpt(ended.tail),
        log_sha256=ended.log_sha256,
        log_bytes=ended.log_bytes,
        curve=summary.curve(ended.tail),
    )
    if lie and value is None and ended.exit_code == 0:
        result = refused(result, ended, lie)
    if value is not None and ok and is_impossible(name, value):
        result = refused(result, ended, f"{value:g} is no possible value")
    return result


def refused(result: Result, ended: runner.Ended, reason: str) -> Result:
    """Return the result of a run that broke a rule: its value does not count."""
    return replace(
        result,
        status=Status.REJECTED,
        value=None,
        reason=summary.redact(reason)[:300],
        excerpt=summary.excerpt(ended.tail),
    )


def is_impossible(metric: str, value: float) -> bool:
    """Say whether no run can have measured this: a loss per token is positive."""
    return value <= 0 and ("bpb" in metric or "loss" in metric)


def rejected(job: Job, problem: str) -> Result:
    """Return the result of an edit that was refused before any training."""
    first, _, rest = problem.partition("\n")
    return fitted(
        Result(
            status=Status.REJECTED,
            metric=job.config.metric.name,
            seed=job.seed,
            protocol=fingerprint.protocol(job.tree, job.commit, job.config),
            reason=summary.redact(first)[:300],
            excerpt=summary.redact(rest or first)[-1500:],
        )
    )
