"""Single cells of a log: numbers, times and names."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

_LAST_SECOND = 253_402_300_799


def time_of(text: str) -> int | None:
    """Return a time in seconds since the epoch: ISO 8601, or the seconds themselves."""
    number = number_of(text)
    try:
        when = None if number is not None else datetime.fromisoformat(text)
    except ValueError:
        return None
    if when is not None:
        number = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return int(number) if number and 0 < number < _LAST_SECOND else None


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in a cell: `a;b`, or the list that JSON lines have there."""
    return tuple(re.findall(r"[A-Za-z0-9][A-Za-z0-9._+-]*", text))


def number_of(text: str) -> float | None:
    """Return a finite number, or None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    # Python reads 1_000 as a number; a log that holds it means a name
    return value if math.isfinite(value) and "_" not in text else None
