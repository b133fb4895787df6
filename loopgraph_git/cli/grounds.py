"""What a command about methods stands on: a repository or none, its packs and files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from loopgraph_git.config import CONFIG_NAME, Config, load_config
from loopgraph_git.errors import EditError, NotARepositoryError, UsageError
from loopgraph_git.git.repo import Repo
from loopgraph_git.resources import resource_dir

_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Text:
    """A file of the user's: where it is, what it holds, and the same as text."""

    path: Path
    data: bytes

    @property
    def text(self) -> str:
        """Its text, newlines as they are."""
        return self.data.decode("utf-8")


@dataclass(frozen=True)
class Grounds:
    """The repository that a command is called in, if any, and its settings."""

    repo: Repo | None
    config: Config

    @property
    def folders(self) -> list[Path]:
        """The folders of packs that hold here, later ones overriding."""
        own = [self.own_folder()] if self.repo and not self.repo.bare else []
        return [resource_dir("packs"), *own]

    def own_folder(self) -> Path:
        """Return where the packs of this repository are; raises UsageError if nowhere."""
        if self.repo is None or self.repo.bare:
            what = (
                "a bare repository has no files" if self.repo else "no repository here"
            )
            raise UsageError(f"{what}: packs of your own are kept in a checkout")
        return self.repo.root / self.config.packs

    def at_head(self) -> dict[str, str]:
        """Return the editable files that there are at HEAD, path to text."""
        if self.repo is None:
            return {}
        repo = self.repo
        texts = {path: repo.file("HEAD", path) for path in self.config.editable}
        return {path: text for path, text in texts.items() if text is not None}

    @property
    def why_no_code(self) -> str:
        """Why there is no code at HEAD to compare methods with, and what to do."""
        if self.repo is None:
            return "not in a repository: there is no code to compare them with"
        named = ", ".join(self.config.editable)
        return f"no {named} at HEAD: `git lg init` finds out what may be edited"

    def texts(self, names: tuple[str, ...]) -> dict[str, Text]:
        """Return the files that may be edited, as they are on disk, by shown path.

        Those named, else the editable ones. Raises UsageError or EditError for a file
        that cannot be edited safely.
        """
        if names:
            paths = [Path(name) for name in names]
        elif self.repo is None or self.repo.bare:
            raise UsageError("no checkout here: name the files, `… METHOD train.py`")
        else:
            paths = [self.repo.root / path for path in self.config.editable]
        same = {path.resolve() for path in paths}
        if len(same) < len(paths):
            raise UsageError("a file is named twice")
        return {os.path.relpath(path): _read(path) for path in paths}


def _read(path: Path) -> Text:
    shown = os.path.relpath(path)
    if path.is_symlink():
        raise EditError(f"{shown} is a link: name the file that it stands for")
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise UsageError(f"{shown} {what}: name the files to edit, or see `editable`")
    if path.stat().st_size > _LIMIT_BYTES:
        raise EditError(f"{shown} is over {_LIMIT_BYTES >> 20} MiB")
    if not os.access(path, os.W_OK):
        raise EditError(f"{shown} cannot be written")
    found = Text(path, path.read_bytes())
    try:
        _ = found.text
    except UnicodeDecodeError as error:
        raise EditError(f"{shown} is not UTF-8 at byte {error.start}") from error
    return found


def grounds() -> Grounds:
    """Return what the current folder stands on; raises ConfigError."""
    try:
        repo = Repo(Path.cwd())
    except NotARepositoryError:
        return Grounds(None, Config())
    written = not repo.bare and (repo.root / CONFIG_NAME).exists()
    return Grounds(repo, load_config(repo.root) if written else Config())
