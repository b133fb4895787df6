"""`git lg`, and `python -m loopgraph_git`: the same."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is being loaded is no traceback."""
    try:
        from loopgraph_git.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.stderr.write("git-lg: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
