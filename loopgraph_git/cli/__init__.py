"""The door for people: parse, call, print, and one place where errors are shown.

Subcommands are imported only when they are called, so that `git lg -h` is quick.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from loopgraph_git.errors import LoopGraphError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# the variable by which click is asked to complete rather than to run
_COMPLETE = "_GIT_LG_COMPLETE"
_COMMANDS = {
    "init": ("setup", "Find out how this repository trains; write .loopgraph.yml."),
    "trust": ("setup", "Approve the commands that .loopgraph.yml names."),
    "experiment": (
        "experiments",
        "Propose, train, judge and remember; again and again.",
    ),
    "note": ("note", "Tell a running session something; pause it, or end it."),
    "run": ("experiments", "Train one commit and record what came of it."),
    "record": ("record", "Record the outcome of a run that you or an agent made."),
    "check": ("check", "Say whether an edit was tried before, and what came of it."),
    "log": ("history", "List experiments, the newest first."),
    "show": ("history", "Show one experiment: its code, runs and verdict."),
    "best": ("history", "List the experiments with the best metric."),
    "rank": ("research", "Rank the methods by what is known of them."),
    "search": ("search", "Search experiments, methods, papers and the code."),
    "suggest": ("research", "Say what to try next, and why."),
    "why": ("why", "Trace a commit, a line or a method back to its source."),
    "packs": ("packs", "List, show, check, apply and write methods."),
    "ingest": ("ingest", "Take in papers, files, repositories and packs."),
    "sync": ("sync", "Share experiments with other clones over a git remote."),
    "hooks": ("hooks", "Pin what you and your agents commit, as it happens."),
    "import": ("exchange", "Adopt an experiment log: results.tsv, CSV or JSON lines."),
    "export": ("export", "Write results.tsv, CSV, JSON lines or Parquet."),
    "reindex": ("reindex", "Rebuild the index from git alone."),
    "doctor": ("doctor", "Check git, index, settings and tools."),
    "gc": ("gc", "Remove worktrees, logs and journals that nothing needs."),
    "completion": ("completion", "Print a script that completes `git lg` in a shell."),
    "demo": ("demo", "Make a small repository and run experiments in it."),
}


def summaries() -> list[tuple[str, str]]:
    """Return every command with one line on what it does."""
    return [(name, words) for name, (_, words) in _COMMANDS.items()]


class _Group(click.Group):
    """A group that knows its commands by name and imports them when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"loopgraph_git.cli.{_COMMANDS[cmd_name][0]}")
        # `import` is a word of Python, so its function is called `import_`
        command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_")
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        if _COMPLETE in os.environ:
            from loopgraph_git.cli.completion import know  # noqa: PLC0415

            know(command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that is named; a reader that has gone is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # `git lg log | head`; click would exit with 1, and so would a last flush
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        # click would import every command to ask for its help
        from click.shell_completion import CompletionItem  # noqa: PLC0415

        named = [
            CompletionItem(name, help=words)
            for name, words in summaries()
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, words) for name, (_, words) in _COMMANDS.items()]
            )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="loopgraph-git", prog_name="git-lg")
def cli() -> None:
    """Keep every experiment an agent ever tries: as a commit, with its outcome.

    Example: git lg init && git lg trust && git lg experiment -n 10
    """
    if os.environ.get("NO_COLOR"):
        # click does not know of it; commands inherit this
        click.get_current_context().color = False


def _hand_on(args: list[str]) -> None:
    """Give a call that is no command of ours to the user's `alias.lg`, if there is one."""
    first = args[0] if args else ""
    if first in _COMMANDS or first in ("-h", "--help", "--version"):
        return
    if _COMPLETE in os.environ:
        # a shell asks what could be typed; nothing is to be run
        return
    from loopgraph_git.git.alias import run_alias, users_alias  # noqa: PLC0415

    alias = users_alias()
    if alias:
        run_alias(alias, args)


def main() -> None:
    """Run the command line; errors become one message and an exit code."""
    _hand_on(sys.argv[1:])
    try:
        code = cli.main(prog_name="git-lg", standalone_mode=False)
    except LoopGraphError as error:
        # git repeats what a remote said, and settings come from anybody
        from loopgraph_git.cli.render import block  # noqa: PLC0415

        click.echo(f"git-lg: {block(str(error))}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except OSError as error:
        # a full disk, a folder that may not be written: nothing of ours to explain
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"git-lg: {place}{error.strerror or error}", err=True)
        code = 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("git-lg: interrupted", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
