"""The words by which logs say what was decided, and how a run ended.

What is not listed here is not guessed: the reader of the log reports it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from loopgraph_git.records import Judgement, Status

_VOCABULARY = {
    Judgement.KEEP: "keep kept best new_best baseline pass passed accept accepted "
    "promote promoted champion new_champion",
    Judgement.DISCARD: "discard discarded revert reverted reject rejected kill killed "
    "no_op size_violation constraint_violated checks_failed gate_fail gate_failed",
    Judgement.CRASH: "crash crashed fail failed oom timeout nan diverged infra "
    "rate_limited hook_blocked error errored exception metric_error build_failed server_failed "
    "benchmark_failed",
    Judgement.RETEST: "retest tentative support repair verify contender done",
}
_JUDGEMENTS = {
    word: judgement
    for judgement, words in _VOCABULARY.items()
    for word in words.split()
}
# a run that ended well, of which nobody said whether it was kept
_RAN = {"ok", "success", "succeeded", "run", "ran", "complete", "completed", "finished"}
_YES, _NO = {"true", "yes", "y", "1"}, {"false", "no", "n", "0"}
_ENDINGS = {"oom": Status.OOM, "timeout": Status.TIMEOUT, "nan": Status.NAN,
            "diverged": Status.NAN}  # fmt: skip


@lru_cache(1024)
def judgement_of(word: str) -> Judgement | None:
    """Return the verdict that a status means, or None for a word not known."""
    return _JUDGEMENTS.get(_bare(word))


def yes_or_no(word: str) -> Judgement | None:
    """Return the verdict of a column that holds yes or no, None for another word."""
    if _bare(word) in _YES:
        return Judgement.KEEP
    return Judgement.DISCARD if _bare(word) in _NO else None


def has_only_run(word: str) -> bool:
    """Say whether a status tells that a run ended well, and of no verdict."""
    return _bare(word) in _RAN


def ending_of(word: str, judgement: Judgement | None) -> Status:
    """Return how the run ended, as far as the status tells."""
    if judgement is Judgement.CRASH:
        return _ENDINGS.get(_bare(word), Status.CRASH)
    return Status.OK


def _bare(word: str) -> str:
    """Return a status without what people hang on it: `**KEEP** ✅ (new best)`."""
    # not a pattern: it would try each of a million parentheses
    text = word.partition("(")[0] if word.rstrip().endswith(")") else word
    letters = re.sub(r"[^a-z0-9_ -]", "", text.lower())
    return re.sub(r"[\s-]+", "_", letters).strip("_")
