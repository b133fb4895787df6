"""Whatever is answered: a file or an EditError, and a diff of two texts gives the second."""

from __future__ import annotations

import subprocess
import time

from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.config import Config
from loopgraph_git.errors import EditError
from loopgraph_git.loop import gate
from loopgraph_git.loop.edits import read_answer
from tests.fuzz.hostile import TEXTS

WORDS = (
    "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "@@", "@@ -1,3 +1,3 @@", "@@ ... @@",
    "--- a/train.py", "+++ b/train.py", "+++ /dev/null", "*** Begin Patch",
    "*** Update File: train.py", "*** End Patch", "*** Delete File: train.py", "```",
    "```python", "```diff", "~~~~", "````markdown", "train.py", "prepare.py", "../x.py",
    "SET LR = 2", "SET LR *= 2", "SET main(x) = (1,", "SET = ", "...", " ...",
    "# ... existing code ...", "cat > train.py <<'EOF'", "apply_patch <<EOF", "EOF",
    "diff --git a/train.py b/train.py", "new file mode 120000", "rename from x",
    "GIT binary patch", "\\ No newline at end of file", "LR = 1", " LR = 1", "-LR = 1",
    "+LR = 2", "    return LR", "-    return LR", "+    return 2 * LR", " ", "", "-", "+",
    '{"set": "LR", "to": 2}', '{"edits": [{"search": "LR = 1", "replace": "LR = 2"}]}',
    "[[[[", "Title: x", "def main():", " def main():", *TEXTS,
)  # fmt: skip
SOURCE = "import torch\n\nLR = 1\nBATCH = 16\n\n\ndef main():\n    print(LR)\n    return LR\n"
answers = st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=24).map(
    "\n".join
)
line = st.sampled_from(
    [
        "",
        "x = 1",
        "y = 2",
        "    return x",
        "    return y",
        "def f():",
        "-- x",
        "++ y",
        "}",
    ]
) | st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)
texts = st.tuples(st.lists(line, max_size=30), st.sampled_from(["\n", ""])).map(
    lambda pair: "\n".join(pair[0]) + (pair[1] if pair[0] else "")
)


@given(answers, st.sampled_from([SOURCE, SOURCE.replace("\n", "\r\n"), "", "x"]))
def test_no_answer_is_more_than_an_edit_error(answer, source):
    before = {"train.py": source}
    begun = time.monotonic()
    try:
        files = read_answer(answer, before, ("prepare.py",)).files
        gate.check(before, files, config=Config())
        assert set(files) == {"train.py"}
        assert files["train.py"] != source
    except EditError:
        # the one thing that may happen
        pass
    assert time.monotonic() - begun < 5


@given(texts, texts)
def test_a_diff_of_two_texts_gives_the_second_or_is_refused(before, after):
    try:
        text = gate.diff("notes.txt", before, after)
        files = read_answer(text, {"notes.txt": before}).files
    except EditError:
        return
    assert files == {"notes.txt": after}


@given(st.lists(st.sampled_from([f"x{n} = {n}" for n in range(40)]), unique=True, max_size=40),
       st.data())  # fmt: skip
def test_a_diff_of_texts_without_repeats_is_always_applied(lines, data):
    after = list(lines)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(after)))
        fresh = [f"new_{len(after)}_{at} = 1"] * data.draw(st.integers(0, 1))
        after[at : at + data.draw(st.integers(0, 2))] = fresh
    before = "".join(f"{line}\n" for line in lines)
    wanted = "".join(f"{line}\n" for line in after)
    if before != wanted:
        text = gate.diff("notes.txt", before, wanted)
        assert read_answer(text, {"notes.txt": before}).files == {"notes.txt": wanted}


def test_a_diff_that_git_writes_is_applied(tmp_path):
    before, after = SOURCE, SOURCE.replace("LR = 1", "LR = 2").rstrip("\n")
    for name, text in (("a", before), ("b", after)):
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["git", "diff", "--no-index", "a", "b"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    text = (
        done.stdout.decode().replace("a/a", "a/train.py").replace("b/b", "b/train.py")
    )
    assert read_answer(text, {"train.py": before}).files == {"train.py": after}
