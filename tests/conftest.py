"""A sealed world: own HOME, fixed clock and identity, no configuration of the user."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from loopgraph_git.cli import main
from loopgraph_git.config import load_config
from loopgraph_git.git.repo import Repo
from loopgraph_git.loop.trust import trust
from loopgraph_git.loopgraph import LoopGraph

if TYPE_CHECKING:
    from loopgraph_git.records import Experiment

# enough to find what an edit breaks; HYPOTHESIS_PROFILE=thorough looks longer
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
# `make fuzz`; what is slow to make is never too slow by night
settings.register_profile(
    "nightly",
    max_examples=10_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

SEALED = {
    "GIT_AUTHOR_NAME": "Ada Researcher",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Researcher",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_EDITOR": "false",
    "GIT_TERMINAL_PROMPT": "0",
    # nothing here has to survive a power loss
    "GIT_TEST_FSYNC": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "NO_COLOR": "1",
}


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Return where the homes of all tests are; one is made when it is written to."""
    return tmp_path_factory.mktemp("homes"), itertools.count()


@pytest.fixture(autouse=True)
def sealed_world(homes, monkeypatch):
    """Give every test its own HOME and an environment without surprises."""
    folder, numbers = homes
    for name in [name for name in os.environ if name.startswith(("GIT_", "LOOPGRAPH"))]:
        monkeypatch.delenv(name)
    for name in (
        "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "OPENAI_API_KEY",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name, value in SEALED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(folder / str(next(numbers))))


def git(folder: Path, *args: str, stdin: str | None = None) -> str:
    """Run git in a folder and return what it printed."""
    done = subprocess.run(
        ["git", *args],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRAIN = """\
import json
import os
import sys
from prepare import evaluate

LEARNING_RATE = 1e-3
BATCH = 16
NOISE = 0.001


def main():
    seed = int(os.environ.get("LOOPGRAPH_SEED", "0"))
    budget = float(os.environ["LOOPGRAPH_BUDGET_SECONDS"])
    for step in range(3):
        print(f"step {step} loss: {3 - step}")
    print("---")
    print(f"val_bpb: {evaluate(LEARNING_RATE, BATCH) + seed * NOISE:.6f}")
    print(f"training_seconds: {budget}")
    print("peak_memory_mb: 12.5")
    print("device: cpu")


if __name__ == "__main__":
    sys.exit(main())
"""
PREPARE = """\
def evaluate(learning_rate, batch):
    return 1.0 + abs(learning_rate - 4e-3) * 10 + abs(batch - 8) / 100
"""
PACK = """\
pack: toy
title: Two things to turn
methods:
  - id: learning-rate
    title: Learning rate
    summary: Turn the learning rate up. Too much of it diverges.
    sources: [{url: "https://example.com/lr", title: On rates}]
    knobs: [{name: factor, default: 2, values: [4]}]
    recipe:
      - {set: LEARNING_RATE, times: $factor}
  - id: batch-size
    title: Smaller batch
    summary: Halve the batch for more steps. Gradients get noisier.
    sources: [{url: "https://example.com/batch", title: On batches}]
    recipe:
      - {set: BATCH, times: 0.5}
"""


class Toy:
    """A repository that trains in no time, and `git lg` as a user runs it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **config: object) -> None:
        """Write and trust settings that differ from the usual ones."""
        values = {
            # without site-packages: a Python that starts in half the time
            "run": [sys.executable, "-S", "-E", "train.py"],
            "budget_seconds": 5,
            "baseline_runs": 2,
            "timeout_seconds": 20,
            "metric": {"name": "val_bpb"},
            **config,
        }
        (self.root / ".loopgraph.yml").write_text(json.dumps(values))
        # what `git lg trust` does, without another process
        trust(Repo(self.root), load_config(self.root))

    def lg(
        self, *args: str, code: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `git lg` to its end, here in this process, and check its exit code.

        The command line, its output and its exit code are the real ones; only the
        start of another Python, most of the time that a command takes, is saved.
        """
        out, error = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            patch.setattr(sys, "argv", ["git-lg", *args])
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            with (
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(error),
                pytest.raises(SystemExit) as ended,
            ):
                main()
        done = subprocess.CompletedProcess(
            args, int(ended.value.code or 0), out.getvalue(), error.getvalue()
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def tried(self) -> list[Experiment]:
        """Return the experiments of all sessions, as the index has them."""
        with LoopGraph.open(self.root) as lab:
            lab.reconcile()
            return [item for item in lab.experiments() if item.session]

    def json(self, *args: str) -> Any:
        """Run `git lg … --json` and return its items."""
        return json.loads(self.lg(*args, "--json").stdout)["items"]


SOURCE = {"PYTHONPATH": str(Path(__file__).parents[1])}


def make_toy(root: Path, *init: str) -> Toy:
    """Make a repository with a training script, settings and a pack of its own."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "--template=", "-b", "main", *init)
    (root / "train.py").write_text(TRAIN)
    (root / "prepare.py").write_text(PREPARE)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Start")
    packs = root / ".loopgraph" / "packs"
    packs.mkdir(parents=True)
    (packs / "toy.yml").write_text(PACK)
    toy = Toy(root)
    toy.write()
    return toy


@pytest.fixture
def toy(tmp_path):
    """Return a repository that trains in no time, ready for experiments."""
    return make_toy(tmp_path / "my projéct")
