"""What makes two results comparable: the same protocol, on the same platform.

The *protocol* is the hash of the protected files, the command, the budget and the
metric. The *platform* is the accelerator, the operating system and the versions of
torch and of the corpus, in words.
"""

from __future__ import annotations

import hashlib
import platform as machine
import re
from typing import TYPE_CHECKING

from loopgraph_git.records import Oid, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo


def protocol(repo: Repo, commit: Oid, config: Config) -> str:
    """Return the first 16 hex digits of the hash of how a commit is measured."""
    tracked = repo.tracked(commit)
    plain: dict[str, object] = {
        "protected": {path: tracked[path][1] for path in config.protected
                      if path in tracked},
        "run": list(config.run),
        "budget_seconds": config.budget_seconds,
        "metric": [config.metric.name, str(config.metric.direction)],
    }  # fmt: skip
    if config.evaluate:
        plain["evaluate"] = list(config.evaluate)
    return hashlib.sha256(canonical(plain).encode()).hexdigest()[:16]


def platform(summary: Mapping[str, float | str]) -> str:
    """Return where a result was measured, from what the workload reported."""
    named = [str(summary.get(key, "")) for key in ("device", "device_name")]
    torch = str(summary.get("torch_version", ""))
    if named[0] in ("", "cpu"):
        named = ["cpu", named[1] if named[0] else machine.machine()]
    # a corpus that comes with the machine is part of where a result was measured
    corpus = str(summary.get("corpus_id", ""))
    words = [
        *named,
        machine.system(),
        f"torch {torch}" if torch else "",
        f"corpus {corpus}" if corpus else "",
    ]
    text = " · ".join(re.sub(r"[^\w .+()-]", "", word) for word in words if word)
    return text[:160]


def digests(folder: Path, paths: tuple[str, ...]) -> dict[str, str]:
    """Return the hash of each file under a folder, "" for one that is not there."""
    return {path: _digest(folder / path) for path in paths}


def _digest(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()
