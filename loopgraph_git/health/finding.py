"""One thing that was looked at."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """What was found, in words, with the next step where it is not `ok`.

    `fixed` says that it was not, and has been mended.
    """

    subject: str
    words: str
    ok: bool = True
    fixed: bool = False


def some(names: list[str], limit: int = 3) -> str:
    """Return the first of some names, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
