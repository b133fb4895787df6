"""How many edits are applied right, beside git apply and patch.

    python benchmarks/edit_suite.py [--repo PATH [--rev REV] [--file train.py]]
        [--changes 60] [--show 3] [--ours-only]

The changes are between versions of harness/tiny_nanochat/train.py that are made with
the packs' recipes and with other constants; with --repo they are the commits of a git
repository instead. Every change is written down with each fault of
benchmarks/edit_cases.py, and given to

    ours             loop/edits and the gate
    git apply        as it is, with --recount, and as leniently as it can be
    patch            -F3 -l

A case is right where the file becomes what it has to be, or the edit is refused where
it does not say enough. It is silently wrong where a file comes out that is another. The
tools are given diffs alone, without the prose. "alike" counts those of our wrong files
that are the same program, such as one with a blank line elsewhere.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import edit_cases
from loopgraph_git.config import Config
from loopgraph_git.errors import EditError
from loopgraph_git.library.packs import load_packs
from loopgraph_git.loop import gate
from loopgraph_git.loop.edits import read_answer
from loopgraph_git.resources import resource_dir

if TYPE_CHECKING:
    from benchmarks.edit_cases import Case, Change

TOOLS = {
    "git apply": ["git", "apply"],
    "--recount": ["git", "apply", "--recount"],
    "lenient": ["git", "apply", "--recount", "-C1", "--ignore-whitespace"],
    "patch": ["patch", "-s", "-f", "-p1", "-F3", "-l", "-i"],
}


def own_changes(count: int) -> list[Change]:
    """Return changes between versions of the project's own training script."""
    source = (resource_dir("harness") / "tiny_nanochat" / "train.py").read_text("utf-8")
    packs = load_packs([resource_dir("packs")])
    methods = [method for pack in packs for method in pack.methods]
    texts = edit_cases.versions(source, methods, count)
    return edit_cases.changes(texts)


def commits(repo: Path, rev: str, file: str) -> list[Change]:
    """Return what each commit of a repository did to a file."""

    def git(*args: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(repo), *args], capture_output=True, check=False
        )
        return done.stdout.decode("utf-8", "replace")

    names = git("log", "--no-merges", "--format=%H", rev, "--", file).split()
    pairs = [(git("show", f"{x}~:{file}"), git("show", f"{x}:{file}")) for x in names]
    return [
        edit_cases.Change(before=a, after=b)
        for a, b in dict.fromkeys(pairs)
        if a and b and a != b and _compiles(a) and _compiles(b)
    ]


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def ours(case: Case) -> str | None:
    """Return the file that our applier makes of a case, None where it refuses."""
    before = {edit_cases.PATH: case.before}
    try:
        files = read_answer(case.answer, before).files
        gate.check(before, files, config=Config())
    except EditError:
        return None
    return files[edit_cases.PATH]


def theirs(command: list[str], case: Case, folder: Path) -> str | None:
    """Return the file that a tool makes of a case, None where it refuses."""
    path = folder / edit_cases.PATH
    path.write_bytes(case.before.encode())
    (folder / "x.patch").write_bytes(case.patch.encode())
    done = subprocess.run(
        [*command, "x.patch"], cwd=folder, capture_output=True, check=False
    )
    after = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
    return after if done.returncode == 0 or after != case.before else None


def judged(case: Case, after: str | None) -> str:
    """Return `right`, `refused` (too careful) or `wrong`."""
    if case.is_right(after):
        return "right"
    return "refused" if after is None else "wrong"


def is_alike(case: Case, after: str | None) -> bool:
    """Say whether a wrong file is the same program."""
    if after is None or case.wanted is None:
        return False
    return ast.dump(ast.parse(after)) == ast.dump(ast.parse(case.wanted))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repo", type=Path)
    parser.add_argument("--rev", default="HEAD", nargs="+")
    parser.add_argument("--file", default="train.py")
    parser.add_argument("--changes", type=int, default=60, help="versions to make")
    parser.add_argument("--show", type=int, default=0, help="failures to show")
    parser.add_argument("--ours-only", action="store_true")
    options = parser.parse_args()
    if options.repo:
        revs = [options.rev] if isinstance(options.rev, str) else options.rev
        found = [x for rev in revs for x in commits(options.repo, rev, options.file)]
        found = list(dict.fromkeys(found))
    else:
        found = own_changes(options.changes)
    if not found:
        sys.exit("no commit of that revision changes that file")
    tools = {} if options.ours_only else dict(TOOLS)
    if tools and not shutil.which("patch"):
        print("patch is not installed: left out")
        del tools["patch"]
    table(list(edit_cases.cases(found)), tools, changes=len(found), show=options.show)


Counts = dict[str, dict[str, Counter[str]]]


def table(
    cases: list[Case], tools: dict[str, list[str]], *, changes: int, show: int
) -> None:
    """Apply every case with every tool, and print what came of it."""
    counts: Counts = defaultdict(lambda: defaultdict(Counter))
    wrong = count_ours(cases, counts, show)
    with tempfile.TemporaryDirectory() as name:
        for case in cases:
            for tool, command in tools.items() if case.patch else ():
                word = judged(case, theirs(command, case, Path(name)))
                counts[case.mutation][tool][word] += 1
    print(
        f"\n{changes} changes, {len(cases)} cases: right, or silently wrong after +\n"
    )
    names = ["ours", *tools]
    print(f"{'':36}{'cases':>7}" + "".join(f"{name:>14}" for name in names))
    for mutation, row in counts.items():
        print_row(mutation, row, names)
    for kind in ("diff", "search", "V4A", "whole", ""):
        total: dict[str, Counter[str]] = defaultdict(Counter)
        for mutation, row in counts.items():
            if mutation.startswith(kind):
                for name in names:
                    total[name] += row[name]
        print_row(f"all {kind}".strip(), total, names, share=True)
    print(f"\n{wrong} of our wrong files are the same program")


def count_ours(cases: list[Case], counts: Counts, show: int) -> int:
    """Apply every case ourselves; return how many wrong files are the same program."""
    alike, shown, seconds = 0, 0, []
    for case in cases:
        begun = time.process_time()
        after = ours(case)
        seconds.append(time.process_time() - begun)
        word = judged(case, after)
        counts[case.mutation]["ours"][word] += 1
        alike += word == "wrong" and is_alike(case, after)
        if word != "right" and shown < show:
            shown += 1
            show_case(case, after, word)
    slow = statistics.quantiles(seconds, n=100)[-1]
    median = statistics.median(seconds)
    print(
        f"ours: {1000 * median:.1f} ms of processor time a case, {1000 * slow:.1f} ms at p99"
    )
    return alike


def print_row(
    title: str, row: dict[str, Counter[str]], names: list[str], *, share: bool = False
) -> None:
    """Print how many of a kind each tool got right, and how many silently wrong."""
    cells = []
    for name in names:
        size = row[name].total()
        if not size:
            cells.append("-")
        elif share:
            right, wrong = (100 * row[name][word] / size for word in ("right", "wrong"))
            cells.append(f"{right:.1f}% +{wrong:.2f}%")
        else:
            wrong_count = row[name]["wrong"]
            cells.append(
                f"{row[name]['right']}" + (f" +{wrong_count}" if wrong_count else "")
            )
    size = row["ours"].total()
    print(f"{title:36}{size:>7}" + "".join(f"{cell:>14}" for cell in cells))


def show_case(case: Case, after: str | None, word: str) -> None:
    """Print an answer that did not become what it should, and why."""
    print(f"--- {word}: {case.mutation}\n{case.answer[:3000]}")
    if after is None:
        try:
            read_answer(case.answer, {edit_cases.PATH: case.before})
        except EditError as error:
            print(f"refused: {error}")
    elif case.wanted is not None:
        print(gate.diff("wanted-to-made", case.wanted, after))


if __name__ == "__main__":
    main()
