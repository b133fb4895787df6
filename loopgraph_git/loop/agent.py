"""The smallest agent that has a memory: three methods to fill in, and a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loopgraph_git.loop.guest import Plugin


class Agent:
    """An agent to derive from: say how to edit, how to train and how to take back.

    Any other object works as well, as long as its `use` keeps what it is given and
    calls the methods of `Plugin` at their moments.
    """

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []

    def use(self, plugin: Plugin) -> Self:
        """Tell this plugin of every step from now on."""
        self.plugins.append(plugin)
        return self

    def edit(self, brief: str) -> str:
        """Change the code; return what was changed, in words."""
        raise NotImplementedError

    def train(self) -> Path | str:
        """Run the code; return the log, or where it is."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take the last edit back: it was not kept."""
        raise NotImplementedError

    def steps(self, n: int, goal: str = "") -> Iterator[list[object]]:
        """Edit, train and keep or undo, n times; yield what each plugin made of it."""
        for _ in range(n):
            briefs = [plugin.before_proposal(goal) for plugin in self.plugins]
            message = self.edit("\n\n".join(brief for brief in briefs if brief))
            commits = [plugin.after_edit(message) for plugin in self.plugins]
            log = self.train()
            made = [
                plugin.after_run(commit, log)
                for plugin, commit in zip(self.plugins, commits, strict=True)
            ]
            if any(getattr(item, "verdict", None) != "keep" for item in made):
                self.undo()
            yield made
