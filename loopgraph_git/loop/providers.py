"""The one door to LLMs: any OpenAI-compatible endpoint.

Whatever comes back is checked before it is used: servers answer 200 with an error,
with HTML, with thoughts and no answer, or with nothing at all. Every attempt is
counted, also one that was of no use.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from loopgraph_git.errors import OutageError, ProviderError
from loopgraph_git.loop.endpoints import Endpoint, endpoint, key_of
from loopgraph_git.loop.usage import (
    FREE,
    Meter,
    Price,
    Usage,
    estimated_tokens,
    price_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ATTEMPTS = 8
_LONGEST_PAUSE_SECONDS = 60.0
# a prompt of this many tokens of which less than this share was read was cut short
_LONG_PROMPT, _READ_SHARE = 2000, 0.4


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer, and what it took to get it: all attempts counted."""

    text: str
    usage: Usage = field(default_factory=Usage)

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.usage.tokens


class Provider(Protocol):
    """Anything that completes a conversation of {"role", "content"} messages."""

    meter: Meter

    def complete(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Return the answer; raises ProviderError, or BudgetError at a limit."""
        ...


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long an answer may take, in seconds: one request, and all of them."""

    request_seconds: float = 300.0
    deadline_seconds: float = 900.0
    pause_seconds: float = 1.0


class _PassingError(OutageError):
    """What another attempt may not meet; `wait` is how long the server asks for."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem)
        self.wait = wait


class ChatProvider:
    """A chat-completions endpoint, reached through the `openai` package.

    Without an endpoint that of the environment counts. `meter` keeps the limits, and
    counts for as long as the provider is used.
    """

    def __init__(
        self,
        model: str,
        *,
        at: Endpoint | None = None,
        meter: Meter | None = None,
        patience: Patience | None = None,
    ) -> None:
        try:
            from openai import OpenAI  # noqa: PLC0415  0.5 s, and an extra
        except ImportError as error:
            raise ProviderError(
                "the chat proposer needs the openai package: "
                "pip install 'loopgraph-git[llm]'"
            ) from error
        self.endpoint = at or endpoint()
        self.meter = meter or Meter()
        self._model = model
        self._patience = patience or Patience()
        self._price = FREE if self.endpoint.local else price_of(model)
        self._client = OpenAI(
            api_key=key_of(self.endpoint),
            base_url=self.endpoint.base_url,
            max_retries=0,
        )

    def complete(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Return the answer; retries what may pass until the deadline.

        Raises ProviderError that names endpoint and cause (OutageError where it may
        pass), BudgetError at a limit.
        """
        ends = time.monotonic() + self._patience.deadline_seconds
        spent, problem = Usage(), ""
        for attempt in range(_ATTEMPTS):
            self.meter.check()
            try:
                answer, usage = self._ask(messages, ends - time.monotonic())
                self.meter.add(usage)
                spent += usage
                return Reply(text=_text(answer, usage, messages), usage=spent)
            except _PassingError as error:
                problem = str(error)
                if not self._pause(attempt, error.wait, ends):
                    break
        raise OutageError(f"{self.endpoint.base_url}: {problem}")

    def _pause(self, attempt: int, wait: float | None, ends: float) -> bool:
        """Wait for the next attempt; False where there is no time for one."""
        usual = self._patience.pause_seconds * 2**attempt
        # many sessions must not come back at the same moment
        seconds = min(usual, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311
        if wait is not None:
            seconds = max(wait, 0.0)
        if attempt == _ATTEMPTS - 1 or time.monotonic() + seconds >= ends:
            return False
        time.sleep(seconds)
        return True

    def _ask(
        self, messages: Sequence[Mapping[str, str]], left: float
    ) -> tuple[Any, Usage]:
        """Send one request; return what came and what it cost."""
        from openai import (  # noqa: PLC0415
            APIConnectionError,
            APIStatusError,
            APITimeoutError,
            OpenAIError,
        )

        payload: Any = [dict(message) for message in messages]
        try:
            answer = self._client.chat.completions.create(
                model=self._model,
                messages=payload,
                timeout=max(0.1, min(self._patience.request_seconds, left)),
                extra_body=dict(self.endpoint.extra) or None,
            )
        except APITimeoutError as error:
            # it may well have been read, and will be on the bill
            asked = sum(estimated_tokens(item["content"]) for item in messages)
            self.meter.add(self._priced(Usage(input=asked, requests=1, estimated=True)))
            raise _PassingError("no answer in time") from error
        except APIStatusError as error:
            problem = f"HTTP {error.status_code}: {_short(error.message)}"
            self.meter.add(Usage(requests=1))
            if not may_pass(error.status_code):
                raise ProviderError(f"{self.endpoint.base_url}: {problem}") from error
            wait = _wait(error.response.headers.get("retry-after"))
            raise _PassingError(problem, wait) from error
        except (APIConnectionError, ValueError) as error:
            # ValueError: a body that says it is JSON and is not
            self.meter.add(Usage(requests=1))
            raise _PassingError(_short(str(error)) or type(error).__name__) from error
        except OpenAIError as error:
            raise ProviderError(
                f"{self.endpoint.base_url}: {_short(str(error))}"
            ) from error
        return answer, self._priced(_usage(answer, messages))

    def _priced(self, usage: Usage) -> Usage:
        """Return the usage with its cost, where the endpoint did not say it."""
        return priced(usage, self._price)


def priced(usage: Usage, price: Price | None) -> Usage:
    """Return some usage with what it costs, unless its cost is told already."""
    if usage.cost_usd or not usage.tokens:
        return usage
    if price is None:
        return replace(usage, priced=False)
    return replace(usage, cost_usd=price.of(usage))


def may_pass(status: int) -> bool:
    """Say whether a status is worth another attempt: busy, or the server's fault."""
    return status in (408, 409, 429) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _wait(retry_after: str | None) -> float | None:
    """Return how many seconds a Retry-After asks for: a number of them, or a date."""
    if not retry_after:
        return None
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return (then - datetime.now(UTC)).total_seconds()


def _usage(answer: Any, messages: Sequence[Mapping[str, str]]) -> Usage:
    """Return what an answer cost by its own words, or by estimate."""
    if not getattr(answer, "choices", None):
        # a page to sign in on, or an error: nobody bills that
        return Usage(requests=1)
    told = getattr(answer, "usage", None)
    given, taken = _count(told, "prompt_tokens"), _count(told, "completion_tokens")
    if given is None or taken is None:
        asked = sum(estimated_tokens(item["content"]) for item in messages)
        said = _content(answer) or ""
        return Usage(
            input=asked, output=estimated_tokens(said), requests=1, estimated=True
        )
    before = getattr(told, "prompt_tokens_details", None)
    after = getattr(told, "completion_tokens_details", None)
    cost = (getattr(told, "model_extra", None) or {}).get("cost")
    return Usage(
        input=given,
        cached=min(_count(before, "cached_tokens") or 0, given),
        output=taken,
        reasoning=min(_count(after, "reasoning_tokens") or 0, taken),
        requests=1,
        cost_usd=float(cost) if isinstance(cost, int | float) and cost > 0 else 0.0,
    )


def _count(holder: Any, name: str) -> int | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and value >= 0 else None


def _content(answer: Any) -> str | None:
    choices = getattr(answer, "choices", None)
    message = getattr(choices[0], "message", None) if choices else None
    content = getattr(message, "content", None)
    return content if isinstance(content, str) else None


def _text(answer: Any, usage: Usage, messages: Sequence[Mapping[str, str]]) -> str:
    """Return the text of an answer of the right shape; raises ProviderError."""
    if not getattr(answer, "choices", None):
        error = getattr(answer, "error", None) or str(answer)
        raise _PassingError(f"not a chat completion: {_short(str(error))}")
    asked = sum(estimated_tokens(item["content"]) for item in messages)
    if (
        not usage.estimated
        and asked > _LONG_PROMPT
        and usage.input < _READ_SHARE * asked
    ):
        raise ProviderError(
            f"the server read {usage.input:,} of about {asked:,} tokens and dropped the "
            "rest: raise its context length (with Ollama: OLLAMA_CONTEXT_LENGTH)"
        )
    text = _content(answer)
    if text and text.strip():
        return text
    message = getattr(answer.choices[0], "message", None)
    extra = getattr(message, "model_extra", None) or {}
    if extra.get("reasoning_content") or extra.get("reasoning"):
        raise _PassingError("the model thought, and gave no answer")
    raise _PassingError("the answer is empty")


def _short(text: str) -> str:
    return " ".join(text.split())[:200]
