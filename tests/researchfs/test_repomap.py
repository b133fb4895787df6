"""The map of many files: what everything stands on comes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.researchfs.repomap import page_rank, repository_map

FILES = {
    "src/model/blocks.py": "import torch\nWIDTH = 3\nclass Block: pass\ndef norm(): pass\n",
    "src/model/__init__.py": "from model.blocks import Block\n",
    "train.py": "from model import Block\nfrom model.blocks import norm\nmain = Block\n",
    "sweep.py": "import train\nimport model.blocks\nx = norm\ny = norm\n",
    "broken.py": "def (",
}


def test_the_order_is_by_what_others_stand_on():
    found = repository_map(FILES)
    assert found[0].path == "src/model/blocks.py"
    assert found[0].defines == ("norm", "Block", "WIDTH")
    assert found[0].lines == 5
    by_path = {item.path: item for item in found}
    assert by_path["sweep.py"].uses == ("src/model/blocks.py", "train.py")
    assert by_path["broken.py"].defines == ()
    assert sum(item.rank for item in found) == pytest.approx(1)


def test_the_order_of_the_files_does_not_matter():
    assert repository_map(dict(reversed(FILES.items()))) == repository_map(FILES)


def test_no_files_have_no_map():
    assert repository_map({}) == []


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("abcd"), min_size=1))
def test_ranks_are_shares(pairs):
    nodes = {*pairs, *pairs.values()}
    links = {x: {pairs[x]: 1.0} if x in pairs else {} for x in sorted(nodes)}
    assert sum(page_rank(links).values()) == pytest.approx(1)
    assert min(page_rank(links).values()) > 0
