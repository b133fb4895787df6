"""How a repository trains is found out without being told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopgraph_git.config import parse_config
from loopgraph_git.errors import ConfigError
from loopgraph_git.git.repo import Repo
from loopgraph_git.loop.detect import detect, render
from loopgraph_git.records import Direction
from loopgraph_git.resources import resource_dir
from tests.conftest import git

if TYPE_CHECKING:
    from pathlib import Path

LOOP = "import torch\nopt = torch.optim.SGD([])\nloss.backward()\nopt.step()\n"


def found(root: Path, files: dict[str, str], ignored: str = ""):
    git(root, "init", "-q")
    for name, text in {**files, ".gitignore": ignored}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    return detect(Repo(root))


def test_a_fork_in_autoresearchs_manner(tmp_path):
    files = {
        "train.py": "from prepare import evaluate\n" + LOOP
        + 'print("---")\nprint(f"val_bpb:          {bpb:.6f}")\nprint(f"depth: {d}")\n',
        "prepare.py": "TIME_BUDGET = 300   # seconds (5 minutes)\ndef evaluate(): ...\n",
        "program.md": "Run `uv run train.py`, then `grep '^val_bpb:' run.log`.\n",
        "uv.lock": "",
    }  # fmt: skip
    config = found(tmp_path, files, "results.tsv\n.venv/\n").config
    assert config.run == ("uv", "run", "train.py")
    assert config.editable == ("train.py",)
    assert config.protected == ("prepare.py",)
    assert config.metric.name == "val_bpb"
    assert config.budget_seconds == 300


def test_a_plain_script_with_an_accuracy(tmp_path):
    files = {"src/fit.py": LOOP + "print(f'accuracy: {a}')\n", "setup.py": "x = 1\n"}
    config = found(tmp_path, files).config
    assert config.run[1:] == ("src/fit.py",)
    assert config.editable == ("src/fit.py",)
    assert config.metric.direction is Direction.HIGHER
    assert config.protected == ()


@pytest.mark.parametrize(
    ("printed", "name", "why"),
    [
        (("training_seconds", "peak_vram_mb", "bits"), "bits", "`bits` is the first"),
        (("training_seconds", "num_steps"), "val_bpb", "this is a guess"),
    ],
)
def test_time_and_memory_are_no_metric(tmp_path, printed, name, why):
    script = LOOP + "".join(f"print(f'{word}: {{x}}')\n" for word in printed)
    result = found(tmp_path, {"train.py": script})
    assert result.config.metric.name == name
    assert why in result.reasons["metric"]


def test_the_script_nearest_the_top_is_taken(tmp_path):
    files = {"a/b/train.py": LOOP, "scripts/train.py": LOOP, "tests/train.py": LOOP}
    assert found(tmp_path, files).config.editable == ("scripts/train.py",)


def test_what_lies_untracked_beside_it_is_linked(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x").write_text("x")
    config = found(tmp_path, {"train.py": LOOP}, ".venv\ndata\n").config
    assert config.link == (".venv", "data")


def test_our_own_workload_is_understood(tmp_path):
    folder = resource_dir("harness") / "tiny_nanochat"
    files = {path.name: path.read_text() for path in folder.glob("*.*")}
    result = found(tmp_path, files)
    assert result.config.metric.name == "val_bpb"
    assert result.config.protected == ("prepare.py",)
    assert result.config.budget_seconds == 20
    assert result.warnings == ()


def test_what_is_rendered_reads_back_as_what_was_found(tmp_path):
    files = {"my train's.py": LOOP, "prepare.py": "TIME_BUDGET = 7\n"}
    result = found(tmp_path, files)
    assert parse_config(render(result)) == result.config


def test_without_a_training_script_the_next_step_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"write \.loopgraph\.yml by hand"):
        found(tmp_path, {"README.md": "train.py is not here\n"})


def test_a_script_that_does_not_parse_is_still_found(tmp_path):
    assert found(tmp_path, {"train.py": LOOP + "def (\n"}).config.editable == (
        "train.py",
    )
