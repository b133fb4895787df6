"""Finding out how a repository trains, without being told.

Reads only what git tracks at HEAD; nothing is imported and nothing is run. Every
answer comes with the reason for it, so that a person can disagree.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from loopgraph_git.config import Config
from loopgraph_git.errors import ConfigError
from loopgraph_git.loop import results_tsv
from loopgraph_git.records import Direction, Metric

if TYPE_CHECKING:
    from loopgraph_git.git.repo import Repo

_HIGHER = re.compile(r"acc|score|reward|elo|win_rate|tflops|sharpe|f1|auc|bleu")
_METRICS = ("val_bpb", "val_loss", "val_acc", "val_accuracy", "accuracy", "score")
_PRINTED = re.compile(r"""print\(\s*f?["']([A-Za-z_]\w*):""")
# what scripts print of a run beside its metric; nobody trains for fewer of these
_ASIDE = re.compile(
    r"seconds|time|memory|vram|_mb\Z|_gb\Z|tokens|params|steps?\Z|epochs?\Z|seed|device"
)
_BUDGET = re.compile(r"^[A-Z_]*TIME_BUDGET[A-Z_]*\b[^=\n]*=[^#\n]*", re.MULTILINE)
_LINKABLE = (".venv", "venv", "data", "node_modules")


@dataclass(frozen=True, kw_only=True)
class Found:
    """Settings for a repository, and for each key the reason in words."""

    config: Config
    reasons: dict[str, str]
    warnings: tuple[str, ...] = ()


def detect(repo: Repo) -> Found:
    """Return settings that fit the repository; raises ConfigError without a script."""
    files = {
        path: repo.file("HEAD", path) or ""
        for path, (mode, _) in repo.tracked("HEAD").items()
        if mode.startswith("100") and path.endswith((".py", ".md", ".toml"))
    }
    script = _script(files)
    protected = _local_imports(script, files)
    texts = [files[script], *(files[path] for path in protected)]
    metric, why_metric = _metric(texts, files)
    run, why_run = _command(repo, script, files)
    config = Config(run=run, metric=metric, editable=(script,), protected=protected)
    config = replace(config, link=_links(repo))
    reasons = {
        "run": why_run,
        "metric": why_metric,
        "editable": f"{script} holds the training loop",
        "protected": f"{script} imports them; an edit there would move the goal"
        if protected
        else f"{script} imports nothing of this repository",
        "link": "untracked here, and a run may need them",
    }
    lines = [line for text in texts for line in _BUDGET.findall(text)]
    numbers = re.findall(r"\d+(?:\.\d+)?", lines[0]) if lines else []
    if numbers and float(numbers[-1]) > 0:
        config = config.with_budget(float(numbers[-1]))
        reasons["budget_seconds"] = f"`{' '.join(lines[0].split())}`"
    if results_tsv.is_wanted(repo, config):
        reasons["results_tsv"] = "results.tsv is in use or ignored here"
    return Found(config=config, reasons=reasons, warnings=_warnings(texts, config))


def _script(files: dict[str, str]) -> str:
    scripts = [path for path in files if path.endswith(".py") and "test" not in path]
    named = [path for path in scripts if PurePosixPath(path).name == "train.py"]
    training = [
        path for path in scripts
        if ".backward(" in files[path] and re.search(r"optim", files[path])
    ]  # fmt: skip
    # the one nearest the top is the one a README speaks of
    for candidates in ([p for p in named if p in training], named, training):
        if candidates:
            return min(candidates, key=lambda path: (path.count("/"), len(path), path))
    raise ConfigError(
        "no training script is tracked here (a train.py, or a file with a training "
        "loop): commit it, or write .loopgraph.yml by hand"
    )


def _local_imports(script: str, files: dict[str, str]) -> tuple[str, ...]:
    """Return the tracked modules that the script imports, directly."""
    try:
        tree = ast.parse(files[script])
    except SyntaxError:
        return ()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    folder = PurePosixPath(script).parent
    found = []
    for name in sorted(names):
        tail = name.replace(".", "/") + ".py"
        for path in (str(folder / tail), tail):
            if path in files and path != script and path not in found:
                found.append(path)
    return tuple(found)


def _metric(texts: list[str], files: dict[str, str]) -> tuple[Metric, str]:
    printed = [name for text in texts for name in _PRINTED.findall(text)]
    everything = "\n".join(
        [*texts, *(t for p, t in files.items() if p.endswith(".md"))]
    )
    for name in _METRICS:
        if name in printed or re.search(rf"\b{name}:", everything):
            return _named(name), f"a line `{name}: …` is printed"
    told = [name for name in printed if not _ASIDE.search(name.lower())]
    if told:
        return _named(told[0]), f"`{told[0]}` is the first value printed"
    for name in _METRICS:
        if re.search(rf"\b{name}\b", everything):
            return _named(name), f"{name} is named in the code"
    return Metric(), "nothing found that is printed; this is a guess"


def _named(name: str) -> Metric:
    higher = _HIGHER.search(name.lower())
    return Metric(name, Direction.HIGHER if higher else Direction.LOWER)


def _command(
    repo: Repo, script: str, files: dict[str, str]
) -> tuple[tuple[str, ...], str]:
    prose = "\n".join(text for path, text in files.items() if path.endswith(".md"))
    if "uv.lock" in repo.tracked("HEAD") or f"uv run {script}" in prose:
        return ("uv", "run", script), "the project is run with uv"
    # some systems have no `python`, only `python3`
    python = "python" if shutil.which("python") else "python3"
    return (python, script), "a plain Python script"


def _links(repo: Repo) -> tuple[str, ...]:
    tracked = {path.split("/", 1)[0] for path in repo.tracked("HEAD")}
    return tuple(
        name for name in _LINKABLE
        if not repo.bare and (repo.root / name).exists() and name not in tracked
    )  # fmt: skip


def _warnings(texts: list[str], config: Config) -> tuple[str, ...]:
    if any("LOOPGRAPH_BUDGET_SECONDS" in text for text in texts):
        return ()
    return (
        (
            f"the script does not read LOOPGRAPH_BUDGET_SECONDS: `--budget` will only move "
            f"the wall clock of {config.wall_clock_seconds:g} s, not its training time"
        ),
    )


def render(found: Found) -> str:
    """Return the `.loopgraph.yml` of what was found, with the reasons as comments."""
    config = found.config
    lines = [
        "# Read this, change what is wrong, then run `git lg trust`.",
        f"run: {_quoted(shlex.join(config.run))}  # {found.reasons['run']}",
        (
            f"metric: {{name: {config.metric.name}, direction: {config.metric.direction}}}"
            f"  # {found.reasons['metric']}"
        ),
        f"editable: {_listed(config.editable)}  # {found.reasons['editable']}",
        f"protected: {_listed(config.protected)}  # {found.reasons['protected']}",
    ]
    if "budget_seconds" in found.reasons:
        lines.append(
            f"budget_seconds: {config.budget_seconds:g}"
            f"  # {found.reasons['budget_seconds']}"
        )
    if config.link:
        lines.append(f"link: {_listed(config.link)}  # {found.reasons['link']}")
    if "results_tsv" in found.reasons:
        lines.append(f"results_tsv: true  # {found.reasons['results_tsv']}")
    return "\n".join(lines) + "\n"


def _listed(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(_quoted(word) for word in words) + "]"


def _quoted(word: str) -> str:
    plain = re.fullmatch(r"[A-Za-z._][\w./ -]*", word)
    return word if plain else "'" + word.replace("'", "''") + "'"
