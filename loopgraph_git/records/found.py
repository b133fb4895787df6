"""What a question finds: many values, to be read one by one or as a table."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, TypeVar

from loopgraph_git.errors import UsageError


class Plain(Protocol):
    """A value that can be said in JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        ...


T = TypeVar("T", bound=Plain)


class Found(tuple[T, ...]):
    """Answers in their order; a tuple, so that nobody changes it for others."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: {"items": [...]}, as `--json` prints them."""
        return {"items": [item.to_dict() for item in self]}

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame, a row an answer; raises UsageError without it."""
        return dataframe([item.to_dict() for item in self])


def dataframe(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a pandas DataFrame; raises UsageError where it is missing."""
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise UsageError(
            "a data frame needs pandas: `pip install pandas`, or use `to_dict()`"
        ) from error
    return pandas.DataFrame(rows)
