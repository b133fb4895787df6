"""What an LLM may draft, and what is shown to it: the rules, one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.config import Config
from loopgraph_git.library.packs import pack_files, parse_pack, plain_of
from loopgraph_git.library.yaml_tree import Report, read_yaml
from loopgraph_git.loop.drafts import passages, writing
from loopgraph_git.loop.drafts.answers import Draft, read_answer
from loopgraph_git.loop.drafts.extraction import _sound
from loopgraph_git.loop.drafts.reach import overreach
from loopgraph_git.loop.drafts.rules import Ground, faults
from loopgraph_git.records import Chunk, Paper
from loopgraph_git.resources import resource_dir
from tests.conftest import TRAIN

PAPER = Paper(key="arxiv:2104.01234", title="On Rates")
BEGIN = """\
import os as system_things
import kernels
from subprocess import run
from kernels import get_kernel as kernel_of
"""
CODE = {"train.py": BEGIN + TRAIN}
GROUND = Ground(paper=PAPER, files=CODE, config=Config())
BODY = "Rates of 3e-4. The loss fell from 1.012 to 0.998, by 2.5% with 16 heads."
PASSAGE = Chunk(paper=PAPER.key, ord=7, title="Rates", body=BODY, place="2.1 Rates")
PLAIN = {"id": "x", "title": "Ex", "summary": "It is. It does."}


def wrong(**keys):
    return [fault.words for fault in faults(Draft({**PLAIN, **keys}, PASSAGE), GROUND)]


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from torch import hub",
        "import torch.hub",
        "import torch.utils.cpp_extension as math",
        "from . import train",
        "from torch import *",
        "import yaml",
        "x = 1; import yaml",
        "if 1:\n    import math\n  import broken",
        "os.system('x')",
        "torch.os.system('x')",
        "numpy.load('x')",
        "torch . save(x, y)",
        "\uff45\uff56\uff41\uff4c('1')",
        "f = getattr",
        "# then call os.system",
        "'os'",
        "().__class__",
        "__builtins__",
        "run(['x'])",
        "system_things.environ",
        "x = 'https://example.com'",
        "y = '/etc/passwd'",
        "y = '../prepare.py'",
        "y = open",
        "x = kernel_of('it')",
        "x = kernels",
        "import kernels",
        "x = 'someone/kernels'",
        'x = "someone/kernels@v1"',
        "def __class__(self):\n    return self.__class__\n",
    ],
)
def test_a_recipe_does_not_reach_beyond_the_script(text):
    assert overreach([{"insert": text, "at": "end"}], CODE)
    assert overreach([{"any": [[], [{"set": "BATCH", "code": text}]]}], CODE)


@pytest.mark.parametrize(
    "text",
    [
        "import torch.nn.functional as F",
        "from torch import nn",
        "import math\n\n\ndef __len__(self):\n    return math.ceil($factor / 2)\n",
        "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n",
        "model.eval()",
        "x = x / y",
        "loss = torch.compile(f)(x)  # half of the rows / all of them",
        "from prepare import evaluate",
        "# fewer datasets, as transformers have; n/2 of them",
    ],
)
def test_a_recipe_may_say_what_training_needs(text):
    assert overreach([{"insert": text, "at": "end"}], CODE) == ""


@pytest.mark.long
def test_the_recipes_that_ship_say_no_more():
    said = {}
    for path in pack_files(resource_dir("packs")):
        plain = plain_of(read_yaml(path.read_text("utf-8"), Report(path.name)))
        for method in plain["methods"]:
            told = [method.get("recipe"), method.get("knobs")]
            said[method["id"]] = overreach(told, {"train.py": TRAIN})
    assert len(said) > 60
    # a few are about the interpreter: those are a person's to write
    assert len(list(filter(None, said.values()))) < len(said) / 20, said


def test_a_value_that_names_a_repository_is_no_setting():
    assert overreach([{"set": "REPO", "to": "someone/kernels"}], CODE)
    assert overreach([[], [{"name": "k", "default": 1, "values": ["a/b"]}]], CODE)
    assert overreach([{"set": "RATIO", "code": "BATCH/2"}], CODE) == ""


@pytest.mark.parametrize(
    ("gain", "is_told"),
    [(0.014, True), (-0.014, True), (0.025, True), (2.5, True), (0.998, True),
     (3e-4, True), (0.015, False), (13, False), (0, False)],
)  # fmt: skip
def test_a_figure_is_one_of_the_passage_or_a_difference(gain, is_told):
    found = wrong(priors=[{"gain": gain, "n": 1}])
    assert (found == []) is is_told, found


@pytest.mark.parametrize(
    "words",
    [
        "See http://x.org now.", "See www.x.org now.", "Run `ls`. Then.", "In ~/.ssh it is.",
        "Do pip install x. Then.", "Do rm -rf it. Then.", "Put it in /etc/x. Then.",
        "Then $(ls) it. It is.", "Do git lg trust. Then.", "a" * 601, "In C:\\temp. Then.",
    ],
)  # fmt: skip
def test_words_are_words(words):
    assert [item for item in wrong(summary=words) if item.startswith("summary: ")]
    assert wrong(aliases=[words])
    assert wrong(priors=[{"gain": 2.5, "n": 1, "scale": words}])


def test_ordinary_words_pass():
    words = (
        "Trains with lr/2 and/or 8 & 16 heads (GQA) at 3e-4; a KV-cache is kept. Fast."
    )
    assert (
        wrong(summary=words, helps=words, aliases=["NTK-aware/YaRN", "x^2 & $x$"]) == []
    )


def test_rules_of_a_draft():
    step = {"set": "BATCH", "to": 4}
    assert wrong(recipe=[step]) == []
    many = [{"any": [[step]] * 20}] * 3
    assert "longer than 40 steps" in wrong(recipe=many)[0]
    assert "step 1 (set NOPE)" in wrong(recipe=[{"set": "NOPE", "to": 4}])[0]
    printed = {"insert": f'print("{Config().metric.name}: 0.1")', "at": "end"}
    assert "itself" in wrong(recipe=[printed])[0]
    pattern = {"pattern": "(a+)+$"}
    for key, value in (("detect", pattern), ("requires", {"any": [pattern]}), ("recipe", [{**step, "unless": pattern}])):  # fmt: skip
        assert "a regular expression is left to people" in wrong(**{key: value})[0]
    assert wrong(knobs=[{"name": "k", "default": 1, "values": list(range(9))}])
    assert wrong(aliases=["a"] * 9)


def test_answers_in_every_dress():
    body = (
        "methods:\n  - {id: x, title: Ex, summary: It is. It does., passage: passage 1}"
    )
    for text in (
        f"```yaml\n{body}\n```",
        f"Sure.\n```\n{body}\n```\nDone.",
        f"<think>```yaml\nmethods: []\n```</think>\n```yml\n{body}\n```",
        body,
        f"```yaml\n{body}",
        '```json\n{"methods": [{"id": "x", "passage": 1, "title": "Ex"}]}\n```',
        "```\n- {id: x, passage: '1'}\n```",
        f"```python\nx = 1\n```\n```yaml\n{body}\n```",
    ):
        answer = read_answer(text, {1: PASSAGE})
        assert [draft.id for draft in answer.drafts] == ["x"], text
        assert answer.drafts[0].passage is PASSAGE
    assert read_answer("```yaml\nmethods: []\n```", {}) == read_answer("methods:", {})
    for text in ("", "No.", "```yaml\nmethods: 3\n```", "methods: [a]", "a: &x 1", "x" * 200_000):  # fmt: skip
        assert read_answer(text, {}).problem, text
    assert read_answer(f"methods: [{{id: x, passage: {'1' * 9000}}}]", {}).drafts[0].passage is None  # fmt: skip


LEAVES = st.one_of(st.text(max_size=30), st.integers(), st.floats(allow_nan=False), st.none(), st.booleans(), st.sampled_from(["1e-3", "x: y\n  z", " a\nb ", "#", "- x", "'\"", "$k"]))  # fmt: skip
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["set", "to", "name", "default", "gain", "n", "any", "insert", "at", "calls", "code"]), inner, max_size=3), max_leaves=6)  # fmt: skip
KEYS = ["family", "helps", "hurts", "aliases", "detect", "requires", "conflicts", "knobs", "priors", "recipe", "other"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(["id", "title", "summary", *KEYS]), VALUES), st.text(max_size=40))  # fmt: skip
def test_whatever_is_drafted_is_a_pack_or_nothing(keys, note):
    left: list[str] = []
    found = _sound(Draft({**PLAIN, **keys}, PASSAGE, (note,)), GROUND, left)
    assert (found is None) == bool(left)
    if found is not None:
        text = writing.file_text(PAPER, [found], [note], [note])
        (method,) = parse_pack(text, "x").methods
        assert method.sources[0].arxiv == "2104.01234"
        assert method.sources[0].section == "2.1 Rates"


def chunk(ord_, body, place="3 Method", kind="text"):
    return Chunk(paper="p", ord=ord_, title=place, body=body, place=place, kind=kind)


def test_what_is_worth_sending():
    given_ = [
        chunk(0, "We present a thing.", "Abstract", "abstract"),
        chunk(1, "Training with a learning rate of 3e-4.", "5 Related work"),
        chunk(2, "The learning rate is warmed up.", "3 Method"),
        chunk(3, "We thank our cats.", "4 Method"),
        chunk(4, "def training(): ...", "train.py:training", "code"),
    ]
    assert [item.ord for item in passages.chosen(given_, "")] == [0, 2]
    # what names the code's own things comes first where there is no room for all
    many = [chunk(n, f"The batch is {n}.") for n in range(1, 60)]
    many[50] = chunk(51, "The batch of n_kv_head is 3.")
    many = [*many, chunk(99, "The learning rate and the batch decay.")]
    kept = [item.ord for item in passages.chosen(many, "n_kv_head = 4")]
    assert len(kept) == passages.MOST
    assert kept == sorted(kept)
    assert {51, 99} <= {*kept}
    assert [len(part) for part in passages.portions(many)] == [16, 16, 16, 12]


def test_a_passage_is_quoted_without_what_nobody_sees():
    body = "a<!-- do it -->b\u200d\u200b\x1b[2J c <!-- cut off"
    shown = passages.quoted(chunk(1, body, "2 A\u202eB"), 4, "nonce")
    assert shown == "<<<nonce passage 4: 2 AB\nab[2J c \nnonce>>>"


@pytest.mark.parametrize(
    ("paper", "source", "name"),
    [
        (Paper(key="arxiv:cs/0112017", title="T", version="v2"), {"arxiv": "cs/0112017"}, "arxiv-cs-0112017"),
        (Paper(key="file:/home/ada/secret/a b.md", title="T"), {"log": "file:a b.md"}, "file-a-b-md"),
        (Paper(key="github:a/b", title="T", version="0123456789"), {"commit": "a/b@0123456789"}, "github-a-b"),
        (Paper(key="https://x.org/a", title=""), {"url": "https://x.org/a"}, "https-x-org-a"),
        (Paper(key="file:\u6587", title="T"), {"log": "file:\u6587"}, "file"),
    ],
)  # fmt: skip
def test_a_source_is_what_the_paper_is(paper, source, name):
    titled = {"title": "T"} if paper.title else {}
    assert writing.source_of(paper, PASSAGE) == {**source, **titled, "section": "2.1 Rates"}  # fmt: skip
    assert writing.pack_name(paper) == name
