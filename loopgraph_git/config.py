"""`.loopgraph.yml`: what is trained, how, and what may be edited.

The file names commands, so nothing in it runs before `git lg trust`. It can never
set an endpoint, a key or the trust itself: those belong to the user, not to the
repository. `.loopgraph.yml.example` shows every key with its default.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn

from loopgraph_git.errors import ConfigError
from loopgraph_git.records import Direction, Metric
from loopgraph_git.records.texts import HIDDEN, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_NAME = ".loopgraph.yml"
CHAT_FORMS = ("edits", "patch", "diff", "whole")
"""The forms that an LLM can be asked for an edit in; each has its prompt."""
_SIZE_LIMIT = 64 * 1024
_DEPTH_LIMIT = 10
_LONGEST_SECONDS = 10 * 365 * 86_400
_SHOWN = 80
# these go into a hook, which is a shell script
_BRANCH_PATTERN = re.compile(r"[A-Za-z0-9._/*?-]+")
SANDBOXES = ("bubblewrap", "landlock", "rlimits", "none")
"""The words for how well a run is confined, the best first."""
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
"""What the name of a variable with a secret in it looks like, wherever one is met."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting of a repository, with its default.

    `budget_seconds` is the training time of one run and is handed to the workload
    as LOOPGRAPH_BUDGET_SECONDS; `timeout_seconds` is the wall clock after which
    the harness ends the run, by default twice the budget and a minute.
    """

    run: tuple[str, ...] = ("python", "train.py")
    goal: str = "lower the validation loss within the budget"
    metric: Metric = field(default_factory=Metric)
    editable: tuple[str, ...] = ("train.py",)
    protected: tuple[str, ...] = ("prepare.py",)
    evaluate: tuple[str, ...] = ()
    quarantine: float = 0.3
    budget_seconds: float = 300.0
    timeout_seconds: float | None = None
    baseline_runs: int = 3
    link: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    sandbox: str = "none"
    packs: str = ".loopgraph/packs"
    branches: tuple[str, ...] = ("lg/*", "autoresearch/*", "exp/*")
    results_tsv: bool | None = None
    log_limit_mb: int = 64
    memory_limit_mb: int | None = None
    disk_limit_mb: int = 20_480
    process_limit: int = 1024
    proposer: str = "recipe"
    chat_model: str = ""
    chat_form: str = ""
    agent: str = ""
    agent_seconds: float = 900.0

    @property
    def wall_clock_seconds(self) -> float:
        """The wall clock of one run after which the harness ends it."""
        return self.timeout_seconds or 2 * self.budget_seconds + 60

    def with_budget(self, seconds: float) -> Config:
        """Return the same settings with another training budget."""
        if not 0 < seconds <= _LONGEST_SECONDS:
            raise ConfigError(
                f"a budget of {seconds:g} seconds: it must be positive, and under "
                "ten years"
            )
        return replace(self, budget_seconds=seconds)

    def fingerprint(self) -> str:
        """Return the hash of all that a run may do, for trust."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def load_config(folder: Path) -> Config:
    """Read `.loopgraph.yml` of a folder; raises ConfigError that names the key."""
    path = folder / CONFIG_NAME
    try:
        # a link to a device or a pipe would never end
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: cannot be read: it is not a file")
        with path.open("rb") as handle:
            text = handle.read(_SIZE_LIMIT + 1).decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"no {CONFIG_NAME} in {folder}: run `git lg init` to write one"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse_config(text, origin=str(path))


def parse_config(text: str, *, origin: str = CONFIG_NAME) -> Config:
    """Check a configuration text; every complaint names the key and its place."""
    if len(text.encode("utf-8", "replace")) > _SIZE_LIMIT:
        raise ConfigError(
            f"{origin}: over {_SIZE_LIMIT} bytes; that is no settings file"
        )
    # 20 ms that a repository without settings does not need
    import yaml  # noqa: PLC0415

    try:
        problem = _refusal(text)
        plain = None if problem else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}" if mark else ""
        reason = visible(error.problem or error.context or str(error))
        raise ConfigError(f"{origin}: not valid YAML{place}: {reason}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # ValueError: a date or a number that Python cannot hold
        raise ConfigError(f"{origin}: not valid YAML: {visible(str(error))}") from error
    if problem:
        raise ConfigError(f"{origin}: not valid YAML here: {problem}")
    if plain is None:
        plain = {}
    if not isinstance(plain, dict):
        raise ConfigError(f"{origin}: expected `key: value` lines at the top")
    return _Reader(plain, origin).config()


def _refusal(text: str) -> str:
    """Return what is in a text that no settings need, and that could do harm.

    An alias may stand for a billion words, and a tag makes a value of any type.
    """
    import yaml  # noqa: PLC0415  as above

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            return f"line {line}: aliases (*name) are not allowed"
        if getattr(event, "tag", None) is not None:
            return f"line {line}: tags (!name) are not allowed"
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_LIMIT:
            return f"line {line}: nested deeper than {_DEPTH_LIMIT} levels"
    return ""


def _shown(value: object) -> str:
    """Return a value for a complaint: whatever it holds, one short line."""
    if isinstance(value, str):
        return ascii(value[:_SHOWN]) if HIDDEN.search(value) else repr(value[:_SHOWN])
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'mapping'}"
    # Python refuses to write out an integer of thousands of digits
    large = isinstance(value, int) and abs(value) >= 10**_SHOWN
    return "a very large number" if large else repr(value)


class _Reader:
    """Turns plain YAML into Config, one checked key at a time."""

    def __init__(self, plain: Mapping[Any, Any], origin: str) -> None:
        self.plain = plain
        self.origin = origin

    def config(self) -> Config:
        known = {item.name for item in fields(Config)}
        for key in self.plain:
            if key not in known:
                import difflib  # noqa: PLC0415  only for a mistake

                name = _shown(key).strip("'")
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                self.fail(name, f"unknown key{hint}")
        readers = {
            "run": self.command,
            "metric": self.metric,
            "editable": self.paths,
            "protected": self.paths,
            "link": self.paths,
            "env": self.names,
            "branches": self.patterns,
            "goal": self.text,
            "packs": self.path,
            "proposer": self.text,
            "chat_model": self.text,
            "chat_form": self.form,
            "agent": self.text,
            "agent_seconds": self.seconds,
            "budget_seconds": self.seconds,
            "timeout_seconds": self.seconds,
            "baseline_runs": self.count,
            "log_limit_mb": self.count,
            "memory_limit_mb": self.count,
            "disk_limit_mb": self.count,
            "process_limit": self.count,
            "read": self.places,
            "sandbox": self.level,
            "evaluate": self.command,
            "quarantine": self.part,
            "results_tsv": self.flag,
        }
        # an empty value means the default, as a commented line does
        given: dict[str, Any] = {
            key: value for key, value in self.plain.items() if value is not None
        }
        values: dict[str, Any] = {key: readers[key](key, given[key]) for key in given}
        config = Config(**values)
        both = set(config.editable) & set(config.protected)
        if both:
            self.fail("protected", f"{min(both)!r} is editable too")
        if not config.editable:
            self.fail("editable", "expected at least one file")
        return config

    def fail(self, key: str, problem: str) -> NoReturn:
        raise ConfigError(f"{self.origin}: {key}: {problem}")

    def text(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            self.fail(key, f"expected text, got {_shown(value)}")
        self.check(key, value)
        return value.strip()

    def check(self, key: str, value: str) -> None:
        # what is trusted must be what was read
        if HIDDEN.search(value) or (key != "goal" and set(value) & set("\t\n")):
            self.fail(key, f"{_shown(value)} holds a character that cannot be seen")

    def form(self, key: str, value: object) -> str:
        word = self.text(key, value)
        if word not in ("", *CHAT_FORMS):
            self.fail(key, f"expected {', '.join(CHAT_FORMS)} or nothing")
        return word

    def command(self, key: str, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            try:
                value = shlex.split(value)
            except ValueError as error:
                self.fail(key, f"not a command line: {error}")
        words = self.words(key, value)
        if not words and key == "run":
            self.fail(key, "expected a command such as `python train.py`")
        return words

    def words(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
            self.fail(key, f"expected a list of texts, got {_shown(value)}")
        for word in value:
            self.check(key, word)
        return tuple(value)

    def names(self, key: str, value: object) -> tuple[str, ...]:
        words = self.words(key, value)
        for word in words:
            if SECRET_NAME.search(word):
                self.fail(
                    key, f"{word[:_SHOWN]} looks like a secret; training gets no keys"
                )
        return words

    def patterns(self, key: str, value: object) -> tuple[str, ...]:
        words = self.words(key, value)
        for word in words:
            if not _BRANCH_PATTERN.fullmatch(word):
                self.fail(
                    key, f"{_shown(word)}: only letters, digits and . _ / - * ? here"
                )
        return words

    def paths(self, key: str, value: object) -> tuple[str, ...]:
        return tuple(self.path(key, word) for word in self.words(key, value))

    def path(self, key: str, value: object) -> str:
        word = self.text(key, value)
        parts = PurePosixPath(word).parts
        # some file systems do not tell `.GIT` from `.git`
        ours = ".git" in [part.lower() for part in parts]
        if word.startswith(("/", "-")) or ".." in parts or not parts or ours:
            self.fail(key, f"{_shown(word)} is not a path inside the repository")
        return str(PurePosixPath(word))

    def places(self, key: str, value: object) -> tuple[str, ...]:
        words = self.words(key, value)
        for word in words:
            if not word.startswith(("/", "~/")) or ".." in PurePosixPath(word).parts:
                self.fail(key, f"{_shown(word)} does not begin with / or ~/")
        return words

    def level(self, key: str, value: object) -> str:
        if value not in SANDBOXES:
            self.fail(key, f"expected one of {', '.join(SANDBOXES)}")
        return str(value)

    def metric(self, key: str, value: object) -> Metric:
        if isinstance(value, str):
            return Metric(self.text(key, value))
        if not isinstance(value, dict) or set(value) - {"name", "direction"}:
            self.fail(key, "expected `name` and `direction: lower` or `higher`")
        try:
            direction = Direction(value.get("direction", "lower"))
        except ValueError:
            self.fail(key, "direction is `lower` or `higher`")
        return Metric(self.text(key, value.get("name")), direction)

    def seconds(self, key: str, value: object) -> float:
        number = value if isinstance(value, int | float) else 0
        # NaN is in no range, and True no number
        if not 0 < number <= _LONGEST_SECONDS or value is True:
            self.fail(
                key, f"expected a positive number of seconds, got {_shown(value)}"
            )
        return float(number)

    def part(self, key: str, value: object) -> float:
        number = value if isinstance(value, int | float) else 0
        if not 0 < number <= 1 or value is True:
            self.fail(key, f"expected a number above 0, at most 1, got {_shown(value)}")
        return float(number)

    def count(self, key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.fail(
                key, f"expected a whole number of at least 1, got {_shown(value)}"
            )
        return value

    def flag(self, key: str, value: object) -> bool:
        if not isinstance(value, bool):
            self.fail(key, f"expected true or false, got {_shown(value)}")
        return value
