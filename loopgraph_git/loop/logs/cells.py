"""Single cells of a log: numbers, times and names."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

_LAST_SECOND = 253_402_300_799
_MEMORY_UNITS = {"g": 1024.0, "m": 1.0, "k": 1 / 1024}
_MEMORY = re.compile(r"([\d.,]+)\s*([GMK])i?B\Z", re.IGNORECASE)
_DURATION = re.compile(
    r"(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s(?:ec)?)?\Z"
)
# 20260311 is a day, and no time of 1970
_DAY = re.compile(r"20\d{2}[01]\d[0-3]\d\Z")
# a point after the commas shows that they only part thousands
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+\Z")


def time_of(text: str) -> int | None:
    """Return a time in seconds since the epoch.

    It is ISO 8601, or counts seconds, thousandths of them or less.
    """
    number = None if _DAY.match(text) else number_of(text)
    if number is None:
        return _moment(text)
    while number > _LAST_SECOND:
        number /= 1000
    return int(number) if number > 0 else None


def _moment(text: str) -> int | None:
    try:
        # a file's name has no colons and no spaces: 2026-03-11_155353
        when = datetime.fromisoformat(text.replace("_", "T"))
    except ValueError:
        return None
    seconds = int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    return seconds if seconds > 0 else None


def memory_of(text: str, unit_mb: float) -> float | None:
    """Return an amount of memory in MiB, by its own unit or else by `unit_mb`."""
    match = _MEMORY.match(text)
    number = number_of(match[1] if match else text)
    if match:
        unit_mb = _MEMORY_UNITS[match[2].lower()]
    return None if number is None or number < 0 else number * unit_mb


def seconds_of(text: str) -> float | None:
    """Return a duration in seconds: `312`, `312.5s`, `5m 12s`, `1h5m`."""
    number = number_of(text)
    if number is not None:
        return max(0.0, number)
    match = _DURATION.match(text.strip()) if text.strip() else None
    if match is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in a cell: `a;b`, or the list that JSON lines have there."""
    return tuple(re.findall(r"[A-Za-z0-9][A-Za-z0-9._+-]*", text))


def number_of(text: str) -> float | None:
    """Return a finite number, or None for any other text."""
    try:
        value = float(text.replace(",", "") if _THOUSANDS.match(text) else text)
    except ValueError:
        return None
    # Python reads 1_000 as a number; a log that holds it means a name
    return value if math.isfinite(value) and "_" not in text else None
