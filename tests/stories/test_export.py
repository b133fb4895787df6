"""What is exported comes back: here it is known, elsewhere it is the same."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.conftest import Toy, git

pytestmark = pytest.mark.long

LOG = (
    "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
    "a1\t1.1\t1.0\tkeep\tbaseline\n"
    "a2\t1.050001\t1.5\tkeep\t=wider\n"
    'a3\t0\t0\tcrash\tten "layers", one\n'
    "a4\t1.08\t1.0\tdiscard\t-1 head\n"
)


@pytest.fixture
def used(toy):
    """Return a repository with experiments that ran here and one without an outcome."""
    toy.write(baseline_runs=1)
    toy.lg("experiment", "-n", "2", "--session", "mine")
    git(toy.root, "commit", "-q", "--allow-empty", "-m", "Not run")
    git(toy.root, "update-ref", f"refs/loopgraph/pins/{head(toy)}", "HEAD")
    return toy


def empty(root) -> Toy:
    """Return a repository that knows none of these commits."""
    root.mkdir()
    git(root, "init", "-q", "--template=")
    return Toy(root)


def head(toy) -> str:
    return git(toy.root, "rev-parse", "HEAD")


def outcomes(toy) -> Counter:
    found = toy.json("log", "-n", "0")
    return Counter(
        (x["verdict"], None if x["value"] is None else round(x["value"], 6))
        for x in found
        if x["verdict"]
    )


def test_what_is_written_is_known_here_and_read_elsewhere(used, tmp_path):
    for form in ("tsv", "csv", "jsonl"):
        path = tmp_path / f"x.{form}"
        assert f"to {path}" in used.lg("export", "-o", str(path)).stderr
        before = git(used.root, "for-each-ref")
        used.lg("import", str(path))
        assert git(used.root, "for-each-ref") == before
        other = empty(tmp_path / form)
        other.lg("import", str(path), "--session", "theirs")
        assert outcomes(other) == outcomes(used)


@pytest.mark.parametrize("form", ["tsv", "csv", "jsonl"])
def test_an_imported_log_goes_out_again(tmp_path, form):
    (tmp_path / "log.tsv").write_text(LOG)
    first, second = empty(tmp_path / "first"), empty(tmp_path / "second")
    first.lg("import", str(tmp_path / "log.tsv"))
    path = tmp_path / f"out.{form}"
    first.lg("export", "-o", str(path))
    second.lg("import", str(path))
    assert outcomes(second) == outcomes(first)
    assert sum(outcomes(first).values()) == 4


def test_stdout_is_a_results_tsv_oldest_first(used):
    done = used.lg("export")
    lines = done.stdout.splitlines()
    assert lines[0].split("\t")[1] == "val_bpb"
    assert lines[1].endswith("\tkeep\tStart")
    # these two may have been made in the same second
    assert sorted(line.split("\t")[3] for line in lines[2:]) == ["discard", "keep"]
    assert "left out 1 experiment without" in done.stderr


def test_filters(used):
    def subjects(*options):
        lines = used.lg("export", "--format", "jsonl", *options).stdout.splitlines()
        return [json.loads(line)["description"] for line in lines]

    assert len(subjects()) == 4
    assert len(subjects("--session", "mine")) == 2
    assert len(subjects("--verdict", "keep", "-n", "1")) == 1
    assert subjects("--session", "nobody") == []


def test_wrong_calls_write_nothing(used):
    path = used.root / "x.csv"
    path.write_text("mine")
    assert "--force" in used.lg("export", "-o", "x.csv", code=2).stderr
    assert path.read_text() == "mine"
    used.lg("export", "-o", "x.csv", "--force")
    assert path.read_text().startswith("commit,")
    assert "--format" in used.lg("export", "-o", "x.xlsx", code=2).stderr
    assert "-o FILE" in used.lg("export", "--format", "parquet", code=2).stderr
    assert "no folder" in used.lg("export", "-o", "no/x.csv", code=2).stderr
