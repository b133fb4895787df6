"""Moving experiments between clones, over any plain git remote.

A clone pushes two refs of its own and nobody else's: an archive that keeps its
experiment commits reachable, and its notes. Both only ever grow, so a push is always
a fast-forward. What other writers pushed is fetched into tracking refs, never into
anything of ours, and never taken back: a remote that was emptied or rewritten costs
nobody a record.
"""

from __future__ import annotations

import os
import random
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from loopgraph_git.errors import GitError, UsageError
from loopgraph_git.git import archive, refs
from loopgraph_git.git.lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Oid

_TRIES = 5
# how git says that a ref did not move; GitPython makes it speak English
_NOT_TAKEN = re.compile(r"^ ! \[[a-z ]+\] +(\S+) +-> +\S+ +\((.+)\)$", re.MULTILINE)
_NOT_OURS = re.compile(r" -> (refs/\S+) \((?:non-fast-forward|fetch first)\)")
_REPORTED = re.compile(r"^([ =*])\t(\S+):(\S+)\t(\S*)", re.MULTILINE)
_RACED = ("cannot lock ref", "failed to update ref", "reference already exists",
          "incorrect old value", "failed to lock")  # fmt: skip


class Moved(NamedTuple):
    """What an exchange with a remote sent, and what stood in its way.

    `refused` has git's words where the remote took nothing, `left_out` the refs of
    the remote that were not taken, `writer` a new id where this clone needed one.
    """

    experiments: int = 0
    records: int = 0
    refused: str = ""
    left_out: tuple[str, ...] = ()
    writer: str = ""


def remotes(repo: Repo) -> list[str]:
    """Return the names of the configured remotes."""
    return repo.text("remote").splitlines()


def default_remote(repo: Repo) -> str:
    """Return the remote that `git push` would use; raises UsageError."""
    known = remotes(repo)
    branch = (repo.branch() or "").removeprefix("refs/heads/")
    keys = [f"branch.{branch}.pushRemote", "remote.pushDefault"]
    keys.append(f"branch.{branch}.remote")
    asked = (repo.config(key) for key in keys)
    named = next((name for name in asked if name in known), None)
    if named or len(known) == 1 or "origin" in known:
        return named or (known[0] if len(known) == 1 else "origin")
    if not known:
        raise UsageError("no remote to sync with: `git remote add origin URL` adds one")
    raise UsageError(f"name a remote, or say --all: there is {', '.join(known)}")


def check_remote(repo: Repo, remote: str) -> str:
    """Return the name of a remote that exists and can name a ref; raises UsageError."""
    known = remotes(repo)
    if remote not in known:
        named = ", ".join(known) or "none: `git remote add origin URL` adds one"
        raise UsageError(f"no remote is called {remote!r}; there is {named}")
    if not repo.ok("check-ref-format", refs.remote_keep(remote, "x")):
        raise UsageError(f"{remote!r} cannot be part of a ref: rename the remote")
    return remote


def pending(repo: Repo, remote: str) -> Moved:
    """Return what would be sent, as far as the last exchange knows; asks nobody."""
    own = archive.own(repo)
    seen = repo.refs(*(refs.tracking(remote, ref) for ref in own)) if own else {}
    pairs = [
        (ref, seen.get(refs.tracking(remote, ref), ""), tip) for ref, tip in own.items()
    ]
    moved = _counted(repo, pairs)
    return moved._replace(experiments=moved.experiments + archive.unfolded(repo))


def exchange(
    repo: Repo, remote: str, writer: str, *, push: bool = True, ask: bool = False
) -> Moved:
    """Fetch what others pushed, and push what is ours: both of its refs or neither.

    Without `ask` nobody is there to type a password, so git fails instead of waiting.
    Raises GitError when the remote cannot be read; where it cannot be written to,
    `refused` says so.
    """
    env = _environment(repo, remote, ask=ask)
    # two of one clone at once would trip over each other's tracking refs
    with locked(repo.home / "sync.lock", what="`git lg sync` of this clone"):
        left_out = tuple(_fetch(repo, remote, env))
        if not push:
            return Moved(left_out=left_out)
        return _push(repo, remote, writer, env)._replace(left_out=left_out)


def _environment(repo: Repo, remote: str, *, ask: bool) -> dict[str, str]:
    """Return what git is told besides the user's configuration."""
    # a remote that mirrors would be sent every ref, and no refspec may be named; here
    # and not as -c, since a remote's name may hold an equals sign
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"remote.{remote}.mirror",
        "GIT_CONFIG_VALUE_0": "false",
    }
    if not ask:
        env["GIT_TERMINAL_PROMPT"] = os.environ.get("GIT_TERMINAL_PROMPT", "0")
        chosen = any(os.environ.get(name) for name in ("GIT_SSH", "GIT_SSH_COMMAND"))
        if not chosen and not repo.config("core.sshCommand"):
            env["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
    return env


def _fetch(repo: Repo, remote: str, env: dict[str, str]) -> list[str]:
    """Fetch into tracking refs; returns what was not taken, and why.

    Nothing is forced and nothing pruned, and the configured refspecs do not apply:
    those of a mirror clone would overwrite our own refs.
    """
    words = ""
    try:
        repo.run(
            "fetch", "--no-progress", "--no-tags", "--no-write-fetch-head",
            "--no-filter", "--no-prune", "--no-recurse-submodules",
            "--no-auto-maintenance", "--refmap=", "--", remote,
            f"{refs.KEEP}*:{refs.remote_keep(remote, '*')}",
            f"{refs.NOTES}*:{refs.remote_notes(remote, '*')}",
            env=env,
        )  # fmt: skip
    except GitError as error:
        words = str(error)
        if not _NOT_TAKEN.search(words):
            raise
    refused = [f"{name} ({why})" for name, why in _NOT_TAKEN.findall(words)]
    return refused + _drop_foreign(repo, remote)


def _drop_foreign(repo: Repo, remote: str) -> list[str]:
    """Delete tracking refs that no writer can have made; returns them.

    Whoever may push to a remote may put anything there under any name.
    """
    listing = repo.text(
        "for-each-ref", "--format=%(objecttype) %(refname)", "--",
        refs.remote_keep(remote, ""), refs.remote_notes(remote, ""),
    )  # fmt: skip
    rows = [row.split(" ", 1) for row in listing.splitlines()]
    foreign = [
        ref
        for kind, ref in rows
        if kind != "commit" or not refs.is_writers(ref, remote)
    ]
    if foreign:
        repo.update_refs(*((ref, "", "") for ref in foreign))
    return [f"{ref} (made by no writer)" for ref in foreign]


def _push(repo: Repo, remote: str, writer: str, env: dict[str, str]) -> Moved:
    """Push our refs, again where another process was quicker."""
    rejected: set[str] = set()
    words = new = ""
    for attempt in range(_TRIES):
        if attempt:
            # not in step with whoever else is at it
            time.sleep(random.uniform(0.02, 0.1) * attempt)  # noqa: S311
            _fetch(repo, remote, env)
        # an error here is one of this clone, and no refusal
        own = _ahead(repo, remote, archive.fold(repo, writer))
        try:
            return _send(repo, remote, own, env)._replace(writer=new)
        except GitError as error:
            words = str(error)
        names = {ref.rsplit("/", 1)[1] for ref in _NOT_OURS.findall(words)}
        for name in sorted(names & rejected):
            # twice the same answer, though all is fetched: another clone has this
            # name too, because .git was copied or restored
            fresh = archive.rename(repo, name, writer=writer)
            if name == writer:
                writer = new = fresh
        rejected |= names
        if not names and not any(word in words for word in _RACED):
            break
    return Moved(refused=words, writer=new)


def _send(repo: Repo, remote: str, own: dict[str, Oid], env: dict[str, str]) -> Moved:
    specs = [f"{tip}:{ref}" for ref, tip in own.items()]
    if not specs:
        return Moved()
    report = _told(repo, remote, specs, env)
    # git tracks what it pushes for branches only
    repo.update_refs(*((refs.tracking(remote, ref), tip, "") for ref, _, tip in report))
    return _counted(repo, report)


def _ahead(repo: Repo, remote: str, own: dict[str, Oid]) -> dict[str, Oid]:
    """Return our refs but those that the remote has newer: a mirror clone's."""
    seen = repo.refs(*(refs.tracking(remote, ref) for ref in own)) if own else {}
    behind = {
        ref
        for ref, tip in own.items()
        if (there := seen.get(refs.tracking(remote, ref), tip)) != tip
        and repo.ok("merge-base", "--is-ancestor", tip, there)
    }
    return {ref: tip for ref, tip in own.items() if ref not in behind}


def _told(
    repo: Repo, remote: str, specs: list[str], env: dict[str, str]
) -> list[tuple[str, str, str]]:
    """Push, and return what the remote had and has: (ref, before or "", after)."""
    command = [
        "-c", "core.abbrev=no", "push", "--no-verify", "--no-follow-tags",
        "--no-signed", "--recurse-submodules=no", "--no-progress",
    ]  # fmt: skip
    atomic = ["--atomic"]
    try:
        out = repo.text(*command, "--porcelain", *atomic, "--", remote, *specs, env=env)
    except GitError as error:
        if "does not support --atomic" in str(error):
            atomic = []
        # the reason was on stdout; without --porcelain git tells it with the error
        repo.run(*command, *atomic, "--", remote, *specs, env=env)
        out = "".join(f"*\t{spec}\t\n" for spec in specs)
    report = []
    for flag, tip, ref, summary in _REPORTED.findall(out):
        before = {"=": tip, "*": ""}.get(flag, summary.split("..")[0])
        report.append((ref, before, tip))
    return report


def _counted(repo: Repo, moves: Iterable[tuple[str, str, str]]) -> Moved:
    """Count the experiments and records in what refs gained: (ref, before, after)."""
    experiments: set[Oid] = set()
    records = 0
    for ref, before, after in moves:
        if before == after:
            continue
        if ref.startswith(refs.NOTES):
            records += _lines(repo, before, after)
        else:
            experiments |= archive.archived(repo, [after]) - archive.archived(
                repo, [before] if before else []
            )
    return Moved(experiments=len(experiments), records=records)


def _lines(repo: Repo, before: str, after: str) -> int:
    """Return how many lines a notes ref gained."""
    if before:
        listing = repo.text("diff-tree", "-r", "--no-renames", before, after)
        rows = [row.split()[2:4] for row in listing.splitlines()]
    else:
        listing = repo.text("ls-tree", "-r", after)
        rows = [["", row.split()[2]] for row in listing.splitlines()]
    old, new = ([row[side] for row in rows] for side in (0, 1))
    return _nonblank(repo, new) - _nonblank(repo, old)


def _nonblank(repo: Repo, blobs: list[str]) -> int:
    given = [blob for blob in blobs if blob.strip("0")]
    found = (content for _, _, content in repo.objects(given))
    return sum(1 for content in found for line in content.split(b"\n") if line)
