"""`python -m loopgraph_git` is `git lg`."""

from __future__ import annotations

from loopgraph_git.cli import main

if __name__ == "__main__":
    main()
