"""Where problems go while a definition is read: all of them, each with its place."""

from __future__ import annotations

import re
from collections.abc import Collection

from express.errors import Problem
from express.language.suggestions import did_you_mean

# AWS's codes (API reference, ValidateStateMachineDefinitionDiagnostic)
SCHEMA = "SCHEMA_VALIDATION_FAILED"
SYNTAX = "INVALID_JSON_DESCRIPTION"
EMPTY = "MISSING_DESCRIPTION"
TARGET = "MISSING_TRANSITION_TARGET"  # also a state that nothing leads to
NO_END = "MISSING_END_STATE"
DUPLICATE_STATE = "DUPLICATE_STATE_NAME"
STATE_NAME = "INVALID_STATE_NAME"
DUPLICATE_LABEL = "DUPLICATE_LABEL_NAME"
LABEL = "INVALID_LABEL_NAME"
TOO_DEEP = "TOO_DEEPLY_NESTED"
NO_DOLLAR = "NO_DOLLAR"
NO_PATH = "NO_PATH"
STATIC_RESULT = "PASS_RESULT_IS_STATIC"
# Ours
TOO_LARGE = "DEFINITION_TOO_LARGE"
SUBSTITUTION = "INVALID_SUBSTITUTION"
UNREADABLE = "DEFINITION_UNREADABLE"
UNRESOLVED = "SUBSTITUTION_WITHOUT_VALUE"
HIDDEN = "RESULT_HIDES_PARAMETERS"
PLACEHOLDERS = "FORMAT_PLACEHOLDERS"
NO_DEFAULT = "NO_DEFAULT"
NO_FUNCTION = "NO_JSONPATH_FUNCTIONS"
NEGATIVE_INDEX = "NEGATIVE_INDEX"
NOT_DISTRIBUTED = "NOT_DISTRIBUTED"
RESERVED_ERROR = "UNKNOWN_RESERVED_ERROR"
SHORT_DELAY = "PAUSES_DO_NOT_GROW"
UNDEFINED_VARIABLE = "UNDEFINED_VARIABLE"
UNKNOWN_FUNCTION = "UNKNOWN_FUNCTION"
UNKNOWN_FIELD = "UNKNOWN_FIELD"
JSONATA_IS_TEXT = "JSONATA_IS_TEXT"
JSONPATH_IS_TEXT = "JSONPATH_IS_TEXT"
DISTRIBUTED = "DISTRIBUTED_MAP"
HTTP_REFUSED = "HTTP_REQUEST_REFUSED"

_BELOW_STATES = re.compile(r"(?:/States/[^/]*/(?:Branches/[0-9]+|ItemProcessor|Iterator))*/States/[^/]*")

SUGGESTIONS = 25  # misspellings of one definition that are worth a search
DUPLICATES = 100  # equal keys that are reported
WHOLE = "/"  # the location of what concerns the whole definition


class Findings:
    """Collects problems. ``failed`` once there is an ERROR among them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.failed = False
        self._searches = SUGGESTIONS
        self.duplicates = 0
        self.extensions: frozenset[str] = frozenset()  # what of Express' own is switched on
        self.wider: list[tuple[str, str]] = []  # places and sentences: what Express takes and AWS does not, which is no problem here
        self.reads: list[tuple[str, str]] = []  # variables, and the places of the expressions that read them

    def error(self, location: str, message: str, code: str = SCHEMA) -> None:
        self.failed = True
        self.problems.append(Problem("ERROR", code, location or WHOLE, message))

    def warning(self, location: str, message: str, code: str) -> None:
        self.problems.append(Problem("WARNING", code, location or WHOLE, message))

    def suggestion(self, name: str, known: Collection[str]) -> str:
        """`` (did you mean 'Charge'?)``, or nothing: for the end of a sentence about an unknown name."""
        self._searches -= 1
        return did_you_mean(name, known) if self._searches >= 0 else ""

    def duplicate(self, location: str, key: str, line: int, column: int) -> None:
        """Two equal keys in one object. ``location`` is where the value would be."""
        self.duplicates += 1
        if self.duplicates > DUPLICATES:
            return
        if _BELOW_STATES.fullmatch(location):
            self.error(location, f"there are two states named {shown(key)}, the second at line {line} column {column}", DUPLICATE_STATE)
        else:
            self.error(location, f"the field {shown(key)} is given twice, the second time at line {line} column {column}", SYNTAX)


def below(location: str, *parts: str | int) -> str:
    """The JSON pointer of something inside ``location``."""
    for part in parts:
        if isinstance(part, str) and not part.isidentifier():
            part = part.replace("~", "~0").replace("/", "~1")
            if not part.isprintable():
                part = part.encode("unicode_escape").decode()  # one problem stays one line
        location = f"{location}/{part}"
    return location


def shown(value: object) -> str:
    """A JSON value for the end of a sentence, short."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
