"""Workflows tested from ``*.test.yaml`` files (docs/testing.md): found, run in virtual time with mocked tasks, compared, reported."""

from express.testcases.collecting import Case, collect
from express.testcases.running import Result

__all__ = ["Case", "Result", "collect"]
