"""A recipe on the user's own files: the diff, the edit, and how to take it back."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgraph_git.cli import render
from loopgraph_git.errors import GitError, RecipeError
from loopgraph_git.library import fitting, recipes
from loopgraph_git.library.fitting import State
from loopgraph_git.loop.gate import diff
from loopgraph_git.review.files import exchange_files, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopgraph_git.cli.grounds import Grounds, Text
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Method


def patch(
    ground: Grounds,
    method: Method,
    known: Sequence[Method],
    texts: Mapping[str, Text],
    *,
    knobs: Mapping[str, Any],
    dry_run: bool,
) -> None:
    """Print what a recipe does to some files, and write them unless it is a dry run.

    Raises RecipeError, which says what is in the way.
    """
    files = {path: item.text for path, item in texts.items()}
    changed = _changed(ground, method, known, files, knobs)
    for path, text in changed.items():
        name = _named(ground.repo, path)
        click.echo(render.block(diff(name, files[path], text)), nl=False)
    if dry_run:
        click.echo(f"{method.id} would change {', '.join(changed)}", err=True)
        return
    undo = [_undo(ground.repo, path, texts[path]) for path in changed]
    exchange_files(
        {
            texts[path].path: (texts[path].data, text.encode())
            for path, text in changed.items()
        }
    )
    click.echo(f"{method.id} changed {', '.join(changed)}; to undo it:", err=True)
    for words in undo:
        click.echo(f"    {words}", err=True)


def _changed(
    ground: Grounds,
    method: Method,
    known: Sequence[Method],
    files: Mapping[str, str],
    knobs: Mapping[str, Any],
) -> Mapping[str, str]:
    recipes.parsed(files)
    context = fitting.contexts(known, files)[method.id]
    # the defaults, and no other setting than was asked for
    settings = recipes.knob_values(method, knobs)
    found = fitting.attempt(method, files, context, knobs=settings)
    if found.state is State.PRESENT and found.files:
        click.echo(f"note: {method.id} is there already, and is turned", err=True)
        return found.files
    if found.state is State.APPLIES:
        return found.files
    if found.state is not State.NO_PLACE:
        raise RecipeError(f"{method.id}: {found.why}")
    earlier = {path: text for path, text in _at_head(ground, files).items() if text}
    brought = recipes.detected(known, earlier, files) if earlier else []
    why = fitting.explained(method, found.why, earlier=earlier, brought=brought)
    raise RecipeError(f"{method.id}: {why}")


def _named(repo: Repo | None, path: str) -> str:
    """Return a file as a diff names it: from the top of its repository."""
    if repo is None or repo.bare or not _inside(repo, Path(path)):
        return path
    return os.path.relpath(Path(path).resolve(), repo.root.resolve())


def _at_head(ground: Grounds, files: Mapping[str, str]) -> dict[str, str]:
    """Return the same files as they are at HEAD, where they are there."""
    repo = ground.repo
    if repo is None or repo.bare:
        return {}
    return {path: repo.file("HEAD", _named(repo, path)) or "" for path in files}


def _undo(repo: Repo | None, path: str, old: Text) -> str:
    """Return the command that brings a file back, after making sure that it can."""
    quoted = shlex.quote(path)
    if repo is not None and not repo.bare and _inside(repo, old.path):
        if not _is_dirty(repo, old.path):
            return f"git restore -- {quoted}"
        return f"git cat-file blob {repo.write_blob(old.data)} > {quoted}"
    kept = _free(old.path)
    write_file(kept, [old.data])
    return f"mv {shlex.quote(os.path.relpath(kept))} {quoted}"


def _inside(repo: Repo, path: Path) -> bool:
    return path.resolve().is_relative_to(repo.root.resolve())


def _is_dirty(repo: Repo, path: Path) -> bool:
    """Tell whether HEAD and the index would not bring a file back as it is."""
    try:
        return bool(repo.text("status", "--porcelain", "--ignored", "--", str(path)))
    except GitError:
        return True


def _free(path: Path) -> Path:
    """Return a name beside a file that nothing has yet."""
    number = 0
    while True:
        name = f"{path.name}.orig{number or ''}"
        if not path.with_name(name).exists():
            return path.with_name(name)
        number += 1
