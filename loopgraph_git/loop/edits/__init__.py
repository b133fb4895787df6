"""From an answer in words to new files in memory.

Every form that language models edit in is understood: `SET`, search/replace blocks,
V4A patches, unified diffs and whole files. An edit is all or nothing, every block
must match exactly one place, and nothing is guessed by likeness.
"""

from __future__ import annotations

from loopgraph_git.loop.edits.answers import FoundEdits, find_edits
from loopgraph_git.loop.edits.applying import Failure, Outcome, apply
from loopgraph_git.loop.edits.reading import (
    Answer,
    explained,
    made,
    read_answer,
    read_words,
)

__all__ = [
    "Answer",
    "Failure",
    "FoundEdits",
    "Outcome",
    "apply",
    "explained",
    "find_edits",
    "made",
    "read_answer",
    "read_words",
]
