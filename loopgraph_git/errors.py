"""What can go wrong, as one family.

    LoopGraphError
    ├── UsageError             the call itself is wrong
    ├── GitError               git said no
    │   └── NotARepositoryError
    ├── ConfigError            .loopgraph.yml
    ├── RecordError            a note line that is not a record
    ├── StoreError             the ResearchFS database
    │   └── StoreKeptError     sound, but busy, newer or not ours
    ├── PackError              a method pack
    ├── DocumentError          a paper or file that cannot be read
    ├── LibraryError           the folder of fetched sources
    ├── RecipeError            a recipe does not apply to this source
    │   ├── AmbiguousError     a step of it has more than one place
    │   └── UnchangedError     it would change nothing that matters
    ├── EditError              a proposed edit cannot be used
    ├── FetchError             an address that cannot be read
    │   └── AbsentError        asking again does not help
    ├── ProviderError          an LLM endpoint
    │   └── OutageError        ... that may be back later
    ├── ExhaustedError         a proposer has nothing left to try
    ├── SandboxError           a run cannot be confined as it should be
    ├── UntrustedError         a repository's commands were not approved
    ├── BudgetError            a limit on experiments, hours, tokens or cost
    └── LockedError            another process holds what is needed

A message names the thing, the cause and the next step. A training run that
crashes, times out or goes NaN is a result, never an exception.
"""

from __future__ import annotations


class LoopGraphError(Exception):
    """The base of every error that a user is meant to read."""

    exit_code = 1


class UsageError(LoopGraphError):
    """The call asks for something that does not exist or does not fit."""

    exit_code = 2


class GitError(LoopGraphError):
    """A git command failed; the message is git's own, without decoration."""


class NotARepositoryError(GitError):
    """No git repository at or above the folder."""


class ConfigError(LoopGraphError):
    """`.loopgraph.yml` is missing, malformed or contradicts itself."""

    exit_code = 2


class RecordError(LoopGraphError):
    """A line of a note does not follow docs/record-format.md."""


class StoreError(LoopGraphError):
    """The ResearchFS database cannot be opened, read or written."""


class LineUnreadError(StoreError):
    """The line of a record is not in the index: it was left in git when that was read."""


class StoreKeptError(StoreError):
    """A sound database that is busy, newer or not ours: never one to delete."""


class PackError(LoopGraphError):
    """A method pack breaks the format; names file, method and key."""


class DocumentError(LoopGraphError):
    """A paper or file cannot be read; names the file, the cause, the next step."""


class LibraryError(LoopGraphError):
    """The folder of fetched sources cannot be read or written."""


class RecipeError(LoopGraphError):
    """A recipe does not apply to a source; the message says why."""


class AmbiguousError(RecipeError):
    """A step of a recipe would fit in more than one place of a source."""


class UnchangedError(RecipeError):
    """A recipe applies, but the source would mean the same as before."""


class EditError(LoopGraphError):
    """A proposed edit is malformed, ambiguous, forbidden or changes nothing."""


class FetchError(LoopGraphError):
    """An address cannot be read: refused, too large, or not after many attempts."""


class AbsentError(FetchError):
    """What is asked for is not there, or too large: asking again does not help."""


class ProviderError(LoopGraphError):
    """An LLM endpoint failed or answered something that is not an answer."""


class OutageError(ProviderError):
    """An LLM endpoint did not answer in time, and may do so later."""


class ExhaustedError(LoopGraphError):
    """A proposer has nothing left that it has not tried on this code."""

    # a session that has tried everything has ended well
    exit_code = 0


class SandboxError(LoopGraphError):
    """A run cannot be confined as it should be; nothing was started."""


class UntrustedError(LoopGraphError):
    """The repository's commands were not approved, or changed since."""

    exit_code = 3


class BudgetError(LoopGraphError):
    """A limit that the user set has been reached."""

    exit_code = 4


class LockedError(LoopGraphError):
    """Another process holds the lock."""

    exit_code = 5
