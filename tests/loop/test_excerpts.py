"""A file cut to the room that an LLM has for it."""

from __future__ import annotations

import pytest

from loopgraph_git.loop import prompting
from loopgraph_git.loop.excerpts import excerpt
from loopgraph_git.loop.proposers import Request
from loopgraph_git.loop.usage import estimated_tokens

FUNCTIONS = "\n\n".join(
    f"@cached\ndef step_{number}(x):\n" + "    x = x + 1\n" * 60 + "    return x"
    for number in range(40)
)
CODE = f"import torch\n\nRATE = 0.1\n\n\n{FUNCTIONS}\n\nBATCH = 16\n"


def test_what_fits_is_whole():
    assert excerpt(CODE, room=100_000) == CODE


def test_settings_and_what_the_brief_speaks_of_stay():
    found = excerpt(CODE, room=2000, words="`step_31` and `step_7` are slow")
    assert estimated_tokens(found) <= 2000
    for part in ("RATE = 0.1", "BATCH = 16", "def step_31(x):\n    x = x + 1\n"):
        assert part in found
    assert "@cached\n# [62 more lines, not shown]" in found
    assert found.index("RATE") < found.index("step_7") < found.index("BATCH")


@pytest.mark.parametrize(
    "code",
    ["x = (\n" * 9000, "é\n" * 9000, "y = 1;" * 9000, ""],
    ids=["broken", "not ASCII", "one line", "empty"],
)
@pytest.mark.parametrize("room", [1, 100, 5000])
def test_whatever_it_is_it_fits(code, room):
    assert estimated_tokens(excerpt(code, room=room)) <= max(room, 1)


@pytest.mark.long
def test_the_whole_question_is_bounded():
    request = Request(
        goal="g" * 50_000, files={"a.py": CODE * 9, "b.py": "B = 1\n", "c.py": CODE},
        suggestions=(), methods={}, brief="word " * 50_000, check=lambda _: None,
    )  # fmt: skip
    told = prompting.told(prompting.question(request, "edits"))
    assert 16_000 < told < 28_000
    assert "B = 1" in prompting.question(request, "edits")[1]["content"]
    assert estimated_tokens(prompting.hired(request)) < 12_000
