"""Hooks, records, sync and the index in repositories that are not the usual kind.

A bare repository has no hooks and no files, and is asked for less.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from loopgraph_git.git import hooks, refs
from loopgraph_git.git.repo import Repo
from loopgraph_git.loopgraph import LoopGraph
from loopgraph_git.records import Oid
from tests.conftest import PREPARE, TRAIN, Toy, git, make_toy

pytestmark = pytest.mark.long

PACKS = Path(".loopgraph") / "packs" / "toy.yml"


def as_toy(root: Path, model: Toy) -> Toy:
    """Give a checkout the settings and the packs of another."""
    (root / PACKS).parent.mkdir(parents=True)
    shutil.copy(model.root / PACKS, root / PACKS)
    toy = Toy(root)
    toy.write()
    return toy


def make_hub(folder: Path, source: Path, *options: str) -> Path:
    """Make a bare repository that a clone may ask for less than all."""
    hub = folder / "hub.git"
    git(folder, "init", "-q", "--bare", "--template=", "-b", "main", *options, str(hub))
    git(hub, "config", "uploadpack.allowFilter", "true")
    git(hub, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(source, "push", "-q", hub.as_uri(), "main")
    return hub


def plain(folder: Path, *options: str) -> Toy:
    toy = make_toy(folder / "checkout", *options)
    kinds = [option for option in options if option.startswith(("--object", "--ref"))]
    hub = make_hub(folder, toy.root, *kinds)
    git(toy.root, "remote", "add", "origin", hub.as_uri())
    return toy


def cloned(folder: Path, *options: str) -> Toy:
    source = make_toy(folder / "source")
    for number in (1, 2):
        (source.root / "prepare.py").write_text(f"{PREPARE}\nVERSION = {number}\n")
        git(source.root, "commit", "-qam", f"Version {number}")
    hub = make_hub(folder, source.root)
    command = ["clone", "-q", "--template=", *options, hub.as_uri(), "checkout"]
    git(folder, *command)
    return as_toy(folder / "checkout", source)


def linked(folder: Path) -> Toy:
    first = plain(folder)
    git(first.root, "worktree", "add", "-q", "-b", "other", "../a linked tree")
    return as_toy(folder / "a linked tree", first)


def submodule(folder: Path) -> Toy:
    inner = make_toy(folder / "inner")
    hub = make_hub(folder, inner.root)
    outer = folder / "outer"
    git(folder, "init", "-q", str(outer))
    allow = ("-c", "protocol.file.allow=always")
    git(outer, *allow, "submodule", "add", "-q", hub.as_uri(), "sub module")
    return as_toy(outer / "sub module", inner)


def separate(folder: Path) -> Toy:
    return plain(folder, "--separate-git-dir", str(folder / "kept elsewhere"))


def reftable(folder: Path) -> Toy:
    asked = ["git", "init", "-q", "--bare", "--ref-format=reftable", "probe"]
    if subprocess.run(asked, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("this git has no reftable")
    return plain(folder, "--ref-format=reftable")


KINDS = {
    "sha-256": lambda folder: plain(folder, "--object-format=sha256"),
    "reftable": reftable,
    "linked worktree": linked,
    "shallow": lambda folder: cloned(folder, "--depth=1"),
    "partial": lambda folder: cloned(folder, "--filter=blob:none"),
    "submodule": submodule,
    "separate git folder": separate,
    "odd path": lambda folder: plain(make_folder(folder / "a 'b' $c \u00fc\u4e2d")),
}


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def commit(toy: Toy, rate: str, *options: str) -> str:
    (toy.root / "train.py").write_text(TRAIN.replace("1e-3", rate))
    git(toy.root, "commit", "-qam", f"Rate {rate}", *options)
    return git(toy.root, "rev-parse", "HEAD")


def pins(toy: Toy) -> set[str]:
    return {refs.pinned(ref) for ref in Repo(toy.root).refs(refs.PINS)}


# the others differ in little from these
QUICK = ("sha-256", "linked worktree", "partial")
PARAMS = [
    pytest.param(kind, marks=() if kind in QUICK else pytest.mark.long)
    for kind in KINDS
]


@pytest.fixture(params=PARAMS)
def odd(request, tmp_path):
    return KINDS[request.param](tmp_path)


def test_hooks_records_sync_and_index(odd, tmp_path):
    odd.lg("hooks", "install")
    git(odd.root, "switch", "-q", "-c", "exp/odd")
    lost = commit(odd, "2e-3")
    better = commit(odd, "3e-3", "--amend")
    git(odd.root, "reset", "-q", "--hard", "HEAD^")
    kept = commit(odd, "4e-3")
    assert pins(odd) == {lost, better, kept}

    odd.lg("run", better)
    before = {item["commit"]: item for item in odd.json("log")}
    assert before.keys() == {lost, better, kept}
    assert [oid for oid, item in before.items() if item["value"]] == [better]
    with LoopGraph.open(odd.root) as lab:
        assert [r.body["to"] for r in lab.records_of(lost) if r.kind == "link"] == [
            better
        ]

    odd.lg("sync")
    hub = git(odd.root, "config", "remote.origin.url")
    (tmp_path / "machine 2").mkdir()
    git(tmp_path / "machine 2", "clone", "-q", hub, "clone")
    other = as_toy(tmp_path / "machine 2" / "clone", odd)
    assert "3 experiments" in other.lg("sync").stdout
    assert {item["commit"]: item for item in other.json("log")} == before
    assert (
        git(other.root, "show", f"{lost}:train.py")
        == TRAIN.replace("1e-3", "2e-3").strip()
    )

    Repo(odd.root).home.joinpath("researchfs.db").unlink()
    odd.lg("reindex")
    assert {item["commit"]: item for item in odd.json("log")} == before


@pytest.mark.long
def test_a_loop_of_experiments(odd):
    odd.lg("experiment", "-n", "1")
    tried = odd.json("log")
    assert len(tried) == 2
    odd.lg("sync")
    odd.lg("reindex")
    assert odd.json("log") == tried
    # what was tried is found by its words, too
    assert odd.json("search", "smaller batch")


def without_files(folder: Path, option: str) -> Toy:
    """Make a partial clone that has a pinned commit without its files."""
    toy = cloned(folder, option)
    git(toy.root, "switch", "-q", "-c", "exp/odd")
    commit(toy, "2e-3")
    toy.lg("run", "HEAD")
    toy.lg("sync")
    oid = git(toy.root, "rev-parse", "main~1")
    git(toy.root, "update-ref", f"{refs.PINS}{oid}", oid)
    return toy


def fetches(toy: Toy, trace: Path, *args: str) -> int:
    """Run a command, and return how often git fetched for it."""
    trace.write_text("")
    toy.lg(*args, env={"GIT_TRACE": str(trace)})
    return trace.read_text().count("built-in: git fetch")


@pytest.mark.parametrize("option", ["--filter=blob:none", "--filter=tree:0"])
def test_the_index_of_a_partial_clone_fetches_nothing(tmp_path, option):
    toy = without_files(tmp_path, option)
    for args in (("reindex",), ("log",), ("best",)):
        assert fetches(toy, tmp_path / "trace", *args) == 0
    # nor does it need the remote to be there
    (tmp_path / "hub.git").rename(tmp_path / "away.git")
    toy.lg("reindex")
    toy.lg("search", "rate")
    assert len(toy.json("log")) == 2


def test_a_search_in_a_partial_clone_fetches_nothing(tmp_path):
    toy = without_files(tmp_path, "--filter=blob:none")
    assert fetches(toy, tmp_path / "trace", "search", "version") == 0


def test_records_of_unknown_commits_are_not_asked_for(tmp_path):
    toy = without_files(tmp_path, "--filter=blob:none")
    with LoopGraph.open(toy.root) as lab:
        oid = lab.repo.oid("exp/odd")
        [record] = lab.records_of(oid)
        foreign = Oid("1" * len(oid))
        lab.ledger.notes.append(
            lab.ledger.notes.make(record.kind, foreign, record.body, tree=record.tree)
        )
    assert fetches(toy, tmp_path / "trace", "reindex") == 0


def test_a_shallow_clone_knows_what_it_does_not_have(tmp_path):
    toy = cloned(tmp_path, "--depth=1")
    git(toy.root, "switch", "-q", "-c", "exp/odd")
    git(toy.root, "update-ref", f"{refs.PINS}{git(toy.root, 'rev-parse', 'HEAD')}",
        "HEAD")  # fmt: skip
    commit(toy, "2e-3")
    toy.lg("run", "HEAD")
    toy.lg("reindex")
    assert len(toy.json("log")) == 2
    toy.lg("search", "version")
    assert git(toy.root, "rev-list", "--count", "HEAD") == "2"


def test_a_bare_clone_has_the_records_and_no_hooks(tmp_path):
    toy = plain(tmp_path)
    git(toy.root, "switch", "-q", "-c", "exp/odd")
    commit(toy, "2e-3")
    toy.lg("run", "HEAD")
    toy.lg("sync")
    git(tmp_path, "clone", "-q", "--bare", (tmp_path / "hub.git").as_uri(), "bare.git")
    bare = Toy(tmp_path / "bare.git")
    assert "1 experiment " in bare.lg("sync").stdout
    listed = bare.json("log")
    assert [item["commit"] for item in listed] == [
        item["commit"] for item in toy.json("log")
    ]
    bare.lg("reindex")
    assert bare.json("log") == listed
    bare.lg("show", listed[0]["commit"])
    with LoopGraph.open(bare.root) as lab:
        oid = lab.repo.oid(listed[0]["commit"])
        [result] = lab.results_of(oid)
        lab.record(oid, replace(result, seed=7))
    assert "1 record" in bare.lg("sync").stdout


def test_hooks_of_a_bare_repository_serve_its_worktrees(tmp_path):
    model = make_toy(tmp_path / "model")
    git(tmp_path, "clone", "-q", "--bare", str(model.root), "bare.git")
    bare = tmp_path / "bare.git"
    git(bare, "worktree", "add", "-q", "-b", "exp/odd", str(tmp_path / "tree"))
    Toy(bare).lg("hooks", "install")
    toy = as_toy(tmp_path / "tree", model)
    oid = commit(toy, "2e-3")
    assert pins(toy) == {oid}
    Toy(bare).lg("hooks", "uninstall")
    assert [hook.how for hook in hooks.status(Repo(bare))] == ["", ""]


def test_a_repository_of_somebody_else_is_explained(tmp_path, monkeypatch):
    if os.geteuid():
        pytest.skip("only root can give a repository away")
    toy = make_toy(tmp_path / "theirs")
    for path in (toy.root, toy.root / ".git"):
        os.chown(path, 12345, 12345)
    for command in (("log",), ("hooks", "install"), ("sync",)):
        done = toy.lg(*command, code=1)
        assert "dubious ownership" in done.stderr
        assert "safe.directory" in done.stderr
    config = tmp_path / "config"
    config.write_text(f'[safe]\n\tdirectory = "{toy.root}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    toy.lg("hooks", "install")
    assert toy.json("log") == []
