"""Answers in words become files, or say why not."""

from __future__ import annotations

import json
import time

import pytest

from loopgraph_git.config import Config
from loopgraph_git.errors import EditError
from loopgraph_git.loop import gate
from loopgraph_git.loop.edits import read_answer

CODE = "import torch\n\nLR = 1\nBATCH = 16\n\n\ndef main():\n    print(LR)\n    return LR\n"
BEFORE = {"train.py": CODE}


def block(search: str, replace: str, path: str = "train.py") -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


def test_title_method_and_reason_are_read():
    text = "**Title:** Raise LR\nMethod: `learning-rate`\n\nToo low.\n\n" + block(
        "LR = 1\n", "LR = 2\n"
    )
    answer = read_answer(text, BEFORE)
    assert (answer.title, answer.method) == ("Raise LR", "learning-rate")
    assert answer.reason.startswith("Too low.")
    assert answer.files == {"train.py": CODE.replace("LR = 1", "LR = 2")}


@pytest.mark.parametrize(
    "text",
    [
        block("LR = 1\n", "LR = 2\n"),
        "```python\n" + block("LR = 1\n", "LR = 2\n") + "```\n",
        block("LR = 1\n", "LR = 2\n", path="### `train.py`"),
        block("LR = 1\n", "LR = 2\n", path="Here is the edit."),
        block("LR = 1  \n", "LR = 2\n"),
        block("LR = 1\n", "LR = 2\n").replace("\n", "\r\n"),
        "```python\n" + CODE.replace("LR = 1", "LR = 2") + "```\n",
        "train.py\n```\n" + CODE.replace("LR = 1", "LR = 2") + "```\nDone.\n",
    ],
)
def test_every_shape_of_the_same_edit_gives_the_same_file(text):
    assert read_answer(text, BEFORE).files["train.py"] == CODE.replace(
        "LR = 1", "LR = 2"
    )


def test_several_blocks_are_applied_in_order():
    text = block("LR = 1\n", "LR = 2\n") + "\n" + block("LR = 2\n", "LR = 3\n")
    assert "LR = 3\n" in read_answer(text, BEFORE).files["train.py"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No idea.", "the answer holds no edit: neither SET, nor a SEARCH block"),
        ("```python\nLR = 2\n```\n", "no whole file, and has no SEARCH"),
        (block("LR = 9\n", "LR = 2\n"), "block 1: its lines are not in the file"),
        (
            block("LR = 1\n", "LR = 2\n") + block("GONE = 1\n", "X = 1\n"),
            "block 2: its lines are not in the file; 1 other fits",
        ),
        (block("x\n", "y\n", path="prepare.py"), "prepare.py may not be edited"),
    ],
)
def test_what_cannot_be_used_says_why(text, words):
    with pytest.raises(EditError, match=r"\w") as caught:
        read_answer(text, BEFORE)
    assert words in str(caught.value)


def test_a_search_that_fits_twice_is_refused():
    before = {"train.py": "x = 1\ny = 2\nx = 1\n"}
    with pytest.raises(EditError, match="2"):
        read_answer(block("x = 1\n", "x = 3\n"), before)


def test_of_several_files_the_named_one_is_edited():
    before = {"train.py": "x = 1\n", "optim.py": "x = 1\n"}
    text = block("x = 1\n", "x = 2\n", path="optim.py")
    assert read_answer(text, before).files == {"optim.py": "x = 2\n"}
    with pytest.raises(EditError, match="names no file"):
        read_answer(block("x = 1\n", "x = 2\n", path="There:"), before)


TWICE = CODE.replace("LR = 1", "LR = 2")
DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1,4 +1,4 @@\n import torch\n \n-LR = 1\n+LR = 2\n BATCH = 16\n"
V4A = (
    "*** Begin Patch\n*** Update File: train.py\n@@\n-LR = 1\n+LR = 2\n*** End Patch\n"
)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("SET LR = 2", "set"),
        ("- `SET LR = 2`", "set"),
        ("train.py\n```\nSET LR = 2  # was 1\n```", "set"),
        ("SET train.py: LR *= 2", "set"),
        ("SET LR: int = 2", "set"),
        ("SET LR to 2", "set"),
        ('{"set": "LR", "to": 2}', "set"),
        ('```json\n{"edits": [{"set": "LR", "times": 2}]}\n```', "set"),
        ('[{"search": "LR = 1", "replace": "LR = 2", "path": "train.py"}]', "search"),
        (json.dumps({"patch": DIFF}), "diff"),
        (json.dumps({"name": "apply_patch", "arguments": {"input": V4A}}), "v4a"),
        (json.dumps({"path": "train.py", "content": TWICE}), "whole"),
        (DIFF, "diff"),
        ("```diff\n" + DIFF + "```", "diff"),
        ("````md\n```diff\n" + DIFF + "```\n````", "diff"),
        ("```sh\ngit apply <<'EOF'\n" + DIFF + "EOF\n```", "diff"),
        ("```sh\napply_patch <<EOF\n" + V4A + "EOF\n```", "v4a"),
        ("```sh\ncat <<'EOF' > train.py\n" + TWICE + "EOF\n```", "whole"),
        (V4A, "v4a"),
        ("```diff\n-LR = 1\n+LR = 2\n```", "diff"),
        ("train.py\n```diff\n@@\n-LR = 1\n+LR = 2\n```", "diff"),
        (DIFF.replace("-LR = 1\n+LR = 2\n BATCH = 16\n", " ...\n-LR = 1\n+LR = 2\n"), "diff"),
        (DIFF.replace("a/train.py", "/dev/null").split("@@")[0] + "@@\n"
         + "".join(f"+{line}\n" for line in TWICE.splitlines()), "diff"),
        ("<<<<<<< SEARCH train.py\nLR = 1\n=======\nLR = 2\n>>>>>>> REPLACE", "search"),
        ("  <<<<<<< SEARCH\n  LR = 1\n  =======\n  LR = 2\n  >>>>>>> REPLACE", "search"),
    ],
)  # fmt: skip
def test_every_form_gives_the_same_file(text, form):
    answer = read_answer(text, BEFORE)
    assert answer.files == {"train.py": TWICE}
    assert answer.edit["form"] == form


@pytest.mark.parametrize(
    ("search", "rung", "fuzz"),
    [
        ("LR = 1\nBATCH = 16", "exact", 0),
        ("LR = 1  \nBATCH = 16", "space", 1),
        ("def main():\n\tprint(LR)", "tabs", 1),
        ("  print(LR)\n  return LR", "indent", 2),
        ("print(LR)\u200b\nreturn LR", "punctuation", 2),
        ("import torch\nLR = 1", "blanks", 1),
    ],
)
def test_the_rung_is_kept(search, rung, fuzz):
    last = search.split("\n")[-1]
    answer = read_answer(block(f"{search}\n", f"{search}  # x\n"), BEFORE)
    assert (answer.edit["rung"], answer.edit["fuzz"]) == (rung, fuzz)
    stripped = last.strip().replace("\u200b", "")
    assert f"{stripped}  # x\n" in answer.files["train.py"].replace("\t", "    ")


def test_what_is_added_moves_with_what_is_there():
    text = block(
        "print(LR)\nreturn LR\n", "for x in range(2):\n    print(x)\nreturn LR\n"
    )
    wanted = CODE.replace(
        "    print(LR)\n", "    for x in range(2):\n        print(x)\n"
    )
    assert read_answer(text, BEFORE).files == {"train.py": wanted}


def test_context_keeps_its_own_spaces():
    before = {"train.py": "def f():  \n    x = 1\t\n    return x\n"}
    text = block(
        "def f():\n    x = 1\n    return x\n", "def f():\n    x = 1\n    return 2\n"
    )
    files = read_answer(text, before).files
    assert files == {"train.py": "def f():  \n    x = 1\t\n    return 2\n"}


@pytest.mark.parametrize(
    ("search", "replace", "words"),
    [
        ("x = 1\n", "x = 3\n", "2 times (lines 1, 3)"),
        ("\n", "x = 3\n", "does not say between which"),
        ("y = 2\n", "y = 3\n# ... rest of the code unchanged ...\n", "would be lost"),
        ("y = 2\n", "y = 3\n...\n", "would be lost"),
        ("y = 22\n", "y = 3\n", "not in the file"),
    ],
)
def test_what_is_not_sure_is_refused(search, replace, words):
    with pytest.raises(EditError, match=r"\w") as caught:
        read_answer(block(search, replace), {"train.py": "x = 1\ny = 2\nx = 1\n"})
    assert words in str(caught.value)


REPEATED = "".join(f"def f{n}(x):\n    y = x + 1\n    return y\n\n\n" for n in range(9))


def test_a_line_number_breaks_a_tie_only_nearby():
    hunk = "@@ -{},3 +{},3 @@\n     y = x + 1\n-    return y\n+    return 2 * y\n"
    head = "--- a/train.py\n+++ b/train.py\n"
    files = read_answer(head + hunk.format(13, 13), {"train.py": REPEATED}).files
    assert files["train.py"].split("\n")[12] == "    return 2 * y"
    with pytest.raises(EditError, match="9 times"):
        read_answer(head + hunk.format(90, 90), {"train.py": REPEATED})


def test_an_anchor_breaks_a_tie():
    body = "     y = x + 1\n-    return y\n+    return 2 * y\n"
    for head in ("@@ def f4(x):", "@@ def f4(x): @@", "@@ ... @@ def f4(x):"):
        patch = (
            f"*** Begin Patch\n*** Update File: train.py\n{head}\n{body}*** End Patch\n"
        )
        files = read_answer(patch, {"train.py": REPEATED}).files
        assert files["train.py"].split("\n")[22] == "    return 2 * y"


def test_context_that_was_left_out_beside_an_addition_is_refused():
    before = {"train.py": "first_line = 1\nsecond_line = 2\nthird_line = 3\n"}
    head = "```diff\n--- a/train.py\n+++ b/train.py\n@@\n"
    with pytest.raises(EditError, match="not in the file"):
        read_answer(head + " first_line = 1\n+x = 1\n third_line = 3\n```\n", before)


def test_several_files_change_together_or_not_at_all():
    before = {"train.py": "x = 1\n", "optim.py": "y = 1\n"}
    both = block("x = 1\n", "x = 2\n") + block("y = 1\n", "y = 2\n", path="optim.py")
    files = read_answer(both, before).files
    assert files == {"train.py": "x = 2\n", "optim.py": "y = 2\n"}
    assert read_answer("SET y = 5", before).files == {"optim.py": "y = 5\n"}
    with pytest.raises(EditError, match="1 other fits"):
        read_answer(both.replace("y = 1", "y = 9"), before)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train.py\n<<<<<<< SEARCH\nLR = 1\n=======\nLR = 2\n", "breaks off"),
        ("<<<<<<< SEARCH\nLR = 1\n>>>>>>> REPLACE\n", "no lines of ======="),
        ("```diff\n" + DIFF, "breaks off inside"),
        (V4A.replace("*** End Patch\n", "\n"), "no *** End Patch"),
        ("```python\n" + TWICE, "holds no edit"),
        ("SET NO_SUCH = 2", "no constant NO_SUCH"),
        ("SET LR = 2, because it is better", "not an expression"),
        ("SET LR *= fast", "takes a number"),
    ],
)
def test_what_is_cut_short_or_no_edit_is_refused(text, words):
    with pytest.raises(EditError, match=r"\w") as caught:
        read_answer(text, BEFORE)
    assert words in str(caught.value)


def test_a_value_may_take_several_lines():
    text = "SET LR = (\n    2\n)\nSET BATCH = 8\n"
    answer = read_answer(text, BEFORE)
    assert "LR = (\n    2\n)\nBATCH = 8\n" in answer.files["train.py"].replace(
        "((", "("
    ).replace("))", ")")


@pytest.mark.parametrize(
    "text",
    [
        "@@\n" * 20_000,
        "```diff\n" + "@@ -1,3 +1,3 @@\n x\n-y\n+z\n" * 9_000 + "```\n",
        "```diff\n@@\n" + " x = 1\n" * 20_000 + "-a\n+b\n```\n",
        "<<<<<<< SEARCH\n" * 20_000,
        "<<<<<<< SEARCH\n" + "...\na\n" * 9_000 + "=======\n" + "...\nb\n" * 9_000
        + ">>>>>>> REPLACE",
        "cat <<A\n" * 20_000,
        "``` " + " " * 1_000_000 + "`",
        "a" + "/" * 500_000 + "!\n" + block("LR = 9\n", "LR = 2\n"),
        "[" * 500_000,
        "SET " + "a." * 500_000 + " = 1",
        "SET A = (\n" * 20_000,
        "```\n" * 20_000,
    ],
)  # fmt: skip
def test_absurd_answers_are_refused_soon(text):
    begun = time.process_time()
    with pytest.raises(EditError):
        gate.check(BEFORE, read_answer(text, BEFORE).files, config=Config())
    # 0.1 to 1 s on a slow machine; without limits, minutes
    assert time.process_time() - begun < 10


def test_several_files_may_be_given_whole():
    before = {"train.py": "x = 1\n", "optim.py": "y = 1\n"}
    text = "train.py\n```python\nx = 2\n```\n\n`optim.py`:\n```python\ny = 2\n```\n"
    files = read_answer(text, before).files
    assert files == {"train.py": "x = 2\n", "optim.py": "y = 2\n"}
    with pytest.raises(EditError, match=r"prepare\.py may not be edited"):
        read_answer(text.replace("optim.py", "prepare.py"), before)


def test_json_and_blocks_in_one_answer_apply_together():
    text = '```json\n{"set": "LR", "to": 2}\n```\n' + block(
        "BATCH = 16\n", "BATCH = 8\n"
    )
    wanted = CODE.replace("LR = 1", "LR = 2").replace("BATCH = 16", "BATCH = 8")
    assert read_answer(text, BEFORE).files == {"train.py": wanted}
    with pytest.raises(EditError, match="not in the file"):
        read_answer(text.replace("BATCH = 16", "BATCH = 17"), BEFORE)


def test_blank_context_does_not_hold_an_addition_in_its_place():
    before = {
        "train.py": "rate_one = 1\nbetas_two = 2\ndecay_three = 3\n\nwarm_four = 4\n"
    }
    head = "```diff\n--- a/train.py\n+++ b/train.py\n@@\n"
    # decay_three is left out: x stands before or behind it
    body = " rate_one = 1\n-betas_two = 2\n+betas_two = 5\n+x = 1\n \n warm_four = 4\n"
    with pytest.raises(EditError, match="not in the file"):
        read_answer(f"{head}{body}```\n", before)
