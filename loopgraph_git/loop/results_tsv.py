"""`results.tsv`, as autoresearch keeps it: one line an experiment, never committed.

Rows are only appended, and only to a file that git does not track.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgraph_git.records import results_header, results_row

if TYPE_CHECKING:
    from loopgraph_git.config import Config
    from loopgraph_git.git.repo import Repo
    from loopgraph_git.records import Experiment

NAME = "results.tsv"


def is_wanted(repo: Repo, config: Config) -> bool:
    """Say whether the file is kept: as configured, else where it is in use."""
    if repo.bare or NAME in repo.tracked("HEAD"):
        return False
    if config.results_tsv is not None:
        return config.results_tsv
    ignored = repo.ok("check-ignore", "-q", "--no-index", NAME)
    return ignored or (repo.root / NAME).exists()


def append_row(repo: Repo, config: Config, experiment: Experiment) -> None:
    """Append one experiment, with the header first where the file is new."""
    path = repo.root / NAME
    row = results_row(experiment)
    new = not path.exists() or path.stat().st_size == 0
    known = "" if new else path.read_text("utf-8", "replace")
    if any(
        line.startswith(f"{experiment.commit.short}\t") for line in known.split("\n")
    ):
        return
    with path.open("a", encoding="utf-8") as handle:
        if new:
            handle.write(results_header(config.metric.name) + "\n")
        elif not known.endswith("\n"):
            handle.write("\n")
        handle.write(row + "\n")
