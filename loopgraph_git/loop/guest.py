"""A guest: an agent with a loop of its own, what it is told and what it tells.

    before_proposal ─▶ the brief     after_edit ─▶ a commit     after_run ─▶ a verdict

The agent's files, the user's HEAD and index are never touched: an edit becomes a
commit beside them, pinned, and the session's branch follows what is kept.
"""

from __future__ import annotations

import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict

from loopgraph_git.errors import EditError, GitError, UsageError
from loopgraph_git.git import commits, refs, trailers
from loopgraph_git.loop import gate, recording
from loopgraph_git.records import Judgement, Oid, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.lab import Lab
    from loopgraph_git.loop.runner import Ended
    from loopgraph_git.records import Experiment


class Plugin(Protocol):
    """What an agent's `use` takes: three moments, in this order, again and again."""

    def before_proposal(self, goal: str = "") -> str:
        """Return text for the prompt: what to try next, what to avoid, and why."""
        ...

    def after_edit(self, message: str) -> str:
        """Keep what was edited; return the name of its commit."""
        ...

    def after_run(self, commit: str, log: Path | str | bytes | None = None) -> object:
        """Keep what the run measured; return an object with a `verdict`."""
        ...


class Words(TypedDict, total=False):
    """What a program may say of a run: the options of `git lg record`."""

    metric: str
    value: float
    status: Status | str
    seconds: float
    memory_mb: float
    seed: int
    platform: str
    verdict: Judgement | str
    reason: str


def told(words: Words) -> recording.Told:
    """Return what a program says of a run; raises UsageError for unknown words."""
    known = recording.Told.__dataclass_fields__
    if strange := set(words) - set(known):
        raise UsageError(f"nothing is called {min(strange)!r}: {', '.join(known)}")
    given = {**words}
    for name, kind in (("status", Status), ("verdict", Judgement)):
        if words.get(name) is not None:
            try:
                given[name] = kind(str(words[name]))  # type: ignore[literal-required]
            except ValueError as error:
                raise UsageError(
                    f"no {name} is called {words[name]!r}: {', '.join(kind)}"  # type: ignore[literal-required]
                ) from error
    return recording.Told(**given)  # type: ignore[arg-type]


def heard(
    lab: Lab, log: Path | str | bytes | None, said: recording.Told
) -> Ended | None:
    """Read a log: a file, or the text itself, which has more lines than one, or none.

    Raises UsageError for a file that is not there.
    """
    if log is None:
        return None
    if isinstance(log, str) and (not log or "\n" in log):
        log = log.encode("utf-8", "replace")
    name = recording.metric_name(lab, said)
    if isinstance(log, bytes):
        return recording.read_log(BytesIO(log), name)
    try:
        with Path(log).open("rb") as file:
            return recording.read_log(file, name)
    except OSError as error:
        raise UsageError(f"the log {log} cannot be read: {error.strerror}") from error


def tip(lab: Lab, session: str) -> Oid:
    """Return what the next edit of a session starts from: its branch, or HEAD."""
    return lab.repo.find(refs.session_branch(session)) or lab.repo.oid("HEAD")


def keep_edit(
    lab: Lab,
    session: str,
    message: str,
    files: Mapping[str, str] | None,
    known: Sequence[tuple[str, str]],
) -> Oid:
    """Make a pinned commit of an edit, on top of what the session has kept.

    Without `files` (path → text) those in the worktree count. Raises EditError where
    nothing changed, or something that may not be edited.
    """
    baseline = tip(lab, session)
    before = gate.editable_files(lab.repo, baseline, lab.config)
    after = _worktree(lab) if files is None else files
    for path in after:
        if path not in before:
            raise EditError(f"{path} may not be edited, only {', '.join(before)}")
    changed = {path: text for path, text in after.items() if text != before[path]}
    tree = commits.write_tree(lab.repo, baseline, changed)
    # line endings alone are git's business
    if tree == lab.repo.tree(baseline):
        names = ", ".join(before)
        raise EditError(f"nothing changed in {names} against {baseline.short}")
    subject, _, body = message.strip().partition("\n")
    trailer = [*known, (trailers.PROPOSER, "agent"), (trailers.SESSION, session)]
    text = trailers.message(subject, body, trailer)
    oid = commits.commit_tree(
        lab.repo, tree, baseline, text, timestamp=int(time.time())
    )
    commits.pin(lab.repo, oid)
    lab.reconcile()
    return oid


def _worktree(lab: Lab) -> dict[str, str]:
    files = {}
    for path in lab.config.editable:
        try:
            content = (lab.repo.root / path).read_bytes()
        except OSError as error:
            raise EditError(f"{path} cannot be read: {error.strerror}") from error
        files[path] = content.decode("utf-8", "surrogateescape")
    return files


def outcome(
    lab: Lab,
    session: str,
    rev: str,
    log: Path | str | bytes | None,
    said: recording.Told,
) -> Experiment:
    """Record a run, judge it where its maker did not, and follow what is kept."""
    commit = lab.repo.oid(rev)
    baseline = tip(lab, session)
    recording.record(lab, commit, said, heard(lab, log, said))
    known = lab.show(str(commit))
    # another run of what was kept says how large the noise is, and no more
    if said.verdict is None and not (known.verdict and commit == baseline):
        verdict = _verdict(lab, commit, said, first=commit == baseline)
        if verdict and (known.verdict, known.reason) != (verdict.value, verdict.reason):
            lab.judge(commit, verdict)
    item = lab.show(str(commit))
    if item.verdict is Judgement.KEEP:
        _follow(lab, session, baseline, item)
    return item


def _verdict(
    lab: Lab, commit: Oid, said: recording.Told, *, first: bool
) -> Verdict | None:
    results = lab.results_of(commit)
    if not results:
        return None
    if first and results[-1].status is Status.OK:
        return Verdict(value=Judgement.KEEP, reason="baseline")
    return recording.decided(lab, commit, recording.settings(lab, said))


def _follow(lab: Lab, session: str, baseline: Oid, item: Experiment) -> None:
    """Move the session's branch on to an experiment that was kept.

    It moves only from the experiment's baseline, so that two agents of one session
    cannot undo each other; and never where somebody has it checked out.
    """
    branch = refs.session_branch(session)
    here = lab.repo.find(branch)
    if here == item.commit or baseline not in (item.commit, item.parent):
        return
    if lab.repo.text("for-each-ref", "--format=%(worktreepath)", "--", branch):
        name = branch.removeprefix("refs/heads/")
        raise UsageError(
            f"{name} is checked out: name another session, `LoopGraph(session=...)`"
        )
    # another thread may be first: the experiment is kept, and the branch theirs
    with suppress(GitError):
        if here is None:
            # a branch of ours begins at its baseline
            lab.repo.update_refs((branch, str(baseline), lab.repo.zero))
        if item.commit != baseline:
            lab.repo.update_refs((branch, str(item.commit), str(baseline)))
