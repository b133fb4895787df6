"""The gate: what an edit must be before any compute is spent on it.

It changes something, more than a seed, touches only editable files that are ordinary
files, is of sane size, compiles, survives a round trip through a diff, and leaves alone
what measures it.
"""

from __future__ import annotations

import difflib
import re
import warnings
from typing import TYPE_CHECKING

from loopgraph_git.errors import EditError
from loopgraph_git.loop import lint, paths
from loopgraph_git.researchfs.texts import is_seed_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Oid

_FILE_LIMIT_BYTES = 1024 * 1024
_LINE_LIMIT = 40_000
_LINE_LENGTH = 10_000
_REGULAR = ("100644", "100755")


def check(
    before: Mapping[str, str], after: Mapping[str, str], *, config: Config
) -> None:
    """Raise EditError, naming file and reason, unless the edit may be trained."""
    for path in after:
        paths.check_path(path, config.editable, config.protected)
    changed = {path for path in after if after[path] != before.get(path)}
    if not changed:
        raise EditError("the edit changes nothing")
    for path in sorted(changed):
        _check_text(path, before.get(path, ""), after[path])
        _round_trip(path, before.get(path, ""), after[path])
    if all(
        is_seed_only(diff(path, before.get(path, ""), after[path])) for path in changed
    ):
        raise EditError("the edit changes nothing but a seed: that is luck")
    for flag in lint.flags(before, after, config):
        if flag.weight is lint.Weight.REFUSED:
            raise EditError(f"the edit {flag.text}: what measures it stays as it is")


def editable_files(repo: Repo, commit: Oid, config: Config) -> dict[str, str]:
    """Return the text of the editable files at a commit; raises EditError.

    A symlink, a submodule or a missing file cannot be edited.
    """
    tracked = repo.tracked(commit)
    files: dict[str, str] = {}
    for path in config.editable:
        mode = tracked.get(path, ("",))[0]
        text = repo.file(commit, path) if mode in _REGULAR else None
        if text is None:
            raise EditError(
                f"{path} is {'not an ordinary file' if mode else 'not tracked'} at "
                f"{commit.short}: see `editable` in .loopgraph.yml"
            )
        files[path] = text
    return files


def _check_text(path: str, before: str, text: str) -> None:
    try:
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        raise EditError(f"{path} would hold half a character") from error
    if size > _FILE_LIMIT_BYTES:
        raise EditError(f"{path} would be over {_FILE_LIMIT_BYTES >> 20} MiB")
    if "\0" in text:
        raise EditError(f"{path} would hold a NUL byte: it is binary")
    if text.count("\n") > _LINE_LIMIT:
        raise EditError(f"{path} would have over {_LINE_LIMIT:,} lines")
    longest = max(text.split("\n"), key=len)
    if len(longest) > _LINE_LENGTH and longest not in before:
        raise EditError(f"{path} would have a line of {len(longest):,} characters")
    if path.endswith(".py"):
        _compile(path, text)


def _compile(path: str, text: str) -> None:
    with warnings.catch_warnings():
        # a dubious escape is the author's business; only what cannot run is ours
        warnings.simplefilter("ignore")
        try:
            compile(text, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            line = (error.text or "").strip()
            raise EditError(
                f"{path} does not compile: line {error.lineno}: {error.msg}: {line}"
            ) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise EditError(f"{path} does not compile: {error}") from error


def diff(path: str, before: str, after: str) -> str:
    """Return the unified diff of one file, three lines of context."""
    lines = difflib.unified_diff(
        _lines(before),
        _lines(after),
        f"a/{path}",
        f"b/{path}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in lines
    )


def _lines(text: str) -> list[str]:
    """Return the lines that git would see, each with its newline."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _round_trip(path: str, before: str, after: str) -> None:
    """Check that the diff we show says what the edit does, no more and no less."""
    # 30 ms, only needed here
    from unidiff.errors import UnidiffParseError  # noqa: PLC0415
    from unidiff.patch import PatchSet  # noqa: PLC0415

    text = diff(path, before, after)
    try:
        patch = PatchSet(text)
    except UnidiffParseError as error:
        raise EditError(f"{path}: the edit cannot be shown as a diff") from error
    lines = _lines(text)
    added = sum(x.startswith("+") and not x.startswith("+++ b/") for x in lines)
    removed = sum(x.startswith("-") and not x.startswith("--- a/") for x in lines)
    if (patch.added, patch.removed) != (added, removed):
        raise EditError(f"{path}: the edit cannot be shown as a diff")
