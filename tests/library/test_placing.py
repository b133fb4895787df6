from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import RecipeError
from loopgraph_git.library import placing
from loopgraph_git.library.source import Code

SCRIPT = '''\
#!/usr/bin/env python
"""Train."""
from __future__ import annotations

import os
os.environ["A"] = "1"
import torch

try:
    import fast
except ImportError:
    fast = None

# Constants
DEPTH = 8  # layers
LR = (
    3e-4
)


# squared ReLU
@torch.compile
def act(x):
    return x


class MLP:
    """A layer."""

    # how wide
    def __init__(self, n):
        self.n = n

    def forward(self, x):
        return act(x)


import late
print(DEPTH)
'''


def test_a_definition_is_exchanged_with_its_decorators():
    new = placing.replace_definition(
        Code(SCRIPT), "act", "def act(x):\n    return -x\n"
    )
    assert new == SCRIPT.replace(
        "@torch.compile\ndef act(x):\n    return x\n", "def act(x):\n    return -x\n"
    )


def test_a_method_is_exchanged_at_its_own_indentation():
    block = (
        "@cached\ndef forward(self, x):\n    if x:\n        return 1\n\n    return 2\n"
    )
    new = placing.replace_definition(Code(SCRIPT), "MLP.forward", block)
    assert new == SCRIPT.replace(
        "    def forward(self, x):\n        return act(x)\n",
        "    @cached\n    def forward(self, x):\n        if x:\n"
        "            return 1\n\n        return 2\n",
    )


def test_a_text_that_begins_with_comments_takes_the_old_ones_place():
    new = placing.replace_definition(
        Code(SCRIPT), "act", "# cubed\ndef act(x):\n    return x\n"
    )
    assert "# squared ReLU" not in new
    assert "\n\n\n# cubed\ndef act(x):\n    return x\n\n\nclass MLP" in new


def test_comments_of_another_indentation_belong_to_other_code():
    text = "if a:\n    b = 1\n    # inner\ndef f(): pass\n"
    new = placing.replace_definition(Code(text), "f", "# new\ndef f(): return 1")
    assert new == "if a:\n    b = 1\n    # inner\n# new\ndef f(): return 1\n"


def test_a_trailing_comment_is_no_comment_above():
    text = "a = 1  # one\ndef f(): pass\n"
    new = placing.replace_definition(Code(text), "f", "# new\ndef f(): return 1")
    assert new == "a = 1  # one\n# new\ndef f(): return 1\n"


def test_a_line_in_a_string_is_no_comment_above():
    text = '"""\n# text"""\ndef f(): pass\n'
    new = placing.replace_definition(Code(text), "f", "# new\ndef f(): return 1")
    assert new == '"""\n# text"""\n# new\ndef f(): return 1\n'


def test_tabs_newlines_and_strings_are_fitted():
    text = "class A:\r\n\tdef f(self):\r\n\t\treturn 1"
    block = 'def f(self):\n    if 1:\n        return """\n    kept"""\n'
    new = placing.replace_definition(Code(text), "A.f", block)
    assert new == (
        'class A:\r\n\tdef f(self):\r\n\t\tif 1:\r\n\t\t\treturn """\r\n    kept"""'
    )


def test_a_comment_after_a_one_line_definition_stays():
    text = "def f(): pass  # short\nx = 1\n"
    new = placing.replace_definition(Code(text), "f", "def f(): return 1")
    assert new == "def f(): return 1  # short\nx = 1\n"


def test_a_definition_that_is_missing_is_an_error():
    with pytest.raises(RecipeError, match="no definition of Block in the source"):
        placing.replace_definition(Code(SCRIPT), "Block", "class Block: pass")


@pytest.mark.parametrize(
    ("name", "block", "before", "after"),
    [
        ("DEPTH", "N = 1", "DEPTH = 8  # layers\n", "DEPTH = 8  # layers\nN = 1\n"),
        ("LR", "N = 1\nM = 2\n", "    3e-4\n)\n", "    3e-4\n)\nN = 1\nM = 2\n"),
        (
            "act",
            "def g():\n    pass\n",
            "    return x\n",
            "    return x\n\n\ndef g():\n    pass\n",
        ),
        ("act", "N = 1", "    return x\n", "    return x\n\n\nN = 1\n"),
        (
            "MLP.__init__",
            "def g(self):\n    pass\n",
            "        self.n = n\n",
            "        self.n = n\n\n    def g(self):\n        pass\n",
        ),
        (
            "MLP.__init__.self.n",
            "self.m = n\n",
            "        self.n = n\n",
            "        self.n = n\n        self.m = n\n",
        ),
        (
            "DEPTH",
            "def g():\n    pass",
            "DEPTH = 8  # layers\n",
            "DEPTH = 8  # layers\n\n\ndef g():\n    pass\n\n\n",
        ),
    ],
)
def test_a_block_stands_after_its_anchor(name, block, before, after):
    new = placing.insert_after(Code(SCRIPT), name, block)
    assert new == SCRIPT.replace(before, after, 1)


@pytest.mark.parametrize(
    ("name", "block", "before", "after"),
    [
        ("DEPTH", "N = 1", "DEPTH = 8", "N = 1\nDEPTH = 8"),
        (
            "act",
            "def g():\n    pass\n",
            "# squared ReLU\n",
            "def g():\n    pass\n\n\n# squared ReLU\n",
        ),
        (
            "MLP.__init__",
            "x = 1",
            "    # how wide\n",
            "    x = 1\n\n    # how wide\n",
        ),
        ("MLP", "N = 1", "class MLP:", "N = 1\n\n\nclass MLP:"),
    ],
)
def test_a_block_stands_before_its_anchor(name, block, before, after):
    new = placing.insert_before(Code(SCRIPT), name, block)
    assert new == SCRIPT.replace(before, after, 1)


def test_an_anchor_at_the_end_without_a_newline():
    assert placing.insert_after(Code("a = 1"), "a", "b = 2\n") == "a = 1\nb = 2"
    assert placing.insert_after(Code("a = 1"), "a", "def f(): pass") == (
        "a = 1\n\n\ndef f(): pass"
    )
    assert placing.insert_after(Code("a = 1\r\n"), "a", "b = 2") == "a = 1\r\nb = 2\r\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("NOPE", "a = 1\n", "no definition or constant NOPE in the source"),
        ("f.x", "def f(x=1): pass\n", "f.x is a parameter, not a statement"),
        ("b", "a = 1; b = 2\n", "line 1 holds other code beside the place"),
        ("a", "a = 1; b = 2\n", "line 1 holds other code beside the place"),
        ("a", "if c: a = 1\n", "line 1 holds other code beside the place"),
        ("a", "a = 1\na = 2\n", "a is assigned 2 times (lines 1, 2)"),
        ("f", "def f(): pass\ndef f(): pass\n", "f is defined 2 times (lines 1, 2)"),
    ],
)
def test_an_anchor_that_cannot_be_used_is_an_error(name, text, message):
    for place in (placing.insert_after, placing.insert_before):
        with pytest.raises(RecipeError) as caught:
            place(Code(text), name, "x = 1")
        assert str(caught.value) == message
    with pytest.raises(RecipeError) as caught:
        placing.delete(Code(text), name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        ("imports", "    fast = None\n", "    fast = None\nN = 1\n"),
        ("start", "annotations\n", "annotations\nN = 1\n"),
        ("end", "print(DEPTH)\n", "print(DEPTH)\nN = 1\n"),
    ],
)
def test_a_block_stands_at_a_place(place, before, after):
    new = placing.insert_at(Code(SCRIPT), place, "N = 1\n")
    assert new == SCRIPT.replace(before, after)


@pytest.mark.parametrize(
    ("place", "text", "new"),
    [
        ("start", "a = 1\n", "N = 1\na = 1\n"),
        ("start", "#!/bin/sh\n\na = 1\n", "#!/bin/sh\n\nN = 1\na = 1\n"),
        ("start", '"""Doc."""\na = 1\n', '"""Doc."""\n\nN = 1\na = 1\n'),
        ("start", "# head\ndef f(): pass\n", "N = 1\n\n\n# head\ndef f(): pass\n"),
        ("imports", "a = 1\n", "N = 1\na = 1\n"),
        ("imports", "import a\nb = 1\nimport c", "import a\nb = 1\nimport c\nN = 1"),
        ("imports", "def f(): import a\n", "N = 1\n\n\ndef f(): import a\n"),
        ("imports", "from __future__ import x\na = 1\n", None),
        ("end", "", "N = 1\n"),
        ("start", "", "N = 1\n"),
        ("imports", "# only words\n", "# only words\nN = 1\n"),
        ("end", "a = 1", "a = 1\nN = 1"),
        ("end", "a = 1\r\n", "a = 1\r\nN = 1\r\n"),
        ("end", "def f(): pass\n", "def f(): pass\n\n\nN = 1\n"),
        ("end", "def f(): pass", "def f(): pass\n\n\nN = 1"),
        ("end", "if a:\n    b\n\n", "if a:\n    b\n\nN = 1\n"),
    ],
)
def test_places_of_odd_files(place, text, new):
    expected = new or "from __future__ import x\nN = 1\na = 1\n"
    assert placing.insert_at(Code(text), place, "N = 1\n") == expected


def test_a_definition_at_the_end_stands_apart():
    assert placing.insert_at(Code("a = 1\n"), "end", "def f():\n    pass\n") == (
        "a = 1\n\n\ndef f():\n    pass\n"
    )


@pytest.mark.parametrize(
    ("statement", "before", "after"),
    [
        ("import math", "    fast = None\n", "    fast = None\nimport math\n"),
        ("import torch", "", ""),
        (
            "import torch as t",
            "    fast = None\n",
            "    fast = None\nimport torch as t\n",
        ),
        ("import fast", "", ""),
        ("import late", "", ""),
        ("from __future__ import annotations", "", ""),
        (
            "from __future__ import division",
            "annotations\n",
            "annotations\nfrom __future__ import division\n",
        ),
        ("import os, math\n", "    fast = None\n", "    fast = None\nimport math\n"),
        (
            "import math\nimport torch\nfrom a import b as c, d",
            "    fast = None\n",
            "    fast = None\nfrom a import b as c, d\nimport math\n",
        ),
    ],
)
def test_an_import_adds_what_is_missing(statement, before, after):
    new = placing.add_import(Code(SCRIPT), statement)
    expected = SCRIPT.replace(before, after) if before else SCRIPT
    assert sorted(new.splitlines()) == sorted(expected.splitlines())
    compile(new, "new", "exec")


def test_only_the_missing_names_are_imported():
    code = Code("from a import b, c as d\nfrom . import e\n")
    assert placing.add_import(code, "from a import b, c, f") == (
        "from a import b, c as d\nfrom . import e\nfrom a import c, f\n"
    )
    assert placing.add_import(code, "from . import e") == code.text


def test_an_import_inside_a_function_is_not_the_modules():
    code = Code("def f():\n    import math\n")
    assert placing.add_import(code, "import math") == (
        "import math\n\n\ndef f():\n    import math\n"
    )


def test_what_is_no_import_is_an_error():
    with pytest.raises(RecipeError) as caught:
        placing.add_import(Code(SCRIPT), "math = 1")
    assert str(caught.value) == "not an import: math = 1"


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("DEPTH", "DEPTH = 8  # layers\n"),
        ("LR", "LR = (\n    3e-4\n)\n"),
        (
            "act",
            "# squared ReLU\n@torch.compile\ndef act(x):\n    return x\n\n\n",
        ),
        (
            "MLP.__init__",
            "    # how wide\n    def __init__(self, n):\n        self.n = n\n\n",
        ),
        ("MLP.__init__.self.n", "        self.n = n\n"),
    ],
)
def test_deleting_takes_whole_lines(name, gone):
    assert placing.delete(Code(SCRIPT), name) == SCRIPT.replace(gone, "")


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n  "])
def test_deleting_the_last_definition(end):
    assert placing.delete(Code(f"a = 1\n\ndef f(): pass{end}"), "f") == "a = 1\n\n"


ABOVE = st.lists(
    st.sampled_from(
        ["# é", "", "   ", "x = 1  # ∂", 's = """\n# in\n"""', "@d\ndef g(): pass"]
    ),
    max_size=5,
)


@given(ABOVE, ABOVE, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_inserting_moves_nothing(above, below, newline, tabs):
    indent = "\t" if tabs else "    "
    lines = [*above, "class Anchor:", f"{indent}x = 1", *below, ""]
    text = newline.join(line.replace("\n", newline) for line in lines)
    block = "y = 1\n"
    new = placing.insert_after(Code(text), "Anchor.x", block)
    assert new.replace(f"{newline}{indent}y = 1", "", 1) == text
    new = placing.insert_before(Code(text), "Anchor.x", block)
    assert new.replace(f"{indent}y = 1{newline}", "", 1) == text
    for place in placing.PLACES:
        new = placing.insert_at(Code(text), place, "unique = 1\n")
        head, _, tail = new.partition("unique = 1")
        assert text.startswith(head.rstrip("\r\n"))
        assert text.endswith(tail.lstrip("\r\n"))
        compile(new, "new", "exec")
