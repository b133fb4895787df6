"""From a paper to methods: an LLM drafts them from passages, and a person reviews.

    passages ─▶ talk ─▶ answers ─▶ rules ─▶ writing
    what is     asked,  read as    held to   a pack in
    worth it    kept    methods    the rules drafts/

Text of a paper is data, and so is what the LLM makes of it: all that an answer can
become is a draft of a pack that keeps the rules, in a folder that is never loaded.
"""

from __future__ import annotations

from loopgraph_git.loop.drafts.extraction import Drafted, Extraction

__all__ = ["Drafted", "Extraction"]
