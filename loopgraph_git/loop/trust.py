"""Trust: a repository's commands run only after the user has approved them.

The approval is bound to the hash of the settings and of the repository's own
method packs, and is kept outside the repository, so that a pull that changes a
command takes it away.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from loopgraph_git.config import CONFIG_NAME, Config
from loopgraph_git.errors import UntrustedError
from loopgraph_git.resources import config_dir

if TYPE_CHECKING:
    from pathlib import Path

    from loopgraph_git.git.repo import Repo


def _store() -> Path:
    return config_dir() / "trust.json"


def fingerprint(repo: Repo, config: Config) -> str:
    """Return the hash of everything in the repository that decides what is run."""
    digest = hashlib.sha256(config.fingerprint().encode())
    folder = repo.root / config.packs
    for path in sorted(folder.glob("*.y*ml")) if folder.is_dir() else []:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def trust(repo: Repo, config: Config) -> None:
    """Approve the repository's settings as they are now."""
    path = _store()
    known = _load(path)
    known[str(repo.common_dir.resolve())] = fingerprint(repo, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    fresh.replace(path)


def is_trusted(repo: Repo, config: Config) -> bool:
    """Say whether exactly these settings were approved."""
    known = _load(_store()).get(str(repo.common_dir.resolve()))
    return known == fingerprint(repo, config)


def require_trust(repo: Repo, config: Config) -> None:
    """Raise UntrustedError unless the user has approved these settings."""
    if is_trusted(repo, config):
        return
    changed = str(repo.common_dir.resolve()) in _load(_store())
    state = "has changed since you trusted it" if changed else "is not trusted yet"
    commands = " and ".join(
        f"`{command}`" for command in (" ".join(config.run), config.agent) if command
    )
    raise UntrustedError(
        f"{CONFIG_NAME} {state}; it would run {commands}: "
        "read it, then run `git lg trust`"
    )


def _load(path: Path) -> dict[str, str]:
    try:
        plain = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        # unreadable means nothing is trusted; the next `git lg trust` rewrites it
        return {}
    return plain if isinstance(plain, dict) else {}
