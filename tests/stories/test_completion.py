"""Pressing the tabulator after `git lg`, in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from loopgraph_git.cli.completion import know
from tests.conftest import SOURCE, git, make_toy

GITS = Path("/usr/share/bash-completion/completions/git")
# `press WORD…` completes the last word of a line and prints the answers in a row
ALONE = """
press() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _git_lg_alone git-lg
    echo "${COMPREPLY[*]}"
}
"""
# what git's completion does: it splits the line into `words` and calls `_git_lg`
SIMULATED = """
press() {
    local words=("$@") cword=$(($# - 1)) __git_cmd_idx=$IDX
    COMPREPLY=()
    _git_lg
    echo "${COMPREPLY[*]}"
}
"""
REAL = f"""
. {GITS}
press() {{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    COMP_LINE="$*" COMP_POINT=${{#COMP_LINE}}
    __git_wrap__git_main
    echo "${{COMPREPLY[*]}}"
}}
"""


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs a script where `git-lg` is on PATH."""
    toy = make_toy(tmp_path / "r")
    git(toy.root, "branch", "side")
    (tmp_path / "log.tsv").write_text(
        'commit\tval_bpb\tstatus\tdescription\na1\t1.1\tkeep\tIt\'s: "wide"\n'
    )
    toy.lg("import", str(tmp_path / "log.tsv"), "--session", "mar8")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = bin_ / "git-lg"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loopgraph_git "$@"\n')
    script.chmod(0o755)
    path = f"{bin_}{os.pathsep}{os.environ['PATH']}"

    def run(name: str, text: str, *options: str, first: str = "") -> list[str]:
        (tmp_path / "complete").write_text(toy.lg("completion", name).stdout)
        home = Path(os.environ["HOME"])
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [name, *options, "-c", f"{first}\n. {tmp_path}/complete\n{text}"],
            cwd=toy.root,
            env={**os.environ, **SOURCE, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    run.toy = toy
    run.commit = toy.tried()[0].commit.short
    return run


def test_bash_alone(shell):
    answers = shell(
        "bash",
        f"{ALONE}"
        "press git-lg ''\npress git-lg sh\npress git-lg show ''\n"
        "press git-lg log --session = m\npress git-lg log --verdict ''\n"
        "press git-lg hooks un\npress git-lg packs show learning\npress git-lg import ''",
        "--norc",
    )
    assert {"init", "record", "export", "completion"} <= set(answers[0].split())
    assert answers[1:] == [
        "show",
        f"{shell.commit} main side",
        "mar8",
        "keep discard crash retest",
        "uninstall",
        "learning-rate",
        "",
    ]


@pytest.mark.long
def test_bash_through_git(shell):
    for idx, start in ((1, "git lg"), (3, "git -C . lg")):
        answers = shell(
            "bash",
            f"IDX={idx}\n{SIMULATED}"
            f"press {start} sh\npress {start} run s\npress {start} log --session=",
            "--norc",
        )
        assert answers == ["show", "side", "mar8"]


@pytest.mark.long
@pytest.mark.skipif(not GITS.exists(), reason="needs git's own completion for bash")
def test_bash_through_the_real_completion_of_git(shell):
    answers = shell(
        "bash",
        f"{REAL}press git lg sh\npress git -C . lg run s\npress git lg log --session = m",
        "--norc",
    )
    assert answers == ["show", "side", "mar8"]


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish(shell):
    answers = shell(
        "fish",
        'for line in "git-lg sh" "git lg sh" "git -C . lg run s" "git log lg"\n'
        '  complete -C $line\nend\ncomplete -C "git lg log --session=m"',
        "--no-config",
    )
    assert answers == [
        "show\tShow one experiment: its code, runs and verdict.",
        "show\tShow one experiment: its code, runs and verdict.",
        "side\tbranch",
        "--session=mar8",
    ]


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh(shell):
    # without a terminal zsh completes nothing: what it would be told is printed
    answers = shell(
        "zsh",
        "press lg sh; press git-lg run s; press lg log --session m\n"
        "press lg log --session=m; press lg import ''",
        "-f",
        first="""
compdef() { }
compset() { print cut off the option }
compadd() { print -r -- ${(P)@[-1]} }
_describe() { print -r -- ${(P)@[-1]} }
_default() { print files }
press() { words=("$@") CURRENT=$# PREFIX=${@[-1]}; _git-lg; }
""",
    )
    assert answers == [
        "show:Show one experiment: its code, runs and verdict.",
        "side:branch",
        "mar8",
        "cut off the option",
        "mar8",
        "files",
    ]


def test_an_alias_is_not_run_by_completing(shell):
    git(shell.toy.root, "config", "alias.lg", "!touch ran")
    [answer] = shell("bash", f"{ALONE}press git-lg sho", "--norc")
    assert answer == "show"
    assert not (shell.toy.root / "ran").exists()


def test_outside_a_repository_only_the_shipped_methods_are_offered(shell, tmp_path):
    assert shell(
        "bash",
        f"{ALONE}cd {tmp_path}\npress git-lg show ''\npress git-lg packs apply sw",
        "--norc",
    ) == ["", "swiglu"]


def test_only_what_is_looked_up_is_looked_up():
    command = click.Command(
        "x", params=[click.Argument(["rev"]), click.Option(["--other"])]
    )
    know(command)
    assert command.params[0].type.name == "known"
    assert command.params[1].type is click.STRING


def test_an_unknown_shell(toy):
    assert "'bash', 'zsh', 'fish'" in toy.lg("completion", "tcsh", code=2).stderr
