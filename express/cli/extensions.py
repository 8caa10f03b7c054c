"""``--extension NAME``, as several commands take it."""

from __future__ import annotations

from enum import StrEnum

HELP = "Switch on what AWS's Express workflows do not have; may be repeated."


class Extension(StrEnum):
    CALLBACKS = "callbacks"  # .waitForTaskToken
    NESTED = "nested"  # states:startExecution.sync
