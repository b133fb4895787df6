"""The loop: retrieve, propose, check, commit, train, evaluate, record, judge, index.

Each stage of an experiment is journalled before the next step begins, so a session
that is killed anywhere goes on where it was. `Loop.one` is the whole story.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from loopgraph_git.errors import (
    BudgetError,
    EditError,
    ExhaustedError,
    LoopGraphError,
)
from loopgraph_git.git import commits, refs, trailers, worktree
from loopgraph_git.git.lock import locked
from loopgraph_git.loop import (
    fingerprint,
    gate,
    judge,
    plateau,
    results_tsv,
    runner,
    space,
    under_way,
)
from loopgraph_git.loop.journal import Entry, Journal, Plan, Stage
from loopgraph_git.loop.proposers import Proposal, Proposer, Request
from loopgraph_git.loop.session import Ended, Options, Progress
from loopgraph_git.loop.vigil import Vigil
from loopgraph_git.loop.workbench import Workbench, session_lock
from loopgraph_git.records import (
    Experiment,
    Judgement,
    Kind,
    Oid,
    Record,
    body_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loopgraph_git.lab import Lab

_FOREVER = 1_000_000
_INTERRUPTED = 130


class Loop:
    """One session of experiments on one branch, in a worktree of its own."""

    def __init__(
        self,
        lab: Lab,
        proposer: Proposer,
        options: Options,
        *,
        progress: Progress,
        should_stop: Callable[[], bool] = lambda: False,
        on_stage: Callable[[Entry], None] = lambda _entry: None,
    ) -> None:
        self.lab = lab
        self.repo = lab.repo
        self.config = lab.config
        self.proposer = proposer
        self.options = options
        self.progress = progress
        self.should_stop = should_stop
        self.on_stage = on_stage
        self.done: list[Experiment] = []
        self.branch = refs.session_branch(options.session)
        self.journal = Journal(self.repo.home / "journal" / f"{options.session}.json")
        self.vigil = Vigil(self.repo.home, options, progress, should_stop)

    def run(self) -> Ended:
        """Run the experiments that the options ask for, unfinished ones first.

        Raises LockedError when the session is running already, LoopGraphError when
        the baseline itself cannot be trained.
        """
        with session_lock(self.repo, self.options.session):
            self._open()
            why, code = "interrupted", _INTERRUPTED
            try:
                why, code = self._awake()
            except runner.InterruptedRunError:
                self.progress.say("stopped; the same command goes on from here")
            began = self.journal.plan.began if self.journal.plan else 0.0
            # a plan that ended is over; an experiment under way is not
            self.journal.write(plan=None, entry=self.journal.entry)
            return Ended(
                experiments=tuple(self.done), why=why, exit_code=code, began=began
            )

    def _open(self) -> None:
        tree = worktree.open_session(
            self.repo, self.options.session, baseline=self.repo.oid("HEAD")
        )
        self.bench = Workbench(
            self.lab, tree, self.options, self.progress, should_stop=self.should_stop
        )
        killed = runner.sweep(self.bench.run_id)
        if killed:
            self.progress.say(f"ended {killed} processes that a killed session left")
        self.lab.reconcile()
        entry = self.journal.entry
        standing = Oid(entry.baseline) if entry else self.repo.oid(self.branch)
        protocol = fingerprint.protocol(self.repo, standing, self.config)
        values = self.bench.values(standing, protocol)
        self.progress.begin(judge.mean(values) if values else None)
        self._plan()

    def _plan(self) -> None:
        """Take up the plan of a call that was killed, or make one for this call."""
        plan, hours, now = self.journal.plan, self.options.hours, time.time()
        until = now + hours * 3600 if hours else None
        fresh = Plan(target=self.options.n or _FOREVER, until=until, began=now)
        if plan and plan.continues(fresh, now=now):
            self.progress.say(f"going on with a call cut off; {plan.done} done")
        else:
            self.journal.write(plan=fresh, entry=self.journal.entry)

    def _awake(self) -> tuple[str, int]:
        """Go through all experiments, also when the disk is full in between."""
        while True:
            try:
                return self._all()
            except (OSError, LoopGraphError) as error:
                if not space.is_full(error):
                    raise
            # what is on the disk counts, not what was to be written
            self.journal = Journal(self.journal.path)
            if not self.vigil.wait_for_space(self.journal):
                return "the disk is full", 1

    def _all(self) -> tuple[str, int]:
        if self.journal.entry is not None:
            self.progress.say(f"finishing “{self.journal.entry.subject}”")
            self.finish(self.journal.entry)
        tip = self.repo.oid(self.branch)
        self.bench.measure_baseline(tip)
        self.bench.keep_baseline(tip)
        while (why := self.vigil.over(self.journal)) is None:
            try:
                plateau.look(self.lab, self.bench, self.repo.oid(self.branch))
                self.one()
            except (ExhaustedError, BudgetError) as error:
                return str(error), error.exit_code
        return why, _INTERRUPTED if why == "interrupted" else 0

    def one(self) -> None:
        """Run one experiment from its question to its place in the index."""
        request, retrieval = self.retrieve()
        entry = None
        while entry is None:
            proposal = self.vigil.propose(self.proposer, request, self.journal)
            if proposal is None:
                return
            entry = self._begun(proposal, request, retrieval)
        self.finish(entry)

    def _begun(
        self, proposal: Proposal, request: Request, retrieval: str
    ) -> Entry | None:
        """Begin with a proposal, unless another session did so meanwhile."""
        with locked(self.repo.home / "journal" / "_begin.lock", what="another session"):
            if not proposal.failure and self._elsewhere(proposal.files):
                return None
            return self.begin(self.check(proposal, request), retrieval)

    def _elsewhere(self, files: Mapping[str, str]) -> str:
        return under_way.elsewhere(self.journal.path, files)

    def finish(self, entry: Entry | None) -> None:
        """Take an experiment from the stage it is at to its end."""
        steps = {
            Stage.PROPOSED: self.commit,
            Stage.COMMITTED: self.train,
            Stage.MEASURED: self.note,
            Stage.NOTED: self.judge,
            Stage.JUDGED: self.index,
        }
        while entry is not None:
            self.on_stage(entry)
            entry = steps[entry.stage](entry)
            if entry is not None:
                self.journal.enter(entry)

    def retrieve(self) -> tuple[Request, str]:
        """Ask the memory what to try on the code as it is now, and record that."""
        baseline = self.repo.oid(self.branch)
        files = gate.editable_files(self.repo, baseline, self.config)
        found = self.lab.suggest_query(
            goal=self.config.goal,
            current_code=files,
            baseline=baseline,
            session=self.options.session,
        )
        protocol = fingerprint.protocol(self.repo, baseline, self.config)
        request = Request(
            goal=self.config.goal,
            files=files,
            suggestions=found.ranking,
            methods={method.id: method for method in self.lab.methods()},
            brief=found.brief + self.vigil.steering.read().brief,
            protected=self.config.protected,
            standing=self.bench.standing(baseline, protocol),
            baseline=str(baseline),
            session=self.options.session,
            check=lambda after: self._check(files, after, protocol),
        )
        return request, found.record.id if found.record else ""

    def _check(
        self, before: Mapping[str, str], after: Mapping[str, str], protocol: str
    ) -> None:
        gate.check(before, after, config=self.config)
        session = self._elsewhere(after)
        if session:
            raise EditError(f"the same code is being tried by the session {session}")
        earlier = self.lab.tried(before, after, protocol=protocol)
        if earlier is not None:
            came = f"{earlier.verdict or earlier.status}, {earlier.reason}"
            raise EditError(
                f"the same code was tried as {earlier.commit.short} "
                f"({earlier.subject}): {came}"
            )

    def check(self, proposal: Proposal, request: Request) -> Proposal:
        """Return the proposal as it may be committed: refused ones say why."""
        if proposal.failure:
            return proposal
        try:
            request.check(proposal.files)
        except EditError as error:
            allowed = {
                path: text
                for path, text in proposal.files.items()
                if path in self.config.editable
            }
            return replace(proposal, files=allowed, failure=str(error))
        return proposal

    def begin(self, proposal: Proposal, retrieval: str) -> Entry:
        """Journal a proposal: from here on it is an experiment."""
        entry = Entry(
            stage=Stage.PROPOSED,
            number=(self.journal.plan.done if self.journal.plan else 0) + 1,
            ts=int(time.time()),
            baseline=str(self.repo.oid(self.branch)),
            subject=proposal.title,
            body=proposal.body,
            proposer=self.proposer.name,
            files=dict(proposal.files),
            methods=proposal.methods,
            retrieval=retrieval,
            failure=proposal.failure,
            tokens=proposal.tokens,
            cost_usd=proposal.cost_usd,
            edit=dict(proposal.edit),
        )
        self.journal.enter(entry)
        return entry

    def commit(self, entry: Entry) -> Entry:
        """Make the commit, pin it, and put the session's branch on it."""
        baseline = Oid(entry.baseline)
        known = [
            *((trailers.METHOD, method) for method in entry.methods),
            (trailers.RETRIEVAL, entry.retrieval),
            (trailers.PROPOSER, entry.proposer),
            (trailers.SESSION, self.options.session),
        ]
        oid = commits.commit_tree(
            self.repo,
            commits.write_tree(self.repo, baseline, entry.files),
            baseline,
            trailers.message(entry.subject, entry.body, known),
            timestamp=entry.ts,
        )
        commits.pin(self.repo, oid)
        self._advance(baseline, oid)
        return entry.at(Stage.COMMITTED, commit=str(oid))

    def _advance(self, baseline: Oid, oid: Oid) -> None:
        tip = self.repo.oid(self.branch)
        if tip not in (baseline, oid):
            name = self.branch.removeprefix("refs/heads/")
            raise LoopGraphError(
                f"{name} was moved to {tip.short} while an experiment on "
                f"{baseline.short} was under way: `git branch -f {name} {baseline}` "
                "puts it back"
            )
        if tip != oid:
            self.repo.update_refs((self.branch, str(oid), str(baseline)))

    def train(self, entry: Entry) -> Entry:
        """Train the commit under its budget and turn the log into a result."""
        commit = Oid(entry.commit)
        before = len(self.lab.results_of(commit))
        if entry.failure:
            result = self.bench.reject(commit, entry.failure)
        else:
            self.progress.training(entry.subject, self.config.budget_seconds)
            seed, edited = self.options.seed + before, Oid(entry.baseline)
            result = self.bench.train(commit, seed, edited=edited)
        if not before:
            result = replace(
                result, tokens=entry.tokens, cost_usd=entry.cost_usd, edit=entry.edit
            )
        record = self.lab.notes.make(Kind.RESULT, commit, body_of(result))
        return entry.at(Stage.MEASURED, result=record.encode())

    def note(self, entry: Entry) -> Entry:
        """Write the result as a note, and make up the verdict."""
        record = Record.decode(entry.result)
        self.lab.write(record, fresh=False)
        verdict = self.bench.verdict(Oid(entry.commit), Oid(entry.baseline))
        made = self.lab.notes.make(Kind.VERDICT, Oid(entry.commit), body_of(verdict))
        return entry.at(Stage.NOTED, verdict=made.encode())

    def judge(self, entry: Entry) -> Entry:
        """Write the verdict; a discarded commit leaves the branch, never the pin."""
        record = Record.decode(entry.verdict)
        self.lab.write(record, fresh=False)
        if self.bench.is_unclear(record):
            self.progress.say(f"{record.commit.short} {record.body['reason']}")
            return entry.at(Stage.COMMITTED)
        kept = record.body["value"] == Judgement.KEEP
        self.bench.move(Oid(entry.commit if kept else entry.baseline))
        return entry.at(Stage.JUDGED)

    def index(self, entry: Entry) -> None:
        """Bring index and results.tsv up to date; the experiment is over."""
        self.lab.reconcile()
        experiment = self.lab.show(entry.commit)
        if results_tsv.is_wanted(self.repo, self.config):
            results_tsv.append_row(self.repo, self.config, experiment)
        plan = self.journal.plan
        if plan is not None:
            plan = replace(plan, done=plan.done + 1)
        self.journal.write(plan=plan, entry=None)
        self.done.append(experiment)
        total = plan.target if plan and plan.target != _FOREVER else None
        self.progress.finished(experiment, plan.done if plan else 1, total)
