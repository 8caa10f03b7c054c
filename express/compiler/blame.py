"""What was raised on a line of generated code in, the failure that ASL knows out. Runs when something has failed, never before.

Paths cost nothing while they succeed: they are bare subscripts. When one fails, the line says which state it was and which paths it
evaluates; they are evaluated again here, slowly, to find the one that selects nothing and to say so as AWS does.
"""

from __future__ import annotations

from time import perf_counter
from types import FrameType, TracebackType
from typing import Any

import msgspec

from express.compiler.missing import MISSING, called, why
from express.compiler.module import Module
from express.compiler.source import Line, Place, Use
from express.language.model import Index, Name
from express.runtime.access import Refused, too_large
from express.runtime.failures import ExecutionTimedOut, StateError
from express.runtime.jsonata import ERROR as QUERY_ERROR
from express.runtime.jsonata import Query, unforeseen
from express.runtime.limits import PAYLOAD
from express.runtime.paths import compile_path
from express.runtime.values import at_most_shared, dumps, loads
from express.runtime.variables import UNSET

LONGEST_CAUSE = 32_768  # characters: AWS
PATHS = frozenset({"express.runtime.paths", "express.runtime.filters"})
SELECT = PATHS | {"express.runtime.variables"}  # raise because a path selects nothing
# Their causes lack the state's name
SPEAKS_OF_STATES = PATHS | {"express.runtime.intrinsics", "express.runtime.jsonata", "express.runtime.jsonata_library"}


class Blame:
    """Knows the lines of one program. ``attempted``, ``failed`` and ``ended`` are what its code calls with what it has caught."""

    def __init__(self, module: Module, metrics: Any, *, traced: bool = False) -> None:
        self.filename, self._table, self._event_ids, self._plain = module.filename, module.table, module.event_ids, module.plain
        self._objects = module.objects
        self._projected = frozenset() if module.projection is None else module.projection.states
        self._metrics, self._traced = metrics, traced

    # --- Called by generated code -------------------------------------------------------------------------------------------------

    def attempted(self, error: Exception, execution: Any) -> StateError:
        """What Retry and Catch look at; counts the failed attempt. What they may not see is raised again."""
        if isinstance(error, ExecutionTimedOut):
            raise error
        head = self._head(error)
        line = self._table.get(head.tb_lineno)
        failure = self._failure(error, execution, line)
        if failure is None:
            raise error
        if line is not None and self._metrics is not None:
            number = line.place.number
            self._metrics.failed(number, failure.error)
            tried = head.tb_frame.f_locals.get("tried")
            # A Task before this state may have left it: a Parallel or Map has no attempts of its own, an unretried Task shares its seconds
            attempts = self._metrics.attempts.get(number)
            if tried is not None and attempts is not None and attempts is not self._metrics.seconds[number]:
                attempts.observe(perf_counter() - tried)
        self._attempts(execution, line, head.tb_frame)
        visit = self._visit(head.tb_frame)
        if visit is not None:
            visit.attempted(failure.error, failure.cause)
        # It is kept in a local: with its traceback it would keep the whole frame, and the event
        failure.__traceback__ = failure.__context__ = failure.__cause__ = None
        return failure

    def failed(self, error: Exception, execution: Any) -> Exception:
        """What leaves a function of a branch or an iteration: the state is left by failing."""
        head = self._head(error)
        line = self._table.get(head.tb_lineno)
        if line is not None and line.place.handed_on:
            return error
        if line is not None and line.owed is not None and not at_most_shared(head.tb_frame.f_locals["data"], PAYLOAD):
            # What was to be measured later fails first
            place = _first_too_large(line, line.owed, head.tb_frame.f_locals["data"])
            error = too_large(place.name)
            left = line.place.left or place.number != line.place.number  # what is recorded is measured before it is left
            line = msgspec.structs.replace(line, place=msgspec.structs.replace(place, left=left), uses=(), queries=())
        failure = self._failure(error, execution, line)
        if failure is None:
            self._note(error)
        visit = self._visit(head.tb_frame)
        if visit is not None:
            reason = failure or StateError("States.Runtime", str(error))
            visit.failed(reason.error, reason.cause, expired=isinstance(failure, ExecutionTimedOut))
        if line is not None and line.place.number >= 0:
            if self._metrics is not None:
                if not line.place.counted:
                    self._metrics.failed(line.place.number, "States.Runtime" if failure is None else failure.error)
                for passed in _entered(line):
                    self._metrics.seconds[passed].counts[0] += 1
                if not line.place.left:
                    self._metrics.seconds[line.place.number].observe(perf_counter() - head.tb_frame.f_locals["since"])
            if not line.place.counted:
                self._attempts(execution, line, head.tb_frame)
        return error if failure is None else failure

    def ended(self, error: Exception, execution: Any) -> Exception:
        """What leaves a function of the workflow itself: the execution has failed."""
        head = self._head(error)
        line = self._table.get(head.tb_lineno)
        if line is not None and line.place.handed_on:
            return error
        failure = self.failed(error, execution)
        if self._metrics is not None:
            if self._plain:
                self._metrics.started[0] += 1
            self._metrics.statuses["TIMED_OUT" if isinstance(failure, ExecutionTimedOut) else "FAILED"] += 1
            self._metrics.execution.observe(perf_counter() - head.tb_frame.f_locals["begun"])
        return failure

    @staticmethod
    def _attempts(execution: Any, line: Line | None, frame: FrameType) -> None:
        if execution is not None and line is not None:
            execution.attempts = frame.f_locals.get("attempt", 1) if line.place.task else 0

    def _visit(self, frame: FrameType) -> Any:
        """The record of the state that a function was in, if one is made."""
        return frame.f_locals.get("visit") if self._traced else None

    # --- Where --------------------------------------------------------------------------------------------------------------------

    def explain(self, error: BaseException) -> str | None:
        """``in /States/Charge of <express orders@1a2b3c>``: the innermost line of the program that ``error`` came through."""
        entries = self._entries(error.__traceback__)
        if isinstance(error, StateError) and error.location is not None and entries:
            return f"in {error.location} of {self.filename}"
        lines = [self._table.get(entry.tb_lineno) for entry in entries]
        found = [line for line in lines if line is not None]
        return f"in {found[-1].place.location} of {self.filename}" if found else None

    def _note(self, error: BaseException) -> None:
        where = self.explain(error)
        if where is not None and where not in getattr(error, "__notes__", ()):
            error.add_note(where)

    def _entries(self, traceback: TracebackType | None) -> list[TracebackType]:
        found = []
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self.filename:
                found.append(traceback)
            traceback = traceback.tb_next
        return found

    def _head(self, error: BaseException) -> TracebackType:
        """The entry of the function that has caught ``error``."""
        return self._entries(error.__traceback__)[0]

    # --- What ---------------------------------------------------------------------------------------------------------------------

    def _failure(self, error: Exception, execution: Any, line: Line | None) -> StateError | None:
        """The failure that an error caught on ``line`` means; None for a defect of the engine."""
        failure: StateError | None
        if isinstance(error, StateError):
            failure = error
            if failure.state is None and _raised_in(error.__traceback__) in SPEAKS_OF_STATES:
                failure.cause = self._cause(line, called(() if line is None else line.uses, failure.cause or ""))
        elif isinstance(error, Refused):
            failure = StateError(error.error, self._cause(line, error.cause))
        else:
            # In the innermost function: it may be a small one inside, which computes what an iteration of a Map is given
            entry = self._entries(error.__traceback__)[-1]
            innermost = self._table.get(entry.tb_lineno)
            ours = entry.tb_next is None or _raised_in(entry) in SELECT
            explained = isinstance(error, MISSING) and ours and innermost is not None
            failure = self._missing(innermost, entry.tb_frame, execution) if explained and innermost is not None else None
            if failure is None and innermost is not None and innermost.queries:
                failure = self._broken(error, entry, innermost)
                failure.cause = self._cause(line, failure.cause or "")
        if failure is not None and line is not None and failure.state is None and line.place.name:
            failure.state, failure.location = line.place.name, line.place.location
        return failure

    def _broken(self, error: Exception, entry: TracebackType, line: Line) -> StateError:
        """What was raised in the midst of a JSONata expression, and nobody expected: the expression fails, and says so."""
        found = _query(entry) or (self._objects[line.queries[0]] if len(set(line.queries)) == 1 else None)
        if isinstance(found, Query):
            return found.broken(error)
        fields = ", ".join(f"'{self._objects[name].field}'" for name in line.queries)
        return StateError(QUERY_ERROR, f"One of the JSONata expressions specified for the fields {fields} {unforeseen(error)}")

    def _missing(self, line: Line, frame: FrameType, execution: Any) -> StateError | None:
        """The failure of the first path of a line that selects nothing."""
        variables = frame.f_locals
        # ResultPath comes last in a state, although Python may look at what it writes into first
        for use in sorted(line.uses, key=lambda use: use.role == "result"):
            if use.role == "result":
                value = variables.get(use.variable)
                if _misses(use, value):
                    cause = f"Unable to apply ReferencePath {use.path.text} to input {_shown(value)}"
                    return StateError("States.ResultPathMatchFailure", self._cause(line, cause))
                continue
            if use.path.root == "$$":
                value = execution.context(line.place.name, execution.now())
            elif use.variable == "data" and use.role != "output" and line.place.location in self._projected:
                value = loads(variables["raw"])  # the sentence shows the whole event, of which only a part was decoded
            else:
                value = variables.get(use.variable)
            if value is UNSET or use.variable == "UNSET":
                sentence = f"The variable '{use.path.root}' that the field '{use.field}' reads has no value."
                return StateError("States.Runtime", self._cause(line, sentence))
            try:
                compile_path(use.path.segments)(value)
            except MISSING:
                return StateError("States.Runtime", self._cause(line, _sentence(use, value)))
        return None

    def _cause(self, line: Line | None, sentence: str) -> str:
        """With the introduction that AWS gives to what goes wrong in a state."""
        if line is None:
            return sentence
        place = line.place
        number = self._event_ids.get(place.location, 2)
        return f"An error occurred while executing the state '{place.name}' (entered at the event id #{number}). {sentence}"[:LONGEST_CAUSE]


def _first_too_large(line: Line, owed: Place, data: Any) -> Place:
    """Of the states whose outputs were to be measured together the first whose own is over the limit: later ones have only set fields."""
    place, later = owed, [name for _, name in line.grown]
    for following, name in line.grown:
        if not at_most_shared({field: value for field, value in data.items() if field not in later}, PAYLOAD):
            break
        place = following
        later.remove(name)
    return place


def _entered(line: Line) -> tuple[int, ...]:
    """The states passed before the failure of ``line``. What a state gave may be measured later than where it was left: those that
    the data has gone through since then were not entered."""
    number, passed = line.place.number, line.passed
    if line.place.left:
        places = [place for place, state in enumerate(passed) if state in (number, ~number)]
        passed = passed[: places[-1] + 1] if places else ()  # counted with all before it
    return tuple(state for state in passed if state >= 0)


def _query(entry: TracebackType) -> Query | None:
    """The expression that a function called by generated code was working on, if it knew."""
    traceback = entry.tb_next
    while traceback is not None:
        known = traceback.tb_frame.f_locals
        for name in ("query", "self"):
            if isinstance(found := known.get(name), Query):
                return found
        traceback = traceback.tb_next
    return None


def _raised_in(traceback: TracebackType | None) -> str:
    """The module that the end of a traceback is in."""
    name = ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return name


def _misses(use: Use, value: Any) -> bool:
    """Whether ResultPath cannot put something into ``value``."""
    for segment in use.path.segments[:-1]:
        if isinstance(segment, Name):
            if value.__class__ is not dict:
                return True
            value = value.get(segment.name, {})
        elif isinstance(segment, Index):
            if value.__class__ is not list or segment.index >= len(value):
                return True
            value = value[segment.index]
    last = use.path.segments[-1]
    if isinstance(last, Name):
        return value.__class__ is not dict
    return value.__class__ is not list or (isinstance(last, Index) and last.index >= len(value))


def _sentence(use: Use, value: Any) -> str:
    """That a path selects nothing, in AWS's words for the field."""
    path = use.path.text
    if value is None and use.role in ("input", "output", "items", "field"):
        return "Unable to apply Path transformation to null or empty input."
    match use.role:
        case "input" | "output" | "items":
            return f"Invalid path '{path}' : {why(use.path.segments, value)}"
        case "variable":
            return f"Invalid path '{path}': The choice state's condition path references an invalid value."
        case "seconds" | "timestamp" | "timeout":
            return f"The {use.field} parameter does not reference an input value: {path}"
        case "argument":
            return (
                f"The function '{use.text}' had the following error: "
                f"The JsonPath argument for the field '{path}' could not be found in the input '{_shown(value)}'"
            )
    return f"The JSONPath '{path}' specified for the field '{use.field}' could not be found in the input '{_shown(value)}'"


def _shown(value: Any) -> str:
    return dumps(value).decode()[:LONGEST_CAUSE]
