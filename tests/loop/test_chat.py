"""A conversation about an edit: one repair, then the next form, over the real protocol."""

from __future__ import annotations

import pytest

from loopgraph_git.config import CHAT_FORMS, Config
from loopgraph_git.errors import EditError
from loopgraph_git.loop import gate, prompting
from loopgraph_git.loop.chat import ChatProposer
from loopgraph_git.loop.endpoints import Endpoint
from loopgraph_git.loop.proposers import Request
from loopgraph_git.loop.providers import ChatProvider
from loopgraph_git.loop.scripted import scripted_server

# importing openai takes seconds: one test process has to do it, not all
pytestmark = [pytest.mark.xdist_group("openai"), pytest.mark.long]

CODE = "import torch\n\nLR = 1\nBATCH = 16\n\n\ndef main():\n    print(LR)\n    return LR\n"
HEAD = "Title: Raise LR\nMethod: none\n\nIt is too low.\n\n"


def block(search: str, replace: str) -> str:
    return f"train.py\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def talk(*answers, forms=("edits", "whole"), check=None):
    before = {"train.py": CODE}
    request = Request(
        goal="lower the loss",
        files=before,
        suggestions=(),
        methods={},
        brief="",
        check=check or (lambda after: gate.check(before, after, config=Config())),
        protected=("prepare.py",),
    )
    with scripted_server(list(answers)) as (url, asked):
        at = Endpoint(name="scripted", base_url=url, local=True)
        provider = ChatProvider("tiny", at=at)
        proposal = ChatProposer(provider, forms).propose(request)
    return proposal, [item["messages"] for item in asked]


GOOD = HEAD + block("LR = 1", "LR = 2")


def test_a_good_answer_is_one_request():
    proposal, asked = talk(GOOD)
    assert proposal.files == {"train.py": CODE.replace("LR = 1", "LR = 2")}
    told = proposal.edit["told"]
    assert proposal.edit == {
        "form": "search", "rung": "exact", "fuzz": 0, "blocks": 1, "answers": 1,
        "told": told,
    }  # fmt: skip
    assert told == prompting.told(asked[0])
    assert (proposal.title, proposal.body) == ("Raise LR", "It is too low.")
    assert len(asked) == 1
    assert "SET NAME = value" in asked[0][0]["content"]
    assert "train.py\n<<<<<<< SEARCH" in asked[0][0]["content"]


def test_the_repair_shows_the_block_and_the_lines_that_are_near():
    bad = HEAD + block("    print(LR, 1)\n    return LR", "    return LR")
    proposal, asked = talk(bad, GOOD)
    assert not proposal.failure
    assert proposal.edit["answers"] == 2
    said = asked[1][-1]["content"]
    assert "block 1: its lines are not in the file" in said
    assert "    print(LR, 1)\n" in said
    assert "mean lines 8 to 9:\n    print(LR)\n    return LR" in said
    assert said.rstrip().endswith("with the whole corrected edit.")


def test_blocks_that_fit_are_kept_and_the_others_sent_again():
    one, two = block("LR = 1", "LR = 2"), block("BATCH = 61", "BATCH = 32")
    proposal, asked = talk(HEAD + one + two, block("BATCH = 16", "BATCH = 32"))
    said = asked[1][-1]["content"]
    assert "block 2: its lines are not in the file" in said
    assert "The other edit fits and is kept" in said
    assert "Send only the corrected block" in said
    wanted = CODE.replace("LR = 1", "LR = 2").replace("BATCH = 16", "BATCH = 32")
    assert proposal.files == {"train.py": wanted}
    # the words of the first answer, which the second does not repeat
    assert (proposal.title, proposal.body) == ("Raise LR", "It is too low.")


def test_one_that_sends_everything_again_is_understood_too():
    one = block("    print(LR)", "    print(LR)\n    print(BATCH)")
    two, better = block("BATCH = 61", "BATCH = 32"), block("BATCH = 16", "BATCH = 32")
    for again in (one + better, better + one, HEAD + one + better):
        proposal, _ = talk(HEAD + one + two, again)
        text = proposal.files["train.py"]
        assert text.count("print(BATCH)") == 1
        assert "BATCH = 32" in text


def test_hunks_of_a_patch_are_kept_one_by_one():
    patch = (
        "```diff\n--- a/train.py\n+++ b/train.py\n@@\n-LR = 1\n+LR = 2\n"
        "@@\n-    print(LOSS)\n+    print(1)\n```\n"
    )
    proposal, asked = talk(HEAD + patch, block("    print(LR)", "    print(1)"))
    assert "block 2" in asked[1][-1]["content"]
    assert "LR = 2" in proposal.files["train.py"]
    assert "print(1)" in proposal.files["train.py"]
    assert proposal.edit["form"] == "diff+search"


def test_after_the_repair_comes_the_next_form():
    whole = "```python\n" + CODE.replace("LR = 1", "LR = 3") + "```\n"
    proposal, asked = talk("I would rather not.", "No.", whole)
    assert proposal.files == {"train.py": CODE.replace("LR = 1", "LR = 3")}
    assert proposal.edit["form"] == "whole"
    assert len(asked) == 3
    assert "The whole new file" in asked[2][0]["content"]
    assert "in another form" in asked[2][-1]["content"]
    # the conversation does not grow with what did not work
    assert [message["role"] for message in asked[2]] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip


def test_when_all_forms_fail_that_is_the_proposal():
    proposal, asked = talk(HEAD + block("GONE = 1", "X = 1"))
    assert proposal.failure.startswith("block 1: its lines are not in the file")
    assert proposal.files == {}
    assert proposal.edit == {
        "form": "whole", "answers": 4, "told": proposal.edit["told"],
    }  # fmt: skip
    assert len(asked) == 4
    assert proposal.tokens > 100


def test_an_edit_that_was_tried_before_is_told_so():
    def check(after):
        if "LR = 2" in after["train.py"]:
            raise EditError("the same code was tried as 1234567: discard")

    proposal, asked = talk(GOOD, GOOD.replace("LR = 2", "LR = 4"), check=check)
    assert "was tried as 1234567" in asked[1][-1]["content"]
    assert "LR = 4" in proposal.files["train.py"]


@pytest.mark.parametrize(
    ("llm", "chosen", "forms"),
    [
        ("gpt-4.1", "", ("edits", "whole")),
        ("GPT-5-Codex", "", ("patch", "edits", "whole")),
        ("qwen2.5-coder:7b", "", ("whole", "edits")),
        ("meta-llama/Llama-3.1-8B-Instruct", "", ("whole", "edits")),
        ("qwen2.5:0.5b", "", ("whole", "edits")),
        ("qwen2.5-coder:32b", "", ("edits", "whole")),
        ("llama-3.3-70b", "", ("edits", "whole")),
        ("gpt-4.1", "diff", ("diff", "edits", "whole")),
        ("gpt-4.1", "whole", ("whole", "edits")),
        ("", "", ("edits", "whole")),
    ],
)
def test_the_form_follows_from_the_name(llm, chosen, forms):
    assert prompting.forms_for(llm, chosen) == forms


def test_every_form_has_a_prompt_that_names_the_file():
    request = Request(
        goal="g {x}", files={"a b.py": "x = {}\n", "c.py": ""}, suggestions=(),
        methods={}, brief="{brief}", check=lambda _: None,
    )  # fmt: skip
    for form in CHAT_FORMS:
        system, user = prompting.question(request, form)
        assert "a b.py" in system["content"]
        assert "{" not in system["content"]
        assert "x = {}" in user["content"]
        assert "The current c.py" in user["content"]
