"""What a drafted recipe may not say: anything that reaches beyond a training script.

Every word of a recipe is read, also of alternatives that do not apply here, of strings
and of comments. It is better to lose a recipe than to pass one on: a person who needs
more writes it, and this is about what a paper may bring about.
"""

from __future__ import annotations

import ast
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_LISTS = Path(__file__).parent / "reach.yml"
_WORD = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")
_ATTRIBUTE = re.compile(r"\.\s*([^\W\d]\w*)")
_PLACEHOLDER = re.compile(r"\$([a-z]\w*)")
_ADDRESS = re.compile(r"\b(?:https?|ftp|file|ssh|s3|gs|data):/?/?\S|\bwww\.\w")
_PATH = re.compile(r"(?:^|[\s'\"(=])(?:~|\.\.?)?/(?=[A-Za-z.])|\.\./|[A-Za-z]:\\\w")
_REPOSITORY = re.compile(r"""['"][\w.-]+/[\w.-]+(?:@[\w.-]+)?['"]""")
_COMMAND = re.compile(
    r"`|\$\(|&&|\|\||;\s*\w+\s*-|\b(?:curl|wget|sudo|chmod|pip3?|npm|bash|git[ -]lg)\s+"
    r"[\w\"'./-]|\brm\s+-|<\||\|>|<<<|>>>"
)


def beyond_words(text: str) -> re.Match[str] | None:
    """Return the first address, path or command in a text that should be words alone."""
    found = (form.search(text) for form in (_ADDRESS, _PATH, _COMMAND))
    return min(filter(None, found), key=lambda match: match.start(), default=None)


def words_of(text: str) -> str:
    """Return a text up to where it is no more words: what is said of a draft, too."""
    found = beyond_words(text)
    return f"{text[: found.start()]}\u2026" if found else text


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(yaml.safe_load(_LISTS.read_text("utf-8"))[name].split())


def overreach(recipe: Any, files: Mapping[str, str]) -> str:
    """Return what a recipe says that it may not, in words; "" where it is harmless.

    `recipe` is the plain value of the key, `files` the code that it is for: names that
    the code gives to forbidden modules are forbidden too.
    """
    names = _listed("builtins") | _given_names(files)
    for text in _leaves(recipe):
        # Python reads full-width letters as the plain ones
        plain = unicodedata.normalize("NFKC", text)
        found = _word(plain, names) or _imported(plain, _imports(files))
        if found:
            return found
    return ""


def _word(text: str, names: frozenset[str]) -> str:
    words = _WORD.findall(text)
    said = [word for word in words if word in _listed("modules")]
    # `model.eval()` is no `eval`
    said += [word for word in _NAME.findall(text) if word in names]
    # `from torch import hub` says it without a dot
    behind = words if "import" in words else _ATTRIBUTE.findall(text)
    said += [word for word in behind if word in _listed("attributes")]
    if said:
        return f"speaks of {said[0]}"
    inner = [word for word in words if word.startswith("__")]
    reached = [
        word
        for word in inner
        if word not in _listed("dunders") and _is_used(word, text)
    ]
    if reached:
        return f"reaches into {reached[0]}"
    if _ADDRESS.search(text):
        return "has an address in it"
    if _REPOSITORY.search(text):
        return "names a repository"
    return "has a path in it" if _PATH.search(text) else ""


def _is_used(word: str, text: str) -> bool:
    """Say whether a name of the interpreter is more than a method being defined."""
    defined = re.findall(rf"\bdef\s+{re.escape(word)}\s*\(", text)
    return len(re.findall(rf"\b{re.escape(word)}\b", text)) > len(defined)


def _imported(text: str, known: frozenset[str]) -> str:
    if not re.search(r"\bimport\b", text):
        return ""
    try:
        tree = ast.parse(textwrap.dedent(_PLACEHOLDER.sub(r"knob_\1", text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "imports in a text that is no whole Python"
    for name in _modules(tree):
        top = name.partition(".")[0]
        is_known = name in known and top not in _listed("fetchers")
        if top not in _listed("allowed") and not is_known:
            return f"imports {name or 'from its own package'}"
    return ""


def _modules(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that are imported, "" for a relative one or for all names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            is_star = any(item.name == "*" for item in node.names)
            yield "" if node.level or is_star else (node.module or "")


def _trees(files: Mapping[str, str]) -> Iterator[ast.Module]:
    for text in files.values():
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            yield ast.parse(text)


def _imports(files: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for tree in _trees(files) for name in _modules(tree) if name)


def _given_names(files: Mapping[str, str]) -> frozenset[str]:
    """Return the names under which some code knows what is forbidden."""
    nodes = (node for tree in _trees(files) for node in ast.walk(tree))
    return frozenset(name for node in nodes for name in _names_given(node))


def _names_given(node: ast.AST) -> Iterator[str]:
    forbidden = _listed("modules") | _listed("fetchers")
    if isinstance(node, ast.Import):
        for item in node.names:
            top = item.name.partition(".")[0]
            if top in forbidden:
                yield item.asname or top
    elif isinstance(node, ast.ImportFrom):
        top = (node.module or "").partition(".")[0]
        names = node.names if top in forbidden else ()
        yield from (item.asname or item.name for item in names)


def _leaves(value: Any) -> Iterator[str]:
    """Yield every text in a plain value, quoted where it becomes a string of Python.

    Its keys are the validator's to judge.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            is_string = key in ("to", "default", "values")
            yield from (repr(text) if is_string else text for text in _leaves(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield str(value)
