"""Edits as language models write them: real changes, and every way to get them wrong.

A change is a text before and after. A mutation writes it down as an answer with one
kind of fault, and says what the right outcome is: the text after, or a refusal where
the answer does not say enough. `benchmarks/edit_suite.py` prints the table and
`tests/loop/test_edit_suite.py` holds the bars.
"""

from __future__ import annotations

import difflib
import json
import random
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.fitting import knob_choices
from loopgraph_git.library.operations import operation
from loopgraph_git.library.recipes import apply_operations, apply_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loopgraph_git.records import Method

PATH = "train.py"
_KNOBS: dict[str, tuple[str, ...]] = {
    "DEPTH": ("3", "4", "6"),
    "ASPECT_RATIO": ("48", "96"),
    "HEAD_DIM": ("16", "64"),
    "N_KV_HEAD": ("N_HEAD // 2", "1"),
    "TOTAL_BATCH_SIZE": ("4096", "8192", "2**14"),
    "DEVICE_BATCH_SIZE": ("8", "32"),
    "LEARNING_RATE": ("2e-3", "3e-4", "1.5e-3"),
    "ADAM_BETAS": ("(0.8, 0.95)", "(0.9, 0.99)"),
    "WEIGHT_DECAY": ("0.1", "0.01"),
    "WARMUP_RATIO": ("0.05", "0.1"),
    "WARMDOWN_RATIO": ("0.3", "0.5"),
    "FINAL_LR_FRAC": ("0.05", "0.1"),
}
_SMART = str.maketrans({"'": "\u2019", '"': "\u201d", "-": "\u2013"})


@dataclass(frozen=True, kw_only=True)
class Change:
    """A file before and after an edit."""

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """An answer, and what has to come of it.

    `wanted` is the text that it has to make, None where it has to be refused.
    `may_refuse` says that it does not say enough: a refusal is right as well. Where it
    has lost its blank lines, nobody can know where they were, and `blanks_count` is
    False. `patch` is what other tools are given, empty where the answer is no diff.
    """

    mutation: str
    before: str
    answer: str
    wanted: str | None
    may_refuse: bool = False
    blanks_count: bool = True
    patch: str = ""

    def is_right(self, after: str | None) -> bool:
        """Say whether a file, or None for a refusal, is the right outcome."""
        if after is None:
            return self.wanted is None or self.may_refuse
        if self.wanted is None:
            return False
        if self.blanks_count:
            return after == self.wanted
        return after.split() == self.wanted.split()


def versions(source: str, methods: Sequence[Method], count: int) -> list[str]:
    """Return versions of a training script, each a few edits from the one before."""
    chance = random.Random(count)
    found, recipes = [source], [method for method in methods if method.recipe]
    while len(found) < count:
        text = found[-1] if chance.random() < 0.85 else source
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            text = _edited(text, recipes, chance)
        if text not in found:
            found.append(text)
    return found


def _edited(text: str, recipes: Sequence[Method], chance: random.Random) -> str:
    try:
        if chance.random() < 0.5:
            method = chance.choice(recipes)
            return apply_recipe(method, text, knobs=chance.choice(knob_choices(method)))
        name = chance.choice(list(_KNOBS))
        step = operation({"set": name, "code": chance.choice(_KNOBS[name])})
        return apply_operations([step], text)
    except RecipeError:
        return text


def changes(texts: Sequence[str]) -> list[Change]:
    """Return the changes between versions: neighbours, and some that are far apart."""
    near = list(pairwise(texts))
    far = [(a, b) for a, b in zip(texts, texts[5:], strict=False)]
    return [Change(before=a, after=b) for a, b in (*near, *far) if a != b]


def cases(found: Sequence[Change], seed: int = 1) -> Iterator[Case]:
    """Yield every mutation of every change; one that a change cannot have is left out."""
    for number, change in enumerate(found):
        for name, mutate in MUTATIONS.items():
            chance = random.Random(f"{seed}/{number}/{name}")
            case = mutate(change, chance)
            if case is not None:
                yield case


# how a change is written down


def diff_lines(change: Change, context: int = 3) -> list[str]:
    """Return a unified diff as git writes it, without newlines."""
    made = difflib.unified_diff(
        change.before.splitlines(),
        change.after.splitlines(),
        f"a/{PATH}",
        f"b/{PATH}",
        n=context,
        lineterm="",
    )
    return list(made)


def fenced(lines: Sequence[str], info: str = "diff", mark: str = "```") -> str:
    """Return lines in a fence, with prose around it."""
    body = "\n".join(lines)
    return (
        "Title: Try something\nMethod: none\n\nThis should lower the loss.\n\n"
        f"{mark}{info}\n{body}\n{mark}\n\nThe rest stays as it is.\n"
    )


def hunks(change: Change, context: int = 3) -> list[list[str]]:
    """Return the hunks of a diff, without their headers."""
    found: list[list[str]] = []
    for line in diff_lines(change, context)[2:]:
        if line.startswith("@@"):
            found.append([])
        else:
            found[-1].append(line)
    return found


def blocks(change: Change) -> list[tuple[list[str], list[str]]]:
    """Return search and replacement of every hunk, with context until it is unique."""
    for context in (1, 2, 3, 5, 8, 12):
        found = [
            ([x[1:] for x in hunk if x[0] != "+"], [x[1:] for x in hunk if x[0] != "-"])
            for hunk in hunks(change, context)
        ]
        if all(_count(change.before, search) == 1 for search, _ in found):
            break
    return found


def _count(text: str, lines: Sequence[str]) -> int:
    wanted = "\n".join(["", *lines, ""])
    padded = f"\n{text}\n"
    return sum(padded.startswith(wanted, at) for at in range(len(padded)))


def search_block(search: Sequence[str], replacement: Sequence[str]) -> str:
    """Return a search/replace block with its path."""
    parts = [
        PATH,
        "<<<<<<< SEARCH",
        *search,
        "=======",
        *replacement,
        ">>>>>>> REPLACE",
    ]
    return "\n".join(parts)


def answered(*parts: str) -> str:
    """Return an answer of several parts, with prose around them."""
    return "\n\n".join(["Title: Try\nMethod: none", "Because.", *parts, "Good luck.\n"])


# unified diffs

Edited = list[str]


def _diff(
    name: str, edit: Callable[[list[str], random.Random], list[str] | None]
) -> Callable[[Change, random.Random], Case | None]:
    """Return the mutation of a diff that an edit of its lines makes."""

    def mutate(change: Change, chance: random.Random) -> Case | None:
        lines = edit(diff_lines(change), chance)
        if lines is None:
            return None
        return _diff_case(name, change, lines)

    return mutate


def _diff_case(
    name: str, change: Change, lines: Sequence[str], *, may_refuse: bool = False
) -> Case:
    return Case(
        mutation=name,
        before=change.before,
        answer=fenced(lines),
        wanted=change.after,
        may_refuse=may_refuse,
        patch="\n".join([*lines, ""]),
    )


def _with_headers(lines: list[str], write: Callable[[re.Match[str]], str]) -> list[str]:
    pattern = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
    return [
        pattern.sub(write, line) if line.startswith("@@") else line for line in lines
    ]


def _wrong_counts(lines: list[str], chance: random.Random) -> list[str]:
    def write(found: re.Match[str]) -> str:
        off = chance.choice((-3, -2, -1, 1, 2, 4))
        size = max(1, int(found[2] or 1) + off)
        return f"@@ -{found[1]},{size} +{found[3]},{max(1, size + chance.choice((-1, 1)))} @@"

    return _with_headers(lines, write)


def _wrong_lines(lines: list[str], chance: random.Random) -> list[str]:
    def write(found: re.Match[str]) -> str:
        start = max(1, int(found[1]) + chance.randint(-80, 80))
        return f"@@ -{start},{found[2] or 1} +{start},{found[4] or 1} @@"

    return _with_headers(lines, write)


def _dedented(lines: list[str], chance: random.Random) -> list[str] | None:  # noqa: ARG001
    body = [
        line for line in lines[2:] if not line.startswith("@@") and line[1:].strip()
    ]
    margin = min(len(line[1:]) - len(line[1:].lstrip()) for line in body)
    if not margin:
        return None
    return [
        line if number < 2 or line.startswith("@@") else line[0] + line[1 + margin :]
        for number, line in enumerate(lines)
    ]


def _hunk_dedented(change: Change, chance: random.Random) -> Case | None:
    """Dedent every hunk that can be."""
    lines = diff_lines(change)[:2]
    dedented = False
    for head, hunk in zip(
        [x for x in diff_lines(change)[2:] if x.startswith("@@")],
        hunks(change),
        strict=True,
    ):
        whole = _dedented(["", "", *hunk], chance)
        dedented = dedented or whole is not None
        lines += [head, *(whole[2:] if whole else hunk)]
    return _diff_case("diff: dedented hunk", change, lines) if dedented else None


def _dropped_context(change: Change, chance: random.Random) -> Case | None:
    """Leave out a line of context; next to an addition alone that moves the addition."""
    lines = diff_lines(change)
    places = [
        at for at in range(3, len(lines)) if lines[at][:1] == " " and lines[at].strip()
    ]
    if not places:
        return None
    at = chance.choice(places)
    beside = [lines[at - 1][:1], *(x[:1] for x in lines[at + 1 : at + 2])]
    moves = "+" in beside
    kept = [*lines[:at], *lines[at + 1 :]]
    return _diff_case("diff: dropped context", change, kept, may_refuse=moves)


def _dropped_blanks(change: Change, chance: random.Random) -> Case | None:  # noqa: ARG001
    lines = diff_lines(change)
    kept = [line for line in lines if line != " "]
    if len(kept) == len(lines):
        return None
    case = _diff_case("diff: dropped blank context", change, kept)
    return Case(**{**vars(case), "blanks_count": False})


def _bare_blanks(lines: list[str], chance: random.Random) -> list[str] | None:  # noqa: ARG001
    return [line.rstrip() if line == " " else line for line in lines]


def _trailing(lines: list[str], chance: random.Random) -> list[str]:
    return [
        line + chance.choice(("", " ", "  ")) if line[:1] == " " else line
        for line in lines
    ]


def _one_indented(lines: list[str], chance: random.Random) -> list[str] | None:
    """Move one line of context sideways."""
    places = [at for at, line in enumerate(lines) if line[:1] == " " and line.strip()]
    if not places:
        return None
    at = chance.choice(places)
    return [*lines[:at], f"  {lines[at]}", *lines[at + 1 :]]


def _lost_marks(lines: list[str], chance: random.Random) -> list[str]:  # noqa: ARG001
    return [line[1:] if line[:1] == " " else line for line in lines]


def _tabs(lines: list[str], chance: random.Random) -> list[str] | None:  # noqa: ARG001
    def tabbed(line: str) -> str:
        body = line[1:].lstrip(" ")
        width = len(line) - 1 - len(body)
        return line[0] + "\t" * (width // 4) + " " * (width % 4) + body

    made = [
        line if line.startswith(("@@", "---", "+++")) or not line else tabbed(line)
        for line in lines
    ]
    return made if made != lines else None


def _smart(lines: list[str], chance: random.Random) -> list[str] | None:  # noqa: ARG001
    made = [
        line
        if line.startswith(("@@", "--- a/", "+++ b/")) or not line
        else line[0] + line[1:].translate(_SMART)
        for line in lines
    ]
    return made if made != lines else None


def _elided(change: Change, chance: random.Random) -> Case | None:
    """Write dots for the middle of long context."""
    long = hunks(change, 12)
    lines = diff_lines(change)[:2]
    cut = False
    for hunk in long:
        first = next(at for at, line in enumerate(hunk) if line[0] != " ")
        lines.append("@@ ... @@")
        if first > 6:
            dots = chance.choice((" ...", " # ... existing code ...", " ..."))
            lines += [*hunk[:2], dots, *hunk[first - 3 :]]
            cut = True
        else:
            lines += hunk
    return _diff_case("diff: elided context", change, lines) if cut else None


def _zero_context(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    """Give no context at all: what is added alone has no place."""
    lines = diff_lines(change, 0)
    removed = [[x[1:] for x in hunk if x[0] == "-"] for hunk in hunks(change, 0)]
    case = _diff_case("diff: no context", change, lines)
    if all(removed):
        unique = all(_count(change.before, lines) == 1 for lines in removed)
        return Case(**{**vars(case), "may_refuse": not unique})
    return Case(
        **{**vars(case), "mutation": "diff: no context, insertion", "wanted": None}
    )


def _one_bad(change: Change, chance: random.Random) -> Case | None:
    """Make one of several hunks one that fits nowhere."""
    lines = diff_lines(change)
    removed = [at for at, line in enumerate(lines) if at > 1 and line[:1] == "-"]
    if len(hunks(change)) < 2 or not removed:
        return None
    at = chance.choice(removed)
    lines[at] = f"-{lines[at][1:]}_{chance.randrange(1000)}_never_there"
    case = _diff_case("diff: one bad hunk of several", change, lines)
    return Case(**{**vars(case), "wanted": None})


def _prefix(change: Change, chance: random.Random) -> Case:
    """Name the file in another way; a folder that is not there is another file."""
    old, new, right = chance.choice(
        [
            (PATH, PATH, True),
            (f"./{PATH}", f"./{PATH}", True),
            (f"i/{PATH}", f"w/{PATH}", True),
            (f"old/{PATH}", f"new/{PATH}", True),
            (f"a/./{PATH}", f"b/./{PATH}", True),
            (f"a/src/{PATH}", f"b/src/{PATH}", False),
            (f"/workspace/{PATH}", f"/workspace/{PATH}", False),
            (f"a/../{PATH}", f"b/../{PATH}", False),
        ]
    )
    lines = [f"--- {old}", f"+++ {new}", *diff_lines(change)[2:]]
    case = _diff_case(f"diff: {'odd' if right else 'wrong'} path", change, lines)
    return case if right else Case(**{**vars(case), "wanted": None})


def _crlf(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    case = _diff_case("diff: CRLF", change, diff_lines(change))
    return Case(
        **{
            **vars(case),
            "answer": case.answer.replace("\n", "\r\n"),
            "patch": case.patch.replace("\n", "\r\n"),
        }
    )


def _crlf_file(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    """Answer in plain newlines about a file that has others."""
    case = _diff_case("diff: file in CRLF", change, diff_lines(change))
    old, new = (text.replace("\n", "\r\n") for text in (change.before, change.after))
    return Case(**{**vars(case), "before": old, "wanted": new})


def _unended(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    """Leave out the last newline, and all prose."""
    text = "\n".join(diff_lines(change))
    return Case(
        mutation="diff: no final newline",
        before=change.before,
        answer=text,
        wanted=change.after,
        patch=text,
    )


def _unended_file(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    """Say nothing of the newline that the file does not end in."""
    case = _diff_case("diff: file without final newline", change, diff_lines(change))
    old, new = (text.removesuffix("\n") for text in (change.before, change.after))
    return Case(**{**vars(case), "before": old, "wanted": new})


def _bare_prose(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    lines = diff_lines(change)
    text = "\n".join(["Here is the change:", "", *lines, "", "It should help."])
    case = _diff_case("diff: bare, prose around", change, lines)
    return Case(**{**vars(case), "answer": text, "patch": text})


def _nested(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    lines = diff_lines(change)
    inner = ["```diff", *lines, "```"]
    case = _diff_case("diff: fence in a fence", change, lines)
    return Case(**{**vars(case), "answer": fenced(inner, "markdown", "````")})


def _little_context(change: Change, chance: random.Random) -> Case:
    """Give one line of context, and numbers that may lead to another place like it."""
    lines = _wrong_lines(diff_lines(change, 1), chance)
    parts = [[x[1:] for x in hunk if x[0] != "+"] for hunk in hunks(change, 1)]
    unique = all(_count(change.before, part) == 1 for part in parts)
    return _diff_case("diff: little context", change, lines, may_refuse=not unique)


def _two_faults(change: Change, chance: random.Random) -> Case | None:
    """Write a diff with two faults, of which one alone may leave a doubt."""
    lines: list[str] | None = diff_lines(change)
    for edit in chance.sample(_FAULTS, 2):
        lines = edit(lines, chance) if lines else None
    return _diff_case("diff: two faults", change, lines) if lines else None


def _no_header(lines: list[str], chance: random.Random) -> list[str]:  # noqa: ARG001
    return lines[2:]


def _git_header(lines: list[str], chance: random.Random) -> list[str]:  # noqa: ARG001
    head = [f"diff --git a/{PATH} b/{PATH}", "index 1234567..89abcde 100644"]
    return [*head, *lines]


# search/replace blocks


def _search(
    name: str,
    edit: Callable[[list[str], list[str]], tuple[list[str], list[str]] | None],
) -> Callable[[Change, random.Random], Case | None]:
    """Return the mutation of search/replace blocks that an edit of each makes."""

    def mutate(change: Change, chance: random.Random) -> Case | None:  # noqa: ARG001
        made = [edit(search, new) for search, new in blocks(change)]
        if all(item is None for item in made):
            return None
        pairs = [
            item or plain for item, plain in zip(made, blocks(change), strict=True)
        ]
        parts = [search_block(search, new) for search, new in pairs]
        return _search_case(name, change, answered(*parts))

    return mutate


def _search_case(name: str, change: Change, answer: str, *, right: bool = True) -> Case:
    return Case(
        mutation=name,
        before=change.before,
        answer=answer,
        wanted=change.after if right else None,
    )


def _search_dedented(
    search: list[str], new: list[str]
) -> tuple[list[str], list[str]] | None:
    lines = [line for line in (*search, *new) if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    if not margin:
        return None
    return [x[margin:] for x in search], [x[margin:] for x in new]


def _search_tabs(
    search: list[str], new: list[str]
) -> tuple[list[str], list[str]] | None:
    made = [
        _tabs([f" {x}" for x in lines], random.Random(0)) for lines in (search, new)
    ]
    if made[0] is None:
        return None
    after = made[1] or [f" {x}" for x in new]
    return [x[1:] for x in made[0]], [x[1:] for x in after]


def _search_dots(
    search: list[str], new: list[str]
) -> tuple[list[str], list[str]] | None:
    """Write dots for lines in the middle that stay."""
    size = 0
    while size < min(len(search), len(new)) and search[size] == new[size]:
        size += 1
    if size < 6:
        return None
    dots = [f"{search[2][: len(search[2]) - len(search[2].lstrip())]}..."]
    return [*search[:2], *dots, *search[size - 2 :]], [
        *new[:2],
        *dots,
        *new[size - 2 :],
    ]


def _search_elided(change: Change, chance: random.Random) -> Case | None:  # noqa: ARG001
    parts, cut = [], False
    for hunk in hunks(change, 12):
        search = [x[1:] for x in hunk if x[0] != "+"]
        new = [x[1:] for x in hunk if x[0] != "-"]
        dotted = _search_dots(search, new)
        cut = cut or dotted is not None
        parts.append(search_block(*(dotted or (search, new))))
    return _search_case("search: dots", change, answered(*parts)) if cut else None


def _search_smart(
    search: list[str], new: list[str]
) -> tuple[list[str], list[str]] | None:
    made = [x.translate(_SMART) for x in search], [x.translate(_SMART) for x in new]
    return made if made != (search, new) else None


def _search_blanks(change: Change, chance: random.Random) -> Case | None:  # noqa: ARG001
    """Lose the blank lines of what stays."""
    pairs = blocks(change)
    if not any("" in search[1:-1] for search, _ in pairs):
        return None
    parts = [
        search_block([x for x in search if x], [x for x in new if x])
        for search, new in pairs
    ]
    case = _search_case("search: dropped blank lines", change, answered(*parts))
    return Case(**{**vars(case), "blanks_count": False})


def _ambiguous(change: Change, chance: random.Random) -> Case | None:
    """Ask for a line that stands in the file more than once."""
    lines = [line for line in change.before.splitlines() if len(line.strip()) > 8]
    twice = sorted({line for line in lines if lines.count(line) > 1})
    if not twice:
        return None
    line = chance.choice(twice)
    text = answered(search_block([line], [f"{line}  # changed"]))
    return _search_case("search: ambiguous", change, text, right=False)


def _bad_block(change: Change, chance: random.Random) -> Case | None:
    pairs = blocks(change)
    if len(pairs) < 2:
        return None
    at = chance.randrange(len(pairs))
    parts = [
        search_block([*search, "this_line_is = not_there"] if at == n else search, new)
        for n, (search, new) in enumerate(pairs)
    ]
    return _search_case(
        "search: one bad block of several", change, answered(*parts), right=False
    )


def _search_fence(change: Change, chance: random.Random) -> Case:
    """Put path, fence and markers in other places."""
    style = chance.randrange(4)
    parts = []
    for search, new in blocks(change):
        body = search_block(search, new).split("\n")[1:]
        if style == 0:
            parts.append("\n".join(["```python", PATH, *body, "```"]))
        elif style == 1:
            parts.append("\n".join([f"### `{PATH}`", "", "```", *body, "```"]))
        elif style == 2:
            parts.append("\n".join([f"```python:{PATH}", *body, "```"]))
        else:
            body = ["<<<<<<< ORIGINAL", *body[1:-1], ">>>>>>> UPDATED"]
            parts.append("\n".join([f"File: {PATH}", "```python", *body, "```"]))
    return _search_case("search: fences and markers", change, answered(*parts))


def _search_cut(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    """Break off inside the last block."""
    parts = [search_block(search, new) for search, new in blocks(change)]
    text = answered(*parts[:-1], parts[-1].removesuffix(">>>>>>> REPLACE"))
    text = text.removesuffix("\n\nGood luck.\n")
    return _search_case("search: breaks off", change, text, right=False)


def _search_crlf(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    text = answered(*(search_block(search, new) for search, new in blocks(change)))
    return _search_case("search: CRLF", change, text.replace("\n", "\r\n"))


def _search_json(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    edits = [
        {"path": PATH, "search": "\n".join(search), "replace": "\n".join(new)}
        for search, new in blocks(change)
    ]
    text = json.dumps({"title": "Try", "method": "none", "edits": edits})
    return _search_case("search: JSON", change, text)


# V4A patches


def _v4a_lines(change: Change, *, headings: bool = True) -> list[str]:
    lines = [f"*** Update File: {PATH}"]
    for hunk in hunks(change):
        if headings or len(lines) > 1:
            lines.append("@@")
        lines += hunk
    return lines


def _v4a(
    name: str, write: Callable[[Change, list[str]], str]
) -> Callable[[Change, random.Random], Case]:
    def mutate(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
        text = write(change, _v4a_lines(change))
        return _search_case(f"V4A: {name}", change, text)

    return mutate


def _enveloped(lines: Sequence[str]) -> list[str]:
    return ["*** Begin Patch", *lines, "*** End Patch"]


def _anchored(change: Change, lines: list[str]) -> str:  # noqa: ARG001
    """Name the class and the function above each hunk."""
    made = [f"*** Update File: {PATH}"]
    before = change.before.splitlines()
    for head in (x for x in diff_lines(change) if x.startswith("@@")):
        start = int(re.findall(r"\d+", head)[0])
        above = [x for x in before[:start] if re.match(r"(?:class|def) ", x)]
        made.append(f"@@ {above[-1]}" if above else "@@")
        body = hunks(change)[sum(x.startswith("@@") for x in made) - 1]
        made += body
    return fenced(_enveloped(made), "")


def _here(change: Change, lines: list[str]) -> str:  # noqa: ARG001
    return fenced(["apply_patch <<'EOF'", *_enveloped(lines), "EOF"], "bash")


def _v4a_json(change: Change, lines: list[str]) -> str:  # noqa: ARG001
    patch = "\n".join(_enveloped(lines))
    return json.dumps(
        {"name": "shell", "arguments": {"command": ["apply_patch", patch]}}
    )


# whole files and values


def _whole(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    text = fenced(change.after.rstrip("\n").split("\n"), "python")
    return _search_case("whole: prose around", change, text)


def _whole_nested(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    """Write a file with a fence in its text, in a fence."""
    note = '\nNOTES = """\n```\npython train.py\n```\n"""\n'
    old, new = change.before + note, change.after + note
    text = fenced(new.rstrip("\n").split("\n"), "python")
    return Case(mutation="whole: fence in a fence", before=old, answer=text, wanted=new)


def _whole_crlf(change: Change, chance: random.Random) -> Case:
    case = _whole(change, chance)
    text = case.answer.replace("\n", "\r\n")
    return Case(**{**vars(case), "mutation": "whole: CRLF", "answer": text})


def _whole_elided(change: Change, chance: random.Random) -> Case | None:
    """Leave out lines, and say so in a comment."""
    lines = change.after.rstrip("\n").split("\n")
    places = [
        at for at, x in enumerate(lines) if at > 20 and x.startswith(("def ", "class "))
    ]
    if not places:
        return None
    at = chance.choice(places)
    said = chance.choice(
        ("# ... rest of the file unchanged ...", "# ... existing code ...", "...",
         "# (rest of the code is unchanged)", "# remaining code here ...")
    )  # fmt: skip
    keep = chance.randrange(at, len(lines))
    text = fenced([*lines[:at], said, *lines[keep:]], "python")
    return _search_case("whole: lines left out", change, text, right=False)


def _whole_cut(change: Change, chance: random.Random) -> Case | None:
    """Break off between two definitions, where what is there still compiles."""
    lines = change.after.rstrip("\n").split("\n")
    places = [
        at for at, x in enumerate(lines) if at > 40 and x.startswith(("def ", "class "))
    ]
    if not places:
        return None
    cut = lines[: chance.choice(places)]
    text = "\n".join(["Title: Try", "", "```python", *cut])
    return _search_case("whole: breaks off", change, text, right=False)


def _whole_here(change: Change, chance: random.Random) -> Case:  # noqa: ARG001
    body = change.after.rstrip("\n").split("\n")
    text = fenced([f"cat > {PATH} <<'EOF'", *body, "EOF"], "bash")
    return _search_case("whole: here document", change, text)


def _set(change: Change, chance: random.Random) -> Case | None:
    """Say a change of constants as values to set."""
    found = []
    for hunk in hunks(change, 0):
        old, new = ([x[1:] for x in hunk if x[0] == mark] for mark in "-+")
        if len(old) != 1 or len(new) != 1:
            return None
        names = [re.match(r"([A-Z_]+) = ([^#]+)", x) for x in (*old, *new)]
        if not all(names) or names[0][1] != names[1][1]:  # type: ignore[index]
            return None
        name, value = names[1][1], names[1][2].strip()  # type: ignore[index]
        if old[0].replace(names[0][2].strip(), value, 1) != new[0]:  # type: ignore[index]
            return None
        found.append((name, value))
    style = chance.choice(
        ("SET {} = {}", "- `SET {} = {}`", "SET {} = {}  # better", "SET {} to {}")
    )
    parts = [style.format(name, value) for name, value in found]
    return _search_case("set", change, answered("\n".join(parts)))


_FAULTS = (
    _wrong_counts,
    _wrong_lines,
    lambda lines, _: _with_headers(lines, lambda _: "@@"),
    _bare_blanks,
    _trailing,
    _one_indented,
    _tabs,
    _smart,
    _lost_marks,
    _no_header,
)

MUTATIONS: dict[str, Callable[[Change, random.Random], Case | None]] = {
    "clean": _diff("diff: clean", lambda lines, _: lines),
    "git header": _diff("diff: git's header", _git_header),
    "counts": _diff("diff: wrong counts", _wrong_counts),
    "lines": _diff("diff: wrong line numbers", _wrong_lines),
    "bare": _diff("diff: bare @@", lambda x, _: _with_headers(x, lambda _: "@@")),
    "dots": _diff(
        "diff: @@ ... @@", lambda x, _: _with_headers(x, lambda _: "@@ ... @@")
    ),
    "no header": _diff("diff: no file header", _no_header),
    "dedented": _hunk_dedented,
    "dropped": _dropped_context,
    "dropped blanks": _dropped_blanks,
    "bare blanks": _diff("diff: blank context unmarked", _bare_blanks),
    "trailing": _diff("diff: spaces behind context", _trailing),
    "one indented": _diff("diff: context moved sideways", _one_indented),
    "lost marks": _diff("diff: context without marks", _lost_marks),
    "tabs": _diff("diff: tabs", _tabs),
    "smart": _diff("diff: typographic punctuation", _smart),
    "elided": _elided,
    "zero": _zero_context,
    "one bad": _one_bad,
    "prefix": _prefix,
    "CRLF": _crlf,
    "CRLF file": _crlf_file,
    "unended": _unended,
    "unended file": _unended_file,
    "prose": _bare_prose,
    "nested": _nested,
    "little context": _little_context,
    "two faults": _two_faults,
    "search": _search("search: clean", lambda old, new: (old, new)),
    "search spaces": _search(
        "search: spaces behind", lambda old, new: ([f"{x} " for x in old], new)
    ),
    "search dedented": _search("search: dedented", _search_dedented),
    "search tabs": _search("search: tabs", _search_tabs),
    "search smart": _search("search: typographic punctuation", _search_smart),
    "search blanks": _search_blanks,
    "search dots": _search_elided,
    "search fences": _search_fence,
    "search ambiguous": _ambiguous,
    "search bad": _bad_block,
    "search cut": _search_cut,
    "search CRLF": _search_crlf,
    "search JSON": _search_json,
    "V4A": _v4a("clean", lambda _, lines: fenced(_enveloped(lines), "")),
    "V4A bare": _v4a("bare", lambda _, lines: "\n".join(_enveloped(lines))),
    "V4A anchors": _v4a("anchors", _anchored),
    "V4A no envelope": _v4a("no envelope", lambda _, lines: fenced(lines, "patch")),
    "V4A here": _v4a("here document", _here),
    "V4A JSON": _v4a("JSON", _v4a_json),
    "V4A no heading": _v4a(
        "no @@",
        lambda change, _: fenced(_enveloped(_v4a_lines(change, headings=False)), ""),
    ),
    "whole": _whole,
    "whole nested": _whole_nested,
    "whole CRLF": _whole_crlf,
    "whole elided": _whole_elided,
    "whole cut": _whole_cut,
    "whole here": _whole_here,
    "set": _set,
}
