"""Reading a log: the summary block, the curve, and the lines that explain a failure.

autoresearch's convention: a line `---`, then `name: value` lines. What a log says
is data; only numbers and short words of known shape are taken from it.
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING

from loopgraph_git.config import SECRET_NAME
from loopgraph_git.records import CURVE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAIR = re.compile(r"([A-Za-z_][\w./-]{0,39}):[ \t]+(\S.{0,79}?)[ \t]*\Z")
_STEP = re.compile(
    r"\bstep\W{0,3}(\d+)\b.*?\bloss\W{0,3}(\d+(?:\.\d+)?)", re.IGNORECASE
)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SECRET_TEXT = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{16,})"
)
_MARK = "---"
_TRACEBACK = "Traceback (most recent call last)"
_EXCERPT_LINES = 30
_SHORTEST_SECRET = 8


def clean(text: str) -> str:
    """Return log text as it reads: no escapes, progress bars at their last state."""
    lines = (line.rsplit("\r", 1)[-1] for line in _ANSI.sub("", text).split("\n"))
    return "\n".join(_CONTROL.sub("", line).rstrip() for line in lines)


def redact(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Replace the values of secret-looking variables and well-known key shapes."""
    for name, value in environ.items():
        if SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"[{name}]")
    return _SECRET_TEXT.sub("[redacted]", text)


def parse_summary(text: str) -> dict[str, float | str]:
    """Return the `name: value` lines after the last `---`, numbers as floats.

    Without such a line the whole text is read, the last value of a name counting.
    """
    lines = _lines(text)
    marks = [number for number, line in enumerate(lines) if line.strip() == _MARK]
    found: dict[str, float | str] = {}
    for line in lines[marks[-1] + 1 if marks else 0 :]:
        match = _PAIR.match(line)
        if match:
            found[match[1]] = _number(match[2])
    return found


def has_block(text: str) -> bool:
    """Say whether a log has the line `---`, after which a run sums itself up."""
    return any(line.strip() == _MARK for line in _lines(text))


def shows_failure(text: str, metric: str) -> bool:
    """Say whether a log whose exit status nobody knows is of a run that failed.

    It did where the metric is missing, or a traceback comes after it.
    """
    measured = broken = -1
    for number, line in enumerate(_lines(text)):
        pair = _PAIR.match(line)
        if pair and pair[1] == metric:
            measured = number
        elif line.startswith(_TRACEBACK):
            broken = number
    return measured < 0 or broken > measured


def _lines(text: str) -> list[str]:
    return clean(text.replace("\r", "\n")).split("\n")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def metric_value(summary: Mapping[str, float | str], name: str) -> float | None:
    """Return the metric of a summary; NaN for a value that is not finite."""
    value = summary.get(name)
    if isinstance(value, str):
        return math.nan if value else None
    if value is None:
        return None
    return value if math.isfinite(value) else math.nan


def peak_memory_mb(summary: Mapping[str, float | str]) -> float | None:
    """Return the peak memory that the workload reported, in MiB."""
    for name in ("peak_memory_mb", "peak_vram_mb", "peak_mem_mb"):
        value = summary.get(name)
        if isinstance(value, float) and math.isfinite(value) and value > 0:
            return value
    return None


def curve(text: str) -> tuple[tuple[float, float], ...]:
    """Return at most 32 (step, loss) points from progress lines, evenly spread."""
    found: dict[int, float] = {}
    for line in re.split(r"[\r\n]", text):
        match = _STEP.search(line)
        if match:
            found[int(match[1])] = float(match[2])
    points = sorted(found.items())
    if len(points) > CURVE_LIMIT:
        stride = (len(points) - 1) / (CURVE_LIMIT - 1)
        points = [points[round(number * stride)] for number in range(CURVE_LIMIT)]
    return tuple((float(step), loss) for step, loss in points)


def excerpt(text: str) -> str:
    """Return the lines that explain a failure: the last traceback, or the end."""
    lines = [line for line in redact(clean(text)).split("\n") if line.strip()]
    starts = [n for n, line in enumerate(lines) if line.startswith(_TRACEBACK)]
    first = max(starts[-1] if starts else 0, len(lines) - _EXCERPT_LINES)
    # a log is somebody else's text: one endless line must not fill the record
    return "\n".join(line[:300] for line in lines[max(0, first) :])[-1500:]
