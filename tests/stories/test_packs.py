"""`git lg packs`: methods listed, shown, checked, applied and written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PACK, TRAIN, Toy, git

# many sessions with processes of their own
pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
TINY = (ROOT / "harness" / "tiny_nanochat" / "train.py").read_text()
TWO = """\
pack: two
title: A pack over two files
methods:
  - id: both
    title: Both files
    summary: Turns the model and its rate. They belong together.
    recipe:
      - {set: Model.depth, times: 2}
      - {import: import math}
      - {set: LEARNING_RATE, code: math.pi / 1000}
"""


def outside(folder: Path) -> Toy:
    folder.mkdir(parents=True)
    return Toy(folder)


def as_typed(command: str, folder: Path) -> None:
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)


def rows(toy: Toy, *args: str) -> dict[str, dict]:
    return {row["id"]: row for row in toy.json("packs", "list", *args)}


def test_methods_are_listed_with_how_they_stand_to_the_code(toy):
    found = rows(toy)
    assert found["learning-rate"]["file"].endswith(".loopgraph/packs/toy.yml")
    assert found["learning-rate"]["overrides"].endswith("packs/schedules.yml")
    assert (found["learning-rate"]["state"], found["learning-rate"]["tries"]) == (
        "applies",
        0,
    )
    assert found["swiglu"]["state"] == "missing"
    assert "MLP" in found["swiglu"]["why"]
    # HEAD counts, not the checkout; and tries are counted
    (toy.root / "train.py").write_text("")
    toy.lg("record", "--value", "1.5", "--status", "ok")
    assert rows(toy)["learning-rate"]["state"] == "applies"
    text = toy.lg("packs", "list", "--family", "toy").stdout
    assert text.splitlines()[0].split() == [
        "method", "family", "recipe", "tries", "at", "HEAD", "title",
    ]  # fmt: skip
    assert text.splitlines()[-1] == "2 applies"
    error = toy.lg("packs", "list", "--family", "tay", code=2).stderr
    assert "no family 'tay'; there are " in error


def test_tries_are_counted_where_there_is_an_index(toy):
    git(toy.root, "checkout", "-q", "-b", "lg/x")
    (toy.root / "train.py").write_text(TRAIN.replace("1e-3", "2e-3"))
    git(toy.root, "commit", "-qam", "Up\n\nLoopgraph-Method: learning-rate")
    toy.lg("record", "--value", "1.5", "--verdict", "keep")
    assert rows(toy)["learning-rate"]["tries"] == 1


def test_the_shipped_packs_are_there_everywhere(tmp_path, toy):
    nowhere = outside(tmp_path / "no repository")
    found = rows(nowhere)
    assert found["swiglu"]["state"] is None
    assert "not in a repository" in nowhere.lg("packs", "list").stdout
    assert "nothing is wrong" in nowhere.lg("packs", "validate").stdout
    git(tmp_path, "clone", "-q", "--bare", str(toy.root), "bare.git")
    bare = Toy(tmp_path / "bare.git")
    assert "toy.yml" not in bare.lg("packs", "list", "--json").stdout
    assert rows(bare)["learning-rate"]["state"] == "applies"
    assert "a bare repository has no files" in bare.lg("packs", "new", code=2).stderr
    assert "no checkout here" in bare.lg("packs", "apply", "swiglu", code=2).stderr
    plain = outside(tmp_path / "plain")
    git(plain.root, "init", "-q", "--template=")
    assert "no train.py at HEAD" in plain.lg("packs", "list").stdout


def test_a_method_is_shown_as_a_whole(toy):
    text = toy.lg("packs", "show", "swiglu").stdout
    for words in (
        "swiglu  SwiGLU feed-forward",
        "packs/activations.yml:",
        "at HEAD   missing: needs a definition of MLP",
        "arXiv:2002.05202, section 2",
        "is there  with a call of functional.silu and a definition of",
        "excludes  ",
        "prior     -0.",
        "prior     +0.",
        "3. insert, before MLP.__init__.self.c_fc\n",
        "   - search F.relu(self.c_fc(x)).square(), replace F.silu(",
        "unless there is the absence of a definition of Linear",
    ):
        assert words in text, words
    shown = toy.lg("packs", "show", "learning-rate").stdout
    # paths are in one piece, however long
    pack = next(line for line in shown.splitlines() if line.startswith("pack"))
    assert ", in place of the one in /" in pack
    assert "knob      factor = 2 (also 4)" in shown
    item = json.loads(toy.lg("packs", "show", "swiglu", "--json").stdout)["items"]
    assert (item["id"], item["state"]) == ("swiglu", "missing")
    assert item["priors"][0]["source"]
    error = toy.lg("packs", "show", "swigle", code=2).stderr
    assert "the nearest is swiglu: `git lg packs list` lists them" in error


def test_a_broken_pack_names_file_line_method_key_and_what_was_expected(toy):
    packs = toy.root / ".loopgraph" / "packs"
    (packs / "bad.yml").write_text(
        PACK.replace("pack: toy", "pack: bad")
        .replace("id: learning-rate", "id: rate")
        .replace("values: [4]", "values: 4")
        .replace("    title: Smaller batch\n", "    conflicts: [nobody]\n")
    )
    bad = f"{packs / 'bad.yml'}"
    assert toy.lg("packs", "validate", code=1).stderr.splitlines() == [
        f"git-lg: {bad}:8: method rate: knobs[1].values: expected a list, not '4'",
        f"{bad}:11: method batch-size: title: missing",
    ]
    (packs / "bad.yml").write_text(
        PACK.replace("pack: toy", "pack: bad").replace(
            "    title: Smaller batch\n",
            "    title: Smaller batch\n    conflicts:\n      - rate\n      - nobody\n",
        )
    )
    # whichever command meets it first: nothing is read past a broken pack
    error = toy.lg("packs", "list", code=1).stderr
    assert error.splitlines()[0] == (
        f"git-lg: {packs / 'toy.yml'}:4: method learning-rate: id: expected an id of its "
        f"own, but it is already defined in {bad}"
    )
    (packs / "toy.yml").unlink()
    words = "method batch-size: conflicts: expected the id of a method, but no pack has"
    assert toy.lg("packs", "validate", code=1).stderr == (
        f"git-lg: {bad}:14: {words} rate\n{bad}:15: {words} nobody\n"
    )
    assert toy.lg("packs", "validate", "nowhere.yml", code=1).stderr == (
        "git-lg: nowhere.yml: cannot be read: No such file or directory\n"
    )


def test_a_pack_to_begin_with_is_sound_and_overwrites_nothing(toy):
    (toy.root / "sub").mkdir()
    below = Toy(toy.root / "sub")
    path = toy.root / ".loopgraph" / "packs" / "ideas.yml"
    assert f"wrote {path}" in below.lg("packs", "new", "ideas").stdout
    assert "1 pack, 1 method, 1 recipe: nothing" in (
        below.lg("packs", "validate", str(path)).stdout
    )
    assert rows(below)["ideas-example"]["state"] == "applies"
    path.write_text("mine")
    assert "exists: name another" in below.lg("packs", "new", "ideas", code=2).stderr
    assert path.read_text() == "mine"
    assert "is no name" in below.lg("packs", "new", "../up", code=2).stderr


def test_a_recipe_is_applied_to_the_checkout_and_can_be_taken_back(toy):
    shown = toy.lg("packs", "apply", "learning-rate", "--dry-run")
    assert "-LEARNING_RATE = 1e-3\n+LEARNING_RATE = 2e-3\n" in shown.stdout
    assert shown.stderr == "learning-rate would change train.py\n"
    assert (toy.root / "train.py").read_text() == TRAIN
    done = toy.lg("packs", "apply", "learning-rate", "--knob", "factor=4")
    edited = TRAIN.replace("1e-3", "4e-3")
    assert (toy.root / "train.py").read_text() == edited
    first, undo = done.stderr.splitlines()
    assert first == "learning-rate changed train.py; to undo it:"
    assert undo.strip() == "git restore -- train.py"
    # what is not committed is not in git: it is put there
    done = toy.lg("packs", "apply", "batch-size")
    undo = done.stderr.splitlines()[1].strip()
    assert undo.startswith("git cat-file blob ")
    as_typed(undo, toy.root)
    assert (toy.root / "train.py").read_text() == edited


def test_a_recipe_works_without_a_repository(tmp_path):
    toy = outside(tmp_path / "my files")
    path = toy.root / "my train.py"
    path.write_bytes(TINY.replace("\n", "\r\n").encode())
    path.chmod(0o755)
    done = toy.lg("packs", "apply", "gelu", "my train.py")
    assert path.read_bytes() == (
        TINY.replace("F.relu(self.c_fc(x)).square()", "F.gelu(self.c_fc(x))")
        .replace("\n", "\r\n")
        .encode()
    )
    assert path.stat().st_mode & 0o777 == 0o755
    undo = done.stderr.splitlines()[1].strip()
    assert undo == "mv 'my train.py.orig' 'my train.py'"
    error = toy.lg("packs", "apply", "swiglu", "my train.py", code=1).stderr
    assert error == (
        "git-lg: swiglu: gelu is in the code already: swiglu conflicts with it\n"
    )
    error = toy.lg("packs", "apply", "gelu", "my train.py", code=1).stderr
    assert error == "git-lg: gelu: the code has it already\n"
    assert "no checkout here: name the files" in (
        toy.lg("packs", "apply", "gelu", code=2).stderr
    )
    as_typed(undo, toy.root)
    assert sorted(x.name for x in toy.root.iterdir()) == ["my train.py"]


def test_a_recipe_over_two_files_writes_both_or_none(toy):
    toy.write(editable=["train.py", "model/gpt.py", "README"])
    (toy.root / ".loopgraph" / "packs" / "two.yml").write_text(TWO)
    model = toy.root / "model" / "gpt.py"
    model.parent.mkdir()
    model.write_text("class Model:\n    depth = 3\n")
    (toy.root / "README").write_text("LEARNING_RATE = nothing to see\n")
    git(toy.root, "add", ".")
    git(toy.root, "commit", "-qm", "Model")
    assert rows(toy)["both"]["state"] == "applies"
    assert "both" in toy.lg("experiment", "--dry-run").stdout.split("do not:")[0]
    if os.geteuid():
        model.chmod(0o444)
        error = toy.lg("packs", "apply", "both", code=1).stderr
        assert error == "git-lg: model/gpt.py cannot be written\n"
        model.chmod(0o644)
    assert (toy.root / "train.py").read_text() == TRAIN
    done = toy.lg("packs", "apply", "both")
    assert model.read_text() == "class Model:\n    depth = 6\n"
    assert "LEARNING_RATE = math.pi / 1000\n" in (toy.root / "train.py").read_text()
    assert "--- a/model/gpt.py\n+++ b/model/gpt.py\n" in done.stdout
    assert done.stderr.splitlines() == [
        "both changed train.py, model/gpt.py; to undo it:",
        "    git restore -- train.py",
        "    git restore -- model/gpt.py",
    ]


def test_an_experiment_edits_the_file_where_the_step_has_its_place(toy):
    toy.write(editable=["prepare.py", "train.py"], protected=[])
    toy.lg("experiment", "-n", "1", "-q", "--session", "s")
    (tried,) = toy.tried()
    changed = git(toy.root, "show", "--format=", "--name-only", tried.commit)
    assert changed.split() == ["train.py"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"LEARNING_RATE = (", "train.py: the source does not parse: line 1"),
        (b"LEARNING_RATE = '\xff'", "train.py is not UTF-8 at byte 17"),
        (b"#" * 1_100_000, "train.py is over 1 MiB"),
        (b"RATE = 1\n", "step 1 (set LEARNING_RATE): no constant"),
        (None, "train.py does not exist: name the files to edit"),
    ],
)
def test_a_file_with_a_problem_is_not_touched(toy, content, words):
    path = toy.root / "train.py"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    code = 1 if content is not None else 2
    error = toy.lg("packs", "apply", "learning-rate", code=code).stderr
    assert words in error
    assert (path.read_bytes() if path.exists() else None) == content


def test_what_is_no_file_of_its_own_is_refused(toy):
    (toy.root / "link.py").symlink_to("train.py")
    error = toy.lg("packs", "apply", "learning-rate", "link.py", code=1).stderr
    assert "link.py is a link: name the file that it stands for" in error
    error = toy.lg("packs", "apply", "learning-rate", "packs", code=2).stderr
    assert "packs does not exist" in error
    same = ("train.py", "./train.py")
    assert "named twice" in (
        toy.lg("packs", "apply", "learning-rate", *same, code=2).stderr
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "speed=2",
            "turns no knob of learning-rate: write NAME=VALUE; its knobs: fact",
        ),
        ("factor", "turns no knob"),
        ("factor=fast", "the knob factor takes a number, not 'fast'"),
    ],
)
def test_a_knob_that_cannot_be_turned_so_is_told(toy, given, words):
    error = toy.lg("packs", "apply", "learning-rate", "--knob", given, code=2).stderr
    assert words in error


def test_a_place_that_an_earlier_recipe_took_is_explained(tmp_path):
    toy = outside(tmp_path / "r")
    git(toy.root, "init", "-q", "--template=")
    (toy.root / "train.py").write_text(TRAIN)
    git(toy.root, "add", ".")
    git(toy.root, "commit", "-qm", "Start")
    packs = toy.root / ".loopgraph" / "packs"
    packs.mkdir(parents=True)
    text = PACK.replace("- {set: LEARNING_RATE, times: $factor}", "{recipe}")
    first = "- {search: LEARNING_RATE = 1e-3, replace: LEARNING_RATE = 2e-3 * $factor}"
    (packs / "a.yml").write_text(text.replace("{recipe}", first))
    (packs / "b.yml").write_text(
        "pack: b\ntitle: B\nmethods:\n  - id: lower\n    title: Lower\n"
        "    summary: Lower. It is.\n    recipe:\n"
        "      - {search: LEARNING_RATE = 1e-3, replace: LEARNING_RATE = 5e-4}\n"
    )
    (packs / "c.yml").write_text(
        "pack: c\ntitle: C\nmethods:\n  - id: seen\n    title: Seen\n"
        "    summary: Seen. It is.\n    detect: {constant: LEARNING_RATE, above: 0.002}\n"
    )
    toy.lg("packs", "apply", "learning-rate")
    error = toy.lg("packs", "apply", "lower", code=1).stderr
    assert "step 1 (search LEARNING_RATE = 1e-3): the text was found" in error
    assert "; it applied before seen changed the code" in error
