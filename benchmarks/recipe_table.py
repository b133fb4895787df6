"""Which recipes apply to which training code, and whether they keep all else.

    python benchmarks/recipe_table.py [--autoresearch PATH] [--nanochat PATH] [--why]

The paths are checkouts of karpathy/autoresearch and karpathy/nanochat;
tiny_nanochat is always there. Prints a row a method: on each target it applies, turns
what is there already (a recipe that still finds something to change), is present,
conflicts with what is there, misses what it needs, has no place, or is by hand; then the
counts. `--why` adds the reason for each that does not apply.

Every result is checked without the code that made it: it compiles, and each line of the
old file that is gone stood where a step of the recipe says that it edits, with its
comment kept unless the step names the text itself. Exits with 1 where a check fails.
"""

from __future__ import annotations

import argparse
import ast
import sys
import warnings
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from loopgraph_git.library import fitting
from loopgraph_git.library.fitting import State
from loopgraph_git.library.meaning import TARGET
from loopgraph_git.library.packs import load_packs
from loopgraph_git.library.source import parse_code
from loopgraph_git.resources import resource_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from loopgraph_git.library.fitting import Attempt
    from loopgraph_git.library.source import Code
    from loopgraph_git.records import Method, Operation

    Lines = set[int]

TARGETS = {
    "tiny_nanochat": ("train.py",),
    "autoresearch": ("train.py",),
    "nanochat": ("nanochat/gpt.py", "nanochat/optim.py", "scripts/base_train.py"),
}
TURNS = "turns it"
STATES = (*(str(state) for state in State), TURNS)


# -- where a step says that it edits -------------------------------------------


def named_lines(steps: Iterable[Operation], code: Code) -> tuple[Lines, Lines]:
    """Return the lines that steps edit, and those of them that they name as text."""
    edited: Lines = set()
    quoted: Lines = set()
    for step in steps:
        if step.verb == "any":
            for alternative in step.arguments["any"]:
                inner = named_lines(alternative, code)
                edited |= inner[0]
                quoted |= inner[1]
            continue
        lines = set(_PLACES[step.verb](step, code))
        edited |= lines
        quoted |= lines if step.verb in ("search", "replace", "delete") else set()
    return edited, quoted


def _span(node: ast.stmt | ast.expr) -> range:
    first = min([node.lineno, *(x.lineno for x in getattr(node, "decorator_list", []))])
    return range(first, (node.end_lineno or node.lineno) + 1)


def _call_lines(name: str, code: Code) -> Iterator[int]:
    for call in code.calls(name.partition("[")[0]):
        for node in ast.walk(code.tree):
            # the innermost statement around a call is the one without a body of others
            plain = isinstance(node, ast.stmt) and not hasattr(node, "body")
            if plain and call.node in ast.walk(node):
                yield from _span(node)


def _set(step: Operation, code: Code) -> Iterator[int]:
    target = TARGET.match(step.arguments["set"])
    if target and target["keyword"]:
        yield from _call_lines(target["name"], code)
        return
    for binding in code.index.bindings.get(step.arguments["set"], []):
        yield from _span(binding.statement or binding.value)


def _defined(step: Operation, code: Code) -> Iterator[int]:
    name = step.arguments[step.verb]
    for node in code.index.definitions.get(name, []):
        yield from _span(node)
    for binding in code.index.bindings.get(name, []):
        if binding.statement:
            yield from _span(binding.statement)


def _searched(step: Operation, code: Code) -> Iterator[int]:
    wanted = [line.strip() for line in step.arguments["search"].strip().split("\n")]
    lines = [line.strip() for line in code.text.splitlines()]
    for at in range(len(lines) - len(wanted) + 1):
        if "\n".join(wanted) in "\n".join(lines[at : at + len(wanted)]):
            yield from range(at + 1, at + 1 + len(wanted))


def _signature(step: Operation, code: Code) -> Iterator[int]:
    for node in code.index.definitions.get(step.arguments["of"], []):
        yield from range(node.lineno, node.body[0].lineno)


def _wrapped(step: Operation, code: Code) -> Iterator[int]:
    yield from _call_lines(step.arguments["wrap"], code)


def _nothing(step: Operation, code: Code) -> Iterator[int]:  # noqa: ARG001
    yield from ()


_PLACES: Mapping[str, Callable[[Operation, Code], Iterator[int]]] = {
    "set": _set,
    "replace": _defined,
    "delete": _defined,
    "search": _searched,
    "wrap": _wrapped,
    "parameter": _signature,
    "insert": _nothing,
    "import": _nothing,
}


# -- the checks ----------------------------------------------------------------


def problems(method: Method, before: str, after: str) -> Iterator[str]:
    """Yield what is wrong with one file after a recipe."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(after, "after.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        yield f"does not compile: line {error.lineno}: {error.msg}"
    edited, quoted = named_lines(method.recipe, parse_code(before))
    gone, came = changed_lines(before, after)
    for number, line in gone.items():
        comment = line.partition("#")[2]
        if number not in edited:
            yield f"line {number} is gone, and no step names it: {line.strip()}"
        elif number not in quoted and not any(comment in text for text in came):
            yield f"line {number} has lost its comment: {comment.strip()}"


def changed_lines(before: str, after: str) -> tuple[dict[int, str], list[str]]:
    """Return the lines that are gone, by number, and those that came."""
    old, new = before.splitlines(), after.splitlines()
    gone: dict[int, str] = {}
    came: list[str] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, first, last, start, stop in matcher.get_opcodes():
        if kind != "equal":
            gone |= {number + 1: old[number] for number in range(first, last)}
            came += new[start:stop]
    return gone, came


def checked(
    methods: Sequence[Method], attempts: Iterable[Attempt], files: Mapping[str, str]
) -> Iterator[str]:
    """Yield what is wrong with the results of some recipes on the same files."""
    known = {method.id: method for method in methods}
    for found in attempts:
        for path, after in found.files.items():
            for words in problems(known[found.method], files[path], after):
                yield f"{found.method}: {path}: {words}"


# -- the table -----------------------------------------------------------------


def tried(methods: Sequence[Method], files: Mapping[str, str]) -> dict[str, Attempt]:
    """Return each method tried on some files."""
    contexts = fitting.contexts(methods, files)
    return {
        method.id: fitting.attempt(method, files, contexts[method.id])
        for method in methods
    }


def word(found: Attempt) -> str:
    """Return what became of a method, in a word or two."""
    return TURNS if found.state is State.PRESENT and found.files else str(found.state)


def read(folder: Path, name: str) -> dict[str, str]:
    """Return the files of a target in a checkout."""
    return {path: (folder / path).read_text("utf-8") for path in TARGETS[name]}


def main() -> int:
    """Print the table, the counts and what is wrong; return 1 where anything is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--autoresearch", type=Path)
    parser.add_argument("--nanochat", type=Path)
    parser.add_argument("--why", action="store_true")
    options = parser.parse_args()
    folders = {
        "tiny_nanochat": resource_dir("harness") / "tiny_nanochat",
        "autoresearch": options.autoresearch,
        "nanochat": options.nanochat,
    }
    packs = load_packs([resource_dir("packs")])
    methods = [method for pack in packs for method in pack.methods]
    files = {name: read(path, name) for name, path in folders.items() if path}
    results = {name: tried(methods, code) for name, code in files.items()}
    print("".join(f"{title:<22}" for title in ("method", *results)).rstrip())
    for method in sorted(methods, key=lambda item: item.id):
        words = [word(found[method.id]) for found in results.values()]
        print("".join(f"{text:<22}" for text in (method.id, *words)).rstrip())
    wrong = []
    for name, attempts in results.items():
        counts = Counter(map(word, attempts.values()))
        said = ", ".join(f"{counts[state]} {state}" for state in STATES)
        print(f"\n{name}: {len(methods)} methods: {said}")
        for found in attempts.values():
            if options.why and not found.files:
                print(f"  {found.method}: {found.state}: {found.why}")
        faults = list(checked(methods, attempts.values(), files[name]))
        made = sum(len(found.files) for found in attempts.values())
        print(f"  {made} changed files checked, {len(faults)} faults")
        wrong += [f"{name}: {fault}" for fault in faults]
    print("".join(f"\nFAULT {words}" for words in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
