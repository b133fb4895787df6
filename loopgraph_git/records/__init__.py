"""The nouns: frozen values that travel between the rooms."""

from __future__ import annotations

from loopgraph_git.records.facts import (
    CURVE_LIMIT,
    Commit,
    Experiment,
    Hit,
    Result,
    Retrieval,
    Suggestion,
    Verdict,
    body_of,
    fitted,
    fitted_retrieval,
)
from loopgraph_git.records.found import Found, dataframe
from loopgraph_git.records.line import (
    RECORD_LIMIT_BYTES,
    RECORD_VERSION,
    Record,
    canonical,
    is_sound,
)
from loopgraph_git.records.methods import (
    Chunk,
    Context,
    Fit,
    Knob,
    Method,
    Operation,
    Paper,
    Prior,
    Source,
)
from loopgraph_git.records.results_row import results_header, results_row
from loopgraph_git.records.values import (
    Direction,
    Grade,
    Judgement,
    Kind,
    Metric,
    Oid,
    Status,
)

__all__ = [
    "CURVE_LIMIT",
    "RECORD_LIMIT_BYTES",
    "RECORD_VERSION",
    "Chunk",
    "Commit",
    "Context",
    "Direction",
    "Experiment",
    "Fit",
    "Found",
    "Grade",
    "Hit",
    "Judgement",
    "Kind",
    "Knob",
    "Method",
    "Metric",
    "Oid",
    "Operation",
    "Paper",
    "Prior",
    "Record",
    "Result",
    "Retrieval",
    "Source",
    "Status",
    "Suggestion",
    "Verdict",
    "body_of",
    "canonical",
    "dataframe",
    "fitted",
    "fitted_retrieval",
    "is_sound",
    "results_header",
    "results_row",
]
