"""Express runs AWS Step Functions Express workflows on your own machines: definitions compiled to Python, events from Kafka and others."""

from express.checking import check
from express.errors import (
    ConfigurationError,
    ConnectionFailed,
    DefinitionError,
    ExpressError,
    PipelineStopped,
    Problem,
    RequestError,
    TaskError,
)
from express.outcome import Outcome
from express.program import Program, compile  # noqa: A004 - the word for it
from express.tasks.function import function
from express.teststate import test_state

__all__ = [  # noqa: RUF022 - grouped by who uses it
    # definitions and programs
    "check",
    "compile",
    "Program",
    "Outcome",
    "test_state",
    # functions that Task states call
    "function",
    "TaskError",
    # what goes wrong before anything runs
    "DefinitionError",
    "Problem",
    "ConfigurationError",
    "RequestError",
    # what goes wrong while it runs
    "ConnectionFailed",
    "PipelineStopped",
    "ExpressError",
]
