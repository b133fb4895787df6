"""Answers in words become files, or say why not."""

from __future__ import annotations

import pytest

from loopgraph_git.errors import EditError
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
        ("No idea.", "neither a SEARCH block nor a whole file"),
        ("```python\nLR = 2\n```\n", "no whole file and has no SEARCH"),
        (block("LR = 9\n", "LR = 2\n"), "train.py: step 1 (search LR = 9)"),
        (block("    return LR\n", "return (\n"), "does not compile"),
        (
            block("LR = 1\n", "LR = 2\n") + block("GONE = 1\n", "X = 1\n"),
            "train.py: step 2 (search GONE = 1)",
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
