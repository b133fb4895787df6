"""`completion`: what a shell needs to complete `git lg` and `git-lg`.

The scripts ask `git-lg` itself, through click, at every press of the key. So that
this is quick, a command is imported only once it is named, and what it may be given
is looked up in the index as it is.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from loopgraph_git.cli import render
from loopgraph_git.errors import LoopGraphError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loopgraph_git.git.repo import Repo
    from loopgraph_git.researchfs.store import Store

_RECENT = 200

_BASH = r"""# eval "$(git lg completion bash)" in ~/.bashrc
_git_lg_ask() {
    local type value IFS=$'\n'
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
        esac
    done < <(COMP_WORDS="git-lg"$'\n'"$*" COMP_CWORD=$# \
        _GIT_LG_COMPLETE=bash_complete git-lg 2>/dev/null)
}

# called for `git-lg`; bash makes a word of each `=`
_git_lg_alone() {
    local word
    local -a typed=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == "=" ]] || typed+=("$word")
    done
    word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == "=" ]] && word=
    _git_lg_ask "${typed[@]}" "$word"
}

# called by git's own completion for `git lg`, with the line in `words`
_git_lg() {
    local place=${__git_cmd_idx:-1}
    compopt +o nospace 2>/dev/null
    _git_lg_ask "${words[@]:place+1:cword-place-1}" "${words[cword]}"
}
_git_loopgraph() { _git_lg; }

complete -o bashdefault -o default -o nosort -F _git_lg_alone git-lg git-loopgraph \
    2>/dev/null ||
    complete -o bashdefault -o default -F _git_lg_alone git-lg git-loopgraph
"""

_ZSH = r"""#compdef git-lg git-loopgraph
# eval "$(git lg completion zsh)" in ~/.zshrc, after compinit; or save it as _git-lg
# in a folder of $fpath. zsh's completion of git calls the same function for `git lg`.
_git-lg() {
    local type value help
    local -a answer plain described
    answer=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \
        _GIT_LG_COMPLETE=zsh_complete git-lg 2>/dev/null)}")
    [[ $PREFIX == --*=* ]] && compset -P '*='
    for type value help in "${answer[@]}"; do
        case $type in
            plain)
                if [[ $help == _ ]]; then
                    plain+=("$value")
                else
                    described+=("$value:$help")
                fi ;;
            dir) _path_files -/ ;;
            file) _path_files ;;
        esac
    done
    (( $#described )) && _describe -V 'git lg' described
    (( $#plain )) && compadd -V git-lg -a plain
    (( $#described + $#plain )) || _default
}
_git-loopgraph() { _git-lg "$@" }

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _git-lg "$@"
else
    compdef _git-lg git-lg git-loopgraph
fi
"""

_FISH = r"""# git lg completion fish > ~/.config/fish/conf.d/git-lg.fish
# Prints the words from `lg` on; fails where the line is no call of `git lg`.
function __git_lg_words
    set -l words (commandline -opc)
    if not string match -qr '(^|/)git$' -- $words[1]
        string escape -- $words
        return 0
    end
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case lg loopgraph
                string escape -- $words
                return 0
            case -C -c --git-dir --work-tree --namespace
                set -e words[1]
                set -q words[1]; and set -e words[1]
            case '-*'
                set -e words[1]
            case '*'
                return 1
        end
    end
    return 1
end

function __git_lg_complete
    set -l current (commandline -ct)
    set -l line (string join ' ' -- (__git_lg_words) $current)
    set -l answer (env _GIT_LG_COMPLETE=fish_complete COMP_WORDS="$line" \
        COMP_CWORD="$current" git-lg 2>/dev/null)
    string length -q -- $answer; or __fish_complete_path "$current"
    # fish wants the whole word: `--session=` in front of its value
    set -l before (string match -r -- '^--[^=]*=' $current)
    for item in $answer
        set -l parts (string split -m 1 , -- $item)
        switch $parts[1]
            case plain
                string join '' -- $before $parts[2]
            case dir
                __fish_complete_directories $current
            case file
                __fish_complete_path $current
        end
    end
end

complete -c git-lg -f -a '(__git_lg_complete)'
complete -c git-loopgraph -f -a '(__git_lg_complete)'
complete -c git -n 'test (count (commandline -opc)) -eq 1' -a lg \
    -d 'The memory of experiments'
complete -c git -f -n '__git_lg_words >/dev/null' -a '(__git_lg_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@click.command()
@click.argument("shell", type=click.Choice(list(_SCRIPTS)))
def completion(shell: str) -> None:
    """Print a script that completes `git lg` and `git-lg` in a shell.

    For bash, put `eval "$(git lg completion bash)"` into ~/.bashrc, and for zsh the
    same with zsh into ~/.zshrc, after compinit. `git lg` is completed where git is.

    Example: git lg completion fish > ~/.config/fish/conf.d/git-lg.fish
    """
    click.echo(_SCRIPTS[shell], nl=False)


class _Known(click.types.StringParamType):
    """A text that is looked up in what is known here, as it is typed."""

    name = "known"

    def __init__(
        self, look_up: Callable[[Repo, Store], Iterator[tuple[str, str]]]
    ) -> None:
        self.look_up = look_up

    def found(self) -> list[tuple[str, str]]:
        """Return every word that may be typed here, with what it is."""
        return _found(self.look_up)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        # somebody is typing: whatever is wrong here is told by the command itself
        with suppress(LoopGraphError, OSError):
            return [
                CompletionItem(render.plain(word), help=render.plain(words) or None)
                for word, words in self.found()
                if word.startswith(incomplete)
            ]
        return []


def _found(
    look_up: Callable[[Repo, Store], Iterator[tuple[str, str]]],
) -> list[tuple[str, str]]:
    from loopgraph_git.git.repo import Repo  # noqa: PLC0415  only where it is asked for
    from loopgraph_git.researchfs.store import Store  # noqa: PLC0415

    repo = Repo(Path.cwd())
    path = repo.home / "researchfs.db"
    if not path.exists():
        return []
    with Store.open(path) as store:
        return list(look_up(repo, store))


def _revs(repo: Repo, store: Store) -> Iterator[tuple[str, str]]:
    for item in store.experiments(limit=_RECENT):
        yield item.commit.short, item.subject
    for ref in repo.refs("refs/heads/"):
        yield ref.removeprefix("refs/heads/"), "branch"


def _sessions(_repo: Repo, store: Store) -> Iterator[tuple[str, str]]:
    for name in store.sessions():
        yield name, ""


def _methods(_repo: Repo, store: Store) -> Iterator[tuple[str, str]]:
    for method in store.methods():
        yield method.id, method.title


class _KnownMethod(_Known):
    """The id of a method, which packs know also where there is no index."""

    def found(self) -> list[tuple[str, str]]:
        """Return every method, with its title."""
        from loopgraph_git.cli.grounds import grounds  # noqa: PLC0415
        from loopgraph_git.library.catalogue import catalogue  # noqa: PLC0415  80 ms

        with suppress(LoopGraphError):
            indexed = super().found()
            if indexed:
                return indexed
        known = catalogue(grounds().folders)
        return [(name, item.method.title) for name, item in known.items()]


# a parameter of this name means the same in every command
_KNOWN = {
    "rev": _Known(_revs),
    "commit": _Known(_revs),
    "session": _Known(_sessions),
    "method": _KnownMethod(_methods),
}


def know(command: click.Command) -> None:
    """Let a command's parameters be completed with what is known here.

    Those of a group's commands too.
    """
    for inner in getattr(command, "commands", {}).values():
        know(inner)
    for param in command.params:
        known = _KNOWN.get(param.name or "")
        if known:
            param.type = known
