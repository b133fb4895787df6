"""Reading an edit for what changes the measurement rather than the model.

    refused       patching the clock, the evaluator or the metric channel
    quarantined   reaching for held-out data, keys or the network, printing the metric:
                  the value is kept out of every ranking until a person has looked
    noted         looking around in the interpreter: shown with the result

Only what an edit adds counts; what the file did before is the author's business. This
reads names, so whoever hides behind `getattr` and string arithmetic is not found. It
raises the price of cheating by accident and by habit, no more (docs/safety.md).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loopgraph_git.config import Config


class Weight(IntEnum):
    """What becomes of an edit with such a flag."""

    NOTED = 1
    QUARANTINED = 2
    REFUSED = 3


@dataclass(frozen=True, order=True)
class Flag:
    """One thing that an edit does, in words."""

    weight: Weight
    text: str


_CLOCKS = ("time", "datetime")
_BUILTINS = ("builtins", "__builtins__")
_LOOKING = (
    "inspect",
    "gc",
    "ctypes",
    "sys._getframe",
    "sys.settrace",
    "sys.setprofile",
)
_NETWORK = ("socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "ftplib",
            "smtplib", "xmlrpc", "websockets")  # fmt: skip
_KEYS = re.compile(
    r"(^|[/~])\.(ssh|aws|netrc|gnupg|kube|docker|env|git-credentials|config)\b|id_rsa|"
    r"id_ed25519|/proc/|_(KEY|TOKEN|SECRET)\b"
)
_CHANNEL = re.compile(r"LOOPGRAPH_(METRIC_FILE|NONCE|CHECKPOINT|RUN_ID)")
_HELD_OUT = re.compile(
    r"(^|[\W_])(val|valid|validation|held_?out|test)([\W_]?(data|text|set|split|shards?|"
    r"bin|txt|npy|parquet))([\W_]|$)|(^|[/\\])(val|validation|held_?out)([./\\_-]|$)",
    re.IGNORECASE,
)
_HELD_OUT_NAMES = ("val", "val_data", "val_text", "held_out", "validation")


def flags(
    before: Mapping[str, str], after: Mapping[str, str], config: Config
) -> tuple[Flag, ...]:
    """Return what an edit adds that has to do with its own measurement."""
    found: set[Flag] = set()
    for path, text in after.items():
        old = before.get(path, "")
        if path.endswith(".py") and text != old:
            found |= _seen(text, config) - _seen(old, config)
    return tuple(sorted(found, reverse=True))


def _seen(text: str, config: Config) -> set[Flag]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    reader = _Reader(config)
    reader.learn(tree)
    return set(reader.read(tree))


@dataclass
class _Reader:
    """Knows which names of a file stand for a clock or for protected code."""

    config: Config
    clocks: set[str] = field(default_factory=lambda: {*_CLOCKS})
    fixed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        paths = (PurePosixPath(path) for path in self.config.protected)
        self.modules = {path.stem for path in paths if path.suffix == ".py"}
        self.fixed.update({name: name for name in self.modules})

    def learn(self, tree: ast.Module) -> None:
        """Note under which names clocks and protected code were imported."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for item in node.names:
                    self._learn(item.name, item.asname or item.name.split(".")[0])
            elif isinstance(node, ast.ImportFrom) and node.module:
                module = node.module.rpartition(".")[2]
                if module in self.modules:
                    for item in node.names:
                        self.fixed[item.asname or item.name] = f"{module}.{item.name}"

    def _learn(self, module: str, name: str) -> None:
        if module in _CLOCKS:
            self.clocks.add(name)
        elif module.rpartition(".")[2] in self.modules:
            self.fixed[name] = module

    def read(self, tree: ast.Module) -> Iterator[Flag]:
        """Yield a flag for everything that has to do with the measurement."""
        for node in ast.walk(tree):
            yield from self._written(node)
            yield from self._called(node)
            yield from self._named(node)

    def _written(self, node: ast.AST) -> Iterator[Flag]:
        for target in _targets(node):
            base = _root(target)
            if isinstance(target, ast.Name):
                if target.id in self.fixed:
                    yield _refused(f"puts something in place of {self.fixed[base]}")
            elif base in self.clocks:
                yield _refused(f"patches the clock: {ast.unparse(target)}")
            elif base in self.fixed:
                yield _refused(f"patches protected code: {ast.unparse(target)}")
            elif base in _BUILTINS or ast.unparse(target).startswith("sys.modules"):
                yield _refused(f"patches the interpreter: {ast.unparse(target)}")
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in self.fixed:
            yield _refused(f"defines its own {self.fixed[node.name]}")

    def _called(self, node: ast.AST) -> Iterator[Flag]:
        if not isinstance(node, ast.Call):
            return
        name = ast.unparse(node.func)
        first = _root(node.args[0]) if node.args else ""
        if name in ("setattr", "delattr") and first:
            if first in self.clocks | {*_BUILTINS} or first in self.fixed:
                yield _refused(f"patches {first} by {name}")
        elif name in ("importlib.reload", "reload", "vars") and first in self.fixed:
            yield _refused(f"reaches into {first} by {name}")

    def _named(self, node: ast.AST) -> Iterator[Flag]:
        match node:
            case ast.Constant(value=str(text)):
                yield from self._text(text)
            case ast.Attribute():
                yield from self._attribute(node)
            case ast.Import(names=names):
                for item in names:
                    yield from _imported(item.name)
            case ast.ImportFrom(module=str(module), level=0):
                yield from _imported(module)
            case _:
                pass

    def _attribute(self, node: ast.Attribute) -> Iterator[Flag]:
        whole = ast.unparse(node)
        if node.attr in _HELD_OUT_NAMES and _root(node) in self.fixed:
            yield Flag(Weight.QUARANTINED, f"reaches for held-out data: {whole}")
        elif node.attr.startswith("_") and _root(node) in self.fixed:
            yield _refused(f"uses a private part of protected code: {whole}")
        elif whole in _LOOKING:
            yield Flag(Weight.NOTED, f"uses {whole}")

    def _text(self, text: str) -> Iterator[Flag]:
        if _CHANNEL.search(text):
            yield _refused(f"names the harness's own channel: {text[:60]!r}")
        elif text in self.config.protected:
            yield _refused(f"names the protected file {text}")
        elif re.search(rf"(^|\s){re.escape(self.config.metric.name)}\s*:", text):
            words = f"prints {self.config.metric.name} itself"
            yield Flag(Weight.QUARANTINED, words)
        elif _KEYS.search(text):
            words = f"names where keys are kept: {text[:60]!r}"
            yield Flag(Weight.QUARANTINED, words)
        elif len(text) < 200 and "\n" not in text and _HELD_OUT.search(text):  # noqa: PLR2004
            yield Flag(Weight.QUARANTINED, f"names held-out data: {text[:60]!r}")


def _imported(module: str) -> Iterator[Flag]:
    if module.split(".", maxsplit=1)[0] in _NETWORK:
        yield Flag(Weight.QUARANTINED, f"imports {module}, for the network")
    elif module in _LOOKING:
        yield Flag(Weight.NOTED, f"imports {module}")


def _refused(text: str) -> Flag:
    return Flag(Weight.REFUSED, text)


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            for target in targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                yield from parts
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            yield target
        case ast.For(target=target) | ast.NamedExpr(target=target):
            yield target
        case _:
            pass


def _root(node: ast.expr) -> str:
    """Return the name that an expression begins with, "" without one."""
    while True:
        match node:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Call(func=inner):
                node = inner
            case ast.Name(id=name):
                return name
            case _:
                return ""
