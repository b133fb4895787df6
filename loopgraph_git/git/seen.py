"""What of the branches was read before, so that nothing is read for nothing.

The file may be deleted at any time: reading branches again changes nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from loopgraph_git.errors import RecordError
from loopgraph_git.records import Oid

if TYPE_CHECKING:
    from pathlib import Path

    from loopgraph_git.git.repo import Repo


@dataclass
class Seen:
    """The state of all branches when they were last read.

    `marks` belong to experiment branches; `judged` are tips whose commits were all
    decided on; `others` are tips of branches that hold ordinary work.
    """

    patterns: list[str] = field(default_factory=list)
    archives: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    judged: set[Oid] = field(default_factory=set)
    others: set[Oid] = field(default_factory=set)

    @classmethod
    def read(cls, repo: Repo) -> Self:
        """Return what was seen; nothing where the file is missing or damaged."""
        try:
            lines = _path(repo).read_text("utf-8").split("\n", 1)
            plain = json.loads(lines[1])
            return cls(
                patterns=list(plain["patterns"]),
                archives=str(plain["archives"]),
                marks=dict(plain["marks"]),
                judged={Oid(oid) for oid in plain["judged"]},
                others={Oid(oid) for oid in plain["others"]},
            )
        except (OSError, ValueError, TypeError, LookupError, RecordError):
            return cls()

    def write(self, repo: Repo, mark: str) -> None:
        """Remember this, under the mark of all that was read."""
        plain = {
            "patterns": self.patterns,
            "archives": self.archives,
            "marks": self.marks,
            "judged": sorted(self.judged),
            "others": sorted(self.others),
        }
        path = _path(repo)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(f"{mark}\n{json.dumps(plain)}\n", "utf-8")
        fresh.replace(path)


def is_current(repo: Repo, mark: str) -> bool:
    """Say whether what carries this mark was read to its end."""
    try:
        with _path(repo).open(encoding="utf-8") as file:
            return file.readline().rstrip("\n") == mark
    except (OSError, ValueError):
        return False


def _path(repo: Repo) -> Path:
    return repo.home / "seen"
