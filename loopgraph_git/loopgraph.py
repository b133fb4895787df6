"""LoopGraph: the memory of a repository, as programs and agents use it.

    with LoopGraph() as lab:
        agent.use(lab)

Its questions are those of `Lab`; what is here stands on the room of the loop.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from loopgraph_git.errors import UsageError
from loopgraph_git.exchange import Synced
from loopgraph_git.git import refs, trailers
from loopgraph_git.lab import Lab
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from loopgraph_git.loop import guest
    from loopgraph_git.records import Experiment, Result

__all__ = ["LoopGraph", "Synced"]


class LoopGraph(Lab):
    """The memory of the repository that a folder is in, that of the current one.

    It is a plugin: an agent's `use` takes it, and calls `before_proposal`,
    `after_edit` and `after_run`. What the agent keeps is on the branch `lg/<session>`,
    which is named after the branch that you are on.
    """

    def __init__(
        self, folder: Path | str = ".", *, fresh: bool = False, session: str = ""
    ) -> None:
        super().__init__(folder, fresh=fresh)
        self._session = session
        self._retrieval = ""

    @cached_property
    def session(self) -> str:
        """The session of what an agent keeps here."""
        here = (self.repo.branch() or "detached").removeprefix("refs/heads/")
        # `git lg experiment` has the name of the branch, and its worktree
        return self._session or refs.slug(f"agent {here}")

    def record(
        self,
        rev: str = "HEAD",
        result: Result | None = None,
        *,
        log: Path | str | bytes | None = None,
        again: bool = False,
        **words: Unpack[guest.Words],
    ) -> Experiment:
        """Record a run of a commit: a result, or its log, or what you say of it.

        The commit is pinned. `log` is a file, or the text itself; words are the
        options of `git lg record` and win over the log. The same log twice adds
        nothing, unless it is `again`. Raises UsageError where nothing is measured.
        """
        # 20 ms that a list of experiments does not need, here and below
        from loopgraph_git.loop import guest, recording  # noqa: PLC0415

        self.require_writable()
        commit = rev if isinstance(rev, Oid) else self.repo.oid(rev)
        if result is not None:
            self.record_result(commit, result)
            return self.show(str(commit))
        said = guest.told(words)
        if log is None and not (said.measured or said.verdict):
            raise UsageError("nothing to record: give log, value, status or verdict")
        recording.record(self, commit, said, guest.heard(self, log, said), again=again)
        return self.show(str(commit))

    @property
    def baseline(self) -> Oid:
        """What the next edit starts from: what the session kept last, or HEAD."""
        from loopgraph_git.loop import guest  # noqa: PLC0415

        return guest.tip(self, self.session)

    def before_proposal(self, goal: str = "", code: str | None = None) -> str:
        """Return the brief for an agent: what to try next, what to avoid, and why.

        Without `code` that of the baseline counts.
        """
        self.reconcile()
        answer = self.suggest_query(
            goal, code, baseline=self.baseline, session=self.session
        )
        self._retrieval = answer.record.id if answer.record else ""
        return answer.brief

    def after_edit(
        self,
        message: str,
        files: Mapping[str, str] | None = None,
        *,
        methods: Sequence[str] = (),
    ) -> Oid:
        """Make a commit of an edit and pin it; no branch and no file is touched.

        Without `files` (path → text) the editable files of the worktree count.
        Raises EditError where nothing changed, or something that may not be edited.
        """
        from loopgraph_git.loop import guest  # noqa: PLC0415

        self.require_writable()
        known = [(trailers.METHOD, name) for name in methods]
        known.append((trailers.RETRIEVAL, self._retrieval))
        return guest.keep_edit(self, self.session, message, files, known)

    def after_run(
        self,
        commit: str,
        log: Path | str | bytes | None = None,
        **words: Unpack[guest.Words],
    ) -> Experiment:
        """Record a run as `record` does, and judge it unless a verdict is given.

        The baseline is kept, and so is what beats it by more than the noise: the
        branch of the session moves on to it. Files are yours to take back.
        """
        from loopgraph_git.loop import guest  # noqa: PLC0415

        self.require_writable()
        return guest.outcome(self, self.session, commit, log, guest.told(words))
