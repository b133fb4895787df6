"""What an LLM costs: tokens, counted alike whoever counts them, and dollars.

Endpoints name the same things differently, some leave them out, and a table of
prices is only as good as its date. What is a guess says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from loopgraph_git.errors import BudgetError, ConfigError
from loopgraph_git.resources import config_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLE = Path(__file__).parent / "prices.yml"
_SIZE_LIMIT = 1 << 20
_MILLION = 1_000_000
_BYTES_PER_TOKEN = 3.6
# what makes one model of many names: a vendor before it, a date or a tag behind it
_VENDOR = re.compile(r"^.*/")
_DATED = re.compile(r"(?:-20\d\d-?\d\d-?\d\d|:[a-z]+|-latest|-preview)+\Z")
_PART = re.compile(r"(?<=\d)-(?=\d)")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens and dollars of any number of requests.

    `input` includes what was `cached`, `output` includes `reasoning`. `estimated`
    says that a part was counted by us from the text, `priced` that `cost_usd` is of
    all of it.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    requests: int = 0
    cost_usd: float = 0.0
    estimated: bool = False
    priced: bool = True

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            requests=self.requests + other.requests,
            cost_usd=self.cost_usd + other.cost_usd,
            estimated=self.estimated or other.estimated,
            priced=self.priced and other.priced,
        )

    def __str__(self) -> str:
        about = "about " if self.estimated else ""
        cost = f", ${self.cost_usd:.4f}" if self.cost_usd else ""
        more = "" if self.priced else " and what has no known price"
        return (
            f"{about}{self.input:,} tokens in ({self.cached:,} cached), "
            f"{self.output:,} out, {self.requests} requests{cost}{more}"
        )


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text is: a token is 3.6 bytes of it."""
    return round(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)


@dataclass(frozen=True, kw_only=True)
class Price:
    """Dollars per million tokens: fresh input, cached input, output."""

    input: float
    cached: float
    output: float

    def of(self, usage: Usage) -> float:
        """Return what some tokens cost in dollars."""
        fresh = usage.input - usage.cached
        return (
            fresh * self.input + usage.cached * self.cached + usage.output * self.output
        ) / _MILLION


FREE = Price(input=0.0, cached=0.0, output=0.0)


def users_prices() -> Path:
    """Return where the user's own prices are."""
    return config_dir() / "prices.yml"


def price_of(model: str) -> Price | None:
    """Return the price of a model, the user's own first; None where nobody knows it.

    A vendor before the name, and a date or a tag behind it, make no other model.
    Raises ConfigError for a table of the wrong form.
    """
    for path in (users_prices(), _TABLE):
        if path.exists():
            found = _read(path).get(_plain(model))
            if found is not None:
                return found
    return None


def _plain(model: str) -> str:
    name = _DATED.sub("", _VENDOR.sub("", model.strip().lower()))
    # one vendor writes 4-5 for what others call 4.5
    return _PART.sub(".", name)


def _read(path: Path) -> dict[str, Price]:
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise ConfigError(
                f"{path}: over {_SIZE_LIMIT} bytes; that is no price list"
            )
        plain = yaml.safe_load(path.read_text("utf-8"))
        rows = plain["prices"]
        return {_plain(str(row["model"])): _price(row) for row in rows}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: expected `prices:` with rows such as {{model: NAME, input: 1.0, "
            f"cached: 0.1, output: 5.0}}, in dollars per million tokens ({error!r})"
        ) from error


def _price(row: Mapping[str, Any]) -> Price:
    given, taken = float(row["input"]), float(row["output"])
    cached = float(row.get("cached", given))
    if not min(given, taken, cached) >= 0:
        raise ValueError(f"a negative price of {row['model']}")
    return Price(input=given, cached=cached, output=taken)


class Meter:
    """Counts what is spent, and refuses to spend more than a limit.

    A limit is looked at before a request is sent, so that the last request may go
    beyond it by what it costs itself.
    """

    def __init__(
        self, *, max_tokens: int | None = None, max_cost_usd: float | None = None
    ) -> None:
        self.max_tokens = max_tokens
        self.max_cost_usd = max_cost_usd
        self.total = Usage()
        self._since = Usage()

    def add(self, usage: Usage) -> None:
        """Count the tokens of one request."""
        self.total += usage
        self._since += usage

    def take(self) -> Usage:
        """Return what was spent since the last call of this."""
        since, self._since = self._since, Usage()
        return since

    def check(self) -> None:
        """Raise BudgetError where a limit has been reached."""
        if self.max_tokens is not None and self.total.tokens >= self.max_tokens:
            raise BudgetError(
                f"{self.total.tokens:,} tokens are spent, the limit is "
                f"{self.max_tokens:,}: raise --max-tokens to go on"
            )
        if self.max_cost_usd is None:
            return
        if self.total.cost_usd >= self.max_cost_usd:
            raise BudgetError(
                f"${self.total.cost_usd:.4f} are spent, the limit is "
                f"${self.max_cost_usd:g}: raise --max-cost to go on"
            )
        if not self.total.priced:
            raise BudgetError(
                "nobody knows what this model costs, so --max-cost cannot be kept: add "
                f"its price to {users_prices()}, or use --max-tokens"
            )
