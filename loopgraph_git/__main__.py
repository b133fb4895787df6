"""`git lg`, and `python -m loopgraph_git`: the same."""

from __future__ import annotations

import atexit
import gc
import sys

_ALLOCATIONS = 50_000
"""How many more values are made than let go before the collector looks for cycles."""


def main() -> None:
    """Run the command line; Ctrl-C while it is being loaded is no traceback."""
    _collect_rarely()
    try:
        from loopgraph_git.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.stderr.write("git-lg: interrupted\n")
        sys.exit(130)


def _collect_rarely() -> None:
    """Leave to the system what a short process made.

    Its modules alone make the collector run thirty times, and looking through all of
    them once more at the end takes a sixth of the time of `git lg log`.
    """
    gc.set_threshold(_ALLOCATIONS)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    main()
