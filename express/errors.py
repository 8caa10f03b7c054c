"""Every error that Express raises on purpose: one root, branches by who must act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a definition, in the shape of AWS's ValidateStateMachineDefinition diagnostics.

    An ERROR is what AWS rejects. A WARNING runs and will probably not do what was meant. ADVICE, which AWS has not, is about what
    production suffers from: nothing is refused because of it.
    """

    severity: Literal["ERROR", "WARNING", "ADVICE"]
    code: str
    location: str  # JSON pointer, "/" for the whole definition, as AWS has it
    message: str

    def __str__(self) -> str:
        return f"{self.location or '/'}: {self.message}"


class ExpressError(Exception):
    """The root."""


# The author of a definition acts


class DefinitionError(ExpressError):
    """A definition that cannot be run; ``problems`` are all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


# The operator acts


class ConfigurationError(ExpressError):
    """Settings, flags, addresses or files that cannot work; ``problems`` holds one sentence each, all of them."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MissingFile(ConfigurationError):  # noqa: N818 - named for what happened
    """Files that should be read and are not there; nothing else is wrong."""


class UnreadableFile(ConfigurationError):  # noqa: N818
    """Files that should be read and may not be; nothing else is wrong."""


class ConnectionFailed(ExpressError):  # noqa: N818 - named for what happened
    """A broker, a file or a port that should be there is not reachable, or refuses; one sentence."""


class CannotCreate(ConnectionFailed):
    """A file that should be written cannot be created; one sentence."""


class PipelineStopped(ExpressError):  # noqa: N818
    """The pipeline had to stop to keep its promise (a failure without a dead letter, a sink that is gone for good); one sentence."""


# The caller of an operation of AWS acts


class RequestError(ExpressError):
    """A request that AWS would refuse, too: ``code`` is the name of its exception (``ValidationException``), ``message`` its sentence."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


# The workflow acts (Retry, Catch)


class TaskError(ExpressError):
    """Raised by a function to fail its Task with exactly this error name and cause."""

    def __init__(self, error: str, cause: str = "") -> None:
        self.error, self.cause = error, cause
        super().__init__(error, cause)

    def __str__(self) -> str:
        return f"{self.error}: {self.cause}" if self.cause else self.error
